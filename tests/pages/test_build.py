"""The index says of every table and embedding what became of it, and links to what there is."""

import nbformat
import pytest

from dvelib import StudyError
from dvelib.pages.build import build_site
from dvelib.pages.cards import ExpectedTable
from dvelib.tables.results import PublishedNumber, read_results, write_results
from tests.executed_pages import assert_offline, notebook, parse, write
from tests.recorded import audit, number, of_the_paper, recorded

SAME = "same-identity"
TABLES = [
    ExpectedTable(name, title, "learned_embeddings", "today")
    for name, title in (
        ("good", "AFLW<sub>R</sub> & more"),
        ("bad", "A failed table"),
        ("later", "A table not run"),
        ("older", "A table of another schema"),
    )
]


@pytest.fixture
def profile(executed, tmp_path):
    """A profile with a complete, a failed, a missing and an older table, and three embeddings."""
    folder = tmp_path / "smoke"
    for name in ("tables/good", "tables/bad", "embeddings/small", "embeddings/stale"):
        path = folder / name / "page.ipynb"
        path.parent.mkdir(parents=True)
        path.write_text(executed.read_text())
    results = recorded("learned_embeddings", lambda row, _: None)
    one, other = results.rows[:2]
    paper = {SAME: PublishedNumber(value=1.36)}
    ours = {SAME: number(1.5, 0.2, spread=0.25)}
    results = results.model_copy(
        update={
            "title": "AFLW<sub>R</sub> & more",
            "claim": "Exchange helps.",
            "headline": "It does, by 1 px.",
            "measures": results.measures[:1],
            "rows": (
                one.model_copy(update={"label": "SmallNet", "published": paper, "ours": ours}),
                other.model_copy(update={"label": "Hourglass", "published": {}, "ours": {}}),
            ),
            "references": (),
            "effects": (),
            "measured_on": audit("test", dataset="Synthetic", published=1000),
        }
    )
    write_results(folder / "tables/good/results.json", results)
    old = results.model_copy(update={"headline": "old numbers"})
    write_results(folder / "tables/bad/results.json", old)
    write(folder / "tables/bad/failure.json", {"message": "the <data> are missing"})
    write(folder / "tables/older/results.json", {"digest": "today", "state": "complete"})
    made = {"seconds": 200, "pairs_per_second": 14.24, "data": {"images": 8}}
    write(folder / "embeddings/small/provenance.json", made)
    write(folder / "embeddings/stale/provenance.json", {})
    write(folder / "embeddings/small/specification.json", {"architecture": "smallnet", "seed": 0})
    write(folder / "embeddings/broken/failure.json", {"message": "the loss became NaN"})
    return folder


def build(profile, embeddings=("small", "broken", "untrained")):
    index = build_site(
        profile, title="The study", expected_tables=TABLES, expected_embeddings=list(embeddings)
    )
    return parse(index.read_text())


class TestSite:
    def test_every_expected_table_has_its_state(self, profile):
        soup = build(profile)
        states = {
            line["id"]: [badge.text.split(maxsplit=1)[1] for badge in line.select(".badge")]
            for line in soup.select(".findings > li")
        }
        assert states == {
            "good": [],  # complete
            "bad": ["failed"],
            "later": ["not run yet"],
            "older": ["out of date"],
        }
        assert_offline(str(soup))
        assert len(soup.find_all("h1")) == 1

    def test_a_complete_table(self, profile):
        soup = build(profile)
        line = soup.find(id="good")
        assert line.a["href"] == "tables/good.html" and line.a.sub.text == "R"
        assert line.p.text == "It does, by 1 px."
        facts = soup.select_one("dl.facts").text
        assert "Synthetic, test split, 8 images (the published split has 1,000)" in facts
        assert soup.select_one("main figure .drawing")["aria-label"].startswith(
            "The paper's errors"
        )
        assert "At most the paper's are 0 of 1 matching errors." in soup.main.text

    def test_verdicts_on_the_index_and_on_the_page(self, tmp_path, executed):
        names = ("ablation_exchange_matching", "limited_annotations")
        for name in names:
            folder = tmp_path / "tables" / name
            write_results(folder / "results.json", of_the_paper(name))
            (folder / "page.ipynb").write_text(executed.read_text())
        tables = [ExpectedTable(name, name, name, "today") for name in names]
        index = parse(build_site(tmp_path, title="x", expected_tables=tables).read_text())
        first = index.find(id=names[0])
        assert [badge["class"][1] for badge in first.select(".badge")] == ["reproduced"]
        page = parse((tmp_path / f"site/tables/{names[0]}.html").read_text())
        claims = page.select(".tested li")
        assert first.select_one(".badge").text.split()[1] == str(len(claims))
        assert claims[0].a["href"].startswith("../claims.html#claim-")
        assert page.select_one(".neighbours [rel=next]")["href"] == f"{names[1]}.html"
        assert page.select_one(".neighbours [rel=prev]")["href"] == "../claims.html"

    def test_a_page_offers_its_notebook_without_outputs(self, profile):
        build(profile)
        page = parse((profile / "site/tables/good.html").read_text())
        (link,) = page.select("footer a[download]")
        offered = nbformat.read(profile / "site/tables" / link["href"], as_version=4)
        executed = nbformat.read(profile / "tables/good/page.ipynb", as_version=4)
        assert [c.source for c in offered.cells] == [c.source for c in executed.cells]
        assert not any(cell.get("outputs") for cell in offered.cells)

    def test_a_failure_hides_older_numbers_and_pages(self, profile):
        card = build(profile).find(id="bad")
        assert "the <data> are missing" in card.text
        assert "old numbers" not in card.text and not card.find("a") and not card.find("table")
        assert not (profile / "site/tables/bad.html").exists()

    def test_numbers_of_another_specification_are_out_of_date(self, profile):
        tables = [ExpectedTable("good", "Good", "learned_embeddings", "tomorrow")]
        index = build_site(profile, title="The study", expected_tables=tables)
        card = parse(index.read_text()).find(id="good")
        assert "out of date" in card.text and not card.find("table")
        assert not (profile / "site/tables/good.html").exists()

    def test_a_record_of_another_schema_is_out_of_date(self, profile):
        card = build(profile).find(id="older")
        assert "has schema version 1, and this code reads version 2: run" in card.text
        assert not card.find("table") and "older" not in (profile / "site/results.csv").read_text()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("{", "results.json is damaged"),
            ("[]", "results.json is damaged (it holds no object)"),
            ('{"schema_version": 2}', "results.json: table: is missing"),
            ("null", "results.json is damaged (it holds no object)"),
        ],
    )
    def test_a_damaged_record_is_out_of_date_and_the_rest_is_shown(self, profile, text, message):
        tables = [TABLES[0], ExpectedTable("broken", "Broken", "landmark_regression", "x")]
        path = profile / "tables/broken/results.json"
        path.parent.mkdir()
        path.write_text(text)
        index = build_site(profile, title="The study", expected_tables=tables)
        soup = parse(index.read_text())
        assert "out of date" in soup.find(id="broken").text
        assert message in soup.find(id="broken").text
        assert "It does, by 1 px." in soup.find(id="good").text
        assert "Broken: out of date" in (profile / "site/claims.html").read_text()

    def test_embeddings(self, profile):
        rows = build(profile).select("h2#embeddings ~ details tbody tr")
        texts = [
            [" ".join(cell.text.split()) for cell in row.find_all(["th", "td"])] for row in rows
        ]
        assert texts == [
            [
                "small",
                "smallnet",
                "–",
                "–",
                "0",
                "–",
                "14.2",
                "3 min",
                "unnamed data, 8 images",
            ],
            ["broken", "✕ failed the loss became NaN"],
            ["untrained", "○ not trained yet"],
        ]
        assert rows[0].a["href"] == "embeddings/small.html"

    def test_links_lead_somewhere(self, profile):
        soup = build(profile)
        for link in soup.find_all("a"):
            address = link["href"]
            if address.startswith("#"):
                assert soup.find(id=address[1:])
            else:
                file, _, place = address.partition("#")
                assert (profile / "site" / file).is_file()
                assert not place or parse((profile / "site" / file).read_text()).find(id=place)

    def test_claims_and_numbers_are_there(self, profile):
        soup = build(profile)
        assert "18 not testable on this data" in soup.main.text
        lines = (profile / "site/results.csv").read_text().splitlines()
        assert lines[1].startswith("smoke,learned_embeddings,row,SmallNet,")
        for page in ("index.html", "claims.html", "tables/good.html"):
            links = parse((profile / "site" / page).read_text()).select("header nav a")
            targets = [((profile / "site" / page).parent / a["href"]).resolve() for a in links]
            names = ("index.html", "claims.html", "results.csv")
            assert targets == [(profile / "site" / name).resolve() for name in names]

    def test_the_page_one_is_on_is_marked(self, profile):
        build(profile)
        for page in ("index.html", "claims.html"):
            soup = parse((profile / "site" / page).read_text())
            assert [a["href"] for a in soup.select("nav [aria-current=page]")] == [page]

    def test_without_a_benchmark_the_index_says_how_to_get_one(self, profile):
        soup = build(profile)
        assert "dve bench" in soup.select_one(".ways").text
        assert not (profile / "site/benchmark.html").exists()
        assert not (profile / "site/explore.html").exists()

    def test_benchmark_and_explorer_are_shown_where_they_are(self, profile):
        notebook(profile.parent / "benchmark/page.ipynb", "# Speed\n\nIt is fast.")
        write(profile.parent / "benchmark/results.json", {"headline": "twice as fast"})
        notebook(profile / "explore/page.ipynb", "# Explore the descriptors")
        ways = build(profile).select_one(".ways")
        assert "twice as fast" in ways.text
        links = {a["href"]: a.text for a in ways.select("a")}
        assert links["explore.html"] == "Explore the descriptors"
        for page in ("benchmark.html", "explore.html"):
            soup = parse((profile / "site" / page).read_text())
            assert soup.nav.a["href"] == "index.html"
            assert page in links

    def test_every_page_leads_to_the_next_and_back(self, profile):
        notebook(profile / "explore/page.ipynb", "# Explore the descriptors")
        build(profile)
        site = profile / "site"
        order, page = [], site / "claims.html"
        while page:
            order.append(page.relative_to(site).as_posix())
            after = parse(page.read_text()).select_one(".neighbours [rel=next]")
            following = after and (page.parent / after["href"]).resolve()
            if following:
                before = parse(following.read_text()).select_one(".neighbours [rel=prev]")
                assert (following.parent / before["href"]).resolve() == page.resolve()
            page = following
        assert order == [
            "claims.html",
            "tables/good.html",
            "explore.html",
            "embeddings/small.html",
        ]

    def test_a_dataset_of_several_sizes_is_named_once(self, profile):
        for name, images in (("small", 8), ("more", 16)):
            made = {"seconds": 2, "data": {"dataset": "Faces", "split": "train", "images": images}}
            write(profile / f"embeddings/{name}/provenance.json", made)
        facts = build(profile, ("small", "more")).select_one("dl.facts").text
        assert "Faces, train split, 8 or 16 images" in facts

    def test_names_of_users_are_text(self, profile):
        name = "<img src=x>"
        tables = [ExpectedTable("later", name, name, "today")]
        index = build_site(profile, title=name, expected_tables=tables, expected_embeddings=[name])
        for page in (index, index.with_name("claims.html")):
            assert "<img" not in page.read_text() and name in parse(page.read_text()).text

    def test_the_index_says_a_finding_in_one_sentence(self, profile):
        path = profile / "tables/good/results.json"
        results = read_results(path).model_copy(update={"headline": "It is 1.5 px. More. No."})
        write_results(path, results)
        assert build(profile).find(id="good").p.text == "It is 1.5 px."

    def test_stale_pages_go(self, profile):
        build_site(profile, title="x", expected_tables=TABLES)
        assert (profile / "site/embeddings/stale.html").exists()
        build(profile)
        assert not (profile / "site/embeddings/stale.html").exists()
        assert (profile / "site/embeddings/small.html").exists()
        assert not list(profile.glob(".*site*"))

    def test_a_site_that_cannot_be_built_leaves_the_old_one(self, profile):
        build(profile)
        (profile / "embeddings/small/provenance.json").write_text("{")
        with pytest.raises(StudyError, match="provenance.json is damaged"):
            build(profile)
        assert (profile / "site/tables/good.html").exists()
        assert not list(profile.glob(".*site*"))

    def test_missing_profile(self, tmp_path):
        with pytest.raises(StudyError, match="no profile folder"):
            build(tmp_path / "none")

    def test_nothing_has_run(self, tmp_path):
        index = build_site(tmp_path, title="Empty", expected_tables=[])
        assert "No table is part of this profile." in index.read_text()
