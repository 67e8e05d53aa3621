"""No job needs more than its inputs: each runs in a folder that holds nothing else."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from dvelib.common.files import ROOT, read_json
from tests.tiny_study import PAGE, PROFILE, RESULTS, write_tiny_study


@pytest.fixture
def params(tmp_path, monkeypatch) -> Path:
    """Parameter files of the tiny study, which every job may read."""
    folder = tmp_path / "params"
    write_tiny_study(folder)
    monkeypatch.setenv("DVE_PARAMS", str(folder))
    return folder


def study(outputs: Path, *rest: str) -> str:
    command = [sys.executable, "-m", "dvelib.cli", "study", "--profile", PROFILE]
    command += ["--outputs", str(outputs), "--", PAGE, *rest]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=900).stdout


def planned_jobs(outputs: Path) -> list[dict[str, list[str]]]:
    """Inputs, outputs and command of each job, in the order in which they can run."""
    lines = study(outputs, "--detailed-summary").splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("output_file"))
    jobs: dict[str, dict] = {}
    for line in csv.DictReader(lines[header:], delimiter="\t"):
        job = jobs.setdefault(line["shellcmd"], {"outputs": [], "shell": line["shellcmd"]})
        job["inputs"] = [name for name in line["input-file(s)"].split(",") if name != "-"]
        job["outputs"].append(line["output_file"])
    return sorted(jobs.values(), key=lambda job: len(job["inputs"]))


def run_alone(job: dict, store: Path, folder: Path) -> None:
    """Run a job where only its inputs are, and keep its declared outputs alone."""
    for name in job["inputs"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(store / name, folder / name)
    for name in job["outputs"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(job["shell"], shell=True, cwd=folder, check=True, capture_output=True)
    for name in job["outputs"]:
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / name, store / name)


def test_jobs_that_share_no_folder_give_the_numbers_of_one_run(params, tmp_path):
    jobs = planned_jobs(tmp_path / "planned")
    assert len(jobs) == 3 and [bool(job["inputs"]) for job in jobs] == [False, True, True]
    store = tmp_path / "store"
    for number, job in enumerate(jobs):
        run_alone(job, store, tmp_path / f"job-{number}" / PROFILE)
    study(tmp_path / "together")
    alone, together = (
        read_json(folder / RESULTS)["rows"] for folder in (store, tmp_path / "together" / PROFILE)
    )
    assert [row["ours"] for row in alone] == [row["ours"] for row in together]
    assert together[0]["ours"]["iod"]["mean"] > 0


def test_the_lint_has_no_remarks_but_those_that_the_snakefile_explains(tmp_path):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--lint"]
    command += ["--directory", str(tmp_path), "--config", "profile=smoke"]
    found = subprocess.run(command, capture_output=True, text=True)
    remarks = {line[6:] for line in found.stderr.splitlines() if line.startswith("    * ")}
    start = "Shell command directly uses variable"
    assert remarks == {
        "No log directive defined:",
        "Specify a conda environment or container for each rule.:",
        *(f"{start} {name} from outside of the rule:" for name in ("DVE", "OPTIONS", "TRAIN")),
    }
