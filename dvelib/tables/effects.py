"""Differences of error between two rows of a table.

An effect is the error of the first row less that of the second: above zero, the second is better.
Which rows are compared follows from the table alone. So a profile that runs few rows still records
which effects it does not measure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby

import pandas as pd

from dvelib.evaluation.intervals import uncertainty
from dvelib.evaluation.matching_errors import COSINE, SETTINGS
from dvelib.study.plan import Row
from dvelib.study.profiles import RowSpec
from dvelib.tables.matching_statistics import MatchingStatistics
from dvelib.tables.measures import matching_measure
from dvelib.tables.results import Effect, EffectNumbers
from dvelib.tables.statistics import Statistics

__all__ = [
    "BASELINE",
    "EMBEDDING",
    "PRODUCTS",
    "change_text",
    "effects_frame",
    "measure_effect",
    "product_effects",
    "row_pairs",
    "table_effects",
]

# What two rows may differ by, and the value that the first of them has.
COMPARED = {"exchange": False, "finetuned": False, "architecture": "smallnet"}
# Numbers that two rows may differ by: the row with the smallest is compared with the others.
GROWING = ("dimension", "annotations", "pairs")
BASELINE, EMBEDDING, PRODUCTS = "baseline", "embedding", "products"
# What changes from the first row to the second; see `change_text` for the others.
CHANGES = {
    "exchange": "exchange",
    "finetuned": "fine-tuning",
    PRODUCTS: "cosine in place of raw products",
    "architecture": "an hourglass in place of a SmallNet",
}
NUMBERS = ["before", "after", "effect", "low", "high"]


def row_pairs(rows: Sequence[RowSpec]) -> Iterator[tuple[str, RowSpec, RowSpec]]:
    """What is compared, and the two rows: those that differ by one thing alone.

    Rows of few annotated images are also compared with the table's first embedding, which may
    differ by more than one thing.
    """
    for what, first in COMPARED.items():
        yield from _pairs(rows, what, lambda value, first=first: value != first)
    for what in GROWING:
        yield from _pairs(rows, what, lambda value: value or 0)
    yield from _pairs(rows, "recipe", lambda _: 0)  # the table's first recipe with the others
    few = [row for row in rows if row.annotations]
    for _, same in groupby(sorted(few, key=lambda row: row.annotations), lambda r: r.annotations):
        first, *others = same
        yield from ((EMBEDDING, first, other) for other in others)


def _pairs(
    rows: Sequence[RowSpec], what: str, order: Callable[[object], object]
) -> Iterator[tuple[str, RowSpec, RowSpec]]:
    """Among rows equal in all but ``what``, the one that comes first in that, with the others."""
    alike: dict[str, list[RowSpec]] = {}
    for row in rows:
        alike.setdefault(row.model_dump_json(exclude={"published", what}), []).append(row)
    for group in alike.values():
        first, *others = sorted(group, key=lambda row: order(getattr(row, what)))
        yield from ((what, first, other) for other in others)


def table_effects(rows: Sequence[Row], statistics: Statistics) -> tuple[Effect, ...]:
    """Effects between the rows of a table, and of each row beside the baseline, by measure."""
    by_label = {row.label: row for row in rows}
    pairs = [
        (what, by_label[first.label], by_label[second.label])
        for what, first, second in row_pairs([row.spec for row in rows])
    ]
    pairs += [(BASELINE, None, row) for row in rows]
    return tuple(
        _table_effect(what, first, second, measure.name, statistics)
        for what, first, second in pairs
        for measure in statistics.measures
    )


def _table_effect(
    what: str, first: Row | None, second: Row, measure: str, statistics: Statistics
) -> Effect:
    has_results = all(row.embeddings for row in (first, second) if row)
    printed = [row.published.get(measure) if row else None for row in (first, second)]
    measured = None
    if has_results:
        after = statistics.unit_errors(second.label, measure)
        measured = (
            measure_effect(statistics.unit_errors(first.label, measure), after)
            if first
            else measure_effect(statistics.baseline_errors(second.label, measure), after)
        )
    shared = first or second
    return Effect(
        compares=what,
        measure=measure,
        first=first.label if first else statistics.baseline_of(measure),
        second=second.label,
        shared=shared.spec.label_without_exchange if what == "exchange" else shared.label,
        published=None if None in printed else printed[0] - printed[1],
        measured=measured,
    )


def product_effects(rows: Sequence[Row], statistics: MatchingStatistics) -> tuple[Effect, ...]:
    """Errors by raw products less errors by cosine, on the cells of the published protocol."""
    return tuple(
        Effect(
            compares=PRODUCTS,
            measure=setting,
            first=row.label,
            second=row.label,
            shared=row.label,
            published=None,
            measured=_product_effect(row.label, setting, statistics) if row.embeddings else None,
        )
        for row in rows
        for setting in SETTINGS
    )


def _product_effect(label: str, setting: str, statistics: MatchingStatistics) -> EffectNumbers:
    raw, cosine = (
        statistics.unit_errors(label, measure.name)
        for measure in (matching_measure(setting), matching_measure(setting, COSINE))
    )
    return measure_effect(raw, cosine)


def measure_effect(first: pd.DataFrame, second: pd.DataFrame) -> EffectNumbers:
    """The difference between errors of the same units and seeds, and its 95 % interval.

    Both ``[units, seeds]``; units with NaN are left out of the interval.
    """
    gap = first - second
    low, high = uncertainty(gap.dropna())
    return EffectNumbers(
        before=float(first.mean().mean()),
        after=float(second.mean().mean()),
        effect=float(gap.mean().mean()),
        low=low,
        high=high,
        seeds=gap.shape[1],
    )


def effects_frame(
    effects: Iterable[Effect], rows: Sequence[Row], compares: Sequence[str]
) -> pd.DataFrame:
    """The effects of these kinds that were measured, a line each, for a table of a notebook.

    Index: the change, the embedding before it, and the measure. Columns: the errors before and
    after the change, the effect, and the ends of its interval.
    """
    by_label = {row.label: row for row in rows}
    found = [e for e in effects if e.measured and e.compares in compares]
    found.sort(key=lambda effect: compares.index(effect.compares))
    lines = {
        (change_text(effect, by_label), effect.shared, effect.measure): effect.measured.model_dump(
            include=set(NUMBERS)
        )
        for effect in found
    }
    index = pd.MultiIndex.from_tuples(lines, names=["change", "embedding", "measure"])
    return pd.DataFrame(list(lines.values()), index, NUMBERS)


def change_text(effect: Effect, rows: Mapping[str, Row]) -> str:
    """How the second row of an effect differs from the first, as a noun: "exchange".

    ``rows``: by label.
    """
    if effect.compares in CHANGES:
        return CHANGES[effect.compares]
    first, second = (rows[label].spec for label in (effect.first, effect.second))
    if effect.compares == "dimension":
        return f"going from {first.dimension} to {second.dimension} dimensions"
    if effect.compares == "annotations":
        return f"going from {first.annotations} to {second.annotations} annotated images"
    return f"{second.embedding_label} as the embedding"
