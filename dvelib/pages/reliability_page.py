"""The page on reliability: damaged inputs tried and studies killed, each with count and date.

The numbers are those that ``make fuzz`` and ``make torture`` wrote into ``reliability.json``:
``fuzz`` with ``date`` and ``readers`` (by name: inputs, escapes), ``torture`` with ``date`` and
``disturbances`` (by name: times, faults). A part that was not measured is left out.
"""

from __future__ import annotations

from pathlib import Path

from markupsafe import Markup

from dvelib.common.errors import StudyError
from dvelib.common.files import read_json
from dvelib.common.markup import fill, table_html
from dvelib.pages.render import INDEX, links

__all__ = ["RELIABILITY", "reliability_page"]

RELIABILITY = "reliability.html"
PARTS = {
    "fuzz": {
        "title": "Damaged and hostile files",
        "about": "Files of every kind that the program reads were cut, changed, emptied, replaced, "
        "or made to do harm, and given to the code that reads them, in a process of its own. An "
        "input is answered if it is read, or refused in one sentence; a traceback, a crash, a hang "
        "of 20 seconds, a gigabyte more of memory, and other numbers without a word are not.",
        "command": "make fuzz",
        "rows": "readers",
        "columns": ("inputs", "escapes"),
        "heads": ("read", "inputs", "not answered"),
    },
    "torture": {
        "title": "Killed, starved and damaged studies",
        "about": "A small study was disturbed and then run again. It survives if its weights and "
        "numbers then equal those of an undisturbed run to the last digit, and nothing temporary "
        "is left; where it cannot go on, it has to say so in one sentence.",
        "command": "make torture",
        "rows": "disturbances",
        "columns": ("times", "faults"),
        "heads": ("disturbance", "times", "not survived"),
    },
}


def reliability_page(path: Path) -> Markup:
    """The whole page, from ``reliability.json``; raises StudyError where the file is damaged."""
    held = read_json(path, "measure again with make fuzz and make torture")
    try:
        sections = [_section(held[name], facts) for name, facts in PARTS.items() if name in held]
    except (KeyError, TypeError, ValueError) as error:
        raise StudyError(
            f"{path} lacks something ({error}): measure again with make fuzz and make torture"
        ) from None
    return fill(
        "reliability",
        title="Reliability",
        lede="What was tried to make the program fail, and how often it did.",
        sections=sections,
        links=links(INDEX, RELIABILITY),
    )


def _section(held: dict, facts: dict) -> dict:
    import pandas

    first, *heads = facts["heads"]
    rows = {
        name: [int(counts[column]) for column in facts["columns"]]
        for name, counts in held[facts["rows"]].items()
    }
    frame = pandas.DataFrame.from_dict(rows, orient="index", columns=heads)
    frame.loc["all"] = frame.sum()
    frame.index.name = first
    caption = f"{facts['title']}: {frame.loc['all', heads[0]]:,} in all."
    kept = {key: facts[key] for key in ("title", "about", "command")}
    return kept | {"date": str(held["date"]), "table": table_html(frame, caption, decimals=0)}
