"""Handing a study over to Snakemake, which decides what has to run, and making its pages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from filelock import FileLock, Timeout

from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT
from dvelib.common.progress import LINES_ONLY
from dvelib.pages.build import build_site
from dvelib.pages.cards import ExpectedTable
from dvelib.study.plan import Study

__all__ = ["build_pages", "run_workflow"]


def run_workflow(study: Study, cores: str, rest: list[str]) -> int:
    """Run Snakemake on the study; returns its exit status.

    One run at a time for a profile's outputs. The lock is the operating system's, so that a
    killed run leaves none behind and the next one simply goes on.
    """
    study.outputs.mkdir(parents=True, exist_ok=True)
    lock = FileLock(study.outputs / ".study.lock")
    try:
        with lock.acquire(timeout=0):
            environment = os.environ | {LINES_ONLY: "1"}
            command = _command(study, cores, rest)
            return subprocess.run(command, env=environment, check=False).returncode
    except Timeout:
        raise StudyError(
            f"another run of the {study.name} study is at work in {study.outputs}: "
            f"wait for it or stop it first"
        ) from None


def _command(study: Study, cores: str, rest: list[str]) -> list[str]:
    import torch  # takes seconds, and only a run needs it

    gpus = torch.cuda.device_count() if study.profile.device != "cpu" else 0
    config = [f"profile={study.name}", f"gpus={gpus}"]
    config.append(f"outputs={study.outputs.parent}")
    if study.data_root:
        config.append(f"data={study.data_root}")
    # Snakemake makes a target of what is forced, and nobody who names a target asks for the site.
    whole = all(argument.startswith("-") for argument in rest)
    return [
        # First what was asked for: options that take several values would swallow a target.
        sys.executable,
        "-m",
        "snakemake",
        *rest,
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(study.outputs),
        "--cores",
        cores,
        "--resources",
        f"gpu={gpus}",
        "--nolock",
        "--rerun-incomplete",
        "--keep-going",
        "--quiet",
        "rules",
        "host",
        *(["--forcerun", "site"] if whole and _lacks_pages(study) else []),
        "--config",
        *config,
    ]


def _lacks_pages(study: Study) -> bool:
    """Whether the site, as a failed run left it, stands on pages that are not there.

    Snakemake takes a file for done while it is newer than those of its sources that exist.
    """
    pages = [study.table_folder(name) / "page.ipynb" for name in study.tables]
    pages += [study.embedding_folder(name) / "page.ipynb" for name in study.embeddings]
    return not all(page.exists() for page in pages)


def build_pages(study: Study) -> Path:
    """The site of a study from whatever of it has been run; returns its index."""
    tables = [
        ExpectedTable(name, table.title, table.notebook, table.claim, study.table_digest(name))
        for name, table in study.tables.items()
    ]
    return build_site(
        study.outputs,
        title=study.profile.title,
        expected_tables=tables,
        expected_embeddings=list(study.embeddings),
    )
