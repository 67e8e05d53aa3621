"""Writing what the fuzzer and the killer measured, for the page on reliability."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from dvelib.common.files import read_json, write_json


def record(path: Path, part: str, facts: dict) -> None:
    """Put the facts of one part, with today's date, into a JSON file beside those of the others."""
    held = read_json(path) if path.exists() else {}
    date = datetime.now(UTC).date().isoformat()
    write_json(path, held | {part: {"date": date, **facts}})
