"""What the notebook of the learning curve shows: frames, and sentences about them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from dvelib.tables.learning_curve_statistics import ERROR
from dvelib.tables.learning_curve_table import LearningCurveTable
from dvelib.tables.results import Trend

__all__ = [
    "MEASURES",
    "comparison",
    "crossings",
    "curves",
    "headline",
    "longest_trainings",
    "printed",
    "reach",
    "reached",
    "trends_frame",
]

# The measures that are drawn, by name, with the titles of their panels.
MEASURES = {
    "different-identity, full resolution": "across identities (px)",
    "same-identity, full resolution": "within an identity (px)",
    "iod": "landmarks (% of inter-ocular distance)",
}
# The paper prints no errors at full resolution: its end points are by its own protocol.
PRINTED = {
    "different-identity, full resolution": "different-identity",
    "same-identity, full resolution": "same-identity",
    "iod": "iod",
}
FARTHEST = 2**30  # pairs: a line is followed no further


def curves(table: LearningCurveTable) -> pd.DataFrame:
    """label, dimension, exchange, measure, pairs, error, low, high: a line for each point."""
    lines = []
    for row in table.rows_with_results:
        spec = row.spec
        label = spec.label_without_pairs
        for measure, title in MEASURES.items():
            number = table.statistics.number(row.label, measure)
            about = (label, spec.dimension, spec.exchange, title, spec.pairs)
            lines.append((*about, number.mean, number.low, number.high))
    columns = ["label", "dimension", "exchange", "measure", "pairs", "error", "low", "high"]
    return pd.DataFrame(lines, columns=columns)


def printed(table: LearningCurveTable) -> pd.DataFrame:
    """label, dimension, exchange, measure, error: the paper's errors after its whole training."""
    lines = {}
    for row in table.rows_with_results:
        label = row.spec.label_without_pairs
        for measure, title in MEASURES.items():
            if (error := row.published.get(PRINTED[measure])) is not None:
                lines[label, row.spec.dimension, row.spec.exchange, title] = error
    columns = ["label", "dimension", "exchange", "measure", "error"]
    return pd.DataFrame([(*key, error) for key, error in lines.items()], columns=columns)


def headline(table: LearningCurveTable) -> str:
    """From how many pairs on exchange has the lower error across identities, in a sentence."""
    across = crossings(table).iloc[-1]
    first, *_, last = table.pairs
    return (
        f"At {across.name} dimensions exchange has the lower error across identities "
        f"{across.iloc[0]} (measured from {first:,} to {last:,} pairs)."
    )


def comparison(table: LearningCurveTable) -> pd.DataFrame:
    """Errors by measure and number of pairs, a line for each embedding.

    Then a line for each answer that needs no network; its error is the same at all lengths.
    """
    points = curves(table)[["label", "measure", "pairs", "error"]]
    answers = [
        (reference.name.capitalize(), MEASURES[reference.measure], pairs, reference.mean)
        for reference in table.statistics.references()
        if reference.measure in MEASURES
        for pairs in table.pairs
    ]
    points = pd.concat([points, pd.DataFrame(answers, columns=points.columns)])
    wide = points.pivot_table("error", index="label", columns=["measure", "pairs"], sort=False)
    columns = [(title, pairs) for title in MEASURES.values() for pairs in table.pairs]
    return wide[columns].rename(columns=lambda c: f"{c:,}" if isinstance(c, int) else c)


def crossings(table: LearningCurveTable) -> pd.DataFrame:
    """From how many pairs on exchange has the lower error, by dimension and measure, in words."""
    cells: dict[int, dict[str, str]] = {}
    for (dimension, measure), part in curves(table).groupby(["dimension", "measure"], sort=False):
        by_pairs = part.pivot_table("error", index="pairs", columns="exchange")
        if set(by_pairs.columns) == {False, True}:
            gap = by_pairs[False] - by_pairs[True]
            cells.setdefault(dimension, {})[measure] = _crossing(gap)
    return pd.DataFrame.from_dict(cells, orient="index").rename_axis("dimension")


def _crossing(gap: pd.Series) -> str:
    """Where the error without exchange less that with it changes its sign for the last time."""
    pairs, values = gap.index.to_numpy(), gap.to_numpy()
    better = values > 0
    if better.all():
        return f"at all lengths, from {pairs[0]:,} pairs on"
    if not better[-1]:
        return f"not up to {pairs[-1]:,} pairs"
    last = int(np.flatnonzero(~better)[-1])
    x = np.log2(pairs[last : last + 2].astype(float))
    share = -values[last] / (values[last + 1] - values[last])
    return f"from about {_rounded(2 ** (x[0] + share * (x[1] - x[0]))):,} pairs on"


def trends_frame(table: LearningCurveTable, compares: str) -> pd.DataFrame:
    """second row, measure, value at the end, change for twice the pairs, low, high."""
    lines = [
        (t.second, MEASURES[t.measure], t.level, t.slope, t.low, t.high)
        for t in table.trends
        if t.compares == compares and t.measure in MEASURES
    ]
    columns = ["embedding", "measure", "at the end", "change per doubling", "low", "high"]
    return pd.DataFrame(lines, columns=columns).set_index(["embedding", "measure"])


def reached(table: LearningCurveTable, targets: dict[str, float]) -> pd.DataFrame:
    """When the line through the latest errors of each embedding would reach a target, in words.

    ``targets``: by measure. The line is a straight one against the logarithm of the pairs, so the
    answer is an extrapolation.
    """
    lines = {(t.second, MEASURES[t.measure]): text for t, text in _reached(table, targets)}
    index = pd.MultiIndex.from_tuples(lines, names=["embedding", "measure"])
    return pd.DataFrame({"reaches the target": lines.values()}, index=index)


def _reached(table: LearningCurveTable, targets: dict[str, float]) -> Iterator[tuple[Trend, str]]:
    for trend in table.trends:
        if trend.compares == ERROR and trend.measure in targets:
            yield trend, f"{targets[trend.measure]:g}: {reach(trend, targets[trend.measure])}"


def reach(trend: Trend, target: float) -> str:
    """When the line of an error comes down to a target, in words."""
    end = trend.pairs[-1]
    if trend.level <= target:
        return f"reached by {end:,} pairs"
    if trend.high >= 0:
        return f"no end in sight: the error does not surely fall at {end:,} pairs"
    doublings = (target - trend.level) / trend.slope
    if end * 2**doublings > FARTHEST:
        return f"not within {FARTHEST:,} pairs"
    return f"about {_rounded(end * 2**doublings):,} pairs"


def longest_trainings(table: LearningCurveTable) -> dict[str, pd.DataFrame]:
    """By label, the losses of the longest training of each embedding."""
    return {
        row.label: table.first_seed[row.label].history
        for row in table.rows_with_results
        if row.spec.pairs == table.pairs[-1]
    }


def _rounded(pairs: float) -> int:
    """To two digits."""
    scale = 10 ** (math.floor(math.log10(pairs)) - 1)
    return round(pairs / scale) * scale
