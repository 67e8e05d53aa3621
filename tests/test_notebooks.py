"""Notebooks are thin, clean in git, and explain their parameters."""

import ast
import re

import nbformat
import papermill
import pytest

from dvelib.checkpoints.specifications import read_yaml
from dvelib.common.files import ROOT
from dvelib.pages.headline_pictures import HEADLINE
from dvelib.study.profiles import TableSpec

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FORBIDDEN = (ast.ClassDef, ast.FunctionDef, ast.For, ast.While)


LESSON = "how_dve_works"  # written for students: functions, loops and length are welcome


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert {path.stem for path in NOTEBOOKS} >= {"train_embedding", "learned_embeddings"}


def test_outputs_are_stripped(notebook):
    assert not any(cell.outputs or cell.execution_count for cell in code(notebook))


def test_cells_have_ids_that_say_what_they_are(notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert all(name.replace("-", "").isalpha() for name in ids)


def test_one_parameters_cell_with_a_comment_for_each_value(notebook):
    tagged = [c for c in code(notebook) if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    for line in tagged[0].source.splitlines():
        assert "=" in line and "  # " in line, line


def test_each_notebook_of_a_table_has_one_figure_for_the_index():
    tables = {path.stem: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
    kinds = {read_yaml(TableSpec, path).notebook for path in (ROOT / "params").glob("*.yaml")}
    assert len(kinds) == 10
    for name, content in tables.items():
        tagged = [c for c in code(content) if HEADLINE in c.metadata.get("tags", [])]
        assert len(tagged) == (name in kinds), name
        assert all(cell.source.count("show(") == 1 for cell in tagged)


@pytest.fixture
def thin(notebook, request):
    if request.node.callspec.id == LESSON:
        pytest.skip("it teaches")
    return notebook


def test_no_definitions_and_no_loops(thin):
    for cell in code(thin):
        found = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, FORBIDDEN)]
        assert not found, cell.id


def test_it_is_short(thin):
    lines = sum(len(cell.source.splitlines()) for cell in code(thin))
    assert len(thin.cells) <= 30 and lines <= 130


def test_every_figure_has_a_text_alternative(notebook):
    for cell in code(notebook):
        assert len(re.findall(r"\bshow\(\n", cell.source)) == cell.source.count("alt="), cell.id


def test_the_lesson_runs_from_top_to_bottom(tmp_path):
    """On few pairs: everything runs, and its readable losses are the package's."""
    notebook, page = ROOT / "notebooks" / f"{LESSON}.ipynb", tmp_path / "page.ipynb"
    papermill.execute_notebook(
        str(notebook), str(page), {"pairs": 80, "faces": 100}, cwd=ROOT, progress_bar=False
    )
    said = [
        "".join(output["data"].get("text/markdown", ""))
        for cell in nbformat.read(page, as_version=4).cells
        for output in cell.get("outputs", [])
        if "data" in output
    ]
    values = [re.search(r"ours ([\d.]+), the package's ([\d.]+)", text) for text in said]
    pairs = [match.groups() for match in values if match]
    assert len(pairs) == 2
    assert all(float(a) == pytest.approx(float(b), abs=1e-5) for a, b in pairs)
