"""The explorer in JupyterLab, in a real browser: clicks and keys change the matches."""

import shutil

import pytest
from playwright.sync_api import expect

from dvelib.common.files import ROOT
from tests.browser.lab import run_all_cells, running_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of the explorer in a separate JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "notebooks" / "explore.ipynb", folder)
    with running_lab(folder) as address:
        yield address("explore.ipynb")


@pytest.fixture
def explorer(lab, browser):
    """The page after all cells have run, scrolled to the top."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    run_all_cells(page, lab)
    page.get_by_role("button", name="train", exact=True).wait_for()  # the last cell's
    page.locator(".jp-Notebook").hover()
    page.mouse.wheel(0, -100_000)
    yield page
    page.close()


def test_a_click_on_a_face_changes_the_match(explorer):
    status = explorer.locator("p[role=status]", has_text="Face ").first
    canvas = explorer.locator("canvas").nth(1)  # lies over the first, and takes the clicks
    canvas.scroll_into_view_if_needed()
    picture = "() => document.querySelector('canvas').toDataURL()"
    for x, y, face in ((0.05, 0.3, 0), (0.32, 0.8, 6), (0.93, 0.8, 7)):
        text, drawn, box = status.text_content(), explorer.evaluate(picture), canvas.bounding_box()
        canvas.click(position={"x": x * box["width"], "y": y * box["height"]})
        expect(status).not_to_have_text(text)
        expect(status).to_contain_text(f"Face {face}, ")
        explorer.wait_for_function(f"drawn => ({picture})() != drawn", arg=drawn)
    assert not explorer.locator(".jp-RenderedText[data-mime-type*=stderr]").count()


def test_a_landmark_and_an_embedding_are_chosen_from_the_keyboard(explorer):
    status = explorer.locator("p[role=status]", has_text="Face ").first
    explorer.get_by_label("landmark").first.select_option("nose")
    expect(status).to_contain_text("px")
    text = status.text_content()
    explorer.get_by_label("right", exact=True).select_option("SmallNet 16-d with exchange")
    expect(status).not_to_have_text(text)
    expect(status).to_contain_text("SmallNet 16-d with exchange")
