"""Every page of a site in a real browser, cut off from the network, light and dark, and small."""

import shutil

import pytest

from dvelib.common.markup import fill
from dvelib.pages.build import build_site
from dvelib.pages.cards import ExpectedTable
from dvelib.tables.results import write_results
from tests.browser.checks import PHONE, SCHEMES, opened, problems
from tests.executed_pages import notebook, write
from tests.recorded import of_the_paper, recorded, table_names

PAPER = 718  # CSS pixels of A4 within its margins


@pytest.fixture(scope="module")
def site(executed, tmp_path_factory):
    """All tables, one of them failed and one not run, with pages that show something."""
    folder = tmp_path_factory.mktemp("outputs") / "smoke"
    names = table_names()
    tables = [of_the_paper(name) for name in names[2:-1]]
    tables.append(recorded(names[-1], lambda row, _: None))
    for results in tables:
        write_results(folder / "tables" / results.table / "results.json", results)
        shutil.copy(executed, folder / "tables" / results.table / "page.ipynb")
    write(folder / "tables" / names[0] / "failure.json", {"message": "the data are missing"})
    write(folder / "embeddings/small/provenance.json", {"seconds": 200, "data": {"images": 8}})
    shutil.copy(executed, folder / "embeddings/small/page.ipynb")
    notebook(folder.parent / "benchmark/page.ipynb", "# Speed\n\nIt is fast.", "1 + 1")
    notebook(folder / "explore/page.ipynb", "# Explore\n\nClick.")
    titles = {results.table: results.title for results in tables}
    expected = [
        ExpectedTable(name, titles.get(name, "AFLW<sub>R</sub> & more"), name, "today")
        for name in names
    ]
    return build_site(folder, title="A study for tests", expected_tables=expected).parent


def test_no_page_asks_for_anything_or_fails_anyone(browser, site):
    pages = sorted(site.rglob("*.html"))
    # The index, claims, benchmark, explorer, reliability, one embedding; all but two tables.
    assert len(pages) == 6 + len(table_names()) - 2
    assert [fault for page in pages for fault in problems(browser, page)] == []


def test_a_page_of_missing_data_is_as_good(browser, tmp_path):
    entry = {"name": "celeba", "message": "no folder", "folder": "x" * 90, "fetch": "dve fetch"}
    page = tmp_path / "missing.html"
    data = [entry | {"check": "dve check"}]
    page.write_text(fill("missing", title="Study", profile="paper", data_root="D", missing=data))
    assert problems(browser, page) == []


def test_the_index_is_short(browser, site):
    with opened(browser, site / "index.html", width=1280) as (window, _):
        assert window.evaluate("document.documentElement.scrollHeight") <= 5000


@pytest.mark.parametrize("scheme", SCHEMES)
def test_green_is_for_what_is_reproduced_alone(browser, site, scheme):
    for page in ("index.html", "claims.html", "tables/learned_embeddings.html"):
        with opened(browser, site / page, scheme=scheme) as (window, _):
            green = set(window.evaluate(GREEN))
            assert green <= {"badge reproduced"}, page
    assert green


def test_links_of_the_index_open(browser, site):
    with opened(browser, site / "index.html") as (window, complaints):
        window.click(".findings a >> nth=0")
        assert window.title() == "The title"
        window.click(".neighbours [rel=next]")
        window.click("header nav >> text=Claims")
        window.click(".contents a >> nth=0")
        assert window.url.endswith("claims.html#claim-1")
        window.click("nav >> text=All tables")
        assert window.title() == "A study for tests"
        assert complaints == []


def test_the_keyboard_reaches_the_content_first_and_sees_where_it_is(browser, site):
    with opened(browser, site / "claims.html") as (window, _):
        window.keyboard.press("Tab")
        focused = "document.activeElement"
        assert window.evaluate(f"{focused}.className") == "skip"
        assert window.evaluate(f"{focused}.getBoundingClientRect().top") >= 0
        outline = f"getComputedStyle({focused}).outlineStyle"
        assert window.evaluate(outline) != "none"
        window.keyboard.press("Enter")
        window.keyboard.press("Tab")
        assert window.evaluate(f"{focused}.closest('main') !== null")
        assert window.evaluate(outline) != "none"


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_from_its_ground(browser, site, scheme):
    """Contrast of 4.5 or more, as WCAG 2 asks of small text."""
    for page in ("index.html", "claims.html"):
        with opened(browser, site / page, scheme=scheme) as (window, _):
            assert window.evaluate(CONTRASTS) == []


def test_print_hides_what_paper_cannot_do(browser, site):
    with opened(browser, site / "tables/learned_embeddings.html", width=PHONE) as (window, _):
        window.emulate_media(media="print")
        assert not window.is_visible("header nav")
        assert not window.is_visible("details.code")
        assert window.is_visible("figure svg")


def test_tables_fit_on_paper(browser, site):
    for page in ("index.html", "claims.html", "tables/learned_embeddings.html"):
        with opened(browser, site / page, width=PAPER) as (window, _):
            window.emulate_media(media="print")
            assert window.evaluate("document.documentElement.scrollWidth") <= PAPER, page


class TestChecks:
    """What the checks are there to find, they find."""

    GOOD = (
        "<!DOCTYPE html><html lang=en><title>t</title><style>:root{color-scheme:light dark}"
        "body{background:light-dark(white,black)}</style>"
        "<header></header><main><h1>a</h1>%s</main><footer></footer>"
    )

    @pytest.mark.parametrize(
        ("body", "fault"),
        [
            ("<img alt=x src='https://example.org/x.png'>", "asks https://example.org/x.png"),
            ("<script>fetch('http://example.org')</script>", "asks http://example.org"),
            ("<script>console.error('oh')</script>", "says oh"),
            ("<script>nothing()</script>", "fails:"),
            ("<img alt=x src=none.png>", "broken image x"),
            ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACw='>", "silent image"),
            ("<svg width=9 height=9></svg>", "silent image"),
            ("<h3>b</h3>", "skip a level"),
            ("<h1>b</h1>", "the only h1"),
            ("<main></main>", "not one each of ['main']"),
            ("<table><tr><th>x</table>", "1 tables without caption, 1 th without scope"),
            ("<p style='width:400px'>wide</p>", "px wide in a window of 360"),
            ("<style>body{background:white !important}</style>", "the same background"),
        ],
    )
    def test_faults(self, browser, tmp_path, body, fault):
        page = tmp_path / "page.html"
        page.write_text(self.GOOD % body)
        assert any(fault in found for found in problems(browser, page))

    def test_no_fault(self, browser, tmp_path):
        page = tmp_path / "page.html"
        page.write_text(self.GOOD % "<h2>b</h2>")
        assert problems(browser, page) == []


# Classes of the elements whose text or frame has the colour of success, outside of code.
GREEN = """() => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = "var(--good)";
  const good = getComputedStyle(probe).color;
  probe.remove();
  return [...document.querySelectorAll("body *:not(pre *):not(.badge *)")]
    .filter(e => getComputedStyle(e).color == good).map(e => e.className);
}"""
# Text of every element that has some of its own, where its contrast is below 4.5.
CONTRASTS = """() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const light = text => {
    const [r, g, b] = channels(text).slice(0, 3).map(v => v / 255)
      .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = element => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if ((channels(colour)[3] ?? 1) > 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const found = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(n => n.nodeType == 3 && n.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const [dark, bright] = [light(getComputedStyle(element).color), light(ground(element))]
      .sort((a, b) => a - b);
    const contrast = (bright + .05) / (dark + .05);
    if (contrast < 4.5) found.push(`${element.textContent.slice(0, 40)} ${contrast.toFixed(2)}`);
  }
  return found;
}"""
