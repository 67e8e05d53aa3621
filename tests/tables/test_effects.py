"""Which rows are compared follows from the table; an effect is that of the same units and seeds."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from dvelib.checkpoints.specifications import read_yaml
from dvelib.common.files import ROOT
from dvelib.evaluation.matching_errors import COSINE, PROTOCOLS, SETTINGS
from dvelib.study.plan import Row
from dvelib.study.profiles import RowSpec, TableSpec
from dvelib.tables.effects import (
    change_text,
    effects_frame,
    measure_effect,
    product_effects,
    row_pairs,
)
from dvelib.tables.matching_statistics import MatchingStatistics
from dvelib.tables.results import Effect, EffectNumbers


def pairs_of(name):
    rows = read_yaml(TableSpec, ROOT / "params" / f"{name}.yaml").rows
    return [(what, first.label, second.label) for what, first, second in row_pairs(rows)]


def test_rows_of_the_exchange_ablation():
    pairs = pairs_of("ablation_exchange_matching")
    # 4 dimensions with and without; 3 dimensions beside 3 larger ones, with and without.
    assert Counter(what for what, *_ in pairs) == {"exchange": 4, "dimension": 6}
    assert ("exchange", "SmallNet 16-d without exchange", "SmallNet 16-d with exchange") in pairs
    assert ("dimension", "SmallNet 3-d without exchange", "SmallNet 64-d without exchange") in pairs


def test_rows_of_fine_tuning_and_of_a_larger_network():
    pairs = pairs_of("ablation_finetuning_300w")
    assert Counter(what for what, *_ in pairs) == {
        "finetuned": 5,
        "architecture": 2,
        "dimension": 6,
    }
    network = [pair for pair in pairs if pair[0] == "architecture"]
    assert network[0][1:] == ("SmallNet 64-d with exchange", "Hourglass 64-d with exchange")


def test_rows_of_few_annotated_images():
    pairs = pairs_of("limited_annotations")
    counts = Counter(what for what, *_ in pairs)
    # 3 embeddings, each from 1 image to 3 other counts; 2 beside the first at each of 4.
    assert counts == {"annotations": 9, "embedding": 8, "architecture": 4}
    start = "SmallNet 3-d without exchange, fine-tuned"
    assert (
        "embedding",
        f"{start}, 5 images annotated",
        "SmallNet 64-d with exchange, fine-tuned, 5 images annotated",
    ) in pairs


def test_the_order_of_rows_does_not_matter():
    rows = read_yaml(TableSpec, ROOT / "params" / "ablation_exchange_matching.yaml").rows
    assert set(map(str, row_pairs(rows))) == set(map(str, row_pairs(rows[::-1])))


class TestEffect:
    def test_is_the_first_less_the_second(self):
        first = pd.DataFrame({0: [3.0, 5.0], 1: [4.0, 6.0]})
        found = measure_effect(first, first - 1)
        assert found == EffectNumbers(before=4.5, after=3.5, effect=1.0, low=1.0, high=1.0, seeds=2)

    def test_compares_the_same_units(self):
        """Units that vary far more than the effect do not hide it."""
        errors = pd.DataFrame({0: np.random.default_rng(0).normal(scale=100, size=50)})
        noise = np.random.default_rng(1).normal(scale=0.1, size=(50, 1))
        found = measure_effect(errors, errors - 1 + noise)
        assert 0.9 < found.low < found.effect < found.high < 1.1

    def test_units_without_an_error_are_left_out(self):
        first = pd.DataFrame({0: [3.0, np.nan, 5.0]})
        found = measure_effect(first, first - 1)
        assert (found.before, found.low, found.high) == pytest.approx((4, 1, 1))


def test_raw_products_beside_cosine():
    frame = pd.DataFrame({"pair": [0, 1], "error": [3.0, 5.0]})
    errors = {
        (protocol, setting, "descriptors"): frame.assign(error=frame.error - gain)
        for protocol, gain in ((PROTOCOLS[0], 0), (COSINE, 2))
        for setting in SETTINGS
    }
    statistics = MatchingStatistics({"A": [errors]}, (PROTOCOLS[0], COSINE))
    specs = [RowSpec(architecture="smallnet", dimension=d, exchange=True) for d in (3, 16)]
    rows = [Row(specs[0], "A", {}, ("e",)), Row(specs[1], "B", {}, ())]
    effects = product_effects(rows, statistics)
    assert [(e.shared, e.measure) for e in effects] == [(i, s) for i in "AB" for s in SETTINGS]
    assert [e.measured and e.measured.effect for e in effects] == [2, 2, None, None]
    frame = effects_frame(effects, rows, ["products"])
    assert frame.index.tolist() == [("cosine in place of raw products", "A", s) for s in SETTINGS]
    assert frame["before"].tolist() == [4, 4] and frame["after"].tolist() == [2, 2]


@pytest.mark.parametrize(
    ("compares", "text"),
    [
        ("exchange", "exchange"),
        ("dimension", "going from 3 to 16 dimensions"),
        ("annotations", "going from 1 to 5 annotated images"),
        ("embedding", "SmallNet 16-d with exchange as the embedding"),
    ],
)
def test_a_change_is_named_by_what_its_rows_differ_in(compares, text):
    specs = [
        RowSpec(architecture="smallnet", dimension=d, exchange=True, annotations=n)
        for d, n in ((3, 1), (16, 5))
    ]
    rows = {spec.label: Row(spec, spec.label, {}, ()) for spec in specs}
    first, second = rows
    effect = Effect(
        compares=compares,
        measure="iod",
        first=first,
        second=second,
        shared=first,
        published=None,
        measured=None,
    )
    assert change_text(effect, rows) == text
