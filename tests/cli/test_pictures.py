"""From pictures to landmarks by commands alone: train, annotate, regress, predict."""

import inspect

import pytest

from dvelib.checkpoints.storage import finished, load_embedding
from dvelib.cli import regress_commands, train_commands
from dvelib.own import embedding_training, landmark_learning
from tests.own.pictures import draw_folder, label

TINY = ("--dimension", 4, "--size", 24, "--crop", 2, "--batch", 4, "--steps", 3, "--device", "cpu")


@pytest.fixture
def few_copies(monkeypatch):
    monkeypatch.setattr(landmark_learning, "COPIES", 40)


def test_the_way_from_pictures_to_landmarks(tmp_path, dve, few_copies):
    things, embedding = tmp_path / "things", tmp_path / "things-embedding"
    points = draw_folder(things, 6)
    status, out, err = dve("train", "images", things, *TINY)
    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"SmallNet 4-d with exchange on 6 pictures, 3 steps of 4 pairs, into {embedding}",
        f"the embedding is in {embedding}",
    ]
    assert load_embedding(embedding).spec.size == 24
    label(things, points, test=["p05.png"])
    options = ("--epochs", 2, "--batch", 8, "--eyes", 0, 1, "--device", "cpu")
    status, out, _ = dve("regress", "labels", things, "--embedding", embedding, *options)
    assert status == 0 and "of the distance between landmark 0 and landmark 1" in out
    assert out.endswith(f"the regressor is in {tmp_path / 'things-regressor'}\n")
    assert finished(tmp_path / "things-regressor")
    found = tmp_path / "found.csv"
    place = ("--regressor", tmp_path / "things-regressor", "--out", found, "--device", "cpu")
    assert dve("predict", things, *place)[0] == 0
    assert len(found.read_text().splitlines()) == 7


def test_every_choice_reaches_the_training(tmp_path, dve, monkeypatch):
    given = {}

    def record(*places, **options):
        given.update(options, places=places)
        return type("Trained", (), {"folder": "there"})

    monkeypatch.setattr(embedding_training, "train_embedding", record)
    words = "--out o --parent p --architecture hourglass --dimension 1 --size 2 --crop 3 --steps 4"
    more = "--batch 5 --seed 6 --device cuda --force --recipe published --fit whole"
    assert dve("train", "images", "pictures", *words.split(), *more.split())[0] == 0
    assert [str(place) for place in given.pop("places")] == ["pictures", "o"]
    assert str(given.pop("parent")) == "p" and given.pop("say")
    assert given == {
        "recipe": "published",
        "architecture": "hourglass",
        "dimension": 1,
        "fit": "whole",
        "size": 2,
        "crop": 3,
        "steps": 4,
        "batch": 5,
        "seed": 6,
        "device": "cuda",
        "force": True,
    }


def test_defaults_are_those_of_the_functions():
    options = inspect.signature(train_commands.images).parameters
    spec = embedding_training.embedding_spec("things")
    for name in ("steps", "batch", "seed"):
        assert options[name].default == getattr(spec, name)
    options = inspect.signature(regress_commands.labels).parameters
    spec = landmark_learning.regressor_spec("embedding", "things", 10)
    for name in ("batch", "seed"):
        assert options[name].default == getattr(spec, name)


def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path, refused):
    assert "there is no folder" in refused("train", "images", tmp_path / "nowhere")
    draw_folder(tmp_path / "things", 3)
    message = refused("train", "images", tmp_path / "things")
    assert message.endswith("fewer than a batch of 8: add pictures, or lower --batch")
    missing = ("--embedding", tmp_path / "things")
    message = refused("regress", "labels", tmp_path / "x.csv", *missing)
    assert "name the landmarks.csv in the folder" in message
