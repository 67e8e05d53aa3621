"""Notebooks are thin, clean in git, and explain their parameters."""

import ast
import re

import nbformat
import papermill
import pytest

from dvelib.checkpoints.specifications import read_yaml
from dvelib.common.files import ROOT
from dvelib.study.profiles import TableSpec
from dvelib.tables.results import read_results

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
KINDS = {read_yaml(TableSpec, path).notebook for path in (ROOT / "params").glob("*.yaml")}
FORBIDDEN = (ast.ClassDef, ast.FunctionDef, ast.For, ast.While)


LESSON = "how_dve_works"  # written for students: functions, loops and length are welcome


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code(notebook):
    return code_of(notebook.cells)


def code_of(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def test_there_are_notebooks():
    assert set(NAMES) >= KINDS | {"train_embedding", "explore"}


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


@pytest.mark.parametrize("name", sorted(KINDS | {"train_embedding", "benchmark"}))
def test_papermill_shows_the_types_of_parameters(name):
    parameters = papermill.inspect_notebook(str(ROOT / "notebooks" / f"{name}.ipynb"))
    types = {key: value["inferred_type_name"] for key, value in parameters.items()}
    assert set(types.values()) <= {"str", "int", "bool"} and "outputs" in types


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


@pytest.mark.parametrize("name", NAMES)
def test_it_runs_from_an_empty_folder(name, run_notebook):
    """By papermill alone; what is missing is trained."""
    folder = run_notebook(name)
    cells = nbformat.read(folder / "page.ipynb", as_version=4).cells
    assert all(cell.execution_count for cell in code_of(cells))
    if name in KINDS:
        (record,) = folder.glob("smoke/tables/*/results.json")
        results = read_results(record)
        assert results.rows_with_results and results.headline in shown(cells)[0]


def test_the_lesson_s_readable_losses_are_the_package_s(run_notebook):
    said = shown(nbformat.read(run_notebook(LESSON) / "page.ipynb", as_version=4).cells)
    values = [re.search(r"ours ([\d.]+), the package's ([\d.]+)", text) for text in said]
    pairs = [match.groups() for match in values if match]
    assert len(pairs) == 2
    assert all(float(a) == pytest.approx(float(b), abs=1e-5) for a, b in pairs)


def test_an_opening_has_the_finding_beside_the_claim(run_notebook):
    page = nbformat.read(run_notebook("matching") / "page.ipynb", as_version=4)
    title, finding, claim = shown(page.cells)[0].split("\n\n")
    assert title == "# Learned embeddings" and claim.startswith("**The paper's claim.** Trained")
    assert re.match(
        r"\*\*The finding\.\*\* Going from 3 to 64 dimensions [a-z ]+ the error across identities "
        r"of SmallNet 3-d with exchange: [\d.]+ px in place of [\d.]+ px ",
        finding,
    )
    assert "answering the same place errs by" in finding


def shown(cells) -> list[str]:
    """The sentences that the cells displayed."""
    return [
        output["data"]["text/markdown"]
        for cell in cells
        for output in cell.get("outputs", [])
        if "text/markdown" in output.get("data", {})
    ]
