"""Reliability diagram: how often landmarks are wrong, by how doubtful they were said to be."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from dvelib.plots.parts import as_array, chart_axes, need_length

__all__ = ["reliability_diagram"]

_LARGEST = 220  # area of the dot with most landmarks, square points


def reliability_diagram(
    said: ArrayLike | Tensor, wrong: ArrayLike | Tensor, counts: ArrayLike | Tensor
) -> Figure:
    """Share of wrong landmarks against doubt, both in 0..1, by bin of doubt.

    ``said``, ``wrong``, ``counts [B]``: mean doubt, share of wrong landmarks and number of
    landmarks of each bin. A dot's area grows with the number. On the diagonal doubt is right.
    """
    said, wrong, counts = as_array(said), as_array(wrong), as_array(counts)
    need_length("wrong", wrong, len(said), "bins")
    need_length("counts", counts, len(said), "bins")
    figure, (axis,) = chart_axes(1, 4.6, 4.6)
    axis.set_xlabel("doubt (said)")
    axis.set_ylabel("share of wrong landmarks (found)")
    axis.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1)
    axis.plot(said, wrong, color="C0", linewidth=1)
    axis.scatter(said, wrong, s=_LARGEST * counts / max(counts.max(), 1) + 8, color="C0")
    for x, y, count in zip(said, wrong, counts, strict=True):
        axis.annotate(f"{int(count)}", (x, y), (6, 5), textcoords="offset points", fontsize=8)
    axis.set_xlim(-0.02, 1.02)
    axis.set_ylim(-0.02, 1.02)
    axis.set_aspect("equal")
    axis.set_xticks(np.arange(0, 1.1, 0.2))
    return figure
