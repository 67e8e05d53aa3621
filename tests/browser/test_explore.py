"""The explorer in JupyterLab: Run All ends at the faces, and they answer pointer and keyboard."""

import pytest
from playwright.sync_api import expect

from tests.browser.jupyterlab import PATIENCE, complaints

expect.set_options(timeout=PATIENCE)
PICTURES_BESIDE_IT = """output => [...output.querySelectorAll("canvas, img")].filter(
  part => part.getBoundingClientRect().right > output.getBoundingClientRect().right + 1).length"""
POINT = "() => [dve.point.face, Math.round(dve.point.x), Math.round(dve.point.y)]"


@pytest.fixture(scope="module")
def explorer(lab):
    with lab.run_all("explore", outputs=str(lab.folder)) as page:
        page.complaints = complaints(page)
        page.get_by_role("button", name="train", exact=True).wait_for()
        yield page


@pytest.fixture
def faces(explorer):
    """The frame with the faces, once all of them are drawn."""
    frame = explorer.locator("iframe.live").content_frame
    frame.locator("canvas").nth(11).wait_for()
    return frame


def hover(faces, face, x, y, block=0):
    """Point at pixel (x, y) of a face; returns what the page has found."""
    canvas = faces.locator(".faces").nth(block).locator("canvas").nth(face)
    scale = canvas.bounding_box()["width"] / 50
    canvas.hover(position={"x": (x + 0.5) * scale, "y": (y + 0.5) * scale})
    body = faces.locator("body")
    body.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    return body.evaluate("() => [dve.point, dve.found]")


def test_run_all_ends_at_the_faces_without_errors(explorer, faces):
    assert explorer.complaints == []
    height, width = (explorer.viewport_size[side] for side in ("height", "width"))
    for canvas in faces.locator("canvas").all():
        box = canvas.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= height
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
        assert box["width"] >= 125


def test_few_controls_stand_before_the_faces(explorer, faces):
    top = faces.locator("canvas").first.bounding_box()["y"]
    controls = "select:visible, input:visible, button:visible"
    outside = explorer.locator(".jp-OutputArea-output").filter(has=explorer.locator("iframe"))
    found = [*outside.locator(controls).all(), *faces.locator(controls).all()]
    assert 1 <= sum(control.bounding_box()["y"] < top for control in found) <= 4


def test_nothing_is_cut_off(explorer, faces):
    wide = "e => e.scrollWidth <= e.clientWidth"
    assert faces.locator("html").evaluate(wide)
    assert faces.locator("html").evaluate("e => e.scrollHeight <= e.clientHeight")
    for output in explorer.locator(".jp-OutputArea-output").all():
        assert output.evaluate(wide)
        assert output.evaluate(PICTURES_BESIDE_IT) == 0


def test_the_pointer_moves_the_matches_on_all_faces(explorer, faces):
    pictures = "() => [...document.querySelectorAll('canvas')].map(canvas => canvas.toDataURL())"
    body = faces.locator("body")
    _, before = hover(faces, 0, 12, 30)
    drawn = body.evaluate(pictures)
    point, after = hover(faces, 1, 35, 15)
    assert (point["face"], round(point["x"]), round(point["y"])) == (1, 35, 15)
    for old, new in zip(before, after, strict=True):
        assert sum((a["x"], a["y"]) != (b["x"], b["y"]) for a, b in zip(old, new, strict=True)) >= 5
    changed = [a != b for a, b in zip(drawn, body.evaluate(pictures), strict=True)]
    assert all(changed)


def test_another_embedding_keeps_the_point(explorer, faces):
    hover(faces, 2, 20, 30)
    point = faces.locator("body").evaluate(POINT)
    explorer.get_by_label("right", exact=True).select_option("SmallNet 16-d with exchange")
    expect(faces.locator("h2").nth(1)).to_have_text("SmallNet 16-d with exchange")
    assert faces.locator("body").evaluate(POINT) == point


def test_warps_follow_their_sliders(explorer):
    text = explorer.get_by_text("pixels move by")
    before = text.text_content()
    explorer.locator(".widget-slider", has_text="rotation, degrees").get_by_role("slider").focus()
    explorer.keyboard.press("ArrowRight")
    expect(text).not_to_have_text(before)


def test_a_click_on_a_dot_shows_its_face(explorer):
    text = explorer.get_by_text("of 96 faces")
    before = text.text_content()
    canvas = explorer.locator(".jupyter-matplotlib-canvas-div canvas").nth(1)
    box = canvas.bounding_box()
    canvas.click(position={"x": 0.15 * box["width"], "y": 0.5 * box["height"]})
    expect(text).not_to_have_text(before)


def test_a_training_is_stopped_by_its_button(explorer):
    explorer.get_by_role("button", name="train", exact=True).click()
    expect(explorer.get_by_text("of 200; ")).to_be_visible()
    explorer.get_by_role("button", name="stop", exact=True).click()
    expect(explorer.get_by_text("was stopped after")).to_be_visible()
