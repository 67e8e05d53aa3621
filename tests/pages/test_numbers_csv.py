"""One number a line, ours and the paper's, each with what it rests on."""

import io

import pandas as pd
import pytest

from dvelib.pages.numbers_csv import COLUMNS, numbers_csv
from tests.recorded import TRIVIAL, of_the_paper, recorded, table_names


@pytest.fixture(scope="module")
def frame():
    tables = [of_the_paper(name) for name in table_names()]
    return pd.read_csv(io.StringIO(numbers_csv(tables)))


def of(frame, **values):
    for column, value in values.items():
        frame = frame[frame[column] == value]
    return frame


def test_columns_are_those_that_the_index_explains(frame):
    assert list(frame.columns) == list(COLUMNS)
    assert set(frame["table"]) == set(table_names())
    assert set(frame["kind"]) == {"row", "reference", "effect"}


def test_no_line_is_there_twice(frame):
    what = ["table", "kind", "label", "compares", "compared_with", "measure", "source"]
    assert not frame.duplicated(what).any()


def test_ours_stands_beside_the_papers(frame):
    lines = of(frame, table="landmark_regression_mafl", kind="row", dimension=64)
    lines = of(lines, architecture="smallnet").set_index("source")
    assert lines["value"].to_dict() == {"ours": 3.42, "paper": 3.42}
    assert lines.loc["ours", ["dataset", "images", "hardware"]].tolist() == [
        "Drawn faces",
        8,
        "an abacus",
    ]
    # What ours was measured on says nothing of the paper's.
    assert lines.loc["paper", ["dataset", "images", "digest", "embeddings"]].isna().all()


def test_a_deviation_is_no_number_of_its_own(frame):
    lines = of(frame, table="limited_annotations", kind="row", source="paper")
    assert set(lines["measure"]) == {"mean_iod"}
    assert lines["spread"].notna().all() and len(lines) == 12


def test_references_and_effects(frame):
    assert set(of(frame, kind="reference")["value"]) == {TRIVIAL}
    lines = of(frame, table="ablation_exchange_matching", kind="effect", compares="exchange")
    lines = of(lines, dimension=16, measure="different-identity").set_index("source")
    assert lines["value"].to_dict() == pytest.approx({"ours": 2.86, "paper": 2.86})
    assert (lines["compared_with"] == "SmallNet 16-d without exchange").all()
    assert lines.loc["ours", "low"] < 2.86 < lines.loc["ours", "high"]


def test_a_reference_has_the_measure_of_the_rows_beside_it(frame):
    """So that a join by measure keeps the baseline; it once lost the one of few annotations."""
    for name in table_names():
        ours = of(of(frame, table=name), source="ours")
        if not len(of(ours, kind="row")):
            continue  # the paper has no such table
        assert set(of(ours, kind="reference")["measure"]) == set(of(ours, kind="row")["measure"])
    few = of(frame, table="limited_annotations", kind="reference")
    assert few["measure"].tolist() == ["mean_iod"]


def test_ours_says_how_it_was_trained(frame):
    ours = of(frame, kind="row", source="ours")
    assert set(ours["pairs"]) == {80} and set(ours["processor_hours"]) == {0.01}
    assert set(ours["precision"]) == {"float32"} and set(ours["recipe"]) == {"batch 8"}
    paper = of(frame, kind="row", source="paper")
    assert paper[["pairs", "precision", "processor_hours"]].isna().all(axis=None)


def test_what_did_not_run_has_no_line_of_ours():
    table = recorded("learned_embeddings", lambda row, _: None)
    frame = pd.read_csv(io.StringIO(numbers_csv([table])))
    assert set(of(frame, kind="row")["source"]) == {"paper"}
    assert set(of(frame, kind="effect")["source"]) == {"paper"}
