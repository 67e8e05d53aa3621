"""Reading the lists and Matlab files of datasets.

Errors are StudyErrors of one sentence that ends with ``remedy``, which says how to correct them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.io import loadmat

from dvelib.common.errors import StudyError

__all__ = ["check_finite", "check_lengths", "numbers", "read_lines", "read_mat", "read_text"]


def read_text(path: Path, remedy: str) -> str:
    """The text of a file."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = _reason(error, path)
        raise StudyError(f"{path} cannot be read as text ({reason}): {remedy}") from None


def read_lines(path: Path, remedy: str) -> list[str]:
    """The non-empty lines of a list, stripped, with slashes between folders."""
    lines = read_text(path, remedy).splitlines()
    return [line.strip().replace("\\", "/") for line in lines if line.strip()]


def read_mat(path: Path, fields: Sequence[str], remedy: str) -> list[np.ndarray]:
    """These fields of a Matlab file."""
    try:
        stored = loadmat(path)
    except Exception as error:  # scipy raises almost anything on a file of another kind
        reason = _reason(error, path)
        raise StudyError(f"{path} cannot be read as a Matlab file ({reason}): {remedy}") from None
    for field in fields:
        if field not in stored:
            found = ", ".join(name for name in stored if not name.startswith("_")) or "nothing"
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


def _reason(error: Exception, path: Path) -> str:
    return " ".join(str(error).split()).replace(str(path), "the file")
