"""Displays, execution, pages and the index, on tiny notebooks."""

import json
import re

import nbformat
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

from dvelib import StudyError, report
from dvelib.markup import facts_html, plain_text, table_html

PARAMETERS = """\
seeds = 1  # how many
table = None  # required: which table
"""
SHOWS = """\
from matplotlib.figure import Figure
import pandas, sys
from dvelib import report

figure = Figure(figsize=(2, 1))
figure.subplots().plot([1, 2])
report.show(figure, "a rising <line>", "A caption")
report.show_table(pandas.DataFrame({"network": ["a", "b"], "error": [1.234, None]}), "Errors")
report.say(f"There are **{seeds}** seeds.")
report.definition_list({"Data": "synthetic"})
print("printed"); print("progress", file=sys.stderr)
"""
FAILS = "from dvelib import StudyError\nraise StudyError('the data are missing: unpack them')"


def notebook(path, *cells):
    """Write a notebook; text that starts with # and a space is markdown."""
    made = nbformat.v4.new_notebook()
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python", "language": "python"}
    for source in cells:
        kind = "markdown" if source.startswith("# ") else "code"
        made.cells.append(getattr(nbformat.v4, f"new_{kind}_cell")(source))
        if source == PARAMETERS:
            made.cells[-1].metadata.tags = ["parameters"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    return path


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def parse(page):
    return BeautifulSoup(page, "html.parser")


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
            report.show(Figure(), alt)
        assert not displayed

    def test_is_drawn_at_twice_the_size_it_has(self, displayed):
        figure = Figure(figsize=(3, 2), dpi=100)
        figure.subplots().set_title("x")
        report.show(figure, 'faces & "points"', "Some <b>faces</b>")
        page = parse(displayed[0]["text/html"])
        assert page.img["alt"] == 'faces & "points"'
        assert 200 < int(page.img["width"]) < 330
        assert page.figcaption.text == "Some <b>faces</b>"
        assert displayed[0]["text/plain"] == "[figure] Some <b>faces</b>"

    def test_closes_the_figure(self, displayed):
        from matplotlib import pyplot

        report.show(pyplot.figure(), "nothing")
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
        report.show_table(frame, "Errors", highlight=frame == frame.min())
        page = parse(displayed[0]["text/html"])
        assert [td.strong.text for td in page.select("td.marked")] == ["1.00"]
        with pytest.raises(ValueError, match="shape of the frame"):
            report.show_table(frame, "Errors", highlight=frame.iloc[:1])

    def test_counts_with_a_gap_stay_whole(self):
        frame = pd.DataFrame({"seeds": [3, None], "spread": None}, index=["a", "b"])
        for typed in (frame, frame.astype(object)):
            cells = parse(table_html(typed, "Seeds")).select("td.number")
            assert [td.text for td in cells] == ["3", "–", "–", "–"]

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "–"), (float("nan"), "–"), (pd.NA, "–"), (True, "yes"), (np.int64(7), "7"),
            (146_501, "146,501"), (0.5, "0.50"), (0.00012, "0.00012"), ([1, 2], "1, 2"),
            ({"train": 5, "test": None}, "train 5, test –"), ({}, "–"), (np.float32(2.5), "2.50"),
        ],
    )  # fmt: skip
    def test_writes_values_as_people_do(self, value, text):
        assert plain_text(value) == text

    def test_facts_are_escaped(self):
        page = parse(facts_html({"Data": "<synthetic>", "Seeds": [0, 1]}))
        assert [dd.text for dd in page.select("dl dd")] == ["<synthetic>", "0, 1"]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The page of a notebook that succeeds, in the place of a table."""
    folder = tmp_path_factory.mktemp("study")
    math = "# The <em>title</em>\n\nInline $x^2$ and\n\n$$\\frac{a}{b}$$"
    source = notebook(folder / "notebooks" / "good.ipynb", math, PARAMETERS, SHOWS, "1 + 1")
    output = folder / "outputs" / "smoke" / "tables" / "good" / "page.ipynb"
    write(output.with_name("failure.json"), {"message": "old"})
    report.execute(source, {"table": "good", "seeds": 3}, output)
    return output


class TestExecute:
    def test_success_leaves_the_page_alone(self, executed):
        assert [path.name for path in executed.parent.iterdir()] == ["page.ipynb"]

    def test_failure_says_why_and_keeps_what_there_was(self, tmp_path, capfd):
        source = notebook(tmp_path / "bad.ipynb", "print('so far')", FAILS, "print('never')")
        output = tmp_path / "tables" / "bad" / "page.ipynb"
        output.parent.mkdir(parents=True)
        output.write_text("older")
        with pytest.raises(StudyError, match="^the data are missing: unpack them$"):
            report.execute(source, {}, output)
        failure = json.loads(output.with_name("failure.json").read_text())
        assert failure["what"] == "table bad"
        assert failure["message"] == "the data are missing: unpack them"
        assert output.read_text() == "older"
        assert "so far" in output.with_name("page.failed.ipynb").read_text()
        assert {p.name for p in output.parent.iterdir()} == {
            "page.ipynb", "page.failed.ipynb", "failure.json",
        }  # fmt: skip
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
            report.execute(source, parameters, output)
        assert [path.name for path in output.parent.iterdir()] == ["failure.json"]

    def test_missing_notebook(self, tmp_path):
        with pytest.raises(StudyError, match="there is no notebook"):
            report.execute(tmp_path / "no.ipynb", {}, tmp_path / "tables" / "no" / "page.ipynb")

    def test_other_exceptions_keep_their_name_and_first_line(self):
        error = ValueError("shapes differ\nand more")
        assert report._sentence(error) == "ValueError: shapes differ"
        assert report._sentence(KeyboardInterrupt()) == "KeyboardInterrupt"


@pytest.fixture(scope="module")
def page(executed):
    return report.render(executed)


class TestRender:
    def test_asks_nobody_for_anything(self, page):
        assert_offline(page)

    def test_structure(self, page):
        soup = parse(page)
        assert soup.html["lang"] == "en"
        assert soup.title.text == "The title"
        assert soup.find("meta", attrs={"name": "viewport"})
        assert len(soup.find_all("h1")) == 1 and len(soup.find_all("main")) == 1
        assert soup.nav.a["href"] == "../index.html"
        assert [image["alt"] for image in soup.find_all("img")] == ["a rising <line>"]
        assert soup.select_one("main table caption") and soup.select_one("main dl.facts")
        assert soup.find("strong").text == "3"

    def test_code_and_print_are_folded_and_progress_is_not_shown(self, page):
        soup = parse(page)
        summaries = [s.text for s in soup.select("details:not([open]) > summary")]
        assert summaries == [
            "Parameters and their defaults", "Parameters", "Code", "Printed output", "Code",
        ]  # fmt: skip
        assert "progress\n" not in soup.main.text
        assert soup.select("main > .scroll > pre")[-1].text == "2"

    def test_maths_is_mathml(self, page):
        soup = parse(page)
        assert [m["display"] for m in soup.find_all("math")] == ["inline", "block"]
        assert "\\frac" not in soup.main.text

    def test_a_notebook_without_heading_gets_one(self, tmp_path):
        source = notebook(tmp_path / "my_table" / "page.ipynb", "1")
        soup = parse(report.render(source))
        assert [h.text for h in soup.find_all("h1")] == [soup.title.text] == ["My table"]


def assert_offline(page):
    """Nothing in the page makes a browser ask for more than the page itself."""
    soup = parse(page)
    assert not soup.find_all(["link", "iframe", "object", "embed"])
    assert not soup.find_all("script", src=True)
    addresses = [tag["src"] for tag in soup.find_all(src=True)]
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(r"@import|url\(", soup.style.text)
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert "default-src 'none'" in policy["content"]


TABLES = [
    {"name": "good", "title": "AFLW<sub>R</sub> & more"},
    {"name": "bad", "title": "A failed table"},
    {"name": "later", "title": "A table not run"},
    {"name": "bare", "title": "A table with hardly a result"},
]


@pytest.fixture
def profile(executed, tmp_path):
    """A profile with a complete, a failed, a missing and a bare table, and three embeddings."""
    folder = tmp_path / "smoke"
    for name in ("tables/good", "tables/bad", "embeddings/small", "embeddings/stale"):
        path = folder / name / "page.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(executed.read_text())
    results = {
        "claim": "Exchange helps.", "headline": "It does, by 1 px.", "state": "complete",
        "rows": [
            {"label": "SmallNet", "published": {"same-identity": 1.36}, "ours": {
                "same-identity": {"mean": 1.5, "spread": 0.25, "seeds": 3}}},
            {"label": "Hourglass", "published": None, "ours": {}},
        ],
        "data": {"dataset": "Synthetic", "split": "test", "images": 8, "published": 1000},
    }  # fmt: skip
    write(folder / "tables/good/results.json", results)
    write(folder / "tables/bad/results.json", results | {"headline": "old numbers"})
    write(folder / "tables/bad/failure.json", {"message": "the <data> are missing"})
    write(folder / "tables/bare/results.json", {})
    made = {"seconds": 200, "pairs_per_second": 14.24, "data": {"images": 8}}
    write(folder / "embeddings/small/provenance.json", made)
    write(folder / "embeddings/stale/provenance.json", {})
    write(folder / "embeddings/small/specification.json", {"architecture": "smallnet", "seed": 0})
    write(folder / "embeddings/broken/failure.json", {"message": "the loss became NaN"})
    return folder


def build(profile, embeddings=("small", "broken", "untrained")):
    index = report.build_site(
        profile, title="The study", expected_tables=TABLES, expected_embeddings=list(embeddings)
    )
    return parse(index.read_text())


class TestSite:
    def test_every_expected_table_has_its_state(self, profile):
        soup = build(profile)
        states = {card["id"]: card.select_one(".badge").text for card in soup.select("article")}
        assert {name: state.split(maxsplit=1)[1] for name, state in states.items()} == {
            "good": "complete", "bad": "failed", "later": "not run yet", "bare": "complete",
        }  # fmt: skip
        assert_offline(str(soup))
        assert len(soup.find_all("h1")) == 1

    def test_a_complete_table(self, profile):
        soup = build(profile)
        card = soup.find(id="good")
        assert card.h3.a["href"] == "tables/good.html"
        assert card.h3.sub.text == "R"
        assert "Exchange helps." in card.text and "It does, by 1 px." in card.text
        assert "Synthetic, test split, 8 images (the published split has 1,000)" in card.text
        rows = [[c.text for c in row.find_all(["th", "td"])] for row in card.select("tbody tr")]
        assert rows == [["SmallNet", "1.36", "1.50 ± 0.25"], ["Hourglass", "–", "–"]]
        assert "over 3 seeds" in card.caption.text

    def test_a_failure_hides_older_numbers_and_pages(self, profile):
        card = build(profile).find(id="bad")
        assert "the <data> are missing" in card.text
        assert "old numbers" not in card.text and not card.find("a") and not card.find("table")
        assert not (profile / "site/tables/bad.html").exists()

    def test_numbers_of_another_specification_are_out_of_date(self, profile):
        tables = [{"name": "good", "title": "Good", "digest": "of today"}]
        index = report.build_site(profile, title="The study", expected_tables=tables)
        card = parse(index.read_text()).find(id="good")
        assert "out of date" in card.text and not card.find("table")
        assert not (profile / "site/tables/good.html").exists()

    def test_embeddings(self, profile):
        rows = build(profile).select("h2#embeddings ~ .scroll tbody tr")
        texts = [[cell.text.strip() for cell in row.find_all(["th", "td"])] for row in rows]
        assert texts == [
            ["small", "✓ complete", "smallnet", "–", "–", "0", "–", "14.2", "3 min",
             "unnamed data, 8 images"],
            ["broken", "✕ failed", "the loss became NaN"],
            ["untrained", "○ not trained yet", ""],
        ]  # fmt: skip
        assert rows[0].a["href"] == "embeddings/small.html"

    def test_links_lead_somewhere(self, profile):
        soup = build(profile)
        for link in soup.find_all("a"):
            address = link["href"]
            if address.startswith("#"):
                assert soup.find(id=address[1:])
            else:
                assert (profile / "site" / address).is_file()

    def test_stale_pages_go(self, profile):
        report.build_site(profile, title="x", expected_tables=TABLES)
        assert (profile / "site/embeddings/stale.html").exists()
        build(profile)
        assert not (profile / "site/embeddings/stale.html").exists()
        assert (profile / "site/embeddings/small.html").exists()
        assert not list(profile.glob(".*site*"))

    def test_a_site_that_cannot_be_built_leaves_the_old_one(self, profile):
        build(profile)
        (profile / "tables/good/results.json").write_text("{")
        with pytest.raises(StudyError, match="results.json is damaged"):
            build(profile)
        assert (profile / "site/tables/good.html").exists()
        assert not list(profile.glob(".*site*"))

    def test_missing_profile(self, tmp_path):
        with pytest.raises(StudyError, match="no profile folder"):
            build(tmp_path / "none")

    def test_nothing_has_run(self, tmp_path):
        index = report.build_site(tmp_path, title="Empty", expected_tables=[])
        assert "No table is part of this profile." in index.read_text()
