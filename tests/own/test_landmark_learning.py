"""Landmarks on a user's own pictures: learned from few labels, and their errors."""

import json
import shutil

import numpy as np
import pytest

from dvelib import StudyError
from dvelib.checkpoints.storage import finished
from dvelib.own import landmark_learning
from dvelib.own.accuracy import picture_errors
from dvelib.own.embedding_training import train_embedding
from dvelib.own.landmark_learning import regress_landmarks, regressor_spec
from tests.own.pictures import draw_folder, label

TINY = {"dimension": 4, "size": 24, "crop": 2, "batch": 4, "steps": 3, "device": "cpu"}


@pytest.fixture(autouse=True)
def few_copies(monkeypatch):
    monkeypatch.setattr(landmark_learning, "COPIES", 40)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pictures of which five are labelled and two of those kept for testing, and an embedding."""
    folder = tmp_path_factory.mktemp("own") / "things"
    points = draw_folder(folder, 9)
    train_embedding(folder, **TINY, say=lambda text: None)
    named = [f"p{i:02}.png" for i in (0, 2, 4, 6, 8)]
    label(folder, {name: points[name] for name in named}, test=named[-2:])
    return folder.parent


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made, tmp_path / "own")
    return tmp_path / "own"


def regress(place, **changes):
    said = []
    values = {"epochs": 2, "batch": 8, "device": "cpu", "say": said.append} | changes
    trained = regress_landmarks(
        place / "things" / "landmarks.csv", place / "things-embedding", **values
    )
    return trained, said


def test_few_labels_are_learned_in_warped_copies_and_tested(place):
    trained, said = regress(place, eyes=(0, 1))
    out = place / "things-regressor"
    assert said[0] == f"3 landmarks from 3 labelled pictures in 14 warped copies each, into {out}"
    assert trained.provenance["train"]["images"] == 42
    assert trained.provenance["test"]["images"] == 2
    assert trained.spec.learning_rate == 1e-2
    found = json.loads((out / "errors.json").read_text())
    assert (found["pictures"], found["landmarks"]) == (2, 6)
    assert said[1] == (
        f"mean error on 2 test pictures (6 landmarks): {found['pixels']:.1f} pixels, "
        f"{found['percent']:.1f} % of the picture's side"
    )
    assert said[2].startswith("  landmark 0: ")
    assert said[5].endswith("% of the distance between landmark 0 and landmark 1")


def test_many_labels_are_learned_as_they_are(place, monkeypatch):
    monkeypatch.setattr(landmark_learning, "FEW", 3)
    trained, said = regress(place, batch=3)
    assert said[0].startswith("3 landmarks from 3 labelled pictures, into")
    assert trained.provenance["train"]["images"] == 3


def test_the_schedules_are_the_published_ones():
    few, many = (regressor_spec("e", "things", count) for count in (199, 200))
    assert (few.learning_rate, few.epochs, few.lower_rate_from) == (1e-2, 50, ())
    assert (many.learning_rate, many.epochs, many.lower_rate_from) == (1e-3, 150, (52, 127))
    assert few.data.name == "folder"


def test_without_test_pictures_no_error_is_claimed(place):
    path = place / "things" / "landmarks.csv"
    path.write_text(path.read_text().replace(",test,", ",train,"))
    trained, said = regress(place)
    assert said[-1].startswith(
        "no error was measured, since no labelled picture is kept for testing"
    )
    assert not (trained.folder / "errors.json").exists()


def test_more_labels_need_another_folder_or_force(place):
    regress(place)
    again, said = regress(place)
    assert len(said) == 5 and again.provenance["train"]["images"] == 42
    path = place / "things" / "landmarks.csv"
    path.write_text(path.read_text() + "p01.png,train,20,20,,,30,30\n")
    with pytest.raises(StudyError, match="was made with other landmarks: choose another"):
        regress(place)
    trained, said = regress(place, force=True)
    assert said[0].startswith("3 landmarks from 4 labelled pictures in 10 warped copies each")


def test_an_embedding_that_was_trained_anew_is_another(place):
    regress(place)
    (place / "things" / "landmarks.csv").rename(place / "kept.csv")
    train_embedding(place / "things", **(TINY | {"steps": 4}), force=True, say=lambda text: None)
    (place / "kept.csv").rename(place / "things" / "landmarks.csv")
    with pytest.raises(StudyError, match="was made with other embedding weights"):
        regress(place)


def test_a_landmark_the_method_cannot_see_is_left_out(place):
    path = place / "things" / "landmarks.csv"
    path.write_text(path.read_text() + "p03.png,train,1,30,40,30,,\n")  # 80 x 60
    _, said = regress(place)
    assert said[0] == (
        "1 of 17 labels (6 %) are outside what the network sees (the central square without 8 % on "
        "each side) and count as not set: in p03.png; with --fit whole it would be 0"
    )
    assert "from 4 labelled pictures" in said[1]
    _, said = regress(place, fit="whole", out=place / "whole")
    assert said[0].startswith("3 landmarks from 4 labelled pictures")


def test_what_cannot_be_learned_is_said_in_a_sentence(place, tmp_path):
    csv, embedding = place / "things" / "landmarks.csv", place / "things-embedding"
    text = csv.read_text()

    def refused(file=csv, held=embedding, **choices):
        with pytest.raises(StudyError) as caught:
            regress_landmarks(file, held, tmp_path / "out", say=lambda text: None, **choices)
        return str(caught.value)

    assert "name the landmarks.csv in the folder" in refused(tmp_path / "x.csv")
    assert "holds no finished embedding" in refused(held=tmp_path)
    assert "two different landmarks from 0 to 2" in refused(eyes=(0, 3))
    assert "two different landmarks from 0 to 2" in refused(eyes=(1, 1))
    assert "the regressor: epochs: must be greater" in refused(epochs=0)
    assert "fewer than a batch of 64" in refused(batch=64, epochs=1)
    csv.write_text(text.replace(",train,", ",test,"))
    assert "sets no landmark on a picture for training: label some" in refused()
    csv.write_text("file,x0,y0\np00.png,,\n")
    assert "sets no landmark on a picture for training: label some" in refused()
    csv.write_text("file,x0,y0,x1,y1\np00.png,20,30,,\n")
    assert "landmark 1 (x1, y1) is set on no picture for training" in refused()


def test_a_regressor_is_no_embedding(place):
    regress(place)
    with pytest.raises(StudyError, match="holds a regressor: name the embedding that dve train"):
        regress_landmarks(place / "things", place / "things-regressor", say=lambda text: None)
    assert finished(place / "things-regressor")


def test_errors_are_in_pixels_of_the_picture_and_percent_of_its_square():
    truth = np.zeros((2, 2, 2), np.float32)
    truth[:, 1, 0] = 50
    truth[1, 0] = np.nan
    predicted = np.zeros((2, 2, 2), np.float32)
    predicted[0, 0] = (3, 4)
    predicted[:, 1, 0] = 60
    found = picture_errors(truth, predicted, np.array([100, 400]), 100, eyes=(0, 1))
    assert found == {
        "pictures": 2,
        "landmarks": 3,
        "pixels": pytest.approx((5 + 10 + 40) / 3, abs=1e-3),
        "percent": pytest.approx(25 / 3, abs=1e-3),
        "percent_by_landmark": [5, 10],
        "percent_of_eyes": 15,
    }


def test_a_landmark_that_is_set_nowhere_has_no_error():
    truth = np.full((1, 2, 2), np.nan, np.float32)
    truth[0, 0] = 1
    found = picture_errors(truth, np.ones_like(truth), np.array([10]), 10, eyes=(0, 1))
    assert (found["percent_by_landmark"], found["percent_of_eyes"]) == ([0, None], None)


def test_landmarks_that_coincide_measure_nothing():
    truth = np.ones((1, 2, 2), np.float32)
    with pytest.raises(StudyError, match="--eyes: .*coincide"):
        picture_errors(truth, truth, np.array([10]), 10, eyes=(0, 1))
