"""A page needs no other file, and people with screen readers can use it."""

import base64
import io

import nbformat
import pytest
from PIL import Image

from dvelib.pages.render import render
from tests.executed_pages import assert_offline, notebook, parse


@pytest.fixture(scope="module")
def page(executed):
    return render(executed)


class TestRender:
    def test_loads_nothing_from_elsewhere(self, page):
        assert_offline(page)

    def test_structure(self, page):
        soup = parse(page)
        assert soup.html["lang"] == "en"
        assert soup.title.text == "The title"
        assert soup.find("meta", attrs={"name": "viewport"})
        assert len(soup.find_all("h1")) == 1 and len(soup.find_all("main")) == 1
        assert [a["href"] for a in soup.select("header nav a")] == [
            "../index.html",
            "../claims.html",
            "../results.csv",
        ]
        assert soup.body.find("a")["href"] == "#main" and soup.main["id"] == "main"
        assert [figure["aria-label"] for figure in soup.select(".drawing")] == ["a rising <line>"]
        assert soup.select_one("main table caption") and soup.select_one("main dl.facts")
        assert soup.find("strong").text == "3"

    def test_code_and_print_are_folded_and_progress_is_not_shown(self, page):
        soup = parse(page)
        summaries = [s.text for s in soup.select("details:not([open]) > summary")]
        assert summaries == [
            "Parameters and their defaults",
            "Parameters",
            "Code",
            "Printed output",
            "Code",
        ]
        assert "progress\n" not in soup.main.text
        assert soup.select("main > .scroll > pre")[-1].text == "2"

    def test_pictures_are_small(self, tmp_path):
        path = notebook(tmp_path / "pictures" / "page.ipynb", "# Pictures", "1")
        document = nbformat.read(path, as_version=4)
        buffer = io.BytesIO()
        Image.radial_gradient("L").convert("RGB").save(buffer, "png", compress_level=0)
        data = {"image/png": base64.b64encode(buffer.getvalue()).decode()}
        document.cells[1].outputs = [nbformat.v4.new_output("display_data", data)]
        nbformat.write(document, path)
        (image,) = parse(render(path)).select("main img")
        assert image["src"].startswith("data:image/webp;base64,")
        assert len(image["src"]) < 0.1 * len(data["image/png"])

    def test_equations_are_mathml(self, page):
        soup = parse(page)
        assert [m["display"] for m in soup.find_all("math")] == ["inline", "block"]
        assert "\\frac" not in soup.main.text

    def test_a_notebook_without_heading_gets_one(self, tmp_path):
        source = notebook(tmp_path / "my_table" / "page.ipynb", "1")
        soup = parse(render(source))
        assert [h.text for h in soup.find_all("h1")] == [soup.title.text] == ["My table"]

    def test_a_page_without_a_site_has_no_links(self, tmp_path):
        source = notebook(tmp_path / "alone" / "page.ipynb", "1")
        soup = parse(render(source, home=None))
        assert not soup.find("nav") and len(soup.find_all("header")) == 1
