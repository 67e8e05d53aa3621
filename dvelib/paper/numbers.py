"""What was published: every number (``published.json`` beside this file), settings and weights."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from dvelib.common.errors import StudyError

__all__ = ["published_experiments", "published_numbers", "published_tables"]


@cache
def published_tables() -> dict[str, dict]:
    """All published tables by their key: heading and rows."""
    return json.loads((Path(__file__).parent / "published.json").read_text())["tables"]


def published_numbers(table: str) -> dict[str, dict[str, float]]:
    """By experiment, the numbers that the published table prints.

    Raises StudyError for a table that was not published.
    """
    tables = published_tables()
    if table not in tables:
        raise StudyError(f"there is no published table {table!r}: choose among {', '.join(tables)}")
    return {row["experiment"]: row["readme"] for row in tables[table]["rows"]}


@cache
def published_experiments() -> dict[str, dict[str, float]]:
    """The printed numbers of every experiment, whichever tables print it."""
    return {
        name: numbers
        for table in published_tables()
        for name, numbers in published_numbers(table).items()
    }
