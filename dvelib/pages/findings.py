"""What the published results show, one finding at a time, each with a figure.

All numbers come from files under ``outputs/published``: ``<study>/results.csv``, written by
``dve publish``, and ``campaign/matching.csv``, errors of a long training at several lengths.
Sentences are made from the numbers, so they change when the results do.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, atomic_path
from dvelib.pages.display import say, show
from dvelib.pages.finding import Finding
from dvelib.pages.findings_of_campaign import FROM_CAMPAIGN
from dvelib.pages.findings_of_study import FROM_STUDY

__all__ = ["findings", "show_findings", "write_findings"]

PUBLISHED = ROOT / "outputs" / "published"


def findings(study: str = "faces", published: Path | None = None) -> list[Finding]:
    """The findings of a published study and of the long training.

    ``published``: the folder of published results, by default the project's. Findings without
    results are left out. Raises StudyError where the study was not published.
    """
    folder = Path(published or PUBLISHED)
    path = folder / study / "results.csv"
    if not path.exists():
        raise StudyError(f"the study {study} has no published results: {path} does not exist")
    rows = pd.read_csv(path)
    campaign = folder / "campaign" / "matching.csv"
    made = [make(rows) for make in FROM_STUDY]
    if campaign.exists():
        runs = pd.read_csv(campaign)
        made = [make(runs) for make in FROM_CAMPAIGN] + made
    return [finding for finding in made if finding is not None]


def show_findings(study: str = "faces") -> None:
    """Display the findings in a notebook, each with its figure."""
    for finding in findings(study):
        say(f"## {finding.title}\n\n{finding.text}")
        show(finding.figure, alt=finding.alt)


def write_findings(folder: Path, study: str = "faces") -> Path:
    """Write the findings as ``findings.md`` with a picture each into a folder; returns the file."""
    lines = [
        "# Findings",
        "",
        f"From the published study `{study}` and a long training. The notebook "
        "`notebooks/findings.ipynb` shows the same from your own results.",
        "",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for finding in findings(study):
        picture = folder / f"{finding.name}.png"
        with atomic_path(picture) as temporary:
            finding.figure.savefig(temporary, dpi=80, bbox_inches="tight", format="png")
        lines += [f"## {finding.title}", "", finding.text, ""]
        lines += [f"![{finding.alt}]({picture.name})", ""]
    with atomic_path(folder / "findings.md") as temporary:
        temporary.write_text("\n".join(lines))
    return folder / "findings.md"
