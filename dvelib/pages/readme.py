"""The README's tables of results in markdown, from published results alone."""

from __future__ import annotations

from pathlib import Path

from dvelib.common.files import read_json
from dvelib.common.markup import deviation
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.pages.verdicts import count_verdicts, judge

__all__ = ["MATCHING", "results_text", "speed_text", "summary_text"]

MATCHING = "ablation_exchange_matching"
REGRESSIONS, FINETUNING = "ablation_exchange_regression_", "ablation_finetuning_"
FEW = "limited_annotations"


def results_text(folder: Path) -> str:
    """A study's results in markdown, from the files of its tables in that folder."""
    matching = read_json(folder / f"{MATCHING}.json")
    parts = [f"### {matching['data']['dataset']} (`{matching['profile']}`)", ""]
    parts += [_matching_table(matching)]
    if regressions := [read_json(path) for path in sorted(folder.glob(f"{REGRESSIONS}*.json"))]:
        parts += [_regression_table(regressions, _rows_by_table(regressions, folder))]
    if (path := folder / f"{FEW}.json").exists():
        parts += [_few_table(read_json(path))]
    return "\n".join(parts)


def summary_text(folder: Path, address: str) -> str:
    """The same in short: matching and landmarks, the claims counted, the way to all the rest.

    ``address``: of the folder, for links.
    """
    results = {path.stem: read_json(path) for path in sorted(folder.glob("*.json"))}
    matching = results[MATCHING]
    parts = [f"### {matching['data']['dataset']} (`{matching['profile']}`)", ""]
    parts += [_matching_table(matching)]
    if regressions := [results[name] for name in results if name.startswith(REGRESSIONS)]:
        parts += [_regression_table(regressions, _rows_by_table(regressions, folder), notes=False)]
    parts += [
        f"**The paper's claims**: {count_verdicts(judge(results))}, "
        f"[one by one]({address}/claims.md) with effects, intervals and rules. "
        f"[What each benchmark was, and few annotated images]({address}/README.md); "
        f"[every number with what made it]({address}/results.csv).",
        "",
    ]
    return "\n".join(parts)


def _rows_by_table(regressions: list[dict], folder: Path) -> list[dict[str, dict]]:
    """By label, the rows of each benchmark that ran: those of its table, then the fine-tuned."""
    found = []
    for table in regressions:
        path = folder / f"{table['table'].replace(REGRESSIONS, FINETUNING)}.json"
        rows = table["rows"] + (read_json(path)["rows"] if path.exists() else [])
        found.append(by_label := {})
        for row in rows:
            if row["ours"]:
                by_label.setdefault(row["label"], row)
    return found


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


def _regression_table(tables: list[dict], rows: list[dict[str, dict]], notes: bool = True) -> str:
    """A line an embedding, a column a benchmark: ours with its interval, then the paper's."""
    lines = ["**Landmarks**, percent of inter-ocular distance; after the slash the paper's.", ""]
    names = [table["title"].split(":")[1].split(" landmark")[0].strip() for table in tables]
    heads = [name + deviation(table["data"]) for name, table in zip(names, tables, strict=True)]
    lines += ["| embedding | " + " | ".join(heads) + " |", "|---" * (len(names) + 1) + "|"]
    for label in dict.fromkeys(label for table in rows for label in table):
        cells = (_landmark_cell(table.get(label)) for table in rows)
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    (trivial,) = tables[0]["references"]
    means = (f"{table['references'][trivial]['mean']:.2f}" for table in tables)
    lines += [f"| *{trivial}* | " + " | ".join(means) + " |", ""]
    for name, table in zip(names, tables, strict=True) if notes else ():
        made = table["made"]
        lines.append(
            f"- {name}: learned on {made['Landmarks learned on']}; tested on "
            f"{made['Landmarks tested on']}; {made['Regressors']}."
        )
    return "\n".join([*lines, ""])


def _few_table(table: dict) -> str:
    """A line an embedding, a column a number of annotated images."""
    ran = [row for row in table["rows"] if row["ours"]]
    counts = sorted({row["annotations"] for row in ran})
    lines = [
        f"**Few annotated images** of {table['learned_on']['dataset']}: percent of inter-ocular "
        "distance, mean and deviation over picks; after the slash the paper's.",
        "",
        "| embedding | " + " | ".join(f"{n} image{'s' * (n > 1)}" for n in counts) + " |",
        "|---" * (len(counts) + 1) + "|",
    ]
    by_embedding: dict[str, dict[int, dict]] = {}
    for row in ran:
        name = row["label"].rpartition(", ")[0]
        by_embedding.setdefault(name, {})[row["annotations"]] = row
    for name, rows in by_embedding.items():
        cells = (_few_cell(rows[n]) if n in rows else "–" for n in counts)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _few_cell(row: dict) -> str:
    ours, paper = row["ours"]["mean_iod"], row["published"]
    text = f"{ours['mean']:.2f} ± {ours['spread'] or 0:.2f}"
    return text + (f" / {paper['mean_iod']:.2f} ± {paper['std_iod']:.2f}" if paper else "")


def _landmark_cell(row: dict | None) -> str:
    if row is None:
        return "–"
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


SPEEDS = ("loss", "step", "pipeline", "regressor", "matching")


def speed_text(results: dict) -> str:
    """The benchmark's ratios in markdown: the first and the last problem of each kind."""
    lines = ["| | beside | faster | less memory |", "|---|---|---|---|"]
    for kind in SPEEDS:
        ends = results[kind][0]["problem"], results[kind][-1]["problem"]
        for row in results[kind]:
            if row["ratio"] != 1 and row["problem"] in ends:
                memory = "" if row["memory"] is None else f"{row['memory ratio']:.0f}x"
                name = f"{row['comparison'].capitalize()}; {row['problem']}"
                lines.append(f"| {name} | {row['form']} | {row['ratio']:.1f}x | {memory} |")
    made = results["made"]
    lines += ["", _click_text(results["clicks"]) + " " + _ending_text(results)]
    lines += ["", f"Measured on {made['Hardware']}, {made['Repeats']} repeats; {made['Versions']}."]
    return "\n".join([*lines, ""])


def _click_text(rows: list[dict]) -> str:
    return f"A click in the explorer is answered in {1e3 * rows[0]['seconds']:.0f} ms."


def _ending_text(results: dict) -> str:
    """How far apart trainings end on our loss and on the plain one, and two seeds of the latter."""
    ours = next(gap for gap in results["endings gaps"] if gap["measure"] == "distance")
    seeds = len({end["seed"] for end in results["endings"]})
    return (
        f"Trained on our loss and on the plain one from {seeds} seeds, networks end "
        f"{abs(ours['gap']):.2f} px apart in the mean, where the seeds' standard deviation is "
        f"{ours['spread']:.2f} px."
    )
