"""What changes from one row of a table to another: one form for all effects shown and claimed.

An effect is the error of the first less the error of the second: above zero, the second is
better. Which rows are compared follows from the table alone, so that a profile that runs few of
them still says which effects it does not measure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import groupby

import pandas as pd

from dvelib.evaluation.intervals import uncertainty
from dvelib.study.profiles import RowSpec

__all__ = ["BASELINE", "EMBEDDING", "NOT_RUN", "PRODUCTS", "effect", "readable", "row_pairs"]

# What two rows may differ by, and what the first of them has.
COMPARED = {"exchange": False, "finetuned": False, "architecture": "smallnet"}
# Compared with the smallest of the table.
GROWING = ("dimension", "annotations")
BASELINE, EMBEDDING, PRODUCTS = "baseline", "embedding", "products"
# How a page names the first and the second of what is compared.
WORDS = {
    "exchange": ("without", "with"),
    "finetuned": ("before", "after"),
    PRODUCTS: ("raw", "cosine"),
}
NUMBERS = ("before", "after", "effect", "low", "high", "seeds")
NOT_RUN = dict.fromkeys(NUMBERS)


def row_pairs(rows: Sequence[RowSpec]) -> Iterator[tuple[str, RowSpec, RowSpec]]:
    """What is compared, and the two rows: those that differ by one thing alone.

    Rows of few annotated images are compared with the table's first embedding, too, which
    differs by more than one thing.
    """
    for what, first in COMPARED.items():
        yield from _pairs(rows, what, lambda value, first=first: value != first)
    for what in GROWING:
        yield from _pairs(rows, what, lambda value: value or 0)
    few = [row for row in rows if row.annotations]
    for _, same in groupby(sorted(few, key=lambda row: row.annotations), lambda r: r.annotations):
        first, *others = same
        yield from ((EMBEDDING, first, other) for other in others)


def _pairs(rows, what, order) -> Iterator[tuple[str, RowSpec, RowSpec]]:
    """Among rows equal in all but ``what``, the one that comes first in that, with the others."""
    alike: dict[str, list[RowSpec]] = {}
    for row in rows:
        alike.setdefault(row.model_dump_json(exclude={"published", what}), []).append(row)
    for group in alike.values():
        first, *others = sorted(group, key=lambda row: order(getattr(row, what)))
        yield from ((what, first, other) for other in others)


def effect(first: pd.DataFrame, second: pd.DataFrame) -> dict[str, float | int]:
    """Errors of the same units and seeds before and after, their difference and its interval.

    Both ``[units, seeds]``.
    """
    gap = first - second
    low, high = uncertainty(gap.dropna())
    return {
        "before": float(first.mean().mean()),
        "after": float(second.mean().mean()),
        "effect": float(gap.mean().mean()),
        "low": low,
        "high": high,
        "seeds": gap.shape[1],
    }


def readable(
    effects: Sequence[dict],
    dimensions: Mapping[str, int],
    compares: str,
    measures: Collection[str],
) -> pd.DataFrame:
    """The recorded effects of one kind that were measured, a line each, as a page shows them.

    ``dimensions``: by label of a row. Columns embedding, dimension, measure, two that `WORDS`
    names, effect, low, high.
    """
    lines = [
        (_name(line), dimensions[line["second"]], line["measure"])
        + tuple(line[key] for key in NUMBERS if key != "seeds")
        for line in effects
        if line["compares"] == compares and line["measure"] in measures and line["seeds"]
    ]
    columns = ["embedding", "dimension", "measure", *WORDS[compares], "effect", "low", "high"]
    return pd.DataFrame(lines, columns=columns)


def _name(line: dict) -> str:
    """What both rows of an effect are."""
    first = line["first"]
    return first.replace(" without exchange", "") if line["compares"] == "exchange" else first
