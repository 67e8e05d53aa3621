"""What the notebook of recipes shows: what each recipe changes, costs and buys."""

from __future__ import annotations

import pandas as pd

from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.study.plan import Row
from dvelib.tables.frames import error_bars, grouped
from dvelib.tables.matching_table import MatchingTable
from dvelib.tables.measures import matching_measure

__all__ = ["comparison", "error_and_time", "headline", "recipes"]

ACROSS = matching_measure(SETTINGS[1], PROTOCOLS[1]).name
WITHIN = matching_measure(SETTINGS[0], PROTOCOLS[1]).name


def recipes(table: MatchingTable) -> pd.DataFrame:
    """How each recipe trains, in words, by its name."""
    texts = {row.spec.recipe: _spec(table, row).recipe for row in table.rows_with_results}
    return pd.DataFrame({"training": texts}).rename_axis("recipe")


def headline(table: MatchingTable) -> str:
    """The recipe with the smallest error across identities, in a sentence."""
    rows = table.rows_with_results
    errors = {row.spec.recipe: table.statistics.number(row.label, ACROSS).mean for row in rows}
    best, base = min(errors, key=errors.get), rows[0].spec.recipe
    return (
        f"Lowest error across identities: {best}, {errors[best]:.2f} px; the first recipe, {base}, "
        f"{errors[base]:.2f} px (full resolution)."
    )


def comparison(table: MatchingTable) -> pd.DataFrame:
    """Cost, errors at full resolution and effect beside the first recipe, a line for each recipe.

    The effect is the first recipe's error across identities less this one's: above zero, this one
    is better. Then a line for each answer that needs no network.
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
    columns = {ACROSS: "across identities", WITHIN: "within an identity"}
    for reference in table.statistics.references():
        if reference.measure in columns:
            line = lines.setdefault(reference.name.capitalize(), {})
            line[columns[reference.measure], "error"] = reference.mean
    return grouped(lines).rename_axis("recipe")


def error_and_time(table: MatchingTable) -> pd.DataFrame:
    """Errors across identities by recipe and time, for `dvelib.plots.error_bars`."""
    return error_bars(
        (
            f"{row.spec.recipe} ({_seconds(table, row):.0f} s)",
            "different identity",
            table.statistics.number(row.label, ACROSS),
            None,
        )
        for row in table.rows_with_results
    )


def _spec(table: MatchingTable, row: Row) -> EmbeddingSpec:
    return table.first_seed[row.label].spec


def _seconds(table: MatchingTable, row: Row) -> float:
    """Mean time of one training over the seeds."""
    made = [embedding.provenance["seconds"] for embedding in table.embeddings[row.label]]
    return sum(made) / len(made)
