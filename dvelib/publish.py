"""Keeping the numbers and pictures of a finished study in git, and the README's own in step.

``outputs/published/<profile>/`` gets the results of each table and, of drawn faces, one figure;
``outputs/published/crowd.png`` shows the synthetic faces. The README's tables stand between
markers and are written from those files alone.
"""

from __future__ import annotations

import re
from pathlib import Path

from matplotlib.figure import Figure

from dvelib.data.synthetic_dataset import render_split
from dvelib.errors import StudyError
from dvelib.evaluation import PROTOCOLS, SETTINGS, example_matches
from dvelib.files import atomic_path, read_json, write_json
from dvelib.plots import faces_grid, matches
from dvelib.study import ROOT, Study
from dvelib.tables import MatchingTable

__all__ = ["publish", "readme_results"]

PUBLISHED = ROOT / "outputs" / "published"
README = ROOT / "README.md"
ABLATION = "ablation_exchange_matching"
MARKED = re.compile(r"(<!-- results -->\n).*?(<!-- /results -->)", re.DOTALL)


def publish(study: Study) -> Path:
    """Copy a finished study's results, draw its figure, rewrite the README; returns the folder.

    Raises StudyError where a table has no results yet.
    """
    folder = PUBLISHED / study.name
    for table in study.tables:
        results = study.table_folder(table) / "results.json"
        if not results.exists():
            raise StudyError(f"the table {table} has no results yet: run the study first")
        write_json(folder / f"{table}.json", read_json(results))
    # Drawn faces only: photographs of people stay out of version control.
    if ABLATION in study.tables and study.profile.matching.data.name == "synthetic":
        _save(_effect(study), folder / "matches.png")
    crowd = render_split("train", 0, 48, size=96).images
    _save(faces_grid(crowd, columns=16), PUBLISHED / "crowd.png")
    text = MARKED.sub(lambda m: m[1] + readme_results() + m[2], README.read_text())
    with atomic_path(README) as path:
        path.write_text(text)
    return folder


def _effect(study: Study) -> Figure:
    """Matches across faces at the largest dimension, with and without exchange."""
    table = MatchingTable(ABLATION, study.name, study.data_root, outputs=study.outputs.parent)
    largest = max(row.spec.dimension for row in table.ran)
    labels = [row.label for row in table.ran if row.spec.dimension == largest]
    chosen = {label: table.first_seed[label] for label in labels}
    return matches(**example_matches(chosen, table.faces))


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=90, bbox_inches="tight")


def readme_results() -> str:
    """The README's results in markdown, from the published files."""
    studies = [read_json(path) for path in sorted(PUBLISHED.glob(f"*/{ABLATION}.json"))]
    return "\n".join(_result_table(study) for study in studies)


def _result_table(results: dict) -> str:
    made = results["made"]
    lines = [
        f"**{results['data']['dataset']}** (`{results['profile']}`). {results['headline']}",
        "",
        "| embedding | paper, same | paper, different | ours, same | ours, different |",
        "|---|---|---|---|---|",
    ]
    lines += [_result_line(row) for row in results["rows"] if row["ours"]]
    for method, errors in results["references"][PROTOCOLS[1]].items():
        ours = " | ".join(f"{errors[s]:.2f}" for s in SETTINGS)
        lines.append(f"| *{method}* | | | {ours} |")
    lines += ["", f"{_sentence(made)}", ""]
    return "\n".join(lines)


def _result_line(row: dict) -> str:
    paper = " | ".join(f"{row['published'][s]:.2f}" for s in SETTINGS)
    full = [row["ours"][f"{s}, {PROTOCOLS[1]}"] for s in SETTINGS]
    ours = " | ".join(f"{v['mean']:.2f} ({v['low']:.2f} to {v['high']:.2f})" for v in full)
    return f"| {row['label']} | {paper} | {ours} |"


def _sentence(made: dict) -> str:
    return (
        f"Trained on {made['Trained on']}, {made['Training of each']} each; matched on "
        f"{made['Matched on']}; {made['Time in all']} on {made['Hardware']} at a time, "
        f"{made['Precision']}, seeds {made['Seeds']}."
    )
