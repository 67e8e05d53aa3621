"""What the notebook of many describers shows: frames and pictures' contents."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from dvelib.evaluation.dense_errors import ASPECT, error_map
from dvelib.evaluation.examples import example_maps
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.paper.published_since import PROTOCOLS as PROTOCOLS_SINCE
from dvelib.paper.published_since import numbers_of
from dvelib.tables.dense_statistics import DenseStatistics
from dvelib.tables.describer_table import DescriberTable
from dvelib.tables.frames import error_bars
from dvelib.tables.measures import DENSE_ERROR, matching_measure

__all__ = [
    "ASPECT",
    "beside_dve",
    "comparison",
    "cost",
    "dense_maps",
    "drawn_errors",
    "example_colours",
    "headline",
    "protocols_since",
    "published_since",
]

ACROSS = matching_measure(SETTINGS[1], PROTOCOLS[1]).name


def comparison(table: DescriberTable) -> pd.DataFrame:
    """The mean error by measure, a line a describer, then answers that need no network."""
    measures = table.statistics.measures
    lines = {
        label: {m.title: table.statistics.number(label, m.name).mean for m in measures}
        for label in table.describers
    }
    titles = {m.name: m.title for m in measures}
    for reference in table.statistics.references():
        line = lines.setdefault(reference.name.capitalize(), {})
        line[titles[reference.measure]] = reference.mean
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("describer")


def cost(table: DescriberTable) -> pd.DataFrame:
    """Dimension, stride and milliseconds an image."""
    lines = {
        label: {
            "dimension": describer.dimension,
            "stride, px": describer.stride,
            "ms an image": table.milliseconds[label],
        }
        for label, describer in table.describers.items()
    }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("describer")


def beside_dve(table: DescriberTable, measure: str = ACROSS) -> pd.DataFrame:
    """Each describer's error less DVE's, with its interval: above zero, DVE is better."""
    lines = {
        effect.first: effect.measured.model_dump(include={"before", "effect", "low", "high"})
        for effect in table.effects
        if effect.measure == measure
    }
    frame = pd.DataFrame.from_dict(lines, orient="index").rename_axis("describer")
    names = {"before": "error", "effect": "more than DVE"}
    return frame.rename(columns=names).sort_values("error")


def drawn_errors(table: DescriberTable) -> pd.DataFrame:
    """Errors across identities and dense errors for `dvelib.plots.error_bars`, the best first."""
    shown = {"across identities": ACROSS, "dense, drawn faces": DENSE_ERROR.name}
    order = sorted(table.describers, key=lambda label: table.statistics.number(label, ACROSS).mean)
    return error_bars(
        (label, setting, table.statistics.number(label, measure), None)
        for label in order
        for setting, measure in shown.items()
    )


def dense_maps(table: DescriberTable) -> dict[str, np.ndarray]:
    """By label, the mean error by place on the canonical face."""
    part = table.statistics.part(DENSE_ERROR.name)
    assert isinstance(part, DenseStatistics)
    return {label: error_map(errors) for label, errors in part.errors.items()}


def published_since() -> pd.DataFrame:
    """Numbers published after DVE, a line each; every protocol has columns of its own."""
    lines = []
    for protocol in PROTOCOLS_SINCE:
        for numbers in numbers_of(protocol):
            line = {("protocol", ""): protocol.name, ("regressor", ""): protocol.regressor}
            values = zip(protocol.measures, numbers.numbers, strict=True)
            line |= {(protocol.name, measure): value for measure, value in values}
            lines.append(
                line | {("reported by", ""): numbers.reported_by, "method": numbers.method}
            )
    frame = pd.DataFrame(lines).set_index("method")
    measured = [(p.name, measure) for p in PROTOCOLS_SINCE for measure in p.measures]
    columns = [("protocol", ""), ("regressor", ""), *measured, ("reported by", "")]
    return frame.set_axis(pd.MultiIndex.from_tuples(frame.columns), axis=1)[columns]


def protocols_since() -> dict[str, str]:
    """How each of those protocols measures, by its name."""
    return {protocol.name: protocol.measured for protocol in PROTOCOLS_SINCE}


def example_colours(table: DescriberTable) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The first faces ``[N,3,s,s]`` uint8, cropped, and by label their maps ``[N,D,H,W]``."""
    found = {label: example_maps(d, table.test_faces) for label, d in table.describers.items()}
    images, _ = next(iter(found.values()))
    return images, {label: maps for label, (_, maps) in found.items()}


def headline(table: DescriberTable, measure: str = ACROSS) -> str:
    """DVE's rank among the describers by one measure, in a sentence."""
    dve = table.rows_with_results[-1].label
    errors = {label: table.statistics.number(label, measure).mean for label in table.describers}
    order = sorted(errors, key=errors.get)
    rank = order.index(dve) + 1
    best = f"; the best is {order[0]}, {errors[order[0]]:.2f} px" if rank > 1 else ""
    return (
        f"Across identities at full resolution, {dve} is number {rank} of {len(order)} with "
        f"{errors[dve]:.2f} px{best}."
    )
