"""What a notebook shows of a table of matching errors: frames and pictures' contents."""

from __future__ import annotations

import pandas as pd
import torch

from dvelib.evaluation.examples import example_images
from dvelib.evaluation.matching_errors import COSINE, PROTOCOLS, SETTINGS
from dvelib.study.plan import Row
from dvelib.tables.frames import error_bars, grouped
from dvelib.tables.matching_statistics import REFERENCES
from dvelib.tables.matching_table import MatchingTable
from dvelib.tables.measures import matching_measure
from dvelib.tables.sentences import change_sentences, numbers_text, verb

__all__ = ["comparison", "descriptor_maps", "finding_bars", "headline", "protocol_bars"]

WITHIN, ACROSS = SETTINGS
PUBLISHED, FULL = PROTOCOLS


def headline(table: MatchingTable) -> str:
    """The finding in sentences: what the table's first change does, and the best embedding."""
    if COSINE in table.protocols:
        return _raw_and_cosine(table)
    effects = table.main_effects(matching_measure(ACROSS, FULL).name)
    changes = change_sentences(table, effects, "error across identities")
    errors = {
        row.label: table.statistics.mean(row.label, FULL, ACROSS) for row in table.rows_with_results
    }
    best = min(errors, key=errors.get)
    place = table.statistics.reference(FULL, ACROSS, REFERENCES[-1])
    return (
        f"{changes} Best: {best}, {errors[best]:.2f} px, where answering the same place errs by "
        f"{place:.2f} px (full resolution)."
    ).strip()


def _raw_and_cosine(table: MatchingTable) -> str:
    """What fine-tuning does within an identity, by raw products and by cosine."""
    raw, cosine = (
        table.main_effects(matching_measure(WITHIN, protocol).name)[:1]
        for protocol in (PUBLISHED, COSINE)
    )
    text = change_sentences(table, raw, "error within an identity, by raw products,")
    for effect in cosine:
        does = verb(effect.measured)
        text += f" By cosine it {does} it: {numbers_text(effect.measured, table.unit)}."
    return text


def comparison(table: MatchingTable) -> pd.DataFrame:
    """Paper beside ours, a line for each row, then a line for each answer without a network."""
    statistics = table.statistics
    lines = {row.label: _line(table, row) for row in table.rows}
    for method in REFERENCES:
        lines[method.capitalize()] = {
            (f"ours, {protocol}", setting): statistics.reference(protocol, setting, method)
            for protocol in table.protocols
            for setting in SETTINGS
        }
    return grouped(lines)


def _line(table: MatchingTable, row: Row) -> dict[tuple[str, str], object]:
    line: dict[tuple[str, str], object] = {("paper", s): row.published.get(s) for s in SETTINGS}
    if not row.embeddings:
        return line
    for protocol in table.protocols:
        for setting in SETTINGS:
            error = table.statistics.mean(row.label, protocol, setting)
            line[f"ours, {protocol}", setting] = error
    line["seeds", "number"] = len(row.embeddings)
    if len(row.embeddings) > 1:
        across = matching_measure(ACROSS, PUBLISHED)
        line["seeds", "spread"] = table.statistics.number(row.label, across.name).spread
    return line


def finding_bars(table: MatchingTable) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """Errors and reference lines of the headline, for `dvelib.plots.error_bars`.

    Full resolution; in a table that compares raw products with cosine, both within an identity.
    """
    if COSINE not in table.protocols:
        return protocol_bars(table, FULL)
    panels = {"raw products": (PUBLISHED, WITHIN), "cosine": (COSINE, WITHIN)}
    return _bars(table, {f"{WITHIN}, {form}": key for form, key in panels.items()})


def protocol_bars(
    table: MatchingTable, protocol: str
) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """Errors and reference lines under one protocol, for `dvelib.plots.error_bars`."""
    return _bars(table, {setting: (protocol, setting) for setting in SETTINGS})


def _bars(
    table: MatchingTable, panels: dict[str, tuple[str, str]]
) -> tuple[pd.DataFrame, dict[str, dict[str, float]]]:
    """``panels``: by title, protocol and setting. The paper's errors are by its own protocol."""
    errors = (
        (
            row.label,
            title,
            table.statistics.number(row.label, matching_measure(setting, protocol).name),
            row.published.get(setting) if protocol == PUBLISHED else None,
        )
        for row in table.rows_with_results
        for title, (protocol, setting) in panels.items()
    )
    references = {
        method: {title: table.statistics.reference(*key, method) for title, key in panels.items()}
        for method in REFERENCES
    }
    return error_bars(errors), references


def descriptor_maps(
    table: MatchingTable, count: int = 6
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The first faces ``[N,3,s,s]`` uint8, cropped, and by label their maps ``[N,D,H,W]``.

    Embeddings trained for another size than the first row's are left out.
    """
    faces = table.test_faces
    images = example_images(faces, count)
    maps = {
        label: embedding(images).cpu()
        for label, embedding in table.first_seed.items()
        if table.faces_for(embedding).cropped_size == faces.cropped_size
    }
    return images, maps
