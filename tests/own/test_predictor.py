"""Landmarks on pictures of any size, and for whole folders."""

import shutil
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from dvelib import StudyError
from dvelib.cli import main
from dvelib.data import open_dataset
from dvelib.data.folder import CENTRAL, FOLDERS
from dvelib.own import landmark_learning, predictions, predictor
from dvelib.own.annotator import Annotator
from dvelib.own.embedding_training import train_embedding
from dvelib.own.framing import Framing
from dvelib.own.landmark_file import LandmarkFile, read_predictions, write_names
from dvelib.own.landmark_learning import regress_landmarks
from dvelib.own.predictions import predict_folder, sheet_path
from dvelib.own.predictor import Predictor, load_predictor
from dvelib.training.regressors import predict_dataset
from tests.own.pictures import draw_folder, label

QUIET = {"device": "cpu", "say": lambda text: None}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pictures, all labelled, and a regressor of them."""
    place = tmp_path_factory.mktemp("own")
    points = draw_folder(place / "things", 7)
    tiny = {"dimension": 4, "size": 24, "crop": 2, "batch": 4, "steps": 2}
    train_embedding(place / "things", **tiny, **QUIET)
    label(place / "things", points)
    write_names(place / "things", ["red", "green", "blue"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landmark_learning, "COPIES", 40)
        regress_landmarks(place / "things", place / "things-embedding", epochs=2, batch=8, **QUIET)
    return place


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made, tmp_path / "own")
    (tmp_path / "own" / "things" / "landmarks.csv").unlink()
    (tmp_path / "own" / "things" / "landmarks.json").unlink()
    return tmp_path / "own"


@pytest.fixture(scope="module")
def found(made):
    return load_predictor(made / "things-regressor", "cpu")


@pytest.mark.parametrize("sources", [[(60, 60)], [(90, 61), (61, 90)], [(33, 80), (1234, 777)]])
@pytest.mark.parametrize("size", [24, 100])
@pytest.mark.parametrize("layout", FOLDERS)
def test_points_go_to_the_square_and_back(sources, size, layout):
    sources = np.array(sources)
    points = np.random.default_rng(0).uniform(-10, 100, (len(sources), 5, 2))
    there = FOLDERS[layout].place(points, sources, None, size)
    back = Framing(layout, size, 3).to_pictures(there - 3, sources)
    np.testing.assert_allclose(back, points, atol=1e-4)


def test_a_prediction_is_what_the_dataset_gives(made, found):
    faces = open_dataset("folder", made / "things", "train", size=24, crop=2)
    square = predict_dataset(found.embedding, found.regressor, faces)
    landmarks = found([made / "things" / file for file in faces.files])
    sources = np.array([Image.open(made / "things" / file).size for file in faces.files])
    expected = Framing(CENTRAL, 24, 2).to_pictures(square, sources)
    np.testing.assert_allclose(landmarks, expected, atol=1e-3)
    assert found.names == ("red", "green", "blue")


def test_a_picture_is_a_path_an_image_or_an_array(made, found):
    path = made / "things" / "p00.png"
    image = Image.open(path)
    expected = found(path)
    assert expected.shape == (3, 2) and expected.dtype == np.float32
    for picture in (str(path), image, np.asarray(image), image.convert("RGBA")):
        np.testing.assert_allclose(found(picture), expected, atol=1e-4)
    both = found([path, np.asarray(image.convert("L"))])
    np.testing.assert_allclose(both[0], expected, atol=1e-3)
    assert found([]).shape == (0, 3, 2)


def test_other_values_than_pictures_are_refused(found, tmp_path):
    with pytest.raises(StudyError, match="nowhere.png cannot be read as a picture"):
        found(tmp_path / "nowhere.png")
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(StudyError, match="broken.png cannot be read as a picture .*the file"):
        found([tmp_path / "broken.png"])
    for array in (np.zeros((5, 5, 3)), np.zeros((3, 5, 5), np.uint8), np.zeros(5, np.uint8)):
        with pytest.raises(StudyError, match=r"must be uint8 \[H,W,3\] or \[H,W\], got"):
            found(array)


def test_a_predictor_needs_only_the_regressors_folder(place, found):
    shutil.rmtree(place / "things-embedding")
    (place / "things-regressor").rename(place / "moved")
    path = place / "things" / "p00.png"
    np.testing.assert_array_equal(load_predictor(place / "moved", "cpu")(path), found(path))


def test_a_missing_embedding_is_a_study_error(place):
    shutil.rmtree(place / "things-regressor" / "embedding")
    with pytest.raises(StudyError, match="the embedding of the regressor in .* is missing: put"):
        load_predictor(place / "things-regressor", "cpu")


def test_a_regressor_of_a_study_finds_its_embedding(place, found):
    study = place / "study"
    shutil.move(place / "things-regressor" / "embedding", study / "embeddings" / "things-embedding")
    shutil.move(place / "things-regressor", study / "regressors" / "a")
    path = place / "things" / "p00.png"
    loaded = load_predictor(study / "regressors" / "a", "cpu")
    np.testing.assert_array_equal(loaded(path), found(path))


def test_wrong_folders_are_study_errors(place):
    with pytest.raises(StudyError, match="holds an embedding: name the regressor that dve regress"):
        load_predictor(place / "things-embedding")
    with pytest.raises(StudyError, match="holds no finished regressor"):
        load_predictor(place / "things")


def test_predictions_of_a_folder_can_be_annotated_further(place, found, capsys):
    images = place / "things"
    (images / "broken.png").write_bytes(b"nothing")
    command = ["predict", "--images", images, "--regressor", place / "things-regressor"]
    assert main([*map(str, command), "--device", "cpu"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"3 landmarks on each of 7 pictures, in {images / 'predictions.csv'}",
        "left out because they cannot be read: broken.png",
        f"7 pictures with their landmarks, in {place / 'things-predictions.png'}",
    ]
    predicted = read_predictions(images, 3).points
    for name in (f"p{i:02}.png" for i in range(7)):
        np.testing.assert_allclose(predicted[name], found(images / name), atol=0.006)
    assert "broken.png" not in predicted
    with Image.open(place / "things-predictions.png") as sheet:
        assert sheet.size[0] > 300
    (images / "broken.png").unlink()
    annotator = Annotator(images)
    assert annotator.names == ("red", "green", "blue")
    np.testing.assert_array_equal(annotator.guesses, predicted[annotator.name])
    assert np.isnan(annotator.points).all()
    other = Annotator(images, ["tip", "tail"])  # other landmarks than the predicted ones
    assert np.isnan(other.guesses).all() and other.names == ("tip", "tail")
    assert not (images / "landmarks.csv").exists()


def test_nothing_is_overwritten_without_force(place, capsys):
    out = place / "found.csv"
    command = ["predict", "--images", place / "things", "--regressor", place / "things-regressor"]
    command = [*map(str, command), "--out", str(out), "--device", "cpu"]
    for there in (out, place / "found.png"):
        there.write_text("mine")
        assert main(command) == 2
        assert f"{there} exists already: choose another --out, or overwrite" in (
            capsys.readouterr().err
        )
        assert there.read_text() == "mine"
        if there == out:
            there.unlink()
    assert not out.exists()
    assert main([*command, "--force"]) == 0
    assert out.read_text().startswith("file,source,x0,y0,x1,y1,x2,y2\np00.png,predicted,")


def test_the_sheet_is_never_one_of_the_pictures(tmp_path):
    images = tmp_path / "things"
    assert sheet_path(tmp_path / "found.csv", images) == tmp_path / "found.png"
    for inside in (images / "predictions.csv", images / "deep" / "predictions.csv"):
        assert sheet_path(inside, images) == tmp_path / "things-predictions.png"


def test_a_sheet_shows_so_many_pictures_evenly_spaced(place, found, monkeypatch):
    monkeypatch.setattr(predictions, "SHOWN", 3)
    monkeypatch.setattr(predictions, "BATCH", 2)
    drawn = []
    monkeypatch.setattr(
        predictions, "_draw", lambda tiles, path, say: drawn.extend(t[0] for t in tiles)
    )
    predicted = predict_folder(found, place / "things", say=lambda text: None)
    assert drawn == ["p00.png", "p02.png", "p04.png"]
    assert predicted.landmarks.shape == (7, 3, 2)


def test_without_the_drawing_package_there_is_no_sheet(place, found, monkeypatch):
    monkeypatch.setitem(sys.modules, "dvelib.plots", None)
    said = []
    predicted = predict_folder(found, place / "things", say=said.append)
    assert predicted.sheet is None and predicted.path.exists()
    assert said[-1].startswith("no sheet was drawn: ")


def test_a_folder_of_broken_pictures_is_a_study_error(found, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(StudyError, match="none of its 1 pictures can be read"):
        predict_folder(found, tmp_path)
    assert not (tmp_path / "predictions.csv").exists()


def test_predictions_can_be_corrected_and_read_again_exactly(made, place, monkeypatch):
    """With a regressor that knows the truth, what is read back is what was labelled."""
    images = place / "things"
    labels = LandmarkFile(made / "things")
    truth = {name: labels.points(name) for name in labels.files}
    names = iter(sorted(truth))

    def knowing(regressor, maps, size):
        squares = []
        for name in (next(names) for _ in range(len(maps))):
            source = np.array([Image.open(images / name).size])
            squares.append(FOLDERS[CENTRAL].place(truth[name][None], source, None, 24)[0] - 2)
        return torch.from_numpy(np.stack(squares)), None

    monkeypatch.setattr(predictor, "predict", knowing)

    class Unchanged:
        spec = SimpleNamespace(size=24, crop=2)

        def __call__(self, images):
            return images

    names_of = ("red", "green", "blue")
    stub = Predictor(Unchanged(), None, names_of, Framing(CENTRAL, 24, 2))
    predict_folder(stub, images, say=lambda text: None)
    annotator = Annotator(images)
    for i, name in enumerate(annotator.order):
        annotator.show(i)
        np.testing.assert_allclose(annotator.guesses, truth[name], atol=0.0051)
    annotator.choose(0)
    annotator.place(1.5, 2.5)
    labels = LandmarkFile(images).points(annotator.name)
    np.testing.assert_array_equal(labels[0], [1.5, 2.5])
    assert np.isnan(labels[1:]).all()  # what was predicted is no annotation
    annotator.accept()
    labels = LandmarkFile(images).points(annotator.name)
    np.testing.assert_allclose(labels[1:], truth[annotator.name][1:], atol=0.0051)
