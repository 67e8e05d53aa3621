"""What the index says about each table and each embedding; their pages are rendered on the way.

A table that is expected is shown, also one that failed or was not run. A failure hides the numbers
of an earlier success, and so does a record that this code does not read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from dvelib.common.errors import StudyError
from dvelib.common.files import FAILURE, read_json
from dvelib.common.markup import MISSING, data_text, duration, facts_html, plain_text, table_html
from dvelib.pages.headline_pictures import headline_picture
from dvelib.pages.render import render
from dvelib.tables.results import Number, PublishedNumber, TableResults, read_results

__all__ = [
    "ExpectedTable",
    "TableCard",
    "embedding_line",
    "read_if_there",
    "study_facts",
    "table_card",
]

WIDE = 3  # columns: a table with more needs the whole width


@dataclass(frozen=True)
class ExpectedTable:
    """A table of the study as it is now.

    ``kind``: the notebook that makes such tables; ``digest``: that its results must have.
    """

    name: str
    title: str
    kind: str
    claim: str | None
    digest: str


@dataclass(frozen=True)
class TableCard:
    """What the index says about one table.

    ``state``: complete, failed, not run yet or out of date; ``message``: why, if it is known.
    ``page``: address of its page from the index. ``picture``: see
    `dvelib.pages.headline_pictures`. ``numbers``: its numbers as a table in HTML, ``wide`` where
    that needs the whole width. ``results``: its record, None where it is not complete.
    """

    name: str
    title: str
    kind: str
    state: str
    claim: str | None = None
    message: str | None = None
    headline: str | None = None
    picture: dict | None = None
    data: str | None = None
    numbers: Markup | None = None
    wide: bool = False
    page: str | None = None
    results: TableResults | None = None


def table_card(folder: Path, building: Path, expected: ExpectedTable) -> TableCard:
    """What the index says about one table; its page is rendered on the way.

    Raises StudyError where the record of a failure is damaged.
    """
    source = folder / "tables" / expected.name
    card = TableCard(expected.name, expected.title, expected.kind, "not run yet", expected.claim)
    if (failure := read_if_there(source / FAILURE)) is not None:
        return replace(card, state="failed", message=_message(failure))
    try:
        results = read_results(source / "results.json")
    except FileNotFoundError:
        return card
    except StudyError as error:
        return replace(card, state="out of date", message=str(error))
    if results.digest != expected.digest:
        # These numbers belong to other parameters, data or code than the study has now.
        return replace(card, state="out of date")
    numbers, columns = _numbers(results)
    return replace(
        card,
        state="complete",
        title=results.title,
        claim=results.claim,
        headline=results.headline,
        data=results.measured_on.text,
        numbers=numbers,
        wide=columns > WIDE,
        page=_page(source, building),
        picture=headline_picture(source / "page.ipynb"),
        results=results,
    )


def _page(source: Path, building: Path) -> str | None:
    """Render a folder's page; its address from the index, or None where there is no page."""
    notebook = source / "page.ipynb"
    if not notebook.exists():
        return None
    address = f"{source.parent.name}/{source.name}.html"
    target = building / address
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(render(notebook), encoding="utf-8")
    return address


def embedding_line(folder: Path, building: Path, name: str) -> dict:
    """What the index says about one embedding; its page is rendered on the way."""
    source = folder / "embeddings" / name
    line = {"name": name, "message": None, "page": None, "record": None, "data": None}
    failure, made = read_if_there(source / FAILURE), read_if_there(source / "provenance.json")
    if failure is not None:
        return line | {"state": "failed", "message": _message(failure)}
    if made is None:
        return line | {"state": "not trained yet"}
    specification = read_if_there(source / "specification.json") or {}
    facts = {**made, **{key: value for key, value in specification.items() if value is not None}}
    seconds = made.get("seconds")
    shown = ("architecture", "dimension", "exchange", "seed", "steps", "pairs_per_second")
    return (
        line
        | {key: plain_text(facts.get(key), 1) for key in shown}
        | {
            "state": "complete",
            "data": data_text(made.get("data") or specification.get("data")),
            "time": MISSING if seconds is None else duration(seconds),
            "page": _page(source, building),
            "record": made,
        }
    )


def read_if_there(path: Path) -> dict | None:
    """A JSON file, None where there is none; raises StudyError for a damaged one."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None


def _message(failure: dict) -> str:
    return failure.get("message") or "The run stopped without a message."


def _numbers(results: TableResults) -> tuple[Markup, int]:
    """Paper beside ours, by measure, as a table, and how many columns it has."""
    import pandas

    # Of a learning curve, the longest trainings alone.
    longest = max((row.pairs or 0 for row in results.rows), default=0)
    rows = [row for row in results.rows if (row.pairs or 0) == longest]
    columns = {}
    for measure in results.measures:
        paper = [row.published.get(measure.name) for row in rows]
        if any(paper):
            columns[measure.title, "Paper"] = [_published_text(number) for number in paper]
        ours = [row.ours.get(measure.name) for row in rows]
        columns[measure.title, "Ours"] = [_ours_text(number) for number in ours]
    labels = pandas.Index([row.label for row in rows])
    frame = pandas.DataFrame(columns, index=labels)
    return table_html(frame, _numbers_caption(results)), len(columns)


def _ours_text(number: Number | None) -> str:
    return MISSING if number is None else _with_spread(number.mean, number.spread)


def _published_text(number: PublishedNumber | None) -> str:
    return MISSING if number is None else _with_spread(number.value, number.spread)


def _with_spread(mean: float, spread: float | None) -> str:
    return plain_text(mean) if spread is None else f"{plain_text(mean)} ± {plain_text(spread)}"


def _numbers_caption(results: TableResults) -> str:
    numbers = [number for row in results.rows for number in row.ours.values()]
    seeds = sorted({number.seeds for number in numbers if number.spread is not None})
    spread = f"; mean ± spread over {' or '.join(map(str, seeds))} seeds" if seeds else ""
    return f"Published and measured numbers{spread}"


def study_facts(profile: str, tables: Sequence[TableCard], embeddings: Sequence[dict]) -> Markup:
    """What the whole index rests on: profile, data, how far it came, what made it."""
    records = [line["record"] or {} for line in embeddings]
    data = [line["data"] for line in embeddings] + [card.data for card in tables]
    facts = {
        "Profile": profile,
        "Data": _distinct(data),
        "Tables": _states(card.state for card in tables),
        "Embeddings": _states(line["state"] for line in embeddings),
        "Hardware": _distinct(record.get("hardware") for record in records),
        "Training time, in all": duration(sum(line.get("seconds") or 0 for line in records)),
    }
    return facts_html({name: text for name, text in facts.items() if text})


def _distinct(texts: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _states(states: Iterable[str]) -> str:
    counts = Counter(states)
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
