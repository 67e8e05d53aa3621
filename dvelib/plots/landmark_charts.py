"""Error of each landmark, by embedding: a chart for few landmarks, mean faces for many.

Convention: errors are percent of the inter-ocular distance. Landmarks whose error is NaN are not
drawn. Each ValueError names the argument and the expected shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from dvelib.plots.parts import (
    FEW,
    WIDTH,
    as_array,
    chart_axes,
    legend_below,
    need_length,
    point_colours,
)

__all__ = ["error_per_landmark"]

_MARKERS = "oDs^vPXph<>"
_PERCENT = "mean error (% of inter-ocular distance)"
_LARGEST = 110  # area of the largest error's dot, square points


def error_per_landmark(
    errors: Mapping[str, ArrayLike | Tensor],
    names: Sequence[str] | None = None,
    shape: ArrayLike | Tensor | None = None,
    reference: Mapping[str, ArrayLike | Tensor] | None = None,
) -> Figure:
    """Mean error of each landmark, by embedding; percent of the inter-ocular distance.

    ``errors`` and ``reference`` (grey): by label ``[K]``; ``names``: K. Up to ten landmarks are
    rows of a chart. More are dots on the mean face ``shape [K,2]``, one face per label; larger
    errors have larger and darker dots.
    """
    if not errors:
        raise ValueError("errors must hold an array [K] for at least one label, got none")
    count = as_array(next(iter(errors.values()))).size
    curves = [_curve("errors", label, values, count) for label, values in errors.items()]
    curves += [
        _curve("reference", label, values, count) for label, values in (reference or {}).items()
    ]
    if names is not None:
        need_length("names", names, count, "landmarks")
    if count <= FEW:
        return _error_chart(curves, names)
    if shape is None or as_array(shape).shape != (count, 2):
        got = None if shape is None else list(as_array(shape).shape)
        raise ValueError(f"shape must be [{count},2] for {count} landmarks, got {got}")
    return _error_faces(curves, names, as_array(shape))


class _Curve(NamedTuple):
    """The errors [K] of one label; references are drawn in grey."""

    label: str
    values: np.ndarray
    reference: bool


def _curve(name: str, label: str, values: ArrayLike | Tensor, count: int) -> _Curve:
    values = as_array(values)
    if values.ndim != 1 or len(values) != count or not count:
        shape = f"[{count}]" if count else "[K], K > 0"
        raise ValueError(f"{name}[{label!r}] must be {shape}, got {list(values.shape)}")
    return _Curve(label, values.astype(float), name == "reference")


def _error_chart(curves: Sequence[_Curve], names: Sequence[str] | None) -> Figure:
    """A chart with one row per landmark and one mark per label."""
    count = len(curves[0].values)
    figure, (axis,) = chart_axes(1, WIDTH * 0.8, 1.1 + count * (0.26 + 0.09 * len(curves)))
    for row in range(0, count, 2):
        axis.axhspan(row - 0.5, row + 0.5, color="0.96", linewidth=0, zorder=0)
    spread = 0.3 if len(curves) > 1 else 0
    colours = point_colours(sum(not curve.reference for curve in curves))
    for i, offset in enumerate(np.linspace(-spread, spread, len(curves))):
        curve = curves[i]
        colour = "0.45" if curve.reference else colours[i]
        axis.plot(
            curve.values,
            np.arange(count) + offset,
            _MARKERS[i % len(_MARKERS)],
            color=colour,
            markerfacecolor="white" if curve.reference else colour,
            markersize=6.5,
            markeredgecolor=colour if curve.reference else "white",
            label=curve.label,
            markeredgewidth=1.2 if curve.reference else 0.5,
        )
    end = 1.06 * _largest(curves)
    axis.set(xlabel=_PERCENT, xlim=(0, end), ylim=(count - 0.5, -0.5))
    if names is None:
        names = [f"landmark {k}" for k in range(1, count + 1)]
    axis.set_yticks(range(count), names)
    axis.grid(visible=False, axis="y")
    legend_below(figure, axis.get_legend_handles_labels()[0])
    return figure


def _error_faces(
    curves: Sequence[_Curve], names: Sequence[str] | None, shape: np.ndarray
) -> Figure:
    """One mean face per label, at most four in a row, with a shared colour scale."""
    columns = min(4, len(curves))
    rows = -(-len(curves) // columns)
    width = min(3.0, WIDTH / columns)
    across, down = np.ptp(shape, axis=0)
    height = width * down / across + (0.5 if names is None else 0.65)
    figure = Figure(figsize=(columns * width, rows * height + 0.6), layout="constrained")
    figure.get_layout_engine().set(h_pad=0.08)
    axes = figure.subplots(rows, columns, squeeze=False)
    colours = sns.color_palette("rocket_r", as_cmap=True)
    scale = ScalarMappable(Normalize(0, _largest(curves)), colours)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, curve in zip(axes.flat, curves, strict=False):
        _error_face(axis, curve, names, shape, scale)
    figure.colorbar(
        scale, ax=axes.ravel().tolist(), location="bottom", aspect=45, shrink=0.6, label=_PERCENT
    )
    return figure


def _error_face(
    axis: Axes, curve: _Curve, names: Sequence[str] | None, shape: np.ndarray, scale: ScalarMappable
) -> None:
    known = ~np.isnan(curve.values)
    order = np.argsort(-curve.values)[: known.sum()]  # draw small dots over large ones
    values = curve.values[order]
    axis.scatter(
        *shape[order].T,
        s=_LARGEST * values / scale.norm.vmax,
        color=scale.to_rgba(values),
        edgecolor="0.4",
        linewidth=0.4,
    )
    axis.set_aspect("equal")
    axis.margins(0.08)
    axis.invert_yaxis()
    title = curve.label
    if known.any():
        largest = f"largest {values[0]:.1f} %"
        largest = f", {largest}" if names is None else f"\n{largest} ({names[order[0]]})"
        title += f"\nmean {values.mean():.1f} %{largest}"
    axis.set_title(title, fontsize=9, color="0.45" if curve.reference else "black")


def _largest(curves: Sequence[_Curve]) -> float:
    values = np.concatenate([curve.values for curve in curves])
    return np.nanmax(values, initial=0) or 1
