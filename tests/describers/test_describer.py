"""Anything that turns images into maps goes through matching, regression and few annotations."""

import numpy as np
import pandas as pd
import pytest
import torch

from dvelib.checkpoints.specifications import BenchmarkData, DataSpec, EmbeddingSpec, RegressorSpec
from dvelib.checkpoints.storage import Embedding
from dvelib.common.errors import StudyError
from dvelib.data import open_dataset
from dvelib.data.cache import cache_folder
from dvelib.describers import Describer, open_describer
from dvelib.describers.stored import described
from dvelib.evaluation.examples import example_maps, example_matches
from dvelib.evaluation.matching_errors import matching_errors, summarise
from dvelib.networks import SmallNet
from dvelib.recipes import match, regress
from dvelib.training.landmark_workflow import learn_landmarks
from tests.describers import colours
from tests.describers.colours import Colours

ENTRY = "tests.describers.colours:colours"


def faces(split="test", count=9):
    return open_dataset("synthetic", None, split, size=40, crop=6, limit=count)


def embedding(folder, seed=0, dimension=4):
    torch.manual_seed(seed)
    data = DataSpec(name="synthetic")
    spec = EmbeddingSpec(data=data, dimension=dimension, size=40, crop=6, steps=1)
    return Embedding(SmallNet(dimension).eval(), spec, {}, pd.DataFrame(), folder)


def spec(**changes):
    values = {"epochs": 3, "batch": 4, "virtual_points": 5, "lower_rate_from": (3,)} | changes
    return RegressorSpec(embedding="colours", data=BenchmarkData(name="synthetic"), **values)


def test_an_embedding_is_a_describer(tmp_path):
    trained = embedding(tmp_path)
    assert isinstance(trained, Describer) and isinstance(Colours(), Describer)
    assert (trained.name, trained.dimension, trained.stride) == (trained.spec.slug, 4, 2)
    images = faces().cropped(slice(3))
    maps = trained(images)
    assert maps.shape == (3, 4, 14, 14) and maps.dtype == torch.float32
    with torch.inference_mode():
        alone = trained.network(faces().image(2)[None])
    torch.testing.assert_close(maps[2:], alone, atol=1e-5, rtol=1e-4)


def test_a_digest_is_of_the_weights(tmp_path):
    first, again, other = (embedding(tmp_path, seed).digest for seed in (0, 0, 1))
    assert first == again != other


def test_matching_gives_a_describer_whole_grey_levels_and_is_cached_by_its_digest():
    describer = Colours()
    errors = matching_errors(describer, faces())
    assert {dtype for _, dtype in describer.calls} == {torch.uint8}
    assert [shape for shape, _ in describer.calls] == [(4, 3, 28, 28), (8, 3, 28, 28)]
    table = summarise(errors)
    assert table["descriptors"].gt(0).all()
    pd.testing.assert_frame_equal(matching_errors(describer, faces()), errors)
    assert len(describer.calls) == 2
    describer.digest = "other"
    matching_errors(describer, faces())
    assert len(describer.calls) == 4
    kept = list((cache_folder() / "matching" / "colours").glob("matching-synthetic-40-6-*.csv.gz"))
    assert len(kept) == 2


def test_embeddings_of_other_weights_in_one_folder_have_errors_of_their_own(tmp_path):
    first, second = (matching_errors(embedding(tmp_path, seed), faces()) for seed in (0, 1))
    assert not first.equals(second)
    assert len(list(tmp_path.glob("matching-*.csv.gz"))) == 2


def test_landmarks_are_learned_on_colours(tmp_path):
    trained = learn_landmarks(spec(), Colours(), faces("train", 12), faces(), tmp_path)
    assert trained.network.inner_conv.weight.shape[1] == 3
    assert trained.predicted.shape == (9, 5, 2) and trained.predicted.isfinite().all()


@pytest.mark.parametrize("fresh", [None, True])
def test_few_annotations_are_learned_on_colours(tmp_path, fresh):
    describer = Colours()
    few = spec(annotations=2, fresh_warps=fresh)
    trained = learn_landmarks(few, describer, faces("train", 12), faces(), tmp_path)
    assert trained.provenance["train"]["images"] == 12
    described_copies = [shape for shape, _ in describer.calls if shape[0] == 12]
    assert len(described_copies) == (3 if fresh else 1)
    calls = len(describer.calls)
    learn_landmarks(few, describer, faces("train", 12), faces(), tmp_path)
    assert len(describer.calls) == calls


def test_copies_are_made_of_all_faces(tmp_path):
    train = faces("train", 5)
    trained = learn_landmarks(spec(), Colours(), train, train, tmp_path, copies=3)
    assert trained.provenance["train"]["images"] == 15


def test_examples_take_any_describer():
    images, maps = example_maps(Colours(), faces(), 4)
    assert (len(images), maps.shape) == (4, (4, 3, 14, 14))
    found = example_matches({"colours": Colours()}, faces(), images=3)
    assert found["matched"]["colours"].shape == (3, 5, 2)


def test_a_function_is_a_describer():
    describer = open_describer(ENTRY, side=28, device="cpu")
    assert isinstance(describer, Describer)
    assert (describer.name, describer.dimension, describer.stride) == (
        "tests-describers-colours-colours",
        3,
        2,
    )
    assert describer.digest == open_describer(ENTRY, device="cpu").digest
    images = faces().cropped(slice(2))
    torch.testing.assert_close(describer(images), colours.colours(images))
    with described(describer, faces()) as maps:
        assert maps.shape == (9, 3, 14, 14)


def test_recipes_take_a_function(tmp_path):
    describer = open_describer(ENTRY, device="cpu")
    table = match(describer, "synthetic", limit=4, size=40, crop=6)
    assert table["descriptors"].gt(0).all()
    limits = {"train_images": 8, "test_images": 4, "size": 40, "crop": 6}
    settings = {"epochs": 2, "batch": 4, "virtual_points": 3}
    trained, errors = regress(describer, "synthetic", None, tmp_path / "r", **limits, **settings)
    assert trained.spec.embedding == f"{describer.name}-{describer.digest}"
    assert np.isfinite(errors["error"])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("tests.describers.nowhere:f", "is no describer .*: give module:function"),
        ("tests.describers.colours:nothing", "is no describer .*: give module:function"),
        ("tests.describers.colours", "is no describer .*: give module:function"),
        ("", "is no describer .*: give module:function"),
        ("tests.describers.colours:two_numbers", r"returned \[1, 2\] for images \[1, 3, 70, 70\]"),
        ("tests.describers.colours:no_tensor", "returned NoneType for images"),
    ],
)
def test_what_describes_nothing_is_refused(entry, message):
    with pytest.raises(StudyError, match=message):
        open_describer(entry, device="cpu")


def test_a_function_that_changes_its_mind_is_refused():
    describer = open_describer("tests.describers.colours:dimension_by_batch", device="cpu")
    with pytest.raises(StudyError, match="D must be 3, and a cell 2 pixels"):
        describer(faces().cropped(slice(2)))
