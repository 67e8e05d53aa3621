"""Starting JupyterLab, and running a notebook in it as its reader does: Run, Run All Cells."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest

from dvelib.common.files import ROOT
from tests.browser.checks import HEIGHT, WIDE

SETTINGS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)
PATIENCE = 240_000  # milliseconds: a busy machine takes its time
# The prompts of all code cells hold a number: none is running or waiting.
ALL_HAVE_RUN = """() => {
  const prompts = [...document.querySelectorAll(".jp-Notebook .jp-CodeCell .jp-InputPrompt")];
  return prompts.length && prompts.every(prompt => /\\d/.test(prompt.textContent));
}"""
COMPLAINTS = "[data-mime-type$='jupyter.error'], [data-mime-type$='jupyter.stderr']"


class Lab:
    """A running JupyterLab with a folder of notebooks."""

    def __init__(self, browser, folder: Path, port: int, token: str):
        self.browser, self.folder, self.port, self.token = browser, folder, port, token

    @contextmanager
    def run_all(self, name: str, **parameters) -> Iterator:
        """The window after all cells of a notebook have run, not scrolled by anyone.

        ``parameters``: instead of the notebook's own.
        """
        notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
        tags = [cell.metadata.get("tags", []) for cell in notebook.cells]
        own = next(i for i, found in enumerate(tags) if "parameters" in found)
        values = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
        notebook.cells.insert(own + 1, nbformat.v4.new_code_cell(values or "pass"))
        nbformat.write(notebook, self.folder / f"{name}.ipynb")
        page = self.browser.new_page(viewport={"width": WIDE, "height": HEIGHT})
        page.set_default_timeout(PATIENCE)
        try:
            page.goto(
                f"http://localhost:{self.port}/lab/tree/{name}.ipynb?reset&token={self.token}"
            )
            page.locator(".jp-Notebook .jp-Cell").first.wait_for()
            page.get_by_text("| Idle").wait_for()  # the kernel is ready
            page.get_by_role("menuitem", name="Run", exact=True).click()
            page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            page.wait_for_function(ALL_HAVE_RUN)
            yield page
        finally:
            page.close()


def complaints(page) -> list[str]:
    """The errors and warnings among the outputs of the notebook."""
    return page.locator(COMPLAINTS).all_text_contents()


@contextmanager
def running_lab(browser, folder: Path) -> Iterator[Lab]:
    """JupyterLab in that folder; the user's own settings are neither read nor changed."""
    # Without this, a question about news covers a part of the notebook.
    news = folder / SETTINGS[2] / "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    news.parent.mkdir(parents=True)
    news.write_text('{"fetchNews": "false"}')
    token, port = secrets.token_hex(8), _free_port()
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
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ],
        env=os.environ | own | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=(folder / "log.txt").open("w"),
    )
    try:
        _wait_for(f"http://localhost:{port}/api?token={token}", server, folder / "log.txt")
        yield Lab(browser, folder, port, token)
    finally:
        server.terminate()
        server.wait(30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def _wait_for(address: str, server: subprocess.Popen, log: Path, seconds: int = 120) -> None:
    for _ in range(2 * seconds):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=5).close()
        except OSError:
            time.sleep(0.5)
        else:
            return
    pytest.fail(f"JupyterLab did not start: {log.read_text()}")
