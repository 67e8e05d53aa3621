"""Displays in a notebook and the execution of notebooks, on tiny examples."""

import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from dvelib import StudyError
from dvelib.common.markup import facts_html, plain_text, table_html
from dvelib.pages import display, execute
from tests.executed_pages import PARAMETERS, notebook, parse

FAILS = "from dvelib import StudyError\nraise StudyError('the data are missing: unpack them')"


@pytest.fixture
def displayed(monkeypatch):
    """What a notebook would have been given to display."""
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: shown.append(data))
    return shown


class TestShow:
    @pytest.mark.parametrize("alt", ["", "  ", None])
    def test_needs_a_text_alternative(self, alt, displayed):
        with pytest.raises(ValueError, match="text alternative"):
            display.show(Figure(), alt)
        assert not displayed

    def test_is_drawn_as_svg_at_the_size_it_has(self, displayed):
        figure = Figure(figsize=(3, 2), dpi=100)
        figure.subplots().set_title("x")
        display.show(figure, 'faces & "points"', "Some <b>faces</b>")
        page = parse(displayed[0]["text/html"])
        drawing = page.select_one("[role=img]")
        assert drawing["aria-label"] == 'faces & "points"'
        assert 200 < int(drawing.svg["width"]) < 330
        assert page.figcaption.text == "Some <b>faces</b>"
        assert displayed[0]["text/plain"] == "[figure] Some <b>faces</b>"

    def test_closes_the_figure(self, displayed):
        from matplotlib import pyplot

        display.show(pyplot.figure(), "nothing")
        assert not pyplot.get_fignums()


class TestTable:
    def test_is_accessible(self):
        frame = pd.DataFrame({"network": ["a<b", "c"], "error": [1.234, np.nan], "n": [1, 20_000]})
        page = parse(table_html(frame, "Errors"))
        wrapper = page.find("div", class_="scroll")
        assert wrapper["tabindex"] == "0" and wrapper["aria-label"] == "Errors"
        assert page.caption.text == "Errors"
        assert [th["scope"] for th in page.select("thead th")] == ["col"] * 3
        assert [th.text for th in page.select("tbody th[scope=row]")] == ["a<b", "c"]
        cells = [td.text for td in page.select("tbody td.number")]
        assert cells == ["1.23", "1", "–", "20,000"]

    def test_groups_columns_of_two_levels(self):
        columns = pd.MultiIndex.from_tuples([("paper", "x"), ("paper", "y"), ("ours", "x")])
        frame = pd.DataFrame([[1.0, 2.0, "3.0 ± 0.1"]], index=["row"], columns=columns)
        page = parse(table_html(frame, "Errors"))
        groups = [(th.text, th["colspan"]) for th in page.select("th[scope=colgroup]")]
        assert groups == [("paper", "2"), ("ours", "1")]
        assert len(page.select("td.number")) == 3

    def test_highlights_cells(self, displayed):
        frame = pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"])
        display.show_table(frame, "Errors", highlight=frame == frame.min())
        page = parse(displayed[0]["text/html"])
        assert [td.strong.text for td in page.select("td.marked")] == ["1.00"]
        with pytest.raises(ValueError, match="shape of the frame"):
            display.show_table(frame, "Errors", highlight=frame.iloc[:1])

    def test_rows_without_measurements_are_folded_away(self, displayed):
        frame = pd.DataFrame({"paper": [1.0, 2.0], "ours": [3.0, None]}, index=["x", "y"])
        display.show_table(frame, "Errors", folded=["y"])
        page = parse(displayed[0]["text/html"])
        assert page.summary.text == "1 row that this profile does not run"
        shown, folded = page.find_all("table")
        assert [th.text for th in shown.select("tbody th")] == ["x"]
        assert [th.text for th in folded.select("thead th, tbody th")] == ["paper", "y"]

    def test_counts_with_a_gap_stay_whole(self):
        frame = pd.DataFrame({"seeds": [3, None], "spread": None}, index=["a", "b"])
        for typed in (frame, frame.astype(object)):
            cells = parse(table_html(typed, "Seeds")).select("td.number")
            assert [td.text for td in cells] == ["3", "–", "–", "–"]

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "–"),
            (float("nan"), "–"),
            (pd.NA, "–"),
            (True, "yes"),
            (np.int64(7), "7"),
            (146_501, "146,501"),
            (0.5, "0.50"),
            (0.00012, "0.00012"),
            ([1, 2], "1, 2"),
            ({"train": 5, "test": None}, "train 5, test –"),
            ({}, "–"),
            (np.float32(2.5), "2.50"),
        ],
    )
    def test_writes_values_as_people_do(self, value, text):
        assert plain_text(value) == text

    def test_facts_are_escaped(self):
        page = parse(facts_html({"Data": "<synthetic>", "Seeds": [0, 1]}))
        assert [dd.text for dd in page.select("dl dd")] == ["<synthetic>", "0, 1"]


class TestExecute:
    def test_success_leaves_only_the_page(self, executed):
        assert [path.name for path in executed.parent.iterdir()] == ["page.ipynb"]

    def test_failure_leaves_its_reason_and_the_older_page(self, tmp_path, capfd):
        source = notebook(tmp_path / "bad.ipynb", "print('so far')", FAILS, "print('never')")
        output = tmp_path / "tables" / "bad" / "page.ipynb"
        output.parent.mkdir(parents=True)
        output.write_text("older")
        with pytest.raises(StudyError, match="^the data are missing: unpack them$"):
            execute.execute(source, {}, output)
        failure = json.loads(output.with_name("failure.json").read_text())
        assert failure["what"] == "table bad"
        assert failure["message"] == "the data are missing: unpack them"
        assert output.read_text() == "older"
        assert "so far" in output.with_name("page.failed.ipynb").read_text()
        assert {p.name for p in output.parent.iterdir()} == {
            "page.ipynb",
            "page.failed.ipynb",
            "failure.json",
        }
        assert "so far" in capfd.readouterr().err

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"table": "x", "seed": 1}, "no parameter 'seed'; did you mean 'seeds'"),
            ({"table": "x", "zzz": 1}, "no parameter 'zzz'; it has seeds, table"),
            ({"seeds": 1}, "needs the parameter 'table'"),
        ],
    )
    def test_parameters_are_checked_first(self, tmp_path, parameters, message):
        source = notebook(tmp_path / "any.ipynb", PARAMETERS)
        output = tmp_path / "tables" / "any" / "page.ipynb"
        with pytest.raises(StudyError, match=message):
            execute.execute(source, parameters, output)
        assert [path.name for path in output.parent.iterdir()] == ["failure.json"]

    def test_missing_notebook(self, tmp_path):
        with pytest.raises(StudyError, match="there is no notebook"):
            execute.execute(tmp_path / "no.ipynb", {}, tmp_path / "tables" / "no" / "page.ipynb")

    def test_other_exceptions_keep_their_name_and_first_line(self):
        error = ValueError("shapes differ\nand more")
        assert execute.failure_reason(error) == "ValueError: shapes differ"
        assert execute.failure_reason(KeyboardInterrupt()) == "KeyboardInterrupt"
