"""Run a study with Snakemake, and build its pages from the results."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock, Timeout

from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT
from dvelib.common.progress import LINES_ONLY
from dvelib.pages.build import build_site
from dvelib.pages.cards import ExpectedTable
from dvelib.study.clusters import cluster_options
from dvelib.study.plan import Study

__all__ = ["build_pages", "run_workflow"]


def run_workflow(study: Study, cores: str, rest: list[str], on: str | None = None) -> int:
    """Run whatever of the study has not been run yet; returns Snakemake's exit status.

    ``cores``: a number of CPU cores, or "all". ``rest``: targets and options for Snakemake; without
    a target the whole study runs. ``on``: a cluster of ``params/clusters``, None for this machine.
    Only one run at a time may write into the outputs of a profile. The lock is one of the
    operating system, which releases it when the process ends, even if the process is killed.
    Raises StudyError where another run holds the lock.
    """
    if find_spec("snakemake") is None:
        raise StudyError("dve study needs Snakemake: pip install 'dvelib[study]'")
    places, values = cluster_options(study, on) if on else _this_machine(study, cores)
    study.outputs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(study.outputs / ".study.lock")
    try:
        with lock.acquire(timeout=0):
            environment = os.environ | {LINES_ONLY: "1"}
            command = _command(study, places, values, rest)
            return subprocess.run(command, env=environment, check=False).returncode
    except Timeout:
        raise StudyError(
            f"another run of the {study.name} study is at work in {study.outputs}: "
            f"wait until it ends, or stop it"
        ) from None


def _this_machine(study: Study, cores: str) -> tuple[list[str], dict[str, object]]:
    """Options for Snakemake that use the cores and GPUs here; one GPU trains one embedding."""
    import torch  # imported here because it takes seconds and building pages does not need it

    gpus = torch.cuda.device_count() if study.profile.device != "cpu" else 0
    return ["--cores", cores, "--resources", f"gpu={gpus}"], {"gpus": min(1, gpus)}


def _command(study: Study, places: list[str], values: dict, rest: list[str]) -> list[str]:
    """Snakemake with the study's parameters; ``places`` and ``values`` say where jobs run."""
    paths = {"outputs": study.outputs.parent, "params": study.own_params, "data": study.data_root}
    # Snakemake reads values as YAML, in which `#` and `: ` have a meaning: escaped as in addresses.
    quoted = {key: quote(str(path)) for key, path in paths.items() if path}
    values = values | {"profile": study.name} | quoted
    # --forcerun adds the site to the targets, so it is left out where the user names targets.
    has_targets = not all(argument.startswith("-") for argument in rest)
    force_site = not has_targets and _misses_pages(study)
    return [
        sys.executable,
        "-m",
        "snakemake",
        # Before the options below: --quiet and --config would take a target as one more value.
        *rest,
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(study.outputs),
        *places,
        "--nolock",
        "--rerun-incomplete",
        "--keep-going",
        "--quiet",
        "rules",
        "host",
        *(["--forcerun", "site"] if force_site else []),
        "--config",
        *(f"{key}={value}" for key, value in values.items()),
    ]


def _misses_pages(study: Study) -> bool:
    """Whether the page of a table or embedding does not exist, as after a failed run.

    The site was then built without that page. Snakemake would keep that site, because it compares
    the site's age only with the sources that exist; so the site has to be forced.
    """
    pages = [study.table_folder(name) / "page.ipynb" for name in study.tables]
    pages += [study.embedding_folder(name) / "page.ipynb" for name in study.embeddings_with_pages]
    return not all(page.exists() for page in pages)


def build_pages(study: Study) -> Path:
    """Build the site of a study from the results so far; returns the path of its index page."""
    tables = [
        ExpectedTable(name, table.title, table.kind, study.table_digest(name))
        for name, table in study.tables.items()
    ]
    return build_site(
        study.outputs,
        title=study.profile.title,
        expected_tables=tables,
        expected_embeddings=study.embeddings_with_pages,
    )
