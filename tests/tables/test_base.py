"""What every table records and says of its effects and intervals."""

import numpy as np
import pandas as pd
import pytest

from dvelib.study.plan import Row
from dvelib.study.profiles import RowSpec
from dvelib.tables.base import StudyTable

ERRORS = {"SmallNet 3-d without exchange": 6.0, "SmallNet 3-d with exchange": 5.0}


class Table(StudyTable):
    """Two rows that ran and two that did not, with errors of our choosing."""

    unit, units, baseline, measures = "px", "image pairs", "same place", ("same", "different")

    def __init__(self, seeds=1):
        self.seeds = seeds
        specs = [
            RowSpec(architecture="smallnet", dimension=d, exchange=e)
            for d in (3, 16)
            for e in (False, True)
        ]
        self.rows = tuple(
            Row(s, s.label, {"same": 2.0 - s.exchange}, ("e",) * seeds * (s.dimension == 3))
            for s in specs
        )

    def unit_errors(self, label, measure):
        shift = np.arange(self.seeds) * (label == "SmallNet 3-d with exchange")
        return pd.DataFrame(ERRORS[label] + np.zeros((4, 1)) + shift)

    def baseline_errors(self, label, measure):
        return pd.DataFrame(np.full((4, self.seeds), 9.0))

    made = measured_on = numbers = None


def test_all_effects_are_recorded_also_those_that_were_not_measured():
    effects = Table().effects
    assert {len(line) for line in effects} == {11}
    # 2 exchanges, 2 dimensions, 4 baselines; two measures of each.
    assert len(effects) == 16
    measured = [line for line in effects if line["seeds"]]
    assert len(measured) == 2 * (1 + 2)
    exchange = measured[0]
    assert exchange == {
        "compares": "exchange",
        "measure": "same",
        "first": "SmallNet 3-d without exchange",
        "second": "SmallNet 3-d with exchange",
        "published": 1.0,
        "before": 6.0,
        "after": 5.0,
        "effect": 1.0,
        "low": 1.0,
        "high": 1.0,
        "seeds": 1,
    }
    assert [line["first"] for line in measured[2:]] == ["same place"] * 4
    assert {line["published"] for line in effects if line["compares"] == "baseline"} == {None}


def test_effects_to_read_are_those_measured():
    frame = Table().effects_of("exchange", "different")
    assert frame.to_dict("records") == [
        {
            "embedding": "SmallNet 3-d",
            "dimension": 3,
            "measure": "different",
            "without": 6.0,
            "with": 5.0,
            "effect": 1.0,
            "low": 1.0,
            "high": 1.0,
        }
    ]
    assert list(Table().effects_of("exchange")["measure"]) == ["same", "different"]
    assert Table().effects_of("finetuned").empty


def test_seeds_count_in_an_effect_and_its_interval():
    (line,) = [e for e in Table(seeds=3).effects if e["seeds"] and e["compares"] == "exchange"][:1]
    assert line["seeds"] == 3
    assert line["effect"] == pytest.approx(0)  # gains of 1, 0 and -1
    assert line["low"] < -0.5 and line["high"] > 0.5


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (
            1,
            "95 % bootstrap interval over image pairs of one seed, which gives no interval over "
            "seeds",
        ),
        (3, "95 % bootstrap interval over image pairs and 3 seeds"),
    ],
)
def test_an_interval_says_what_it_rests_on(seeds, text):
    assert Table(seeds).interval == text
