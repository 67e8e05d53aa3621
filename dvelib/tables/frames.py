"""Frames of several kinds of tables, in the forms that figures and pages take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from dvelib.tables.results import Number

__all__ = ["error_bars", "grouped"]


def error_bars(errors: Iterable[tuple[str, str, Number, float | None]]) -> pd.DataFrame:
    """A frame for `dvelib.plots.error_bars`: label, setting, error, low, high, kind.

    ``errors``: label, setting, our number and the paper's error, None where it prints none.
    """
    lines = []
    for label, setting, ours, paper in errors:
        lines.append((label, setting, ours.mean, ours.low, ours.high, "ours"))
        if paper:
            lines.append((label, setting, paper, paper, paper, "paper"))
    columns = ["label", "setting", "error", "low", "high", "kind"]
    return pd.DataFrame(lines, columns=columns)


def grouped(lines: Mapping[str, Mapping[tuple[str, str], object]]) -> pd.DataFrame:
    """Lines by label as a frame with columns of two levels, in the order in which they occur."""
    columns = dict.fromkeys(key for line in lines.values() for key in line)
    frame = pd.DataFrame.from_dict(dict(lines), orient="index")
    return frame.reindex(columns=pd.MultiIndex.from_tuples(columns))
