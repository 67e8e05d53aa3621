"""Atomic writing of files: a file appears under its name only once it is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

__all__ = ["FAILURE", "ROOT", "atomic_path", "read_json", "record_failure", "write_json"]


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``; renamed to ``path`` when the block ends without error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write readable JSON atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


ROOT = Path(__file__).resolve().parents[2]  # of the checkout: params, notebooks, outputs
FAILURE = "failure.json"


def record_failure(folder: Path, what: str, message: str) -> None:
    """Write ``failure.json``, shown on the site's index: what failed, the message and the time."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / FAILURE, {"what": what, "message": message, "when": when})


def read_json(path: Path) -> dict:
    return json.loads(path.read_text())
