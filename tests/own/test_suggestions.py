"""Which pictures to label next."""

import numpy as np
import pytest

from dvelib import StudyError
from dvelib.cli import main
from dvelib.own.annotator import Annotator
from dvelib.own.embedding_training import train_embedding
from dvelib.own.framing import framing_of
from dvelib.own.landmark_file import LandmarkFile, write_landmarks
from dvelib.own.suggestions import farthest, read_suggestions, suggest, write_suggestions
from tests.own.pictures import draw_folder, label

TINY = {"dimension": 4, "size": 24, "crop": 2, "batch": 4, "steps": 2, "device": "cpu"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own") / "things"
    points = draw_folder(folder, 8)
    embedding = train_embedding(folder, say=lambda text: None, **TINY)
    return folder, points, embedding


@pytest.fixture
def things(made):
    folder, points, embedding = made
    for name in ("landmarks.csv", "predictions.csv", "label_next.txt"):
        (folder / name).unlink(missing_ok=True)
    return made


def test_the_farthest_comes_first_then_the_farthest_from_both():
    features = np.array([[0.0], [1], [10], [6], [5.9]])
    assert farthest(features, [0], [1, 2, 3, 4], 3) == [(2, 10), (4, pytest.approx(4.1)), (1, 1)]
    assert [i for i, _ in farthest(features, [], range(5), 1)] == [2]
    assert len(farthest(features, [0], [1, 2], 9)) == 2


def test_labelled_pictures_are_not_suggested(things):
    folder, points, embedding = things
    label(folder, {name: points[name] for name in ("p00.png", "p05.png")}, test=["p05.png"])
    file = LandmarkFile(folder)
    found = suggest(file, embedding, framing_of(embedding.spec), 20)
    assert {s.file for s in found} == {f"p{i:02}.png" for i in (1, 2, 3, 4, 6, 7)}
    assert all(s.doubt is None for s in found)
    distances = [s.distance for s in found]
    assert distances == sorted(distances, reverse=True)


def test_the_most_doubtful_are_the_candidates(things):
    folder, points, embedding = things
    label(folder, {"p00.png": points["p00.png"]})
    doubt = {f"p{i:02}.png": float(i) for i in range(8)}
    file, framing = LandmarkFile(folder), framing_of(embedding.spec)
    for given in (doubt, lambda files: {name: doubt[name] for name in files}):
        [found] = suggest(file, embedding, framing, 1, given)
        assert found.file in ("p05.png", "p06.png", "p07.png")
        assert found.doubt == doubt[found.file]


def test_the_annotator_shows_suggestions_then_doubt_first(things):
    folder, points, _ = things
    write_suggestions(folder, ["p06.png", "p03.png", "gone.png"])
    assert read_suggestions(folder) == ("p06.png", "p03.png", "gone.png")
    assert Annotator(folder, 3).order[:2] == ("p06.png", "p03.png")
    (folder / "label_next.txt").unlink()
    found = np.stack([points["p01.png"], points["p02.png"]])
    write_landmarks(folder / "predictions.csv", ["p01.png", "p02.png"], found, [0.1, 0.7])
    annotator = Annotator(folder)
    assert annotator.order[:2] == ("p02.png", "p01.png")
    np.testing.assert_allclose(annotator.guesses, points["p02.png"], atol=0.006)
    assert annotator.click_text().startswith("Hollow marks are predictions")


def test_the_command_lists_them(things, capsys):
    folder, points, embedding = things
    label(folder, {"p00.png": points["p00.png"]})
    assert main(["suggest", str(folder), "--pictures", "2", "--device", "cpu"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == ("2 pictures to label next, unlike the labelled ones and unlike each other:")
    assert [line.split(":")[0].strip() for line in said[1:3]] == list(read_suggestions(folder))
    label(folder, points)
    with pytest.raises(StudyError, match="all pictures that can be read are labelled"):
        suggest(LandmarkFile(folder), embedding, framing_of(embedding.spec), 2)
