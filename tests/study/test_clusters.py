"""Clusters: files that come along, or the user's own."""

import subprocess

import pytest
import yaml

from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT
from dvelib.study import clusters
from dvelib.study.clusters import cluster_folder, cluster_options
from dvelib.study.plan import Study

ALONG = ROOT / "params" / "clusters"


@pytest.fixture
def study(tmp_path) -> Study:
    return Study.load("smoke", outputs=tmp_path / "outputs")


@pytest.fixture
def own(study):
    """Write a cluster among the user's own parameter files."""

    def write(name: str, text: str) -> None:
        folder = study.own_params / "clusters" / name
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(text)

    return write


@pytest.fixture(autouse=True)
def accounting(monkeypatch):
    """What sacct answers: its exit status."""
    answer = {"status": 0}

    def run(command, **_):
        assert command == ["sacct"]
        return subprocess.CompletedProcess(command, answer["status"])

    monkeypatch.setattr(clusters.subprocess, "run", run)
    return answer


def test_the_clusters_that_come_along_can_be_used(study):
    names = sorted(path.name for path in ALONG.iterdir())
    assert names == ["kubernetes", "slurm"]
    for name in names:
        options, values = cluster_options(study, name)
        assert options[:2] == ["--workflow-profile", str(ALONG / name)]
        assert values["gpus"] == 1


def test_an_own_cluster_comes_first(study, own):
    own("slurm", "executor: slurm\nconfig: {gpus: 0, machines: 2}\n")
    assert cluster_folder(study, "slurm") == study.own_params / "clusters" / "slurm"
    assert cluster_options(study, "slurm")[1] == {"gpus": 0, "machines": 2}


def test_squeue_is_asked_where_slurm_keeps_no_record(study, accounting):
    assert "squeue" not in cluster_options(study, "slurm")[0]
    accounting["status"] = 1
    assert cluster_options(study, "slurm")[0][2:] == ["--slurm-status-command", "squeue"]


def test_each_profile_has_its_folder_in_the_store(study):
    options, _ = cluster_options(study, "kubernetes")
    written = yaml.safe_load((ALONG / "kubernetes" / "config.yaml").read_text())
    prefix = options[options.index("--default-storage-prefix") + 1]
    assert prefix == written["default-storage-prefix"] + "/smoke"


def test_an_unknown_cluster_is_answered_with_the_known_ones(study, own):
    own("mine", "jobs: 3\n")
    with pytest.raises(StudyError, match="clusters are: kubernetes, mine, slurm$"):
        cluster_options(study, "nope")


@pytest.mark.parametrize(
    "text, message",
    [
        ("executor: nope\n", r"needs snakemake-executor-plugin-nope: pip install 'dvelib\[cluster"),
        ("config: [", "config.yaml is not valid YAML"),
        ("config: 3\n", "must hold keys with values"),
    ],
)
def test_a_cluster_that_cannot_be_used_says_why(study, own, text, message):
    own("mine", text)
    with pytest.raises(StudyError, match=message):
        cluster_options(study, "mine")
