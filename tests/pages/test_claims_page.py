"""The page of claims shows each sentence, its verdict and what was measured."""

import pytest

from dvelib.pages.claims_page import claims_page, count_verdicts
from dvelib.pages.verdicts import NOT_TESTABLE, RULES, TableWithoutResults, judge
from dvelib.paper.claims import CLAIMS
from tests.executed_pages import assert_offline, parse
from tests.recorded import of_the_paper, recorded, table_names


@pytest.fixture(scope="module")
def findings():
    tables = {name: of_the_paper(name) for name in table_names()}
    tables["learned_embeddings"] = recorded(
        "learned_embeddings", lambda row, _: None if row.architecture == "hourglass" else 5.0
    )
    few = "limited_annotations"
    tables[few] = TableWithoutResults(few, few, "Few <sub>labels</sub>", "failed")
    return judge(list(tables.values()))


@pytest.fixture(scope="module")
def page(findings):
    pages = {name: f"tables/{name}.html" for name in table_names()}
    return parse(claims_page(findings, "The study", "On drawn faces.", pages))


def test_every_claim_is_there_once_and_linked(page, findings):
    articles = page.select("article")
    assert [a.h3.text for a in articles] == [claim.sentence for claim in CLAIMS]
    assert [a["href"] for a in page.select(".contents a")] == [f"#{a['id']}" for a in articles]
    badges = [a.select_one(".badge").text.split(maxsplit=1)[1] for a in articles]
    assert badges == [finding.verdict for finding in findings]
    assert_offline(str(page))


def test_the_rules_are_said(page):
    assert all(rule.words in page.select_one("dl.facts").text for rule in RULES.values())
    assert "On drawn faces." in page.main.text
    assert count_verdicts(judge([])) == f"{len(CLAIMS)} {NOT_TESTABLE}"


def test_a_measurement_has_both_errors_its_interval_and_the_papers_effect(page):
    sentence = "From 16 dimensions on, exchange lowers the matching error across identities."
    (article,) = [a for a in page.select("article") if a.h3.text == sentence]
    cells = [cell.text for cell in article.select("tbody tr")[0].find_all(["th", "td"])]
    assert cells == [
        "SmallNet 16-d without exchange → SmallNet 16-d with exchange",
        "Drawn faces (stand-in)",
        "5.65 → 2.79",
        "2.86 (2.86 to 2.86)",
        "2.86",
        "reproduced: the whole interval lies above zero",
    ]
    assert "95 % interval of a test" in article.caption.text
    assert article.select("p.note a")[-1]["href"] == "tables/ablation_exchange_matching.html"


def test_what_was_not_measured_is_said(page):
    (network,) = [a for a in page.select("article") if "hourglass, matches" in a.h3.text]
    assert "does not run Hourglass 64-d with exchange" in network.text
    assert not network.find("table")
    (few,) = [a for a in page.select("article") if a.h3.text.startswith("5 or more")]
    assert "Few labels: failed" in few.text
