"""A user's own pictures, of no faces: an embedding, landmarks from few labels, predictions."""

import json
import shutil

import numpy as np
import pytest

from dvelib import StudyError
from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.checkpoints.storage import finished, load_embedding
from dvelib.cli import main
from dvelib.own import landmark_learning
from dvelib.own.accuracy import picture_errors
from dvelib.own.embedding_training import embedding_spec, learning_rate, train_embedding
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


@pytest.fixture
def refused(capsys):
    def run(*arguments):
        assert main([str(argument) for argument in arguments]) == 2
        out, err = capsys.readouterr()
        assert err.startswith("dve: ") and err.count("\n") == 1
        return err.removeprefix("dve: ").rstrip("\n")

    return run


def options(values):
    return [part for key, value in values.items() for part in (f"--{key}", str(value))]


# Training


def test_training_goes_beside_the_pictures_and_is_not_done_twice(tmp_path, capsys, monkeypatch):
    draw_folder(tmp_path / "things", 6)
    (tmp_path / "things" / "broken.png").write_bytes(b"nothing")
    command = ["train", "--images", str(tmp_path / "things"), *options(TINY)]
    assert main(command) == 0
    out = tmp_path / "things-embedding"
    assert capsys.readouterr().out.splitlines() == [
        "left out, since they cannot be read: broken.png",
        f"SmallNet 4-d with exchange on 6 pictures, 3 steps of 4 pairs, into {out}",
        f"the embedding is in {out}",
    ]
    embedding = load_embedding(out)
    assert (embedding.spec.data.name, embedding.spec.size) == ("folder", 24)
    assert embedding.provenance["data"]["images"] == 6
    monkeypatch.setattr("dvelib.training.embeddings._train", None)
    assert main(command) == 0


def test_pictures_kept_for_testing_are_not_trained_on(place):
    embedding = train_embedding(place / "things", place / "other", **TINY, say=lambda text: None)
    assert embedding.provenance["data"]["images"] == 7


def test_a_folder_of_other_pictures_or_settings_is_kept_unless_forced(place, refused):
    command = ["train", "--images", place / "things", *options(TINY)]
    labels = place / "things" / "landmarks.csv"
    assert "was made with other pictures: choose another --out, or --force" in refused(*command)
    labels.unlink()
    assert main([str(part) for part in command]) == 0
    changed = [*command[:3], *options(TINY | {"steps": 4})]
    assert "was made with other steps: choose another --out" in refused(*changed)
    before = load_embedding(place / "things-embedding").provenance["steps"]
    assert main([*(str(part) for part in changed), "--force"]) == 0
    assert (before, load_embedding(place / "things-embedding").provenance["steps"]) == (3, 4)


def test_a_folder_of_other_things_is_never_touched(place, refused):
    things = sorted(place.rglob("*"))
    command = ["train", "--images", place / "things", *options(TINY), "--force", "--out"]
    assert "already holds other things (" in refused(*command, place / "things")
    assert "cannot be made (" in refused(*command, place / "things" / "p00.png" / "deeper")
    assert sorted(place.rglob("*")) == things


def test_fine_tuning_starts_from_a_parent(place):
    (place / "things" / "landmarks.csv").unlink()
    few = {"batch": 4, "steps": 2, "device": "cpu"}
    parent = place / "things-embedding"
    tuned = train_embedding(
        place / "things", place / "tuned", parent=parent, **few, say=lambda text: None
    )
    spec = tuned.spec
    assert spec.parent == load_embedding(parent).spec
    assert (spec.scale, spec.bias_lr, spec.dimension, spec.size, spec.crop) == (20, None, 4, 24, 2)
    with pytest.raises(StudyError, match="--dimension 8 is not that of the parent, which is 4"):
        train_embedding(place / "things", place / "t", parent=parent, dimension=8, **few)


def test_the_same_folder_is_another_from_another_parent(place, refused):
    (place / "things" / "landmarks.csv").unlink()
    command = ["train", "--images", place / "things", "--batch", 4, "--steps", 2, "--device", "cpu"]
    command += ["--out", place / "tuned", "--parent"]
    assert main([str(part) for part in (*command, place / "things-embedding")]) == 0
    train_embedding(place / "things", place / "second", **TINY, seed=1, say=lambda text: None)
    message = refused(*command, place / "second")
    assert "tuned was made with other parent weights: choose another --out" in message


def test_the_defaults_are_those_for_a_laptop():
    spec = embedding_spec("things")
    assert (spec.architecture, spec.dimension, spec.exchange, spec.scale) == (
        "smallnet",
        64,
        True,
        None,
    )
    assert (spec.size, spec.crop, spec.steps, spec.batch) == (100, 15, 2500, 16)
    assert (spec.learning_rate, spec.lower_rate_from) == (7.07e-4, (2001,))
    hourglass = embedding_spec("things", architecture="hourglass")
    assert (hourglass.size, hourglass.crop, hourglass.scale) == (136, 20, 20)
    assert embedding_spec("things", size=72).crop == 11
    assert embedding_spec("things", size=72, crop=1).crop == 1


def test_the_learning_rate_follows_the_square_root_of_the_batch():
    assert [learning_rate(batch) for batch in (32, 8, 16)] == [1e-3, 5e-4, 7.07e-4]


def test_what_cannot_be_trained_is_said_in_a_sentence(place, tmp_path, refused):
    images = ["train", "--images", place / "things", "--out", tmp_path / "out"]
    few = refused(*images, "--batch", 8, "--size", 24, "--crop", 2)
    assert few.endswith(
        "has 9 pictures, 7 of them to learn from, fewer than a batch of 8: add pictures, "
        "or lower --batch"
    )
    assert "the embedding: batch: must be greater than" in refused(*images, "--batch", 1)
    assert "crop 12 leaves 0 pixels of size 24" in refused(*images, "--size", 24, "--crop", 12)
    assert "there is no folder" in refused("train", "--images", tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in refused("train", "--images", tmp_path / "empty")
    missing = ["--parent", tmp_path / "empty"]
    assert "holds no finished embedding" in refused(*images, *missing)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("kind", ["train", "regress"])
def test_either_a_name_or_pictures(refused, kind):
    source = {"train": "--images", "regress": "--landmarks"}[kind]
    told = f"or {source}: give one of the two"
    assert refused(kind).endswith(told)
    assert refused(kind, "a-name", source, "somewhere").endswith(told)
    message = refused(kind, "a-name", "--batch", "3")
    assert message == f"--batch goes with {source}: what the plan names is as the plan says"


# Landmarks


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
    assert said[0] == "left out, since they are outside the central square: 1 landmarks"
    assert "from 4 labelled pictures" in said[1]


def test_what_cannot_be_learned_is_said_in_a_sentence(place, tmp_path, refused):
    csv = place / "things" / "landmarks.csv"
    text, embedding = csv.read_text(), ["--embedding", place / "things-embedding"]
    learn = ["regress", "--landmarks", csv, *embedding, "--out", tmp_path / "out"]
    assert "needs --embedding, the folder" in refused("regress", "--landmarks", csv)
    assert "name the landmarks.csv in the folder" in refused(
        "regress", "--landmarks", tmp_path / "x.csv", *embedding
    )
    nothing = ["--embedding", tmp_path]
    assert "holds no finished embedding" in refused("regress", "--landmarks", csv, *nothing)
    assert "two different landmarks from 0 to 2" in refused(*learn, "--eyes", "0,3")
    assert "--eyes takes two landmarks, such as 0,1, got '1'" in refused(*learn, "--eyes", "1")
    assert "the regressor: epochs: must be greater" in refused(*learn, "--epochs", 0)
    assert "fewer than a batch of 64" in refused(*learn, "--batch", 64, "--epochs", 1)
    csv.write_text(text.replace(",train,", ",test,"))
    assert "sets no landmark on a picture for training: label some" in refused(*learn)
    csv.write_text("file,x0,y0\np00.png,,\n")
    assert "sets no landmark on a picture for training: label some" in refused(*learn)
    csv.write_text("file,x0,y0,x1,y1\np00.png,20,30,,\n")
    assert "landmark 1 (x1, y1) is set on no picture for training" in refused(*learn)


def test_a_regressor_is_no_embedding(place, refused):
    regress(place)
    learn = ["regress", "--landmarks", place / "things" / "landmarks.csv", "--embedding"]
    message = refused(*learn, place / "things-regressor")
    assert message.endswith("holds a regressor: name the embedding that dve train made")
    assert finished(place / "things-regressor")


# Errors


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


def test_a_parent_needs_no_data_of_its_own():
    parent = EmbeddingSpec(data=DataSpec(name="synthetic"), size=70, crop=10, steps=5)
    spec = embedding_spec("things", parent)
    assert (spec.size, spec.crop, spec.steps, spec.parent) == (70, 10, 2500, parent)
