"""What the notebook of recipes shows: what each recipe changes, costs and buys."""

from __future__ import annotations

import pandas as pd

from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.study.plan import Row
from dvelib.tables.matching_table import MatchingTable
from dvelib.tables.measures import matching_measure

__all__ = ["ACROSS", "best", "comparison", "error_and_time", "recipes"]

ACROSS = matching_measure(SETTINGS[1], PROTOCOLS[1]).name
WITHIN = matching_measure(SETTINGS[0], PROTOCOLS[1]).name


def recipes(table: MatchingTable) -> pd.DataFrame:
    """How each recipe trains, in words, by its name."""
    texts = {row.spec.recipe: _spec(table, row).recipe for row in table.rows_with_results}
    return pd.DataFrame({"training": texts}).rename_axis("recipe")


def comparison(table: MatchingTable) -> pd.DataFrame:
    """Cost, errors at full resolution and effect beside the first recipe, a line for each recipe.

    The effect is the first recipe's error across identities less this one's: above zero, this one
    is better.
    """
    effects = {e.second: e for e in table.effects if (e.compares, e.measure) == ("recipe", ACROSS)}
    lines = {}
    for row in table.rows_with_results:
        across, within = (table.statistics.number(row.label, m) for m in (ACROSS, WITHIN))
        line = {
            ("training", "pairs"): _spec(table, row).steps * _spec(table, row).batch,
            ("training", "seconds"): _seconds(table, row),
            ("across identities", "error"): across.mean,
            ("across identities", "spread over seeds"): across.spread,
            ("within an identity", "error"): within.mean,
        }
        if row.label in effects and (measured := effects[row.label].measured):
            for key in ("effect", "low", "high"):
                line["beside the first recipe", key] = getattr(measured, key)
        lines[row.spec.recipe] = line
    frame = pd.DataFrame.from_dict(lines, orient="index").rename_axis("recipe")
    frame.columns = pd.MultiIndex.from_tuples(frame.columns)
    return frame


def error_and_time(table: MatchingTable) -> pd.DataFrame:
    """label, setting, error, low, high, kind: for `dvelib.plots.error_bars`."""
    lines = []
    for row in table.rows_with_results:
        number = table.statistics.number(row.label, ACROSS)
        label = f"{row.spec.recipe} ({_seconds(table, row):.0f} s)"
        lines.append((label, "different identity", number.mean, number.low, number.high, "ours"))
    columns = ["label", "setting", "error", "low", "high", "kind"]
    return pd.DataFrame(lines, columns=columns)


def best(table: MatchingTable) -> str:
    """The recipe with the smallest error across identities."""
    rows = table.rows_with_results
    return min(rows, key=lambda r: table.statistics.number(r.label, ACROSS).mean).spec.recipe


def _spec(table: MatchingTable, row: Row) -> EmbeddingSpec:
    return table.first_seed[row.label].spec


def _seconds(table: MatchingTable, row: Row) -> float:
    """Mean time of one training over the seeds."""
    made = [embedding.provenance["seconds"] for embedding in table.embeddings[row.label]]
    return sum(made) / len(made)
