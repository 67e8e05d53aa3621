"""Shared parts of figures: checked arrays, axes, faces and dots.

Convention: images are ``[N,3,S,S]`` in 0..255; points are (x, y) in pixels of the image they are
drawn on. Each ValueError names the argument and the expected shape.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike
from torch import Tensor

__all__ = [
    "FEW",
    "WIDTH",
    "as_array",
    "as_pictures",
    "as_points",
    "chart_axes",
    "dots",
    "draw",
    "faded",
    "legend_below",
    "need_length",
    "numbered",
    "picture_axes",
    "point_colours",
    "row_label",
]

WIDTH = 9.6  # inches: the width of a page
FEW = 10  # as many points as there are distinguishable colours
_LETTER, _MARK = 0.085, 0.6  # inches of a legend per letter, and per mark with its gaps


def as_array(value: ArrayLike | Tensor) -> np.ndarray:
    """A tensor on any device, or anything array-like, as a NumPy array."""
    if isinstance(value, Tensor):
        return value.detach().float().cpu().numpy()
    return np.asarray(value)


def as_pictures(name: str, images: ArrayLike | Tensor) -> np.ndarray:
    """Images ``[N,3,S,S]`` in 0..255 as ``[N,S,S,3]`` uint8."""
    images = as_array(images)
    if images.ndim != 4 or images.shape[1] != 3 or not len(images):
        raise ValueError(f"{name} must be [N,3,S,S] with N > 0, got {list(images.shape)}")
    return np.moveaxis(images, 1, -1).clip(0, 255).astype(np.uint8)


def as_points(
    name: str, points: ArrayLike | Tensor, count: int, each: int | None = None
) -> np.ndarray:
    """Points as an array, checked to be ``[count,K,2]``, with K = ``each`` if given."""
    points = as_array(points)
    fits = points.ndim == 3 and points.shape[2] == 2 and len(points) == count
    if not fits or each not in (None, points.shape[1]):
        raise ValueError(f"{name} must be [{count},{each or 'K'},2], got {list(points.shape)}")
    return points


def need_length(name: str, values: Sequence, count: int, things: str) -> None:
    """Raises ValueError unless there are ``count`` values."""
    if len(values) != count:
        raise ValueError(f"{name} must have one entry per {count} {things}, got {len(values)}")


def chart_axes(
    count: int, width: float, height: float, *, shared: bool = True
) -> tuple[Figure, np.ndarray]:
    """Axes of charts side by side; ``shared``: with a common vertical axis."""
    figure = Figure(figsize=(width, height), layout="constrained")
    with sns.axes_style("whitegrid", {"grid.color": "0.92", "axes.edgecolor": "0.6"}):
        axes = figure.subplots(1, count, squeeze=False, sharey=shared)[0]
    for axis in axes:
        sns.despine(ax=axis)
    return figure, axes


def legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    """One legend for the whole figure, with as many columns as its width allows."""
    lengths = [_MARK + _LETTER * len(handle.get_label()) for handle in handles]
    width = figure.get_figwidth()
    columns = next(n for n in range(len(handles), 0, -1) if n == 1 or _fit(lengths, n, width))
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, frameon=False)


def _fit(lengths: Sequence[float], columns: int, width: float) -> bool:
    """Whether entries of these lengths fit; a legend fills its columns one after the other."""
    rows = math.ceil(len(lengths) / columns)
    return sum(max(lengths[i : i + rows]) for i in range(0, len(lengths), rows)) <= width


def picture_axes(
    rows: int, columns: int, title: float = 0, left: float = 0, cell: float | None = None
) -> tuple[Figure, np.ndarray]:
    """Axes for square pictures; ``title``: inches above each row, ``left``: inches on the left."""
    cell = cell or min(1.6, (WIDTH - left) / columns)
    size = (columns * cell + left, rows * (cell + title))
    figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0, hspace=0)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    return figure, axes


def draw(axis: Axes, picture: np.ndarray) -> None:
    """Draw a picture ``[S,S,3]`` with the centre of pixel (0, 0) at the origin."""
    axis.imshow(picture, interpolation="none")  # so that SVG holds the pixels as they are
    height, width = picture.shape[:2]
    axis.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))


def faded(face: np.ndarray) -> np.ndarray:
    """A face in pale grey, as a background for dots."""
    grey = face.mean(-1, keepdims=True).repeat(3, -1)
    return (grey * 0.45 + 255 * 0.55).astype(np.uint8)


def row_label(axis: Axes, label: str) -> None:
    """A label to the left of a row's first picture."""
    axis.text(
        -0.08,
        0.5,
        label.replace(" with", "\nwith"),
        transform=axis.transAxes,
        fontsize=9,
        ha="right",
        va="center",
    )


def dots(axis: Axes, points: np.ndarray, colours: Sequence, size: float) -> None:
    """Filled dots with a white edge, one colour per point."""
    axis.scatter(*points.T, s=size, color=colours, edgecolor="white", linewidth=0.7, zorder=3)


def numbered(axis: Axes, points: np.ndarray, colours: Sequence) -> None:
    """Dots with the numbers of their points from 1; without numbers for more than twenty."""
    dots(axis, points, colours, size=75 if len(points) <= 20 else 20)
    if len(points) > 20:
        return
    style = {"fontsize": 7, "weight": "bold", "ha": "center", "va": "center_baseline"}
    for number, (x, y) in enumerate(points, start=1):
        if np.isnan(x + y):
            continue
        text = axis.text(x, y, str(number), color="white", **style)
        text.set_path_effects([withStroke(linewidth=1.6, foreground="black")])


def point_colours(count: int) -> list[tuple[float, float, float]]:
    """One colour per point; colours repeat for more points than `FEW`."""
    return sns.color_palette("colorblind", count)
