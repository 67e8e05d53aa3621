"""Commands about a whole study: list it, run it, build its pages, publish it."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dvelib.cli.options import DEFAULT_STUDY, StudyOptions, need_checkout
from dvelib.common.errors import StudyError
from dvelib.common.files import IN_CHECKOUT, ROOT, work_folder

if TYPE_CHECKING:
    from dvelib.study.plan import Study

__all__ = ["adopt", "plan", "publish", "site", "study", "unpack"]


def plan(*, measure: bool = False, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Check a profile and list what it trains, without running anything.

    Args:
        measure: train each kind of network for a few seconds, to estimate hours on this machine
    """
    from dvelib.study.hours import measured_rates, plan_lines

    study = options.load(without_data=True)
    rates = measured_rates(study) if measure else None
    for line in plan_lines(study, rates):
        print(line)


def study(
    *snakemake: Annotated[str, Parameter(help="after --: targets and options for Snakemake")],
    cores: str = "all",
    on: str | None = None,
    options: StudyOptions = DEFAULT_STUDY,
) -> int:
    """Run everything of a profile that has not been run yet, then build its pages.

    Args:
        cores: how many CPU cores to use, or all
        on: where to run jobs: slurm, kubernetes, or the name of another folder in params/clusters
            (default: on this machine)
    """
    from dvelib.pages.workflow import run_workflow

    if cores != "all" and not (cores.isdecimal() and int(cores) > 0):
        raise StudyError(f"--cores must be a whole number of at least 1, or all, got {cores!r}")
    found = options.load(without_data=True)
    if found.missing:
        return _report_missing_data(found)
    found = options.load()
    found.prepare()
    return run_workflow(found, cores, list(snakemake), on)


def _report_missing_data(study: Study) -> int:
    """One line per dataset, and a page with the same: where it belongs and how to get it."""
    from dvelib.study.hours import missing_data, write_missing_page

    for data in missing_data(study):
        print(f"dve: {data['message']} (get it with: {data['fetch']})", file=sys.stderr)
    page = write_missing_page(study)
    print(f"dve: nothing was run; {page} lists the missing data", file=sys.stderr)
    return 2


def adopt(*, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Rename trainings that an earlier version of the code had named, so that they are found.

    Only trainings whose numbers the present code would give again are renamed.
    """
    from dvelib.pages.publish import rename_published
    from dvelib.study.earlier_names import adopt

    study = options.load()
    moved = adopt(study)
    for old, new in moved:
        print(f"{old} is now {new}")
    print(f"{len(moved)} trainings renamed in {study.outputs}")
    if changed := rename_published(study):
        print(f"present names written into {len(changed)} published results of {study.name}")


def site(*, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Build the pages from the results so far."""
    from dvelib.pages.workflow import build_pages

    print(f"the study is at {build_pages(options.load())}")


def publish(*, weights: bool = False, options: StudyOptions = DEFAULT_STUDY) -> None:
    """Copy a finished study's results into the files under git, and into the README.

    Args:
        weights: store the weights of its small embeddings as the pretrained ones instead
    """
    need_checkout("dve publish")
    from dvelib.pages.publish import publish, publish_weights

    study = options.load()
    if weights:
        print("\n".join(f"pretrained weights: {folder}" for folder in publish_weights(study)))
    else:
        print(f"published in {publish(study)}")


def unpack(*files: Path) -> None:
    """Copy notebooks or parameter files that come along, to run them in JupyterLab or change them.

    They go to the same place below the current folder, where the study finds parameter files.

    Args:
        files: such as params/profiles/quick.yaml, or folders (default: notebooks)
    """
    if IN_CHECKOUT:
        raise StudyError(f"there is nothing to unpack: notebooks and params lie in {ROOT}")
    for file in files or (Path("notebooks"),):
        source = (ROOT / file).resolve()
        if not (source.exists() and source.is_relative_to(ROOT)):
            folders = (ROOT / "notebooks", ROOT / "params", ROOT / "params" / "profiles")
            known = sorted(p.relative_to(ROOT).as_posix() for f in folders for p in f.iterdir())
            raise StudyError(f"nothing named {file} comes along: choose among {', '.join(known)}")
        for path in [source] if source.is_file() else sorted(source.rglob("*.*")):
            _copy_new(path, work_folder() / path.relative_to(ROOT))


def _copy_new(source: Path, target: Path) -> None:
    """Copy a file and say so; a file that exists stays, since it may have been changed."""
    if target.exists():
        print(f"{target} exists and stays as it is")
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    print(target)
