"""What the index says about each table and each embedding; their pages are rendered on the way.

A table that is expected is shown, also one that failed or never ran; a failure hides the numbers
of an earlier success.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup

from dvelib.common.errors import StudyError
from dvelib.common.files import FAILURE, read_json
from dvelib.common.markup import MISSING, data_text, duration, facts_html, plain_text, table_html
from dvelib.pages.pictures import headline_picture
from dvelib.pages.render import render

__all__ = ["embedding_line", "read_if_there", "study_facts", "table_card"]

# Keys of the published numbers that do not speak for themselves.
_MEASURES = {
    "iod": "Error, % of inter-ocular distance",
    "mean_iod": "Mean error, % of inter-ocular distance",
    "std_iod": "Spread, % of inter-ocular distance",
}


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


def table_card(folder: Path, building: Path, expected: dict) -> dict:
    """What the index says about one table; its page is rendered on the way."""
    source = folder / "tables" / expected["name"]
    card = dict.fromkeys(
        ("message", "headline", "picture", "data", "numbers", "wide", "page", "record", "results")
    )
    card |= {"title": expected["name"], "claim": None} | expected
    failure, results = read_if_there(source / FAILURE), read_if_there(source / "results.json")
    if failure is not None:
        return card | {"state": "failed", "message": _message(failure)}
    if results is None or results.get("digest") != expected.get("digest"):
        # Numbers of other parameters, data or code are not the study's as it is now.
        return card | {"state": "not run yet" if results is None else "out of date"}
    return card | {
        "state": results.get("state", "complete"),
        "claim": results.get("claim", card["claim"]),
        "headline": results.get("headline"),
        "data": data_text(results.get("data")),
        **_numbers(results.get("rows") or []),
        "page": _page(source, building),
        "picture": headline_picture(source / "page.ipynb"),
        "record": results.get("made"),
        "results": results,
    }


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
    except json.JSONDecodeError as error:
        raise StudyError(f"{path} is damaged ({error}): delete it and run again") from error


def _message(failure: dict) -> str:
    return failure.get("message") or "It stopped without saying why."


def _numbers(rows: list[dict]) -> dict:
    """Paper beside ours, by measure, as a table, and whether it needs the whole width."""
    import pandas

    pairs = [(row.get("published") or {}, row.get("ours") or {}) for row in rows]
    measures = dict.fromkeys(name for pair in pairs for numbers in pair for name in numbers)
    if not measures:
        return {}
    columns = {}
    for name in measures:
        title = _MEASURES.get(name) or name.replace("-", " ").replace("_", " ").capitalize()
        if any(name in paper for paper, _ in pairs):
            columns[title, "Paper"] = [paper.get(name) for paper, _ in pairs]
        columns[title, "Ours"] = [_ours_text(ours.get(name)) for _, ours in pairs]
    labels = pandas.Index([row.get("label", "") for row in rows])
    table = table_html(pandas.DataFrame(columns, index=labels), _numbers_caption(pairs))
    return {"numbers": table, "wide": len(columns) > 3}


def _ours_text(value: dict | float | None) -> str:
    if not isinstance(value, dict):
        return plain_text(value)
    mean, spread = value.get("mean"), value.get("spread")
    return plain_text(mean) if spread is None else f"{plain_text(mean)} ± {plain_text(spread)}"


def _numbers_caption(pairs: list[tuple[dict, dict]]) -> str:
    values = [value for _, ours in pairs for value in ours.values() if isinstance(value, dict)]
    seeds = sorted({value["seeds"] for value in values if value.get("spread") is not None})
    spread = f"; mean ± spread over {' or '.join(map(str, seeds))} seeds" if seeds else ""
    return f"Published and measured numbers{spread}"


def study_facts(profile: str, tables: list[dict], embeddings: list[dict]) -> Markup:
    """What the whole index rests on: profile, data, how far it came, what made it."""
    everything = [*embeddings, *tables]
    records = [item["record"] or {} for item in everything]
    facts = {
        "Profile": profile,
        "Data": _distinct(item["data"] for item in everything),
        "Tables": _states(tables),
        "Embeddings": _states(embeddings),
        "Hardware": _distinct(record.get("hardware") for record in records),
        "Training time, in all": duration(sum(item.get("seconds") or 0 for item in records)),
    }
    return facts_html({name: text for name, text in facts.items() if text})


def _distinct(texts: Iterable[str | None]) -> str:
    return "; ".join(dict.fromkeys(text for text in texts if text))


def _states(items: list[dict]) -> str:
    counts = Counter(item["state"] for item in items)
    return ", ".join(f"{count} {state}" for state, count in counts.items()) or "none"
