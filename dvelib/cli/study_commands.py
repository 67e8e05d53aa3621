"""Commands about a whole study: list it, run it, build its pages, publish it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dvelib.cli.options import DEFAULT_STUDY, StudyOptions
from dvelib.common.errors import StudyError

if TYPE_CHECKING:
    from dvelib.study.plan import Study

__all__ = ["adopt", "plan", "publish", "site", "study"]


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
    options: StudyOptions = DEFAULT_STUDY,
) -> int:
    """Run everything of a profile that has not been run yet, then build its pages.

    Args:
        cores: how many CPU cores to use, or all
    """
    from dvelib.pages.workflow import run_workflow

    if cores != "all" and not (cores.isdecimal() and int(cores) > 0):
        raise StudyError(f"--cores must be a whole number of at least 1, or all, got {cores!r}")
    found = options.load(without_data=True)
    if found.missing:
        return _report_missing_data(found)
    found = options.load()
    found.prepare()
    return run_workflow(found, cores, list(snakemake))


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
    from dvelib.pages.publish import publish, publish_weights

    study = options.load()
    if weights:
        print("\n".join(f"pretrained weights: {folder}" for folder in publish_weights(study)))
    else:
        print(f"published in {publish(study)}")
