"""Frames that a notebook shows, from statistics of a test's own errors, without any study."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from dvelib.evaluation.matching_errors import METHODS, PROTOCOLS, SETTINGS
from dvelib.study.plan import Row
from dvelib.study.profiles import RowSpec
from dvelib.tables import landmark_views, matching_views
from dvelib.tables.landmark_statistics import LandmarkStatistics
from dvelib.tables.matching_statistics import MatchingStatistics
from dvelib.tables.measures import FEW_LANDMARK_ERROR
from dvelib.tables.results import Effect, EffectNumbers
from dvelib.tables.sentences import change_sentences


def row(published: dict[str, float], embeddings: tuple[str, ...] = (), **spec: object) -> Row:
    values = RowSpec(architecture="smallnet", exchange=True, **spec)
    return Row(values, values.label, published, embeddings)


@pytest.fixture
def few():
    """A row of five annotated images with results of two picks, and one of ten without."""
    about = {"dimension": 3, "finetuned": True}
    printed = {"mean_iod": 9.0, "std_iod": 1.5}
    rows = (row(printed, ("e",), annotations=5, **about), row(printed, annotations=10, **about))
    errors = {rows[0].label: [np.array([[4.0, 6.0]]), np.array([[6.0, 8.0]])]}
    statistics = LandmarkStatistics(errors, np.array([[10.0, 30.0]]), FEW_LANDMARK_ERROR, ddof=0)
    return SimpleNamespace(
        rows=rows,
        rows_with_results=[rows[0]],
        statistics=statistics,
        measure=FEW_LANDMARK_ERROR,
        test_faces=SimpleNamespace(title="Drawn faces"),
    )


def test_paper_beside_ours_with_deviations(few):
    frame = landmark_views.few_comparison(few)
    assert list(frame.index) == [*(r.label for r in few.rows), "Mean training shape"]
    assert frame["ours", "error"].tolist() == pytest.approx([6, np.nan, 20], nan_ok=True)
    assert frame["paper", "error"].tolist() == pytest.approx([9, 9, np.nan], nan_ok=True)
    assert frame["paper", "deviation"].tolist() == pytest.approx([1.5, 1.5, np.nan], nan_ok=True)
    assert frame["picks", "deviation"].iloc[0] == 1 and frame["picks", "number"].iloc[0] == 2


def test_a_chart_by_count_names_embeddings_without_the_count(few):
    frame = landmark_views.errors_by_count(few)
    assert set(frame["embedding"]) == {"SmallNet 3-d with exchange, fine-tuned"}
    assert frame[["images", "kind"]].to_numpy().tolist() == [
        [5, "paper"],
        [5, "ours"],
        [10, "paper"],
    ]
    assert frame[frame["kind"] == "ours"]["error"].item() == 6


def test_bars_and_lines_of_landmark_errors(few):
    frame, lines = landmark_views.finding_bars(few)
    assert frame["kind"].tolist() == ["ours", "paper"] and frame["error"].tolist() == [6, 9]
    assert set(frame["setting"]) == {"Drawn faces"}
    assert lines == {"mean training shape": 20}


@pytest.fixture
def matching():
    """A row with results of one seed, and one without."""
    printed = dict(zip(SETTINGS, (1.3, 2.9), strict=True))
    rows = (row(printed, ("e",), dimension=3), row({}, dimension=16))
    errors = {
        (protocol, setting, method): pd.DataFrame({"pair": [0, 1], "error": [at, at + 1.0]})
        for p, protocol in enumerate(PROTOCOLS)
        for s, setting in enumerate(SETTINGS)
        for m, method in enumerate(METHODS)
        for at in [100 * p + 10 * s + 2 * m]
    }
    return SimpleNamespace(
        rows=rows,
        rows_with_results=[rows[0]],
        protocols=PROTOCOLS,
        statistics=MatchingStatistics({rows[0].label: [errors]}),
    )


def test_paper_ours_and_references_of_matching(matching):
    frame = matching_views.comparison(matching)
    assert list(frame.index) == [
        *(r.label for r in matching.rows),
        "Perfect features",
        "Same place",
    ]
    assert frame["paper", SETTINGS[1]].iloc[0] == 2.9
    full = frame["ours, full resolution", SETTINGS[1]].tolist()
    assert full == pytest.approx([110.5, np.nan, 112.5, 114.5], nan_ok=True)
    assert frame["seeds", "number"].iloc[0] == 1 and ("seeds", "spread") not in frame


def test_bars_and_lines_of_matching_errors(matching):
    """The paper's errors stand beside ours under its own protocol alone."""
    frame, _ = matching_views.protocol_bars(matching, PROTOCOLS[0])
    assert frame["error"].tolist() == [0.5, 1.3, 10.5, 2.9]
    assert frame["kind"].tolist() == ["ours", "paper"] * 2
    frame, lines = matching_views.finding_bars(matching)
    assert frame["error"].tolist() == [100.5, 110.5] and set(frame["kind"]) == {"ours"}
    assert lines["same place"] == dict(zip(SETTINGS, (104.5, 114.5), strict=True))


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [(0.1, 0.3, "lowers"), (-0.3, -0.1, "raises"), (-0.1, 0.3, "does not clearly change")],
)
def test_a_sentence_goes_by_the_whole_interval(low, high, word):
    effect = Effect(
        compares="exchange",
        measure="iod",
        first="a",
        second="b",
        shared="SmallNet 3-d",
        published=None,
        measured=EffectNumbers(before=6, after=5.9, effect=0.1, low=low, high=high, seeds=1),
    )
    text = change_sentences(SimpleNamespace(rows=[], unit="%"), [effect, effect], "landmark error")
    assert text == (
        f"Exchange {word} the landmark error of SmallNet 3-d: 5.90 % in place of 6.00 % "
        f"(difference 0.10, 95 % interval {low:.2f} to {high:.2f}). "
        f"It {word} that of SmallNet 3-d (5.90 in place of 6.00)."
    )
    assert change_sentences(SimpleNamespace(rows=[]), [], "error") == ""
