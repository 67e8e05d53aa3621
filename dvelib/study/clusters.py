"""Where jobs of a study run other than on this machine: folders of ``params/clusters``.

A cluster is one file, a workflow profile of Snakemake: which executor, how many jobs, which
partition. What each job needs comes from `dvelib.study.needs`, so a cluster of another kind is
another file.
"""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from pathlib import Path

import yaml

from dvelib.common.errors import StudyError
from dvelib.study.plan import PARAMS, Study

__all__ = ["cluster_folder", "cluster_options"]

SETTINGS = "config.yaml"


def cluster_folder(study: Study, name: str) -> Path:
    """The folder of a cluster: among the user's own parameter files, or one that comes along.

    Raises StudyError with the known clusters where there is none of that name.
    """
    places = [folder / "clusters" for folder in (study.own_params, PARAMS)]
    for place in places:
        if (place / name / SETTINGS).is_file():
            return place / name
    known = sorted({path.parent.name for place in places for path in place.glob(f"*/{SETTINGS}")})
    raise StudyError(
        f"there is no {places[0] / name / SETTINGS}; the existing clusters are: {', '.join(known)}"
    )


def cluster_options(study: Study, name: str) -> tuple[list[str], dict[str, object]]:
    """Options for Snakemake that run a study on a cluster, and its values for the Snakefile.

    Raises StudyError where its settings cannot be read or a package is missing.
    """
    folder = cluster_folder(study, name)
    settings = _settings(folder / SETTINGS)
    options = ["--workflow-profile", str(folder)]
    executor = settings.get("executor", "local")
    if executor != "local" and find_spec(f"snakemake_executor_plugin_{executor}") is None:
        raise StudyError(
            f"the cluster {name} needs snakemake-executor-plugin-{executor}: "
            f"pip install 'dvelib[cluster]'"
        )
    if executor == "slurm" and not _has_accounting():
        options += ["--slurm-status-command", "squeue"]
    if prefix := settings.get("default-storage-prefix"):
        # Jobs find their results in a folder of the profile's name, as on this machine.
        options += ["--default-storage-prefix", f"{str(prefix).rstrip('/')}/{study.name}"]
    return options, settings.get("config") or {}


def _settings(path: Path) -> dict:
    try:
        settings = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise StudyError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not (isinstance(settings, dict) and isinstance(settings.get("config") or {}, dict)):
        raise StudyError(f"{path} and its config must hold keys with values")
    return settings


def _has_accounting() -> bool:
    """Whether Slurm keeps a record of finished jobs, which sacct reads; else squeue is asked."""
    try:
        return not subprocess.run(["sacct"], capture_output=True, timeout=30).returncode
    except (OSError, subprocess.TimeoutExpired):
        return False
