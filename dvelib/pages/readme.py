"""The README's tables of results in markdown, from published results alone."""

from __future__ import annotations

from collections.abc import Sequence

from dvelib.common.markup import MISSING
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.pages.verdicts import count_verdicts, judge
from dvelib.tables.measures import FEW_LANDMARK_ERROR, LANDMARK_ERROR, matching_measure
from dvelib.tables.results import Number, RowResults, TableResults

__all__ = ["MATCHING", "results_text", "speed_text", "summary_text"]

# Kinds of tables that the README shows.
MATCHING, REGRESSION = "ablation_exchange_matching", "ablation_exchange_regression"
FINETUNING, FEW = "ablation_finetuning", "limited_annotations"
SUMMARISED = "aflw-mtfl"  # the benchmark whose landmarks the project's README shows
SAME = "same place"
FULL_RESOLUTION = tuple(matching_measure(setting, PROTOCOLS[1]).name for setting in SETTINGS)


def results_text(tables: Sequence[TableResults]) -> str:
    """The results of a study in markdown."""
    parts = [_matching_part(tables)]
    if _of_kind(tables, REGRESSION):
        parts += [_regression_table(tables), _regression_notes(tables)]
    parts += [_few_table(table) for table in _of_kind(tables, FEW)]
    return "\n".join(parts)


def summary_text(tables: Sequence[TableResults], address: str) -> str:
    """Matching across identities and landmarks in one table, and where the rest is.

    ``address``: of the folder with the rest, for links.
    """
    (matching,) = _of_kind(tables, MATCHING)
    landmarks = next(
        (table for table in _of_kind(tables, REGRESSION) if table.benchmark.name == SUMMARISED),
        None,
    )
    lines = [
        f"{matching.headline} The paper's claims: {count_verdicts(judge(tables))}.",
        "",
        "| embedding | matching, paper | matching, ours | landmarks, paper | landmarks, ours |",
        "|---|---|---|---|---|",
    ]
    found = _rows_by_label(landmarks, tables) if landmarks else {}
    for row in matching.rows_with_results:
        cells = [
            f"{row.published[SETTINGS[1]].value:.2f}",
            _with_interval(row.ours[FULL_RESOLUTION[1]]),
            *_landmark_pair(found.get(row.label)),
        ]
        lines.append(f"| {row.label} | " + " | ".join(cells) + " |")
    place = next(
        r for r in matching.references if r.measure == FULL_RESOLUTION[1] and r.name == SAME
    )
    mean = f"{landmarks.references[0].mean:.2f}" if landmarks else ""
    lines += [f"| *same place; mean shape of training faces* | | {place.mean:.2f} | | {mean} |", ""]
    training = matching.made.training
    lines += [
        "Matching: pixels of a 70-pixel face, different identities, "
        f"{matching.measured_on.dataset}, full resolution (the paper's: MAFL, its own protocol). "
        f"Landmarks: percent of the inter-ocular distance, {matching.measured_on.dataset}. 95 % "
        f"intervals over images. Ours saw {training.pairs.text('{:,.0f} pairs')} of "
        f"{training.trained_on_text}, the paper's 14.6 million pairs of 146,501 images: its "
        "numbers are context, not a target. "
        f"[All benchmarks]({address}/README.md), [the claims one by one]({address}/claims.md), "
        f"[every number with what made it]({address}/results.csv).",
        "",
    ]
    return "\n".join(lines)


def _landmark_pair(row: RowResults | None) -> tuple[str, str]:
    """The paper's landmark error and ours with its interval."""
    if row is None:
        return MISSING, MISSING
    paper = row.published.get(LANDMARK_ERROR.name)
    ours = _with_interval(row.ours[LANDMARK_ERROR.name])
    return (MISSING if paper is None else f"{paper.value:.2f}"), ours


def _of_kind(tables: Sequence[TableResults], kind: str) -> list[TableResults]:
    return [table for table in tables if table.kind == kind]


def _matching_part(tables: Sequence[TableResults]) -> str:
    (results,) = _of_kind(tables, MATCHING)
    lines = [
        f"### {results.measured_on.dataset} (`{results.profile.name}`)",
        "",
        f"**Matching**, pixels of a 70-pixel face; ours at full resolution, the paper's by its own "
        f"protocol. {results.headline}",
        "",
        "| embedding | paper, same | paper, different | ours, same | ours, different |",
        "|---|---|---|---|---|",
    ]
    lines += [_matching_line(row) for row in results.rows_with_results]
    references: dict[str, dict[str, float]] = {}
    for reference in results.references:
        references.setdefault(reference.name, {})[reference.measure] = reference.mean
    for name, errors in references.items():
        ours = " | ".join(f"{errors[measure]:.2f}" for measure in FULL_RESOLUTION)
        lines.append(f"| *{name}* | | | {ours} |")
    return "\n".join([*lines, "", _matching_note(results), ""])


def _matching_line(row: RowResults) -> str:
    paper = " | ".join(f"{row.published[setting].value:.2f}" for setting in SETTINGS)
    ours = " | ".join(_with_interval(row.ours[measure]) for measure in FULL_RESOLUTION)
    return f"| {row.label} | {paper} | {ours} |"


def _matching_note(results: TableResults) -> str:
    training = results.made.training
    return (
        f"Trained on {training.trained_on_text}, {training.pairs.text('{:,.0f} pairs')} each; "
        f"matched on {results.measured_on.text}; {training.seconds / 60:.1f} minutes of training "
        f"on {training.hardware} at a time, {training.precision}, "
        f"seeds {', '.join(map(str, training.seeds))}."
        + (f" Recipe: {training.recipe}." if training.recipe else "")
    )


def _regression_table(tables: Sequence[TableResults]) -> str:
    """A line an embedding, a column a benchmark: ours with its interval, then the paper's."""
    regressions = _of_kind(tables, REGRESSION)
    rows = [_rows_by_label(table, tables) for table in regressions]
    heads = [table.benchmark.title + table.measured_on.deviation for table in regressions]
    lines = ["**Landmarks**, percent of inter-ocular distance; after the slash the paper's.", ""]
    lines += ["| embedding | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for label in dict.fromkeys(label for table in rows for label in table):
        cells = (_landmark_cell(table.get(label)) for table in rows)
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    references = [table.references[0] for table in regressions]
    means = (f"{reference.mean:.2f}" for reference in references)
    lines += [f"| *{references[0].name}* | " + " | ".join(means) + " |"]
    return "\n".join(lines)


def _rows_by_label(
    regression: TableResults, tables: Sequence[TableResults]
) -> dict[str, RowResults]:
    """Rows with results of a benchmark: those of its table, then those of the fine-tuned ones."""
    finetuning = [
        table for table in _of_kind(tables, FINETUNING) if table.benchmark == regression.benchmark
    ]
    found: dict[str, RowResults] = {}
    for table in (regression, *finetuning):
        for row in table.rows_with_results:
            found.setdefault(row.label, row)
    return found


def _regression_notes(tables: Sequence[TableResults]) -> str:
    """What images each benchmark's landmarks were learned and tested on."""
    lines = [
        f"- {table.benchmark.title}: learned on {table.learned_on.text}; tested on "
        f"{table.measured_on.text}; {table.made.regressors.text}."
        for table in _of_kind(tables, REGRESSION)
    ]
    return "\n".join(["", *lines, ""])


def _few_table(table: TableResults) -> str:
    """A line an embedding, a column a number of annotated images."""
    counts = sorted({row.annotations for row in table.rows_with_results})
    lines = [
        f"**Few annotated images** of {table.learned_on.dataset}: percent of inter-ocular "
        "distance, mean and deviation over picks; after the slash the paper's.",
        "",
        "| embedding | " + " | ".join(f"{n} image{'s' * (n > 1)}" for n in counts) + " |",
        "|---" * (len(counts) + 1) + "|",
    ]
    by_embedding: dict[str, dict[int, RowResults]] = {}
    for row in table.rows_with_results:
        by_embedding.setdefault(row.embedding, {})[row.annotations] = row
    for name, rows in by_embedding.items():
        cells = (_few_cell(rows[n]) if n in rows else MISSING for n in counts)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join([*lines, ""])


def _few_cell(row: RowResults) -> str:
    ours = row.ours[FEW_LANDMARK_ERROR.name]
    paper = row.published.get(FEW_LANDMARK_ERROR.name)
    text = f"{ours.mean:.2f} ± {ours.spread or 0:.2f}"
    return text if paper is None else f"{text} / {paper.value:.2f} ± {paper.spread:.2f}"


def _landmark_cell(row: RowResults | None) -> str:
    if row is None:
        return MISSING
    text = _with_interval(row.ours[LANDMARK_ERROR.name])
    paper = row.published.get(LANDMARK_ERROR.name)
    return text if paper is None else f"{text} / {paper.value:.2f}"


def _with_interval(number: Number) -> str:
    return f"{number.mean:.2f} ({number.low:.2f} to {number.high:.2f})"


SPEEDS = ("loss", "step", "pipeline", "regressor", "matching")


def speed_text(results: dict) -> str:
    """The benchmark's ratios in markdown, a line a comparison: smallest to largest of its kind."""
    lines = ["| | beside | faster | less memory |", "|---|---|---|---|"]
    for kind in SPEEDS:
        rows = [row for row in results[kind] if row["ratio"] != 1]
        for form in dict.fromkeys(row["form"] for row in rows):
            chosen = [row for row in rows if row["form"] == form]
            memory = [row["memory ratio"] for row in chosen if row["memory"] is not None]
            name = chosen[0]["comparison"].capitalize()
            faster = _range([row["ratio"] for row in chosen])
            lines.append(f"| {name} | {form} | {faster} | {_range(memory)} |")
    made = results["made"]
    lines += ["", _ending_text(results)]
    lines += ["", f"Measured on {made['Hardware']}, {made['Repeats']} repeats; {made['Versions']}."]
    return "\n".join([*lines, ""])


def _range(ratios: list[float]) -> str:
    """Such as "1.6x to 2.0x", or one number where they agree; "" for none."""
    ends = [f"{ratio:.1f}x" for ratio in (min(ratios), max(ratios))] if ratios else []
    return " to ".join(dict.fromkeys(ends))


def _ending_text(results: dict) -> str:
    """Gap between trainings with our loss and with the plain one, and the spread over seeds."""
    ours = next(gap for gap in results["endings gaps"] if gap["measure"] == "distance")
    seeds = len({end["seed"] for end in results["endings"]})
    return (
        f"Trained on our loss and on the plain one from {seeds} seeds, networks end "
        f"{abs(ours['gap']):.2f} px apart in the mean, where the seeds' standard deviation is "
        f"{ours['spread']:.2f} px."
    )
