"""The picture of a table is its tagged figure, smaller."""

import base64
import io

import pytest
from PIL import Image

from dvelib.pages.headline_pictures import WIDTH, headline_picture
from tests.executed_pages import SHOWS, executed_page, notebook


def test_is_the_tagged_figure_with_its_text(executed):
    picture = headline_picture(executed)
    assert picture["alt"] == "a rising <line>"
    image = Image.open(io.BytesIO(base64.b64decode(picture["src"].partition(",")[2])))
    assert image.size == (picture["width"], picture["height"])
    assert image.width > image.height


def test_a_large_figure_becomes_small(tmp_path, monkeypatch):
    large = SHOWS.replace("figsize=(2, 1)", "figsize=(20, 10)")
    monkeypatch.setattr("tests.executed_pages.SHOWS", large)
    picture = headline_picture(executed_page(tmp_path))
    assert picture["width"] == WIDTH
    assert len(picture["src"]) < 40_000


@pytest.mark.parametrize("cells", [("# Title",), ("1 + 1",), (SHOWS,)])
def test_none_where_nothing_was_shown(tmp_path, cells):
    assert headline_picture(notebook(tmp_path / "page.ipynb", *cells)) is None


def test_none_without_a_page(tmp_path):
    assert headline_picture(tmp_path / "page.ipynb") is None
