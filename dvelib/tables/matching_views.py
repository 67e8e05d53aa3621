"""What a notebook shows of a table of matching errors: frames and pictures' contents."""

from __future__ import annotations

import pandas as pd
import torch

from dvelib.evaluation.examples import example_images
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.study.plan import Row
from dvelib.tables.matching_statistics import REFERENCES
from dvelib.tables.matching_table import MatchingTable
from dvelib.tables.measures import matching_measure

__all__ = ["comparison", "descriptor_maps", "error_bars", "reference_lines"]


def comparison(table: MatchingTable) -> pd.DataFrame:
    """Paper beside ours, a line for each row, then a line for each answer without a network."""
    statistics = table.statistics
    lines = {row.label: _line(table, row) for row in table.rows}
    for method in REFERENCES:
        lines[method.capitalize()] = {
            (protocol, setting): statistics.reference(protocol, setting, method)
            for protocol in table.protocols
            for setting in SETTINGS
        }
    columns = [("paper", s) for s in SETTINGS]
    columns += [(p, s) for p in table.protocols for s in SETTINGS]
    columns += [("seeds", "number"), ("seeds", "spread")]
    frame = pd.DataFrame.from_dict(lines, orient="index")
    frame = frame.reindex(columns=pd.MultiIndex.from_tuples(columns))
    return frame.rename(columns={p: f"ours, {p}" for p in table.protocols}, level=0)


def _line(table: MatchingTable, row: Row) -> dict[tuple[str, str], object]:
    line: dict[tuple[str, str], object] = {("paper", s): row.published.get(s) for s in SETTINGS}
    if not row.embeddings:
        return line
    for protocol in table.protocols:
        for setting in SETTINGS:
            line[protocol, setting] = table.statistics.mean(row.label, protocol, setting)
    line["seeds", "number"] = len(row.embeddings)
    if len(row.embeddings) > 1:
        across = matching_measure(SETTINGS[1], PROTOCOLS[0])
        line["seeds", "spread"] = table.statistics.number(row.label, across.name).spread
    return line


def error_bars(table: MatchingTable, protocol: str) -> pd.DataFrame:
    """label, setting, error, low, high, kind (ours or paper): for `dvelib.plots.error_bars`."""
    lines = []
    for row in table.rows_with_results:
        for setting in SETTINGS:
            ours = table.statistics.number(row.label, matching_measure(setting, protocol).name)
            lines.append((row.label, setting, ours.mean, ours.low, ours.high, "ours"))
            if paper := row.published.get(setting):
                lines.append((row.label, setting, paper, paper, paper, "paper"))
    columns = ["label", "setting", "error", "low", "high", "kind"]
    return pd.DataFrame(lines, columns=columns)


def reference_lines(table: MatchingTable, protocol: str) -> dict[str, dict[str, float]]:
    """By method and setting, errors of the answers that need no network."""
    return {
        method: {s: table.statistics.reference(protocol, s, method) for s in SETTINGS}
        for method in REFERENCES
    }


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
