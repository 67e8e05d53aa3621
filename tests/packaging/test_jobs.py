"""No job needs more than its inputs: each runs in a folder that holds nothing else."""

import csv
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from dvelib.common.files import ROOT, read_json
from tests.packaging.installing import run_installed
from tests.tiny_study import PAGE, PROFILE, RESULTS, write_tiny_study


@pytest.fixture(scope="module")
def work(installed, tmp_path_factory) -> Path:
    """A folder in which the installed wheel has made the table of the tiny study."""
    folder = tmp_path_factory.mktemp("work")
    write_tiny_study(folder / "params")
    result = run_installed(installed, folder, "study", "--profile", PROFILE, "--", PAGE)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


def test_an_installed_study_writes_into_outputs_in_the_current_folder(work):
    assert sorted(path.name for path in work.iterdir()) == ["outputs", "params"]
    assert (work / "outputs" / PROFILE / PAGE).exists()
    made = read_json(next(work.glob("outputs/*/embeddings/*/provenance.json")))
    assert made["commit"] == f"dvelib {version('dvelib')}"


def jobs_of(work: Path, dve: Path) -> list[dict]:
    """Inputs, outputs and command of each job that ran, in an order in which they can run."""
    options = ("--profile", PROFILE, "--", PAGE, "--detailed-summary")
    lines = run_installed(dve, work, "study", *options).stdout.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("output_file"))
    jobs: dict[str, dict] = {}
    for line in csv.DictReader(lines[header:], delimiter="\t"):
        job = jobs.setdefault(line["shellcmd"], {"outputs": [], "shell": line["shellcmd"]})
        job["inputs"] = [name for name in line["input-file(s)"].split(",") if name not in ("-", "")]
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


def test_jobs_that_share_no_folder_give_the_numbers_of_one_run(
    work, installed, tmp_path, monkeypatch
):
    monkeypatch.setenv("DVE_PARAMS", str(work / "params"))
    jobs = jobs_of(work, installed)
    assert len(jobs) == 3 and [bool(job["inputs"]) for job in jobs] == [False, True, True]
    store = tmp_path / "store"
    for number, job in enumerate(jobs):
        run_alone(job, store, tmp_path / f"job-{number}" / PROFILE)
    together = work / "outputs" / PROFILE
    numbers = [
        [row["ours"] for row in read_json(folder / RESULTS)["rows"]] for folder in (store, together)
    ]
    assert numbers[0] == numbers[1] and numbers[0][0]["iod"]["mean"] > 0


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
