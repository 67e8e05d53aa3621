from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from dvelib.checkpoints.storage import Embedding, network_maps
from dvelib.common.errors import StudyError
from dvelib.data import open_dataset
from dvelib.describers.describer import FunctionDescriber
from dvelib.evaluation import matching_errors as matching_errors_module
from dvelib.evaluation.examples import example_matches
from dvelib.evaluation.intervals import uncertainty
from dvelib.evaluation.matching_errors import matching_errors, summarise
from dvelib.networks import SmallNet


class Position(nn.Module):
    """Descriptors that say where in the image a cell lies, and nothing else."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def forward(self, images):
        side = images.shape[-1] // 2
        axis = torch.arange(side) / side
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        waves = [f(k * a) for k in (1, 2, 4) for a in (x, y) for f in (torch.sin, torch.cos)]
        return torch.stack(waves).expand(len(images), -1, -1, -1)


def embedding_of(network, folder):
    return Embedding(network.eval(), SimpleNamespace(slug="test"), {}, pd.DataFrame(), folder)


@pytest.fixture(scope="module")
def faces():
    return open_dataset("synthetic", None, "test", size=100, crop=15, limit=81)


@pytest.fixture(scope="module")
def errors(faces, tmp_path_factory):
    return matching_errors(embedding_of(Position(), tmp_path_factory.mktemp("position")), faces)


def test_there_is_an_error_for_every_point_of_every_pair(errors):
    assert len(errors) == 40 * 5 * 2 * 3 * 3  # pairs, points, settings, protocols, methods
    assert errors["error"].ge(0).all()


def test_perfect_features_score_what_the_published_protocol_leaves_them(errors):
    """Reference levels of the protocol at 70 px, found with features that know the answer."""
    mean = summarise(errors)["perfect features"]
    assert mean["published", "same-identity"] == pytest.approx(1.251, abs=0.1)
    assert mean["published", "different-identity"] == pytest.approx(1.31, abs=0.12)
    assert mean["full resolution", "different-identity"] == pytest.approx(0.61, abs=0.2)
    # The few points that a warp carries out of the crop leave the mean above zero.
    exact = errors[errors["method"] == "perfect features"].groupby(["protocol", "setting"])["error"]
    assert exact.median()["full resolution", "same-identity"] == 0
    assert mean["full resolution", "same-identity"] < 0.3


def test_features_of_position_alone_answer_the_same_place(errors):
    table = summarise(errors).loc["full resolution"]
    pd.testing.assert_series_equal(
        table["descriptors"], table["same place"], check_names=False, atol=0.25
    )


def test_matching_across_identities_is_harder_than_within_for_an_untrained_network(faces, tmp_path):
    torch.manual_seed(0)
    table = summarise(matching_errors(embedding_of(SmallNet(16), tmp_path), faces))["descriptors"]
    for protocol in matching_errors_module.PROTOCOLS:
        assert table[protocol, "different-identity"] > table[protocol, "same-identity"]


def test_errors_are_computed_once_for_the_same_images(faces):
    few = replace(
        faces,
        files=faces.files[:4],
        images=faces.images[:4],
        full_landmarks=faces.full_landmarks[:4],
        digest="0" * 16,
    )
    calls = []

    def pooled_colours(images):
        calls.append(len(images))
        return torch.nn.functional.avg_pool2d(images.float(), 2)

    describer = FunctionDescriber(pooled_colours, "pooled", 3, 2, torch.device("cpu"), "d" * 16)
    first = matching_errors(describer, few)
    measured = len(calls)
    pd.testing.assert_frame_equal(matching_errors(describer, few), first)
    assert len(calls) == measured > 0
    matching_errors(describer, replace(few, digest="1" * 16))
    assert len(calls) > measured


def test_blocks_of_images_change_nothing(faces, tmp_path, monkeypatch):
    few = replace(
        faces,
        files=faces.files[:6],
        images=faces.images[:6],
        full_landmarks=faces.full_landmarks[:6],
    )
    whole = matching_errors_module._measure(embedding_of(Position(), tmp_path), few)
    monkeypatch.setattr(matching_errors_module, "BATCH", 2)
    split = matching_errors_module._measure(embedding_of(Position(), tmp_path), few)
    pd.testing.assert_frame_equal(whole, split)


def test_landmarks_that_were_not_set_are_left_out(faces, tmp_path):
    landmarks = faces.full_landmarks.copy()
    landmarks[0, 0] = landmarks[3, 1] = float("nan")  # a query, and the truth of another
    few = replace(
        faces, files=faces.files[:4], images=faces.images[:4], full_landmarks=landmarks[:4]
    )
    found = matching_errors_module._measure(embedding_of(Position(), tmp_path), few)
    counts = found.groupby(["setting", "pair"])["point"].nunique()
    assert counts.to_dict() == {
        ("same-identity", 0): 4,
        ("same-identity", 1): 5,
        ("different-identity", 0): 4,
        ("different-identity", 1): 4,
    }


def test_one_image_is_no_pair(faces, tmp_path):
    one = replace(faces, files=faces.files[:1])
    with pytest.raises(StudyError, match="matching needs two images"):
        matching_errors(embedding_of(Position(), tmp_path), one)


def test_images_without_landmarks(faces, tmp_path):
    with pytest.raises(StudyError, match="has no landmarks"):
        matching_errors(embedding_of(Position(), tmp_path), replace(faces, full_landmarks=None))


def test_the_interval_holds_the_mean_and_shrinks_with_more_pairs():
    generator = torch.Generator().manual_seed(0)
    values = pd.Series(torch.rand(4000, generator=generator).numpy())
    widths = []
    for count in (100, 4000):
        low, high = uncertainty(values[:count])
        assert low < values[:count].mean() < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 4


def old_interval(values, draws=1000):
    """The interval over units of one seed, as it was before there were several."""
    index = np.random.default_rng(0).integers(len(values), size=(draws, len(values)))
    return tuple(np.percentile(values[index].mean(axis=1), [2.5, 97.5]))


@pytest.mark.parametrize("kind", ["float32", "float64"])
def test_one_seed_has_the_interval_over_units_alone(kind):
    values = np.random.default_rng(1).random(200).astype(kind)
    assert uncertainty(pd.Series(values)) == old_interval(values)
    assert uncertainty(pd.DataFrame({0: values})) == old_interval(values)


def test_equal_seeds_add_nothing_to_the_interval():
    values = np.random.default_rng(1).random(200)
    low, high = uncertainty(pd.DataFrame(dict.fromkeys(range(5), values)))
    assert (low, high) == pytest.approx(old_interval(values), rel=1e-12)


def test_seeds_that_differ_widen_the_interval():
    """Whole seeds are drawn: their own differences do not vanish in the number of images."""
    units = np.random.default_rng(1).normal(size=2000)
    shifts = np.array([-1.0, 0.0, 1.0])
    low, high = uncertainty(pd.DataFrame(units[:, None] + shifts))
    # The mean of 3 of 3 shifts with replacement: standard deviation 0.82 over root 3.
    assert high - low == pytest.approx(2 * 0.94, abs=0.4)
    assert uncertainty(pd.DataFrame(units[:, None] + shifts)) == (low, high)


def test_all_seeds_are_measured_on_the_same_drawn_units():
    """What an easy image does to every seed does not average out over seeds."""
    units = np.random.default_rng(1).normal(size=300)
    noise = np.random.default_rng(2).normal(scale=1e-6, size=(300, 8))
    low, high = uncertainty(pd.DataFrame(units[:, None] + noise))
    one = uncertainty(pd.Series(units))
    assert high - low == pytest.approx(one[1] - one[0], rel=0.01)


def test_examples_have_the_shapes_that_the_figure_wants(faces):
    found = example_matches({"position": embedding_of(Position(), None)}, faces, images=3)
    assert found["source_image"].shape == (3, 70, 70)
    assert found["target_images"].shape == (3, 3, 70, 70)
    assert found["matched"]["position"].shape == found["truth"].shape == (3, 5, 2)


def test_descriptors_are_those_of_the_network_in_eval_mode():
    network = SmallNet(4).train()
    images = torch.randint(0, 255, (2, 3, 20, 20), dtype=torch.uint8)
    together = network_maps(network, images)
    alone = network_maps(network, images[:1])
    torch.testing.assert_close(together[:1], alone, atol=1e-4, rtol=1e-4)


def test_examples_are_as_many_as_there_are():
    faces = open_dataset("synthetic", None, "test", size=100, crop=15, limit=3)
    found = example_matches({"position": embedding_of(Position(), None)}, faces, images=6)
    assert len(found["target_images"]) == len(found["truth"]) == len(found["matched"]["position"])
    assert len(found["truth"]) == 2
