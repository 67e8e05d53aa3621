"""Anything that turns images into maps goes through matching, regression and few annotations."""

import dataclasses

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
from dvelib.warps import EVALUATION_WARP, draw_weights_in_order, warp_keypoints, warp_pair
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
        ("tests.describers.colours", "is no describer: give module:function, or one of"),
        ("", "is no describer: give module:function, or one of"),
        ("tests.describers.colours:two_numbers", r"returned \[1, 2\] for images \[1, 3, 70, 70\]"),
        ("tests.describers.colours:no_tensor", "returned NoneType for images"),
        ("tests.describers.colours:not_finite", "values that are not finite for 1 of 1 images"),
        ("tests.describers.colours:every_third", "24 does not divide 70, so say how many pixels"),
        ("tests.describers.colours:wrong_stride", "does not fit its stride of 4: at that .* 18"),
    ],
)
def test_what_describes_nothing_is_refused(entry, message):
    with pytest.raises(StudyError, match=message):
        open_describer(entry, device="cpu")


def test_a_function_that_changes_its_mind_is_refused():
    describer = open_describer("tests.describers.colours:dimension_by_batch", device="cpu")
    with pytest.raises(StudyError, match=r"with D 3 and stride 2 they must be"):
        describer(faces().cropped(slice(2)))


def test_a_function_may_say_its_stride_where_cells_do_not_divide_the_image():
    describer = open_describer("tests.describers.colours:with_stride", device="cpu")
    assert (describer.stride, describer(faces().cropped(slice(2))).shape) == (3, (2, 3, 10, 10))
    assert match(describer, "synthetic", limit=4, size=40, crop=6)["descriptors"].gt(0).all()


def test_a_function_without_images_makes_the_describer():
    made = open_describer("tests.describers.colours:make_describer", device="cpu")
    direct = open_describer(ENTRY, device="cpu")
    images = faces().cropped(slice(2))
    assert torch.equal(made(images), direct(images))
    assert made.digest != direct.digest


def test_recipes_take_the_name_of_a_describer(tmp_path):
    by_name = match(ENTRY, "synthetic", limit=6, size=40, crop=6)
    opened = match(open_describer(ENTRY, device="cpu"), "synthetic", limit=6, size=40, crop=6)
    pd.testing.assert_frame_equal(by_name, opened)
    settings = {"epochs": 2, "batch": 4, "train_images": 8, "test_images": 4}
    _, errors = regress(ENTRY, "synthetic", None, tmp_path, size=40, crop=6, **settings)
    assert errors["low"] <= errors["error"] <= errors["high"]


def test_matching_gives_what_the_definition_gives():
    """The protocols in loops over points and cells, on the same views; no code is shared."""
    describer = open_describer(ENTRY, device="cpu")
    # Noise, so that no two cells are equally good up to rounding.
    noise = np.random.default_rng(0).integers(256, size=(8, 3, 40, 40), dtype=np.uint8)
    dataset = dataclasses.replace(faces(count=8), images=noise, digest="noise of this test")
    calls = []
    seen = dataclasses.replace(describer, function=lambda i: calls.append(i) or colours.colours(i))
    object.__setattr__(seen, "digest", "independent")
    table = matching_errors(seen, dataset)
    first, second = calls
    points = _query_points(dataset)
    for setting, odd in (("same-identity", 0), ("different-identity", 1)):
        for protocol, answer in (("published", _on_lattice), ("full resolution", _at_every_pixel)):
            part = table[(table.setting == setting) & (table.protocol == protocol)]
            part = part[part.method == "descriptors"]
            for pair in range(4):
                views = torch.stack([first[pair], second[2 * pair + odd]])
                source, target = colours.colours(views).double().numpy()
                for k in range(5):
                    found = answer(source, target, points[0][2 * pair, k])
                    truth = points[1][2 * pair + odd, k]
                    error = 70 / dataset.cropped_size * np.hypot(*(found - truth))
                    ours = part[(part.pair == pair) & (part.point == k)]["error"].item()
                    assert ours == pytest.approx(error, abs=1e-3)


def _query_points(dataset):
    """Landmarks in the first and in the second view, from the published order of draws."""
    weights = draw_weights_in_order(len(dataset), EVALUATION_WARP)
    images = torch.from_numpy(np.array(dataset.images)).float()
    pair = warp_pair(images, *weights, dataset.crop)
    moved = warp_keypoints(torch.from_numpy(dataset.landmarks + dataset.crop), pair.image_grid)
    first = warp_keypoints(moved, pair.view_grid)
    return (first - dataset.crop).numpy(), (moved - dataset.crop).numpy()


def _on_lattice(source, target, point):
    cells = source.shape[1]
    column, row = (min(max(int(np.round(c / 2)), 0), cells - 1) for c in point)
    products = [
        source[:, row, column] @ target[:, i, j] for i in range(cells) for j in range(cells)
    ]
    best = int(np.argmax(products))
    return np.array([2 * (best % cells), 2 * (best // cells)])


def _interpolated(maps, x, y):
    last = maps.shape[1] - 1
    x, y = (min(max(c / 2, 0), last) for c in (x, y))
    j, i = min(int(x), last - 1), min(int(y), last - 1)
    a, b = x - j, y - i
    return (1 - b) * ((1 - a) * maps[:, i, j] + a * maps[:, i, j + 1]) + b * (
        (1 - a) * maps[:, i + 1, j] + a * maps[:, i + 1, j + 1]
    )


def _at_every_pixel(source, target, point):
    query, best, answer = _interpolated(source, *point), -np.inf, None
    for y in range(2 * target.shape[1]):
        for x in range(2 * target.shape[1]):
            there = _interpolated(target, x, y)
            cosine = query @ there / (np.linalg.norm(query) * np.linalg.norm(there))
            if cosine > best:
                best, answer = cosine, (x, y)
    return np.array(answer)
