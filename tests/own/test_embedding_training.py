"""An embedding of a user's own pictures, of no faces."""

import shutil

import pytest
import torch
from filelock import FileLock

from dvelib import StudyError
from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.checkpoints.storage import load_embedding
from dvelib.own.embedding_training import embedding_spec, learning_rate, train_embedding
from tests.data.test_shards import pack
from tests.own.pictures import draw_folder, label
from tests.training.test_embeddings import weights

TINY = {"dimension": 4, "size": 24, "crop": 2, "batch": 4, "steps": 3, "device": "cpu"}
QUIET = {"say": lambda text: None}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Pictures of which two are kept for testing, and an embedding of them all."""
    folder = tmp_path_factory.mktemp("own") / "things"
    points = draw_folder(folder, 9)
    train_embedding(folder, **TINY, **QUIET)
    label(
        folder,
        {name: points[name] for name in ("p00.png", "p06.png", "p08.png")},
        test=["p06.png", "p08.png"],
    )
    return folder.parent


@pytest.fixture
def place(made, tmp_path):
    shutil.copytree(made, tmp_path / "own")
    return tmp_path / "own"


@pytest.fixture
def refused():
    """Train in a way that must fail; returns the sentence."""

    def run(*places, **choices):
        with pytest.raises(StudyError) as caught:
            train_embedding(*places, **QUIET, **choices)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return run


def test_training_goes_beside_the_pictures_and_is_not_done_twice(tmp_path, monkeypatch):
    draw_folder(tmp_path / "things", 6)
    (tmp_path / "things" / "broken.png").write_bytes(b"nothing")
    said, out = [], tmp_path / "things-embedding"
    assert train_embedding(tmp_path / "things", **TINY, say=said.append).folder == out
    assert said == [
        "left out, since they cannot be read: broken.png",
        f"SmallNet 4-d with exchange on 6 pictures, 3 steps of 4 pairs, into {out}",
    ]
    embedding = load_embedding(out)
    assert (embedding.spec.data.name, embedding.spec.size) == ("folder", 24)
    assert embedding.provenance["data"]["images"] == 6
    written = (out / "weights.safetensors").stat().st_mtime_ns
    train_embedding(tmp_path / "things", **TINY, **QUIET)
    assert (out / "weights.safetensors").stat().st_mtime_ns == written


def test_pictures_kept_for_testing_are_not_trained_on(place):
    embedding = train_embedding(place / "things", place / "other", **TINY, **QUIET)
    assert embedding.provenance["data"]["images"] == 7


def test_a_folder_of_other_pictures_or_settings_is_kept_unless_forced(place, refused):
    things = place / "things"
    message = refused(things, **TINY)
    assert "was made with other pictures: choose another --out, or --force" in message
    (things / "landmarks.csv").unlink()
    train_embedding(things, **TINY, **QUIET)
    shorter = TINY | {"steps": 2}
    assert "was made with other steps: choose another --out" in refused(things, **shorter)
    before = load_embedding(place / "things-embedding").provenance["steps"]
    with FileLock(things.with_name("things-embedding") / ".lock"):
        assert "another run trains in" in refused(things, **shorter, force=True)
    train_embedding(things, **shorter, force=True, **QUIET)
    assert (before, load_embedding(place / "things-embedding").provenance["steps"]) == (3, 2)


def test_a_finished_training_is_made_longer_by_asking_for_more_steps(place):
    things, out = place / "things", place / "grown"
    (things / "landmarks.csv").unlink()
    train_embedding(things, out, **TINY, **QUIET)
    longer = train_embedding(things, out, **TINY | {"steps": 5}, **QUIET)
    assert longer.history["step"].tolist() == [1, 2, 3, 4, 5]
    assert longer.spec.steps == 5


def test_a_training_at_a_falling_rate_is_not_made_longer(place, refused):
    things = place / "things"
    (things / "landmarks.csv").unlink()
    published = TINY | {"recipe": "published"}
    train_embedding(things, place / "things-published", **published, **QUIET)
    message = refused(things, place / "things-published", **published | {"steps": 5})
    assert "was made with other" in message
    assert "--recipe fast is unknown: choose among small-budget, published" in refused(
        things, **TINY, recipe="fast"
    )


def test_a_folder_of_other_things_is_never_touched(place, refused):
    things, before = place / "things", sorted(place.rglob("*"))
    forced = TINY | {"force": True}
    assert "already holds other things (" in refused(things, things, **forced)
    assert "cannot be made (" in refused(things, things / "p00.png" / "deeper", **forced)
    assert sorted(place.rglob("*")) == before


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
    things, tuned = place / "things", place / "tuned"
    (things / "landmarks.csv").unlink()
    few = {"batch": 4, "steps": 2, "device": "cpu"}
    train_embedding(things, tuned, parent=place / "things-embedding", **few, **QUIET)
    train_embedding(things, place / "second", **TINY, seed=1, **QUIET)
    message = refused(things, tuned, parent=place / "second", **few)
    assert "tuned was made with other parent weights: choose another --out" in message


def test_the_defaults_are_those_for_a_laptop():
    spec = embedding_spec("things")
    assert (spec.architecture, spec.dimension, spec.exchange, spec.scale) == (
        "smallnet",
        64,
        True,
        None,
    )
    assert (spec.size, spec.crop, spec.steps, spec.batch) == (100, 15, 5000, 8)
    assert (spec.learning_rate, spec.lower_rate_from) == (5e-4, ())
    assert (spec.averaging, spec.plain_steps) == (8.0, 500)
    published = embedding_spec("things", recipe="published", batch=16, steps=2500)
    assert (published.learning_rate, published.lower_rate_from) == (7.07e-4, (2001,))
    assert (published.averaging, published.plain_steps) == (None, 0)
    hourglass = embedding_spec("things", architecture="hourglass")
    assert (hourglass.size, hourglass.crop, hourglass.scale) == (136, 20, 20)
    assert embedding_spec("things", size=72).crop == 11
    assert embedding_spec("things", size=72, crop=1).crop == 1


def test_the_learning_rate_follows_the_square_root_of_the_batch():
    assert [learning_rate(batch) for batch in (32, 8, 16)] == [1e-3, 5e-4, 7.07e-4]


def test_what_cannot_be_trained_is_said_in_a_sentence(place, tmp_path, refused):
    images = (place / "things", tmp_path / "out")
    few = refused(*images, batch=8, size=24, crop=2)
    assert few.endswith(
        "has 9 pictures, 7 of them to learn from, fewer than a batch of 8: add pictures, "
        "or lower --batch"
    )
    assert "the embedding: batch: must be greater than" in refused(*images, batch=1)
    assert "crop 12 leaves 0 pixels of size 24" in refused(*images, size=24, crop=12)
    assert "there is no folder" in refused(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    assert "holds no pictures" in refused(tmp_path / "empty")
    missing = refused(*images, parent=tmp_path / "empty")
    assert "holds no finished embedding" in missing
    assert not (tmp_path / "out").exists()


def test_a_parent_needs_no_data_of_its_own():
    parent = EmbeddingSpec(data=DataSpec(name="synthetic"), size=70, crop=10, steps=5)
    spec = embedding_spec("things", parent)
    assert (spec.size, spec.crop, spec.steps, spec.parent) == (70, 10, 5000, parent)


def test_shards_train_an_embedding_that_can_be_made_longer(tmp_path):
    """A longer training sees the batches of one at a go, and ends in its weights."""
    files = sorted(tmp_path / "pictures" / name for name in draw_folder(tmp_path / "pictures", 12))
    for at in range(0, 12, 4):
        pack(tmp_path / "shards" / f"{at}.tar", files[at : at + 4])
    said = []
    options = {"size": 24, "crop": 4, "batch": 4, "dimension": 4, "device": "cpu"}
    short = train_embedding(tmp_path / "shards", steps=2, say=said.append, **options)
    assert short.folder == tmp_path / "shards-embedding" and "12 pictures" in said[0]
    longer = train_embedding(tmp_path / "shards", steps=5, say=said.append, **options)
    pattern = f"{tmp_path}/shards/{{0,4,8}}.tar"
    at_once = train_embedding(pattern, tmp_path / "other", steps=5, say=said.append, **options)
    assert torch.equal(weights(longer), weights(at_once))
    assert longer.provenance["data"]["shards"] == 3
    with pytest.raises(StudyError, match="hold 12 pictures, fewer than a batch of 16: add shards"):
        train_embedding(tmp_path / "shards", tmp_path / "b", say=said.append, batch=16)
