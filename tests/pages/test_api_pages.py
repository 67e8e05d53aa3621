import importlib
import re

import pytest

from dvelib.pages.api_pages import DOCUMENTED, write_api_pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    return write_api_pages(tmp_path_factory.mktemp("pages") / "api").parent


def test_every_public_name_has_a_place_on_its_page(pages):
    for module in DOCUMENTED:
        page = (pages / f"{module.replace('.', '/')}.html").read_text()
        for name in importlib.import_module(module).__all__:
            assert f'id="{name}"' in page, (module, name)


def test_pages_ask_nothing_of_the_network(pages):
    for page in pages.rglob("*.html"):
        asked = re.findall(r'(?:src|href)="(https?:[^"]*)"', page.read_text())
        assert set(asked) <= {"https://pdoc.dev"}, page


def test_an_earlier_folder_is_replaced(pages):
    (pages / "old.html").write_text("")
    write_api_pages(pages)
    assert not (pages / "old.html").exists() and (pages / "index.html").exists()
