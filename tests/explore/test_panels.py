"""The panels without a browser: their own events, and the pictures that pages show instead."""

import base64
import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from dvelib.explore import explorer, training_panel
from dvelib.explore.explorer import Explorer
from dvelib.explore.matches_figure import matches_figure


@pytest.fixture
def panel(gallery):
    return gallery.matches(8)


def contents(panel):
    """The data of the page in the panel's frame."""
    frame = BeautifulSoup(panel.frame.value, "html.parser").iframe
    page = BeautifulSoup(frame["srcdoc"], "html.parser")
    return json.loads(page.find(id="data").string)


def labels(panel):
    return [embedding["label"] for embedding in contents(panel)["embeddings"]]


def test_the_frame_shows_the_chosen_embeddings(panel):
    assert labels(panel) == ["SmallNet 64-d without exchange", "SmallNet 64-d with exchange"]
    panel.labels[0].value = "SmallNet 16-d with exchange"
    assert labels(panel) == ["SmallNet 16-d with exchange", "SmallNet 64-d with exchange"]


def test_one_embedding_on_both_sides_is_shown_once(panel):
    panel.labels[0].value = panel.labels[1].value
    assert labels(panel) == [panel.labels[1].value]


def test_a_typical_landmark_is_shown_first(panel):
    data = contents(panel)
    start, points = data["start"], data["landmarks"]["points"]
    assert [start["x"], start["y"]] in points[start["face"]]
    assert data["auxiliary"] != start["face"]
    assert tuple(data["landmarks"]["names"]) == panel.gallery.landmark_names


def test_other_faces_can_be_shown(panel):
    panel.first.value = 5
    assert panel.scene.first == 4
    assert [face["name"] for face in contents(panel)["faces"]][:2] == ["face 5", "face 6"]


def test_only_the_first_frame_scrolls_the_notebook_to_itself(panel):
    assert contents(panel)["arrival"]
    panel.labels[0].value = "SmallNet 16-d with exchange"
    assert not contents(panel)["arrival"]
    assert '"arrival": ""' in panel.still().unescape()


def pictures(still):
    """Every choice's label, picture and text alternative; one of them is chosen."""
    soup = BeautifulSoup(str(still), "html.parser")
    choices = soup.select(".choice")
    assert len(soup.select("input[checked]")) == 1
    assert len({choice.input["name"] for choice in choices}) == 1
    for choice in choices:
        data = base64.b64decode(choice.img["src"].partition(",")[2])
        yield choice.label.text.strip(), Image.open(io.BytesIO(data)), choice.img["alt"]


@pytest.mark.parametrize("what", ["warps", "keypoints", "errors"])
def test_a_page_shows_static_pictures(gallery, what):
    shown = list(pictures(getattr(gallery, what)().still()))
    assert len(shown) == 5
    assert len({label for label, _, _ in shown}) == 5
    assert len({picture.tobytes() for _, picture, _ in shown}) == 5
    assert all(picture.width > 300 and alt for _, picture, alt in shown)


def test_the_mime_bundle_holds_widget_and_page(gallery):
    panel = gallery.warps()
    bundle = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert 'class="choices"' in bundle["text/html"]
    other = BeautifulSoup(str(panel.still()), "html.parser").input["name"]
    assert other not in bundle["text/html"]  # choices of one page do not switch each other
    assert "<iframe" in gallery.matches(3)._repr_mimebundle_()["text/html"]


def test_all_panels_are_shown_the_faces_first(gallery, monkeypatch):
    shown = []
    monkeypatch.setattr(explorer, "display", shown.append)
    gallery.show(3)
    panels, texts = shown[::2], [text.data.splitlines()[0] for text in shown[1::2]]
    assert [type(panel).__name__ for panel in panels] == [
        "MatchPanel",
        "WarpPanel",
        "KeypointPanel",
        "ErrorPanel",
        "TrainingPanel",
    ]
    assert texts[-1] == "## Train an embedding"


def test_the_picture_for_the_readme_has_a_row_for_each_embedding(gallery):
    scene, labels = gallery.scene(4), gallery.pair()
    figure = matches_figure(scene, labels, *scene.typical_question(*labels))
    assert len(figure.axes) == 8
    for text, label in zip(figure.texts, labels, strict=True):
        error = np.nanmean(scene.landmark_errors(label)[scene.typical_question(*labels)])
        assert text.get_text() == f"{label}: mean error {error:.1f} px"


def test_pairs_are_warped_as_in_training_by_default(gallery):
    from dvelib.warps import TRAINING_WARP

    panel = gallery.warps()
    assert panel.distribution == TRAINING_WARP
    before = panel.picture.value
    panel.parts["rotation"].value = 40
    assert panel.picture.value != before


def test_the_identity_warp_moves_no_pixels(gallery):
    panel = gallery.warps()
    for part in panel.parts.values():
        part.value = 0
    assert "move by 0.0 px" in panel.status_line.value
    panel.crop.value = 0
    assert "move by 0.0 px" in panel.status_line.value


def test_faces_are_in_order_of_their_errors(gallery):
    panel = gallery.errors()
    heights = panel.dots.get_offsets()[:, 1]
    assert (np.diff(heights) >= 0).all() and len(heights) == 12
    panel._clicked(SimpleNamespace(inaxes=panel.chart, xdata=10.7, ydata=0))
    assert panel.rank.value == 11 and "rank 12 of 12" in panel.status_line.value
    worst = panel.errors(panel.label.value, -1).max()
    assert f"{worst:.1f} %" in panel.status_line.value


@pytest.fixture
def trainer(tmp_path, monkeypatch):
    """The panel of a gallery with one embedding and eight faces to train on, for two steps."""
    monkeypatch.setattr(training_panel, "TRAINING_FACES", 8)
    panel = Explorer(embeddings=["smallnet-16d-plain"], outputs=tmp_path, drawn=8).training()
    panel.steps.options = {"two": 2}
    return panel


def test_the_button_trains_and_offers_the_embedding(trainer, tmp_path):
    matches = trainer.gallery.matches(4)
    trainer.button.click()
    trainer.wait()
    assert "is now selected on the right" in trainer.status_line.value
    assert not trainer.button.disabled and trainer.stop_button.disabled
    assert labels(matches) == ["SmallNet 16-d without exchange", "SmallNet 16-d with exchange"]
    found = tmp_path.glob("explore/smallnet-16d-exchange-seed0-*/weights.safetensors")
    assert len(list(found)) == 1


def test_a_stopped_training_goes_on_from_its_checkpoint(trainer, monkeypatch):
    monkeypatch.setattr(training_panel, "SHOW_SECONDS", 0)
    said = []
    trainer.status_line.observe(lambda change: said.append(change["new"]), "value")
    trainer.bar.observe(lambda _: trainer.stop_button.click(), "value")
    trainer.button.click()
    trainer.wait()
    assert "was stopped after 1 of 2 steps" in trainer.status_line.value
    trainer.bar.unobserve_all()
    trainer.button.click()
    trainer.wait()
    assert "is now selected on the right" in trainer.status_line.value
    assert [text for text in said if "Step 2 of 2" in text]


def test_a_training_that_fails_shows_the_error(trainer, monkeypatch):
    monkeypatch.setattr(training_panel, "TRAINING_FACES", 4)  # fewer than a batch
    trainer.start()
    trainer.wait()
    assert "fewer than batch 8" in trainer.status_line.value and not trainer.button.disabled
