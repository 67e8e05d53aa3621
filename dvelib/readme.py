"""The README's tables of results in markdown, from published results alone."""

from __future__ import annotations

from pathlib import Path

from dvelib.evaluation import PROTOCOLS, SETTINGS
from dvelib.files import read_json

__all__ = ["MATCHING", "results_text"]

MATCHING = "ablation_exchange_matching"
REGRESSIONS = "ablation_exchange_regression_*.json"


def results_text(published: Path) -> str:
    """The README's results in markdown, from the published files in that folder."""
    studies = [path.parent for path in sorted(published.glob(f"*/{MATCHING}.json"))]
    return "\n".join(_study_results(folder) for folder in studies)


def _study_results(folder: Path) -> str:
    matching = read_json(folder / f"{MATCHING}.json")
    regressions = [read_json(path) for path in sorted(folder.glob(REGRESSIONS))]
    parts = [f"### {matching['data']['dataset']} (`{matching['profile']}`)", ""]
    parts += [_matching_table(matching)]
    if regressions:
        parts += [_regression_table(regressions)]
    return "\n".join(parts)


def _matching_table(results: dict) -> str:
    lines = [
        f"**Matching.** {results['headline']}",
        "",
        "| embedding | paper, same | paper, different | ours, same | ours, different |",
        "|---|---|---|---|---|",
    ]
    lines += [_result_line(row) for row in results["rows"] if row["ours"]]
    for method, errors in results["references"][PROTOCOLS[1]].items():
        ours = " | ".join(f"{errors[s]:.2f}" for s in SETTINGS)
        lines.append(f"| *{method}* | | | {ours} |")
    lines += ["", f"{_sentence(results['made'])}", ""]
    return "\n".join(lines)


def _regression_table(tables: list[dict]) -> str:
    """A line an embedding, a column a benchmark: ours with its interval, then the paper's."""
    lines = ["**Landmarks**, percent of inter-ocular distance; after the slash the paper's.", ""]
    names = [table["title"].split(":")[1].split(" landmark")[0].strip() for table in tables]
    heads = [name + _deviation(table["data"]) for name, table in zip(names, tables, strict=True)]
    lines += ["| embedding | " + " | ".join(heads) + " |", "|---" * (len(names) + 1) + "|"]
    labels = [row["label"] for row in tables[0]["rows"] if row["ours"]]
    for label in labels:
        rows = [next(r for r in table["rows"] if r["label"] == label) for table in tables]
        lines.append(f"| {label} | " + " | ".join(map(_landmark_cell, rows)) + " |")
    (trivial,) = tables[0]["references"]
    means = (f"{table['references'][trivial]['mean']:.2f}" for table in tables)
    lines += [f"| *{trivial}* | " + " | ".join(means) + " |", ""]
    for name, table in zip(names, tables, strict=True):
        made = table["made"]
        lines.append(
            f"- {name}: learned on {made['Landmarks learned on']}; tested on "
            f"{made['Landmarks tested on']}; {made['Regressors']}."
        )
    return "\n".join([*lines, ""])


def _deviation(audit: dict) -> str:
    """Where the test images are not those of the published split, so that no one misreads it."""
    if audit.get("stand_in") or not audit["published"]:
        return " (stand-in)"
    return "" if audit["complete"] else f" ({audit['images']} of {audit['published']:,})"


def _landmark_cell(row: dict) -> str:
    ours, paper = row["ours"]["iod"], row["published"].get("iod")
    text = f"{ours['mean']:.2f} ({ours['low']:.2f} to {ours['high']:.2f})"
    return text if paper is None else f"{text} / {paper:.2f}"


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
