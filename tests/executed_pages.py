"""Tiny notebooks, executed or not, and reading the pages made of them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import nbformat
import papermill
from bs4 import BeautifulSoup
from filelock import FileLock

from dvelib.common.files import ROOT
from tests.own.pictures import draw_folder

PARAMETERS = """\
seeds = 1  # how many
table = None  # required: which table
"""
SHOWS = """\
from matplotlib.figure import Figure
import pandas, sys
from dvelib.pages import display

figure = Figure(figsize=(2, 1))
figure.subplots().plot([1, 2])
display.show(figure, "a rising <line>", "A caption")
display.show_table(pandas.DataFrame({"network": ["a", "b"], "error": [1.234, None]}), "Errors")
display.say(f"There are **{seeds}** seeds.")
display.definition_list({"Data": "synthetic"})
print("printed"); print("progress", file=sys.stderr)
"""
MATHS = "# The <em>title</em>\n\nInline $x^2$ and\n\n$$\\frac{a}{b}$$"


def notebook(path, *cells):
    """Write a notebook; text that starts with # and a space is markdown."""
    made = nbformat.v4.new_notebook()
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python", "language": "python"}
    for source in cells:
        kind = "markdown" if source.startswith("# ") else "code"
        made.cells.append(getattr(nbformat.v4, f"new_{kind}_cell")(source))
        if source == PARAMETERS:
            made.cells[-1].metadata.tags = ["parameters"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(made, path)
    return path


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def parse(page):
    return BeautifulSoup(page, "html.parser")


def executed_page(folder: Path) -> Path:
    """A notebook with a figure, a table and maths, executed in the place of a table."""
    from dvelib.pages.execute import execute

    source = notebook(folder / "notebooks" / "good.ipynb", MATHS, PARAMETERS, SHOWS, "1 + 1")
    output = folder / "outputs" / "smoke" / "tables" / "good" / "page.ipynb"
    write(output.with_name("failure.json"), {"message": "old"})
    execute(source, {"table": "good", "seeds": 3}, output)
    return output


# What keeps a notebook small, beside the smoke profile.
SMALL = {
    "annotate": {"landmarks": 2, "pictures": 3},
    "benchmark": {"device": "cpu", "repeats": 1, "small": True},
    "explore": {"profile": None, "faces": 4},
    "how_dve_works": {"pairs": 80, "faces": 100},
    "own_pictures": {"steps": 2, "counts": [2, 5], "draws": 1, "copies": 16, "epochs": 1},
}


def shared_folder(tmp_path_factory) -> Path:
    """A temporary folder that the processes of a parallel test run share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


def run_notebook(shared: Path, name: str) -> Path:
    """The folder of a notebook that papermill executed, with ``page.ipynb`` and its outputs.

    It starts from an empty folder. Only the first caller executes it, also among the processes of a
    parallel test run.
    """
    folder = shared / "notebooks" / name
    folder.mkdir(parents=True, exist_ok=True)
    page, source = folder / "page.ipynb", ROOT / "notebooks" / f"{name}.ipynb"
    with FileLock(shared / "notebooks" / f"{name}.lock"):
        if not page.exists():
            pictures = folder / "pictures"
            draw_folder(pictures, 3)
            values = {"profile": "smoke", "outputs": str(folder), "folder": str(pictures)}
            values |= SMALL.get(name, {})
            declared = papermill.inspect_notebook(str(source))
            given = {key: value for key, value in values.items() if key in declared}
            made = folder / "executed.ipynb"
            papermill.execute_notebook(str(source), str(made), given, cwd=ROOT, progress_bar=False)
            made.rename(page)
    return folder


def assert_offline(page):
    """Nothing in the page makes a browser ask for more than the page itself."""
    soup = parse(page)
    assert not soup.find_all(["link", "iframe", "object", "embed"])
    assert not soup.find_all("script", src=True)
    addresses = [tag["src"] for tag in soup.find_all(src=True)]
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(r"@import|url\(", soup.style.text)
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert "default-src 'none'" in policy["content"]
