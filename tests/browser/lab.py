"""A JupyterLab of its own for a test, and running a notebook in it."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dvelib.common.files import ROOT

SETTINGS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_RUNTIME_DIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)
PATIENCE = 180_000  # milliseconds: a busy machine takes its time to start a kernel


@contextmanager
def running_lab(folder: Path) -> Iterator[Callable[[str], str]]:
    """A JupyterLab on a folder; gives the address of a notebook in it."""
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
        yield lambda path: f"http://localhost:{port}/lab/tree/{path}?reset&token={token}"
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


def run_all_cells(page, address: str) -> None:
    """Open a notebook and run its cells; returns when the last one has been sent."""
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.locator(".jp-Notebook .jp-Cell").first.wait_for()
    page.get_by_text("| Idle").wait_for()  # the kernel is ready
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
