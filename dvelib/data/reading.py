"""Reading the lists and Matlab files of datasets.

Errors are StudyErrors of one sentence that ends with ``remedy``, which says how to correct them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from dvelib.common.errors import StudyError
from dvelib.common.files import read_file
from dvelib.data.matlab import Cells, Structure, parse_mat

__all__ = [
    "check_finite",
    "check_lengths",
    "check_names",
    "numbers",
    "read_lines",
    "read_mat",
    "read_text",
]

LONGEST_PATH, LONGEST_NAME = 1_000, 255  # characters; file systems allow no more


def read_text(path: Path, remedy: str) -> str:
    """The text of a file."""
    try:
        return read_file(path, remedy).decode("utf-8")
    except UnicodeDecodeError as error:
        raise StudyError(f"{path} cannot be read as text ({error}): {remedy}") from None


def read_lines(path: Path, remedy: str) -> list[str]:
    """The non-empty lines of a list, stripped, with slashes between folders.

    Raises StudyError for a line that cannot be the name of a file.
    """
    lines = [line.strip().replace("\\", "/") for line in read_text(path, remedy).splitlines()]
    lines = [line for line in lines if line]
    check_names(lines, path, remedy)
    return lines


def check_names(names: Iterable[str], path: Path, remedy: str) -> None:
    """Raises StudyError naming the first that cannot be the path of a file inside a folder."""
    for name in names:
        parts = name.split("/")
        if "\0" in name or len(name) > LONGEST_PATH or max(map(len, parts)) > LONGEST_NAME:
            raise StudyError(f"{path} names {name[:80]!r}, which no file can be called: {remedy}")
        if ".." in parts or name.startswith("/"):
            raise StudyError(f"{path} names {name[:80]!r}, which is outside its folder: {remedy}")


def read_mat(
    path: Path, fields: Sequence[str], remedy: str
) -> list[np.ndarray | str | Cells | Structure]:
    """These fields of a Matlab file; see `dvelib.data.matlab` for cells and structures."""
    try:
        stored = parse_mat(read_file(path, remedy))
    except (ValueError, OverflowError, MemoryError) as error:
        if isinstance(error, StudyError):
            raise
        raise StudyError(f"{path} cannot be read as a Matlab file ({error}): {remedy}") from None
    for field in fields:
        if field not in stored:
            found = ", ".join(stored) or "nothing"
            raise StudyError(f"{path} has no field {field}, it holds {found}: {remedy}")
    return [stored[field] for field in fields]


def check_lengths(names: Path, count: int, others: Mapping[str, int], remedy: str) -> None:
    """Raises StudyError if another file has more or fewer entries than the list has images."""
    for other, length in others.items():
        if length != count:
            raise StudyError(f"{names} names {count} images, and {other} holds {length}: {remedy}")


def numbers(
    columns: pd.DataFrame, files: Sequence[str], path: Path, what: str, remedy: str
) -> np.ndarray:
    """Columns of a list as numbers ``[N,columns]``; ``files``: image names for the errors."""
    values = columns.apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    check_finite(values, files, path, what, remedy)
    return values


def check_finite(
    values: np.ndarray, files: Sequence[str], path: Path, what: str, remedy: str
) -> None:
    """Raises StudyError naming the first image with a value ``[N,...]`` that is not finite."""
    bad = ~np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if bad.any():
        name = list(files)[bad.argmax()]
        raise StudyError(f"{path}: {name} has a {what} that is not a number: {remedy}")
