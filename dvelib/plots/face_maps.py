"""Maps of a quantity over the canonical face, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap

import numpy as np
from matplotlib.figure import Figure

from dvelib.plots.parts import WIDTH

__all__ = ["face_maps"]

COLUMNS = 5


def face_maps(
    maps: Mapping[str, np.ndarray],
    *,
    label: str,
    limit: float | None = None,
    aspect: float = 1.0,
) -> Figure:
    """Maps ``[n,n]`` by title with one scale of colours; NaN is left white.

    ``label``: of the scale. ``limit``: its end; by default the 95 % quantile over all maps.
    ``aspect``: height of a cell over its width.
    """
    if not maps or any(np.ndim(values) != 2 for values in maps.values()):
        raise ValueError("maps must be two-dimensional arrays by title, at least one")
    columns = min(COLUMNS, len(maps))
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(WIDTH, (0.5 + 1.5 * aspect) * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False)
    if limit is None:
        limit = float(np.nanquantile(np.concatenate([np.ravel(m) for m in maps.values()]), 0.95))
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, (title, values) in zip(axes.flat, maps.items(), strict=False):
        drawn = axis.imshow(
            values, cmap="viridis", interpolation="none", vmin=0, vmax=limit, aspect=aspect
        )
        axis.set_title("\n".join(wrap(title, 22)), fontsize=8)
    figure.colorbar(drawn, ax=axes, label=label, shrink=0.8)
    return figure
