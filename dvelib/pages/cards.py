"""What the index says about each table and each embedding.

A table that is expected is shown, also one that failed or was not run. A failure hides the numbers
of an earlier success, and so does a record that this code does not read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from dvelib.common.errors import StudyError
from dvelib.common.files import FAILURE, read_json
from dvelib.common.markup import MISSING, data_text, duration, facts_html, plain_text
from dvelib.tables.results import TableResults, read_results

__all__ = [
    "ExpectedTable",
    "TableCard",
    "embedding_line",
    "read_if_there",
    "study_facts",
    "table_card",
]


_SENTENCE = re.compile(r".*?(?:\.(?=\s+[A-Z])|$)", re.DOTALL)
_COUNTED = re.compile(r"(.*), ([\d,]+) images")  # as `data_text` writes a dataset


@dataclass(frozen=True)
class ExpectedTable:
    """A table of the study as it is now.

    ``kind``: the notebook that makes such tables; ``digest``: that its results must have.
    """

    name: str
    title: str
    kind: str
    digest: str


@dataclass(frozen=True)
class TableCard:
    """What the index says about one table.

    ``state``: complete, failed, not run yet or out of date; ``message``: why, if it is known.
    ``page``: address of its page from the index, None where there is none; ``notebook``: the
    executed notebook. ``results``: its record, None where it is not complete.
    """

    name: str
    title: str
    kind: str
    state: str
    message: str | None = None
    page: str | None = None
    notebook: Path | None = None
    results: TableResults | None = None

    @property
    def headline(self) -> str | None:
        """The finding in a sentence, the first of the record, if there are results."""
        return _SENTENCE.match(self.results.headline)[0] if self.results else None


def table_card(folder: Path, expected: ExpectedTable) -> TableCard:
    """What the index says about one table.

    Raises StudyError where the record of a failure is damaged.
    """
    source = folder / "tables" / expected.name
    card = TableCard(expected.name, expected.title, expected.kind, "not run yet")
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
    card = replace(card, state="complete", title=results.title, results=results)
    notebook = source / "page.ipynb"
    if not notebook.exists():
        return card
    return replace(card, page=f"tables/{expected.name}.html", notebook=notebook)


def embedding_line(folder: Path, name: str) -> dict:
    """What the index says about one embedding, and its executed notebook, if there is one."""
    source = folder / "embeddings" / name
    line = {"name": name, "message": None, "page": None, "notebook": None}
    line |= {"record": None, "data": None}
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
            "record": made,
        }
        | _page(source)
    )


def _page(source: Path) -> dict:
    notebook = source / "page.ipynb"
    if not notebook.exists():
        return {}
    return {"page": f"embeddings/{source.name}.html", "notebook": notebook}


def read_if_there(path: Path) -> dict | None:
    """A JSON file, None where there is none; raises StudyError for a damaged one."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None


def _message(failure: dict) -> str:
    return failure.get("message") or "The run stopped without a message."


def study_facts(profile: str, tables: Sequence[TableCard], embeddings: Sequence[dict]) -> Markup:
    """What the whole index rests on: profile, data, how far it came, what made it."""
    records = [line["record"] or {} for line in embeddings]
    measured = [card.results.measured_on.text for card in tables if card.results]
    facts = {
        "Profile": profile,
        "Trained on": _data(line["data"] for line in embeddings),
        "Measured on": _data(measured),
        "Tables": _states(card.state for card in tables),
        "Embeddings": _states(line["state"] for line in embeddings),
        "Hardware": _distinct(record.get("hardware") for record in records),
        "Training time, in all": duration(sum(line.get("seconds") or 0 for line in records)),
    }
    return facts_html({name: text for name, text in facts.items() if text})


def _distinct(texts: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _data(texts: Iterable[str | None]) -> str:
    """Datasets in words; one that occurs with several numbers of images is named once."""
    counts: dict[str, list[str]] = {}
    for text in dict.fromkeys(text for text in texts if text):
        found = _COUNTED.fullmatch(text)
        counts.setdefault(found[1] if found else text, []).extend([found[2]] if found else [])
    return "; ".join(
        f"{name}, {' or '.join(numbers)} images" if numbers else name
        for name, numbers in counts.items()
    )


def _states(states: Iterable[str]) -> str:
    counts = Counter(states)
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
