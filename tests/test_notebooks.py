"""Notebooks are thin, clean in git, and explain their parameters."""

import ast

import nbformat
import pytest

from dvelib.checkpoints.specifications import read_yaml
from dvelib.common.files import ROOT
from dvelib.pages.headline_pictures import HEADLINE
from dvelib.study.profiles import TableSpec

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FORBIDDEN = (ast.ClassDef, ast.FunctionDef, ast.For, ast.While)


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


def test_no_definitions_and_no_loops(notebook):
    for cell in code(notebook):
        found = [n for n in ast.walk(ast.parse(cell.source)) if isinstance(n, FORBIDDEN)]
        assert not found, cell.id


def test_it_is_short(notebook):
    lines = sum(len(cell.source.splitlines()) for cell in code(notebook))
    assert len(notebook.cells) <= 30 and lines <= 130


def test_every_figure_has_a_text_alternative(notebook):
    for cell in code(notebook):
        assert cell.source.count("plots.") == cell.source.count("alt="), cell.id
