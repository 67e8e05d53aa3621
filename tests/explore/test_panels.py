"""The panels without a browser: their own events, and the pictures that pages show instead."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from bs4 import BeautifulSoup
from PIL import Image

from dvelib.data import open_dataset
from dvelib.explore import training_panel
from dvelib.explore.explorer import Explorer


@pytest.fixture
def panel(gallery):
    return gallery.matches(8)


def click(panel, x, y):
    axis = panel.sides[1].axis
    panel._clicked(SimpleNamespace(inaxes=axis, xdata=x, ydata=y))


def test_a_landmark_is_selected_first_and_described(panel):
    assert panel.landmark.label in panel.gallery.landmark_names
    assert "SmallNet 64-d without exchange: mean error" in panel.status_line.value
    assert 'role="status"' in panel.status_line.value


def test_a_click_selects_its_point_on_both_sides(panel):
    x, y = panel.mosaic.corners[5] + (12, 30)
    click(panel, x, y)
    assert (panel.face.value, panel.x.value, panel.y.value) == (5, 12, 30)
    assert panel.landmark.label == "any point"
    for side, label in zip(panel.sides, panel.labels, strict=True):
        look = panel.scene.look(label.value, 5, (12, 30), panel.auxiliary.value)
        others = np.delete(panel.mosaic.placed(look.best), 5, axis=0)
        np.testing.assert_array_equal(side.best.get_offsets(), others)
        np.testing.assert_array_equal(side.query.get_offsets(), [[x, y]])


def test_a_click_beside_the_faces_changes_nothing(panel):
    before = panel.status_line.value
    click(panel, 51, 51)
    panel._clicked(SimpleNamespace(inaxes=None, xdata=None, ydata=None))
    assert panel.status_line.value == before


def test_sliders_select_the_point(panel):
    panel.ask(0, (25, 25))
    panel.x.value = 11
    assert "Face 0, (11, 25)" in panel.status_line.value
    before = panel.sides[0].exchanged.get_offsets().copy()
    panel.auxiliary.value = 7
    assert (panel.sides[0].exchanged.get_offsets() != before).any()


def test_the_selected_landmark_moves_to_the_selected_face(panel):
    panel.landmark.value = 2
    for face in (3, 6):
        panel.face.value = face
        truth = panel.scene.landmarks[face, 2].round()
        assert (panel.x.value, panel.y.value) == tuple(truth.clip(0, 49))
        assert panel.landmark.value == 2


@pytest.mark.parametrize("what", ["descriptors as colours", "faces alone"])
def test_other_pictures_of_the_same_faces(panel, what):
    before = panel.sides[0].picture.get_array().copy()
    panel.show.value = what
    assert (panel.sides[0].picture.get_array() != before).any()


def test_other_faces_can_be_shown(panel):
    panel.first.value = 4
    assert panel.scene.first == 4
    shown = panel.scene.images[0].movedim(0, 2).numpy() / 255
    np.testing.assert_array_equal(panel.mosaic.faces[0], shown)


def pictures(still):
    """Every choice's label, picture and text alternative; one of them is chosen."""
    soup = BeautifulSoup(str(still), "html.parser")
    choices = soup.select(".choice")
    assert len(soup.select("input[checked]")) == 1
    assert len({choice.input["name"] for choice in choices}) == 1
    for choice in choices:
        data = base64.b64decode(choice.img["src"].partition(",")[2])
        yield choice.label.text.strip(), Image.open(io.BytesIO(data)), choice.img["alt"]


@pytest.mark.parametrize("what", ["matches", "warps", "keypoints", "errors"])
def test_a_page_shows_static_pictures(gallery, what):
    shown = list(pictures(getattr(gallery, what)().still()))
    assert len(shown) == 5
    assert len({label for label, _, _ in shown}) == 5
    assert len({picture.tobytes() for _, picture, _ in shown}) == 5
    assert all(picture.width > 300 and alt for _, picture, alt in shown)


def test_the_mime_bundle_holds_widget_and_pictures(panel):
    bundle = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert 'class="choices"' in bundle["text/html"]
    other = BeautifulSoup(str(panel.still()), "html.parser").input["name"]
    assert other not in bundle["text/html"]  # choices of one page do not switch each other


def test_stills_do_not_change_the_panel(panel):
    panel.ask(3, (10, 20))
    before = panel.status_line.value
    panel.stills()
    assert panel.status_line.value == before


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


def test_the_button_trains_and_offers_the_embedding(gallery, tmp_path, monkeypatch):
    small = Explorer(embeddings=["smallnet-16d-plain"])
    small.faces = open_dataset("synthetic", None, "test", size=70, crop=10, limit=8)
    monkeypatch.setattr(training_panel, "TRAINING_FACES", 8)
    matches, panel = small.matches(4), small.training()
    panel.folder = tmp_path
    panel.steps.options = {"two": 2}
    panel.button.click()
    assert "is now selected on the right" in panel.status_line.value and not panel.button.disabled
    assert matches.labels[0].value == "SmallNet 16-d without exchange"
    assert matches.labels[1].value == "SmallNet 16-d with exchange"
    assert list(tmp_path.glob("smallnet-16d-exchange-seed0-*/weights.safetensors"))


def test_a_training_that_fails_shows_the_error(gallery, tmp_path, monkeypatch):
    monkeypatch.setattr(training_panel, "TRAINING_FACES", 4)  # fewer than a batch
    panel = gallery.training()
    panel.folder = tmp_path
    panel.train()
    assert "fewer than batch 8" in panel.status_line.value and not panel.button.disabled
