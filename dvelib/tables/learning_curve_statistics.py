"""How errors and effects change with the number of training pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from dvelib.evaluation.intervals import uncertainty
from dvelib.study.plan import Row
from dvelib.study.profiles import RowSpec
from dvelib.tables.effects import BASELINE, row_pairs
from dvelib.tables.results import Trend
from dvelib.tables.statistics import Statistics

__all__ = ["ERROR", "LATEST", "fit_line", "measure_trends"]

LATEST = 3  # a trend is fitted to so many lengths of training, the longest ones
ERROR = "error"  # a trend of an error itself


def measure_trends(rows: Sequence[Row], statistics: Statistics) -> tuple[Trend, ...]:
    """The trend of every row's errors, and of every effect, over the longest trainings.

    Rows differ by pairs, and by what `dvelib.tables.effects.row_pairs` compares.
    """
    run = {row.label: row for row in rows if row.embeddings}
    lengths = sorted({row.spec.pairs for row in run.values()})[-LATEST:]
    if len(lengths) < 2:
        return ()
    latest = [row for row in run.values() if row.spec.pairs in lengths]
    return tuple(
        _trend(what, firsts, seconds, measure.name, statistics)
        for what, firsts, seconds in _series([row.spec for row in latest], lengths)
        for measure in statistics.measures
    )


def _series(
    rows: Sequence[RowSpec], lengths: Sequence[int]
) -> Iterator[tuple[str, list[RowSpec], list[RowSpec]]]:
    """What is compared, with its first and its second rows in the order of ``lengths``."""
    found: dict[tuple[str, str, str], list[tuple[RowSpec | None, RowSpec]]] = {}
    compared = [(what, a, b) for what, a, b in row_pairs(rows) if what != "pairs"]
    alone = [(what, None, row) for what in (BASELINE, ERROR) for row in rows]
    for what, first, second in compared + alone:
        key = what, _without_pairs(first), _without_pairs(second)
        found.setdefault(key, []).append((first, second))
    for (what, _, _), pairs in found.items():
        if len(pairs) == len(lengths):
            pairs.sort(key=lambda pair: pair[1].pairs)
            yield what, [first for first, _ in pairs], [second for _, second in pairs]


def _without_pairs(row: RowSpec | None) -> str:
    return "" if row is None else row.label_without_pairs


def _trend(
    what: str,
    firsts: Sequence[RowSpec | None],
    seconds: Sequence[RowSpec],
    measure: str,
    statistics: Statistics,
) -> Trend:
    values = [
        _values(what, first, second, measure, statistics)
        for first, second in zip(firsts, seconds, strict=True)
    ]
    lengths = [second.pairs for second in seconds]
    level, slope, low, high = fit_line(lengths, values)
    last = seconds[-1]
    return Trend(
        compares=what,
        measure=measure,
        first=_without_pairs(firsts[-1]) or statistics.baseline_of(measure),
        second=_without_pairs(last),
        architecture=last.architecture,
        dimension=last.dimension,
        exchange=last.exchange,
        pairs=tuple(lengths),
        level=level,
        slope=slope,
        low=low,
        high=high,
    )


def _values(
    what: str, first: RowSpec | None, second: RowSpec, measure: str, statistics: Statistics
) -> pd.DataFrame:
    """The error or the effect of each unit and seed: ``[units, seeds]``."""
    errors = statistics.unit_errors(second.label, measure)
    if what == ERROR:
        return errors
    if first is None:
        return statistics.baseline_errors(second.label, measure) - errors
    return statistics.unit_errors(first.label, measure) - errors


def fit_line(
    pairs: Sequence[int], values: Sequence[pd.DataFrame]
) -> tuple[float, float, float, float]:
    """The least-squares line of a mean against the base-2 logarithm of the number of pairs.

    ``values``: ``[units, seeds]`` at each of ``pairs``, on the same units. A slope is linear in the
    values, so its interval is that of the mean of every unit's own slope. Units with a NaN are
    left out.
    Returns the line at the last of ``pairs``, its slope for twice as many, and the ends of the
    slope's 95 % interval.
    """
    x = np.log2(np.asarray(pairs, float))
    weights = (x - x.mean()) / np.square(x - x.mean()).sum()
    stacked = np.stack([frame.to_numpy() for frame in values])  # [lengths,units,seeds]
    stacked = stacked[:, ~np.isnan(stacked).any(axis=(0, 2))]
    slopes = np.tensordot(weights, stacked, 1)
    slope = float(slopes.mean())
    low, high = uncertainty(pd.DataFrame(slopes))
    level = float(stacked.mean()) + slope * (x[-1] - x.mean())
    return level, slope, low, high
