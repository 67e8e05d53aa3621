"""A real Slurm gives the numbers of this machine, also when it takes a job back or kills it."""

import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest
import yaml

from dvelib.common.files import ROOT, read_json
from dvelib.study.plan import Study
from tests.tiny_study import PAGE, PROFILE, RESULTS, write_tiny_study

pytestmark = pytest.mark.usefixtures("slurm")


def start(outputs: Path, *rest: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "dvelib.cli", "study", "--profile", PROFILE]
    log = outputs.with_suffix(".log").open("w")
    command += ["--outputs", str(outputs), *rest]
    return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)


def finish(process: subprocess.Popen, outputs: Path) -> None:
    assert process.wait(timeout=1500) == 0, outputs.with_suffix(".log").read_text()[-3000:]


def write_cluster(params: Path, **config: int) -> None:
    """The cluster that comes along, but for machines without GPUs and for quick answers."""
    settings = yaml.safe_load((ROOT / "params" / "clusters" / "slurm" / "config.yaml").read_text())
    settings |= {"config": {"gpus": 0} | config, "slurm-init-seconds-before-status-checks": 3}
    folder = params / "clusters" / "slurm"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(settings))


def slurm_jobs(state: str) -> list[str]:
    command = ["squeue", "--noheader", "--format=%i", f"--states={state}", "--user=root"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def wait_until(condition, process: subprocess.Popen) -> None:
    while not condition():
        assert process.poll() is None, "the study has ended"
        time.sleep(0.5)


def numbers(outputs: Path) -> list[dict]:
    return [row["ours"] for row in read_json(outputs / PROFILE / RESULTS)["rows"]]


def test_a_job_taken_back_and_a_killed_one_end_in_the_numbers_of_this_machine(tmp_path):
    """Training takes over a minute, so that there is a checkpoint to go on from."""
    write_tiny_study(tmp_path / "params", steps=2000)
    write_cluster(tmp_path / "params")
    outputs = tmp_path / "slurm"
    process = start(outputs, "--on", "slurm", "--", PAGE)
    study = Study.load(PROFILE, outputs=outputs)
    (folder,) = map(study.embedding_folder, study.embeddings)
    wait_until((folder / "checkpoint.pt").exists, process)
    (job,) = slurm_jobs("RUNNING")
    subprocess.run(["scontrol", "requeue", job], check=True)
    wait_until(lambda: slurm_jobs("PENDING") == [job], process)
    # Slurm would wait for two minutes.
    subprocess.run(["scontrol", "update", f"jobid={job}", "starttime=now"], check=True)
    wait_until(lambda: slurm_jobs("RUNNING") == [job], process)
    subprocess.run(["scancel", job], check=True)
    finish(process, outputs)
    assert "Trying to restart job" in outputs.with_suffix(".log").read_text()

    here = tmp_path / "here"
    finish(start(here, "--", PAGE), here)
    assert numbers(outputs) == numbers(here)
    for file in ("weights.safetensors", "history.csv"):
        path = folder.relative_to(outputs) / file
        assert (outputs / path).read_bytes() == (here / path).read_bytes()


def test_two_machines_train_one_embedding(tmp_path):
    write_tiny_study(tmp_path / "params")
    write_cluster(tmp_path / "params", machines=2)
    outputs = tmp_path / "slurm"
    study = Study.load(PROFILE, outputs=outputs)
    (name,) = study.embeddings
    finish(start(outputs, "--on", "slurm", "--", f"embeddings/{name}/weights.safetensors"), outputs)
    folder = study.embedding_folder(name)
    assert read_json(folder / "provenance.json")["processes"] == 2
    assert pandas.read_csv(folder / "history.csv")["loss"].notna().all()
