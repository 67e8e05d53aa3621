"""The explorer in one file: its contents, and its behaviour in a real browser without network."""

import base64
import json
import re

import numpy as np
import pytest
import torch

from dvelib.checkpoints import load_pretrained
from dvelib.common.errors import StudyError
from dvelib.data import open_dataset
from dvelib.explore.live_page import DEFAULT, write_live_page
from dvelib.explore.scene import Scene
from dvelib.matching import match_full_resolution
from tests.own.pictures import draw_folder


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return write_live_page(tmp_path_factory.mktemp("live") / "explorer.html", faces=12)


def contents(page):
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text())
    return json.loads(found[1])


def test_it_is_small_and_asks_for_nothing(page):
    text = page.read_text()
    assert len(text) < 3_000_000
    assert not re.search(r'(?:src|href)="(?:https?:)?//', text)
    assert "default-src 'none'" in text


def test_it_holds_unit_descriptors_in_eight_bits(page):
    data = contents(page)
    assert (data["side"], data["cells"], data["stride"], data["shown"]) == (50, 25, 2, 200)
    assert [e["label"] for e in data["embeddings"]] == [
        load_pretrained(name).spec.label for name in DEFAULT
    ]
    whole = base64.b64decode(data["embeddings"][1]["maps"][3])
    held = np.frombuffer(whole, np.int8).reshape(25, 25, 64).astype(float)
    held /= np.linalg.norm(held, axis=2, keepdims=True)
    faces = open_dataset("synthetic", None, "test", size=70, crop=10, limit=12)
    exact = load_pretrained(DEFAULT[1])(faces.cropped())[3].permute(1, 2, 0)
    exact = torch.nn.functional.normalize(exact, dim=2).numpy()
    assert (held * exact).sum(2).min() > 0.999
    assert data["faces"][3]["picture"].startswith("data:image/jpeg;base64,")


def test_a_folder_of_pictures_and_one_embedding_are_enough(tmp_path):
    draw_folder(tmp_path / "things", 4)
    page = write_live_page(
        tmp_path / "deep" / "own.html", embeddings=DEFAULT[:1], images=tmp_path / "things", faces=3
    )
    data = contents(page)
    assert [face["name"] for face in data["faces"]] == ["p00", "p01", "p02"]
    assert len(data["embeddings"]) == 1


def test_what_cannot_be_shown_is_said_in_a_sentence(tmp_path):
    with pytest.raises(StudyError, match="--faces must be at least 2"):
        write_live_page(tmp_path / "x.html", faces=1)
    draw_folder(tmp_path / "one", 1)
    with pytest.raises(StudyError, match="has 1 picture.s.: the explorer needs at least two"):
        write_live_page(tmp_path / "x.html", images=tmp_path / "one")
    assert not (tmp_path / "x.html").exists()


@pytest.fixture(scope="module")
def window(browser, page):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    window = context.new_page()
    window.complaints = []
    window.on("pageerror", lambda error: window.complaints.append(str(error)))
    window.goto(page.as_uri())
    window.wait_for_timeout(500)
    yield window
    context.close()


def hover(window, face, x, y):
    """Point at pixel (x, y) of a face in the first block."""
    box = window.locator("canvas").nth(face).bounding_box()
    scale = box["width"] / 50
    window.mouse.move(box["x"] + (x + 0.5) * scale, box["y"] + (y + 0.5) * scale)
    window.wait_for_timeout(80)
    return window.evaluate("dve.found")


def test_the_browser_finds_what_matching_finds(window):
    found = hover(window, 0, 20, 18)
    faces = open_dataset("synthetic", None, "test", size=70, crop=10, limit=12).cropped()
    for e, name in enumerate(DEFAULT):
        maps = load_pretrained(name)(faces)
        points = torch.tensor([[[20.0, 18.0]]]).expand(11, 1, 2)
        ours = match_full_resolution(maps[:1].expand(11, -1, -1, -1), maps[1:], points, 2)
        theirs = torch.tensor([[m["x"], m["y"]] for m in found[e][1:]])
        assert (theirs - ours[:, 0]).norm(dim=1).median() <= 1.5
    assert window.complaints == []


def test_hovering_costs_less_than_a_frame(window):
    costs = []
    for step in range(15):
        hover(window, 1, 12 + step, 25)
        costs.append(window.evaluate("dve.cost"))
    assert sorted(costs)[7] < 16, costs


def test_a_click_keeps_a_point_and_it_can_be_saved(window):
    hover(window, 2, 25, 30)
    window.mouse.down()
    window.mouse.up()
    assert window.evaluate("dve.pins.length") == 1
    with window.expect_download() as download:
        window.click("#export")
    lines = download.value.path().read_text().splitlines()
    assert lines[0] == "point,embedding,face,x,y,similarity,comes_back"
    assert len(lines) == 1 + 2 * 12
    window.keyboard.press("Escape")
    assert window.evaluate("dve.pins.length") == 0


def test_the_keyboard_alone_moves_and_keeps_points(window):
    window.locator("canvas").nth(4).focus()
    window.keyboard.press("ArrowRight")
    before = window.evaluate("dve.point")
    window.keyboard.press("Shift+ArrowDown")
    window.wait_for_timeout(80)
    after = window.evaluate("dve.point")
    assert (after["face"], after["x"], after["y"]) == (4, before["x"], before["y"] + 5)
    window.keyboard.press("Enter")
    assert window.evaluate("dve.pins.length") == 1
    window.keyboard.press("Tab")
    assert window.evaluate("document.activeElement.ariaLabel") == (
        "face 6, SmallNet 64-d without exchange"
    )
    window.keyboard.press("Escape")


def test_paint_reaches_all_faces(window):
    window.check("#paint")
    hover(window, 0, 25, 25)
    window.mouse.down()
    hover(window, 0, 28, 25)
    window.mouse.up()
    window.wait_for_timeout(500)
    reached = window.evaluate(
        """() => dve.painted.nearest.map(faces => faces.filter(
             near => near.some(cell => dve.paints[cell])).length)"""
    )
    assert min(reached) >= 10
    window.uncheck("#paint")
    window.click("#clear")
    assert window.evaluate("dve.painted") is None


def test_the_exchange_is_that_of_the_loss(window):
    window.select_option("#auxiliary", "5")
    hover(window, 0, 20, 18)
    found = window.evaluate("dve.via")
    faces = open_dataset("synthetic", None, "test", size=70, crop=10, limit=12)
    scene = Scene({name: load_pretrained(name) for name in DEFAULT}, faces, 12)
    for e, name in enumerate(DEFAULT):
        ours = torch.tensor(scene.look(name, 0, (20, 18), 5).exchanged).float()
        theirs = torch.tensor([[m["x"], m["y"]] for m in found[e]])
        assert (theirs - ours).norm(dim=1).median() <= 1.5
    assert window.complaints == []
    window.select_option("#auxiliary", "")
    hover(window, 0, 20, 20)
    assert window.evaluate("dve.via") is None


def test_true_places_and_the_mean_error_are_shown_near_a_landmark(window):
    faces = open_dataset("synthetic", None, "test", size=70, crop=10, limit=12)
    found = hover(window, 2, *map(float, faces.landmarks[2, 2]))  # the nose
    assert window.evaluate("dve.landmark") == 2
    misses = [
        np.hypot(m["x"] - x, m["y"] - y)
        for face, (m, (x, y)) in enumerate(zip(found[0], faces.landmarks[:, 2], strict=True))
        if face != 2
    ]
    note = window.locator(".block .note").first.text_content()
    assert note.endswith(f"mean error of nose {np.mean(misses) * 70 / 50:.1f} px")
    hover(window, 2, 3, 3)
    assert "mean error" not in window.locator(".block .note").first.text_content()
