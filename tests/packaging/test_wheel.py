"""The wheel alone is the whole product: the commands run in an empty folder, without a checkout."""

import shutil
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from dvelib.common.files import ROOT
from dvelib.data.synthetic_dataset import render_split
from dvelib.study.plan import Study
from tests.packaging.installing import run_installed
from tests.tiny_study import TABLE, write_tiny_study


@pytest.fixture
def dve(installed, tmp_path):
    """Run a command of the installed wheel in an empty folder; returns what it printed."""

    def run(*arguments, status=0) -> str:
        result = run_installed(installed, tmp_path, *arguments)
        assert result.returncode == status, result.stdout[-3000:] + result.stderr[-3000:]
        return result.stderr if status else result.stdout

    return run


def test_the_wheel_holds_what_lies_at_the_top_of_the_checkout(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    along = [ROOT / "Snakefile"]
    along += [p for folder in ("params", "notebooks") for p in (ROOT / folder).rglob("*.*")]
    # Files that git ignores stay away.
    along = [path for path in along if ".ipynb_checkpoints" not in path.parts]
    assert len(along) > 35
    assert {f"dvelib/resources/{path.relative_to(ROOT)}" for path in along} <= names
    assert {n for n in names if n.endswith((".html", ".css"))} == {
        f"dvelib/{p.relative_to(ROOT / 'dvelib')}"
        for ending in ("*.html", "*.css")
        for p in (ROOT / "dvelib").rglob(ending)
    }
    assert not any(name.startswith(("tests", "outputs")) for name in names)


def test_an_installed_plan_names_the_same_trainings(dve):
    lines = dve("plan", "--profile", "smoke")
    assert all(name in lines for name in Study.load("smoke").embeddings)


def test_own_parameter_files_come_first_file_by_file(dve, tmp_path):
    write_tiny_study(tmp_path / "params")
    plan = dve("plan", "--profile", "tiny")
    assert plan.startswith("Tiny study: 1 tables, 1 embeddings, 1 regressors")
    assert f"table {TABLE}: 1 of 1 rows" in plan


def test_pictures_matching_and_timing_need_no_checkout(dve, tmp_path):
    assert "pixels of a 70-pixel face" in dve(
        "match", "smallnet-16d-exchange", "--on", "synthetic", "--limit", 8
    )
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    faces = render_split("test", 0, 2, size=64).images
    for index, face in enumerate(faces):
        Image.fromarray(face.permute(1, 2, 0).numpy()).save(pictures / f"{index}.png")
    dve("predict", pictures)
    assert (pictures / "predictions.csv").exists()
    assert "ms an image" in dve("bench", "position", "--repeats", 1)


def test_notebooks_are_unpacked_once(dve, tmp_path):
    dve("unpack")
    names = {path.name for path in (ROOT / "notebooks").glob("*.ipynb")}
    assert {path.name for path in (tmp_path / "notebooks").iterdir()} == names
    (tmp_path / "notebooks" / "explore.ipynb").write_text("changed")
    again = dve("unpack", "notebooks/explore.ipynb", "params/profiles/quick.yaml")
    assert "notebooks/explore.ipynb exists and stays" in again
    assert (tmp_path / "notebooks" / "explore.ipynb").read_text() == "changed"
    assert (tmp_path / "params" / "profiles" / "quick.yaml").exists()
    assert "nothing named ../x comes along" in dve("unpack", "../x", status=2)


def test_publishing_needs_a_checkout(dve):
    message = dve("publish", "--profile", "smoke", status=2)
    assert message.endswith("writes into files under git: run it in a checkout of dvelib\n")


def test_a_missing_extra_is_named(installed, dve):
    (packages,) = Path(installed).parents[1].glob("lib/python*/site-packages")
    block = packages / "nbformat.py"
    block.write_text("raise ModuleNotFoundError('No module named nbformat', name='nbformat')")
    try:
        message = dve("page", "explorer", "--profile", "smoke", status=2)
    finally:
        block.unlink()
    shutil.rmtree(packages / "__pycache__", ignore_errors=True)
    assert message.endswith("needs the package nbformat: pip install 'dvelib[study]'\n")
