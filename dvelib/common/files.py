"""Where the project's files lie, and writing files atomically: complete, or not at all.

In a checkout, the notebooks, the parameter files and the Snakefile lie at its top. An installed
wheel holds copies of them inside the package.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

__all__ = [
    "FAILURE",
    "IN_CHECKOUT",
    "ROOT",
    "atomic_path",
    "outputs_folder",
    "read_json",
    "record_failure",
    "work_folder",
    "write_json",
]

_PACKAGE = Path(__file__).resolve().parents[1]
_IN_WHEEL = _PACKAGE / "resources"  # pyproject.toml puts the copies there
IN_CHECKOUT = not _IN_WHEEL.is_dir()
ROOT = _PACKAGE.parent if IN_CHECKOUT else _IN_WHEEL  # holds notebooks, params and the Snakefile
FAILURE = "failure.json"


def work_folder() -> Path:
    """The folder that a user works in: the checkout, or else the current folder.

    From a folder named ``notebooks``, where JupyterLab runs a notebook, it is the folder above.
    """
    if IN_CHECKOUT:
        return ROOT
    here = Path.cwd()
    return here.parent if here.name == "notebooks" else here


def outputs_folder() -> Path:
    """Where results go unless the user says otherwise: ``outputs`` in the work folder."""
    return work_folder() / "outputs"


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


def record_failure(folder: Path, what: str, message: str) -> None:
    """Write ``failure.json``, shown on the site's index: what failed, the message and the time."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / FAILURE, {"what": what, "message": message, "when": when})


def read_json(path: Path) -> dict:
    return json.loads(path.read_text())
