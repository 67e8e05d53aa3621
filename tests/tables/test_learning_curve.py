"""The learning curve: its lines, where curves cross, and what a line says about a target."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dvelib.study.plan import Row
from dvelib.study.profiles import RowSpec
from dvelib.tables.joined_statistics import JoinedStatistics
from dvelib.tables.landmark_statistics import LandmarkStatistics
from dvelib.tables.learning_curve_statistics import (
    LATEST,
    fit_line,
    measure_trends,
)
from dvelib.tables.learning_curve_views import crossings, curves, reach
from dvelib.tables.matching_statistics import MatchingStatistics
from dvelib.tables.results import Trend

PAIRS = (1000, 2000, 4000, 8000)


def row(exchange, pairs, dimension=64):
    spec = RowSpec(architecture="smallnet", dimension=dimension, exchange=exchange, pairs=pairs)
    return Row(spec, spec.label, {}, ("embedding",), ("regressor",))


ROWS = [row(exchange, pairs) for exchange in (False, True) for pairs in PAIRS]


def matching_errors(mean):
    """Three pairs of images whose errors are ``mean`` less one, ``mean``, and one more."""
    frame = pd.DataFrame({"pair": [0, 1, 2], "error": mean + np.array([-1.0, 0, 1])})
    keys = [
        (protocol, setting, method)
        for protocol in ("published", "full resolution")
        for setting in ("same-identity", "different-identity")
        for method in ("descriptors", "perfect features", "same place")
    ]
    return dict.fromkeys(keys, frame)


def statistics(error):
    """Matching and landmark errors are ``error(exchange, pairs)``."""
    matching = {r.label: [matching_errors(error(r.spec.exchange, r.spec.pairs))] for r in ROWS}
    landmarks = {r.label: [np.full((4, 5), error(r.spec.exchange, r.spec.pairs))] for r in ROWS}
    return JoinedStatistics(
        (MatchingStatistics(matching), LandmarkStatistics(landmarks, np.full((4, 5), 20.0)))
    )


def falling(exchange, pairs):
    """12 px after 1,000 pairs; each doubling takes away 1 px, or 2 px with exchange."""
    return 12 - np.log2(pairs / 1000) * (2 if exchange else 1)


def test_a_line_has_the_slope_of_a_doubling_and_its_value_at_the_end():
    values = [pd.DataFrame({0: [10.0, 20.0]}) - 3 * i for i in range(4)]
    level, slope, low, high = fit_line(PAIRS, values)
    assert level == pytest.approx(15 - 9)
    assert (slope, low, high) == pytest.approx((-3, -3, -3))


def test_the_interval_of_a_slope_is_that_of_the_units_slopes():
    steep, flat = np.array([0.0, 2, 4, 6]), np.zeros(4)
    values = [pd.DataFrame({0: [steep[i], flat[i]] * 50}) for i in range(4)]
    _, slope, low, high = fit_line(PAIRS, values)
    assert slope == pytest.approx(1)
    assert 0.7 < low < 0.9 and 1.1 < high < 1.3


def test_units_without_a_value_are_left_out():
    values = [pd.DataFrame({0: [1.0 + i, np.nan if i == 2 else 100.0]}) for i in range(4)]
    assert fit_line(PAIRS, values)[1] == pytest.approx(1)


def test_trends_are_fitted_to_the_longest_trainings_alone():
    trends = measure_trends(ROWS, statistics(falling))
    assert {trend.pairs for trend in trends} == {PAIRS[-LATEST:]}
    (effect,) = (t for t in trends if t.compares == "exchange" and t.measure == "iod")
    assert (effect.first, effect.second) == (
        "SmallNet 64-d without exchange",
        "SmallNet 64-d with exchange",
    )
    assert (effect.slope, effect.level) == pytest.approx((1, 3))
    own = [t for t in trends if t.compares == "error" and t.measure == "different-identity"]
    assert [t.slope for t in own] == pytest.approx([-1, -2])
    assert {t.first for t in trends if t.compares == "baseline"} == {
        "same place",
        "mean training shape",
    }


def test_a_single_length_has_no_trend():
    assert measure_trends(ROWS[:1], statistics(falling)) == ()


def table(error):
    return SimpleNamespace(rows_with_results=ROWS, statistics=statistics(error), pairs=list(PAIRS))


def test_curves_cross_between_the_measured_lengths():
    def error(exchange, pairs):
        return 10.0 if not exchange else 13 - 2 * np.log2(pairs / 1000)

    frame = crossings(table(error))
    assert frame.index.tolist() == [64]
    # 3 px above at 1,000 pairs, 1 px above at 2,000, 1 px below at 4,000: half a doubling on.
    assert frame.iloc[0, 0] == "from about 2,800 pairs on"
    assert crossings(table(falling)).iloc[0, 0] == "from about 1,000 pairs on"
    never = crossings(table(lambda exchange, pairs: 10.0 + exchange))
    assert never.iloc[0, 0] == "not up to 8,000 pairs"
    always = crossings(table(lambda exchange, pairs: 10.0 - exchange))
    assert always.iloc[0, 0] == "at all lengths, from 1,000 pairs on"


def test_a_curve_has_a_line_for_each_point():
    frame = curves(table(falling))
    assert len(frame) == 3 * len(ROWS)
    assert frame["label"].nunique() == 2
    assert (frame["low"] <= frame["error"]).all() and (frame["error"] <= frame["high"]).all()


def trend(level, slope, high):
    return Trend(
        compares="error",
        measure="iod",
        first="mean training shape",
        second="SmallNet 64-d with exchange",
        architecture="smallnet",
        dimension=64,
        exchange=True,
        pairs=(4000, 8000),
        level=level,
        slope=slope,
        low=slope - 0.1,
        high=high,
    )


def test_a_target_is_reached_along_the_line_or_not_in_sight():
    assert reach(trend(10, -1, -0.9), 8) == "about 32,000 pairs"
    assert reach(trend(7, -1, -0.9), 8) == "reached by 8,000 pairs"
    assert "no end in sight" in reach(trend(10, -1, 0.1), 8)
    assert reach(trend(10, -0.01, -0.001), 8) == "not within 1,073,741,824 pairs"
