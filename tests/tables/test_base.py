"""What every table says of its rows, effects and intervals."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dvelib import StudyError
from dvelib.study.plan import Row
from dvelib.study.profiles import RowSpec
from dvelib.tables.base import StudyTable, interval_text
from dvelib.tables.matching_table import MatchingTable
from dvelib.tables.results import EffectNumbers, Measure

ERRORS = {"SmallNet 3-d without exchange": 6.0, "SmallNet 3-d with exchange": 5.0}


class Statistics:
    """Errors of our choosing, of two rows."""

    def baseline_of(self, measure):
        return "same place"

    measures = tuple(Measure(name=name, title=name) for name in ("same", "different"))

    def __init__(self, seeds):
        self.seeds = seeds

    def unit_errors(self, label, measure):
        shift = np.arange(self.seeds) * (label == "SmallNet 3-d with exchange")
        return pd.DataFrame(ERRORS[label] + np.zeros((4, 1)) + shift)

    def baseline_errors(self, label, measure):
        return pd.DataFrame(np.full((4, self.seeds), 9.0))


class Table(StudyTable):
    """Two rows that the profile runs and two that it does not."""

    unit, test_units = "px", "image pairs"
    statistics = test_faces = None
    spec = SimpleNamespace(compares=("exchange",))

    def __init__(self, seeds=1):
        self.statistics = Statistics(seeds)
        specs = [
            RowSpec(architecture="smallnet", dimension=d, exchange=e)
            for d in (3, 16)
            for e in (False, True)
        ]
        self.rows = tuple(
            Row(s, s.label, {"same": 2.0 - s.exchange}, ("e",) * seeds * (s.dimension == 3))
            for s in specs
        )


def test_all_effects_are_recorded_also_those_that_were_not_measured():
    effects = Table().effects
    # 2 exchanges, 2 dimensions, 4 baselines; two measures of each.
    assert len(effects) == 16
    measured = [line for line in effects if line.measured]
    assert len(measured) == 2 * (1 + 2)
    exchange = measured[0]
    assert exchange.measured == EffectNumbers(
        before=6.0, after=5.0, effect=1.0, low=1.0, high=1.0, seeds=1
    )
    assert exchange.model_dump(exclude={"measured"}) == {
        "compares": "exchange",
        "measure": "same",
        "first": "SmallNet 3-d without exchange",
        "second": "SmallNet 3-d with exchange",
        "shared": "SmallNet 3-d",
        "published": 1.0,
    }
    assert [line.first for line in measured[2:]] == ["same place"] * 4
    assert {line.published for line in effects if line.compares == "baseline"} == {None}


def test_the_page_shows_the_effects_that_its_parameters_name():
    frame = Table().shown_effects
    assert frame.index.tolist() == [
        ("exchange", "SmallNet 3-d", "same"),
        ("exchange", "SmallNet 3-d", "different"),
    ]
    assert frame.loc[("exchange", "SmallNet 3-d", "different")].to_dict() == {
        "before": 6.0,
        "after": 5.0,
        "effect": 1.0,
        "low": 1.0,
        "high": 1.0,
    }


def test_seeds_count_in_an_effect_and_its_interval():
    (line,) = [e for e in Table(seeds=3).effects if e.measured and e.compares == "exchange"][:1]
    assert line.measured.seeds == 3
    assert line.measured.effect == pytest.approx(0)  # gains of 1, 0 and -1
    assert line.measured.low < -0.5 and line.measured.high > 0.5


def test_examples_are_of_the_rows_that_the_page_compares():
    table = Table()
    (effect,) = table.main_effects("same")
    assert (effect.first, effect.second) == table.example_rows == tuple(ERRORS)
    table.spec = SimpleNamespace(compares=("finetuned",))
    assert table.main_effects("same") == [] and table.shown_effects.empty
    assert table.example_rows == tuple(ERRORS)  # the first and the last row


def test_rows_that_the_profile_does_not_run_are_named():
    assert Table().not_run == ["SmallNet 16-d without exchange", "SmallNet 16-d with exchange"]


def test_an_interval_says_what_it_rests_on():
    over = "95 % bootstrap interval over image pairs"
    one = f"{over} of one seed; it does not include the variation between seeds"
    assert interval_text("image pairs", "seeds", 1) == Table().interval == one
    assert Table(3).interval == f"{over} and 3 seeds"


def test_an_unknown_table_is_an_error_that_names_the_known_ones():
    with pytest.raises(StudyError, match="no parameter file .*none.yaml; the existing ones are: "):
        MatchingTable("none", "smoke")


def test_a_table_runs_under_a_profile_that_does_not_list_it(tmp_path):
    table = MatchingTable("recipes", "smoke", outputs=tmp_path)
    assert "recipes" not in table.study.profile.tables
    specs = [table.study.embeddings[row.embeddings[0]] for row in table.rows_with_results]
    assert [row.spec.recipe for row in table.rows_with_results] == list(table.spec.recipes)
    assert all(spec.steps <= 3 for spec in specs)
