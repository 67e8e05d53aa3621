"""The explorer in JupyterLab, in a real browser: clicks and keys change the matches."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
from playwright.sync_api import expect

from dvelib.common.files import ROOT

SETTINGS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)
PATIENCE = 180_000  # milliseconds: a busy machine takes its time to start a kernel


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """The address of the explorer in a separate JupyterLab."""
    folder = tmp_path_factory.mktemp("lab")
    shutil.copy(ROOT / "notebooks" / "explore.ipynb", folder)
    token, port = secrets.token_hex(8), _free_port()
    # The user's own settings are neither read nor changed.
    own = {name: str(folder / name) for name in SETTINGS}
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            "--allow-root",
            f"--port={port}",
            f"--ServerApp.root_dir={folder}",
            f"--IdentityProvider.token={token}",
            "--LabApp.news_url=None",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env=os.environ | own | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log.txt").open("w"),
    )
    try:
        _wait_for(f"http://localhost:{port}/api?token={token}", server, folder / "log.txt")
        yield f"http://localhost:{port}/lab/tree/explore.ipynb?reset&token={token}"
    finally:
        server.terminate()
        server.wait(30)


def _free_port():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _wait_for(address, server, log, seconds=120):
    for _ in range(2 * seconds):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"JupyterLab did not start: {log.read_text()}")


@pytest.fixture
def explorer(lab, browser):
    """The page after all cells have run, scrolled to the top."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(PATIENCE)
    page.goto(lab)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("| Idle").wait_for()  # the kernel is ready
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
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
