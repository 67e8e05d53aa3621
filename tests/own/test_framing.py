"""What a network sees of a picture, and the labels outside of it."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from dvelib import StudyError
from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.data.folder import CENTRAL, WHOLE
from dvelib.own import landmark_learning
from dvelib.own.embedding_training import embedding_spec, train_embedding
from dvelib.own.framing import Framing, framing_of, labels_outside, say_outside
from dvelib.own.landmark_file import LandmarkFile
from dvelib.own.landmark_learning import regress_landmarks
from dvelib.own.predictor import load_predictor
from dvelib.training.regressors import predict_dataset
from tests.own.pictures import draw_folder, label

TINY = {"dimension": 4, "size": 24, "crop": 2, "batch": 4, "steps": 2, "device": "cpu"}


@pytest.fixture
def wide(tmp_path):
    """Two pictures of 100 x 50; the central square begins at x = 25."""
    folder = tmp_path / "wide"
    folder.mkdir()
    for name in "ab":
        Image.new("RGB", (100, 50)).save(folder / f"{name}.png")
    (folder / "landmarks.csv").write_text("file,x0,y0,x1,y1\na.png,2,25,50,25\nb.png,30,25,,\n")
    return folder


def test_labels_outside_are_found_by_picture(wide):
    file = LandmarkFile(wide)
    found = labels_outside(file, Framing(CENTRAL, 100, 0))
    assert {name: outside.tolist() for name, outside in found.items()} == {
        "a.png": [True, False],
        "b.png": [False],
    }
    assert labels_outside(file, Framing(CENTRAL, 100, 15))["b.png"].tolist() == [True]
    assert not any(o.any() for o in labels_outside(file, Framing(WHOLE, 100, 0)).values())


def test_the_message_counts_them_and_names_what_helps(wide):
    said, file, cropped = [], LandmarkFile(wide), Framing(CENTRAL, 100, 15)
    whole, uncropped = Framing(WHOLE, 100, 0), Framing(CENTRAL, 100, 0)
    say_outside(file, cropped, (uncropped, whole), said.append)
    say_outside(file, cropped, (uncropped,), said.append)
    say_outside(file, cropped, (cropped,), said.append)
    say_outside(file, whole, (uncropped,), said.append)
    assert said == [
        "2 of 3 labels (67 %) are outside what the network sees (the central square without 15 % "
        "on each side) and count as not set: in a.png, b.png" + advice
        for advice in ("; with --fit whole it would be 0", "; with --crop 0 it would be 1", "")
    ]


def test_a_turned_picture_is_measured_upright(wide):
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (50, 100)).save(wide / "a.png", exif=exif)  # upright 100 x 50
    assert labels_outside(LandmarkFile(wide), Framing(CENTRAL, 100, 0))["a.png"].tolist() == [
        True,
        False,
    ]


def test_training_says_which_labels_it_will_not_see(tmp_path):
    points = draw_folder(tmp_path / "things", 6)
    points["p00.png"][0] = (1, 30)  # of 80 x 60
    label(tmp_path / "things", points)
    said = []
    train_embedding(tmp_path / "things", say=said.append, **TINY)
    assert said[0].startswith("1 of 18 labels (6 %) are outside what the network sees")
    said.clear()
    whole = TINY | {"crop": 0}
    train_embedding(tmp_path / "things", tmp_path / "w", fit="whole", say=said.append, **whole)
    assert said[0].startswith("SmallNet 4-d with exchange on 6 pictures")


def test_whole_pictures_have_an_input_as_large_as_central_squares():
    for architecture, side in (("smallnet", 70), ("hourglass", 96)):
        spec = embedding_spec("things", architecture=architecture, fit="whole")
        assert (spec.data.name, spec.size, spec.crop) == (WHOLE, side, 0)
        child = embedding_spec("things", spec)
        assert (child.data.name, child.size, child.crop) == (WHOLE, side, 0)
    assert embedding_spec("things", fit="whole", size=64).crop == 0
    plain = embedding_spec("things")
    assert plain == embedding_spec("things", fit="central")
    with pytest.raises(StudyError, match="--fit half is unknown: choose among central, whole"):
        embedding_spec("things", fit="half")


def test_options_change_the_framing_of_an_embedding():
    small, large = (embedding_spec("things", architecture=a) for a in ("smallnet", "hourglass"))
    assert framing_of(small) == Framing(CENTRAL, 100, 15)
    assert framing_of(small, fit="whole") == Framing(WHOLE, 100, 0)
    assert framing_of(large, fit="whole") == Framing(WHOLE, 136, 4)
    assert framing_of(small, fit="whole", crop=5) == Framing(WHOLE, 100, 5)
    celeba = EmbeddingSpec(data={"name": "celeba"}, steps=1)
    assert framing_of(celeba) == Framing(CENTRAL, 100, 15)
    for crop in (-1, 1, 30, 60):
        with pytest.raises(StudyError, match=f"--crop {crop} leaves .* a multiple of 32"):
            framing_of(large, crop=crop)


@pytest.mark.parametrize(("fit", "crop"), [("whole", None), ("central", 0)])
def test_a_predictor_sees_what_its_regressor_saw(tmp_path, monkeypatch, fit, crop):
    monkeypatch.setattr(landmark_learning, "COPIES", 20)
    things = tmp_path / "things"
    points = draw_folder(things, 6)
    embedding = train_embedding(things, say=lambda text: None, **TINY)
    label(things, points)
    regress_landmarks(
        things, embedding.folder, fit=fit, crop=crop, epochs=1, batch=4, say=lambda text: None
    )
    found = load_predictor(tmp_path / "things-regressor", "cpu")
    assert found.framing == replace(framing_of(embedding.spec, fit=fit), crop=0)
    faces = found.framing.open(things, "train")
    sources = np.array([Image.open(things / file).size for file in faces.files])
    expected = found.framing.to_pictures(
        predict_dataset(found.embedding, found.regressor, faces), sources
    )
    landmarks = found([things / file for file in faces.files])
    np.testing.assert_allclose(landmarks, expected, atol=1e-3)
