"""Figures of landmark regression: predictions on faces, and their virtual keypoints.

Convention: images are ``[N,3,S,S]`` in 0..255; points are (x, y) in pixels of the image they are
drawn on, and NaN points are not drawn. A dot is a prediction, a ring the true landmark. Each
ValueError names the argument and the expected shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from numpy.typing import ArrayLike
from torch import Tensor

from dvelib.plots.parts import (
    FEW,
    WIDTH,
    as_array,
    as_pictures,
    as_points,
    draw,
    faded,
    legend_below,
    need_length,
    numbered,
    picture_axes,
    point_colours,
    row_label,
)

__all__ = ["predicted_landmarks", "virtual_keypoints"]

HALO = "halo"
_TRUE, _PREDICTED = "#0173b2", "#ffb000"
_AROUND = 0.3  # largest margin for landmarks outside the picture, in units of its side


def predicted_landmarks(
    images: ArrayLike | Tensor,
    truth: ArrayLike | Tensor,
    predicted: ArrayLike | Tensor,
    titles: Sequence[str],
    rows: Mapping[str, int],
) -> Figure:
    """Faces in labelled rows, with lines from true landmarks (rings) to predicted ones (dots).

    ``images [N,3,S,S]``; ``truth``, ``predicted [N,K,2]``; ``titles``: one per face. ``rows``: by
    label, the number of faces in the row; faces fill the rows in order. Pictures get a margin for
    landmarks that lie outside; a note counts predictions beyond the margin.
    """
    faces = as_pictures("images", images)
    truth = as_points("truth", truth, len(faces))
    predicted = as_points("predicted", predicted, len(faces), truth.shape[1])
    need_length("titles", titles, len(faces), "images")
    if min(rows.values(), default=0) < 1 or sum(rows.values()) != len(faces):
        raise ValueError(f"rows must be counts that add up to {len(faces)}, got {dict(rows)}")
    room = _room(faces, truth)
    columns, side = max(rows.values()), faces.shape[1]
    figure, axes = _face_axes(len(rows), columns, room, side, title=0.24, left=0.7, widest=2.2)
    places = (axis for row, count in zip(axes, rows.values(), strict=True) for axis in row[:count])
    for axis, face, true, found, title in zip(places, faces, truth, predicted, titles, strict=True):
        _draw(axis, face, room)
        _prediction(axis, true, found)
        axis.set_title(title, fontsize=9, pad=3)
    for row, label in zip(axes, rows, strict=True):
        row_label(row[0], label)
    legend_below(figure, [_ring_handle("true", _TRUE), _dot_handle("predicted", _PREDICTED)])
    return figure


def _prediction(axis: Axes, truth: np.ndarray, predicted: np.ndarray) -> None:
    """Rings, dots and the lines between them; small for many landmarks."""
    ring, dot, width = (46, 22, 1.2) if len(truth) <= FEW else (10, 5, 0.6)
    pairs = np.stack([truth, predicted], 1)
    # White below black: the lines stand out from dark and from light pictures.
    for colour, wide in (("white", 2.4 * width), ("black", width)):
        axis.add_collection(
            LineCollection(
                pairs[_known(pairs)], color=colour, linewidth=wide, zorder=2, gid=_halo(colour)
            )
        )
    _rings(axis, truth, ring, _TRUE, width)
    _marks(axis, predicted, dot, _PREDICTED, 0.7 * width)
    _note_outside(axis, predicted)


def virtual_keypoints(
    images: ArrayLike | Tensor,
    virtual: ArrayLike | Tensor,
    predicted: ArrayLike | Tensor,
    truth: ArrayLike | Tensor | None = None,
    names: Sequence[str] | None = None,
) -> Figure:
    """One row per face: all landmarks, then the virtual keypoints of each landmark.

    ``images [N,3,S,S]``; ``virtual [N,K,V,2]``; ``predicted``, ``truth [N,K,2]``; ``names``: K
    (default: numbers). K is at most ten; select some landmarks if there are more.
    """
    faces = as_pictures("images", images)
    predicted = as_points("predicted", predicted, len(faces))
    count = predicted.shape[1]
    virtual = as_array(virtual)
    if virtual.ndim != 4 or virtual.shape[:2] != predicted.shape[:2] or virtual.shape[3] != 2:
        raise ValueError(f"virtual must be [{len(faces)},{count},V,2], got {list(virtual.shape)}")
    if not 0 < count <= FEW:
        raise ValueError(f"predicted must be [N,K,2] with K from 1 to {FEW}, got K = {count}")
    if truth is None:
        truth = np.full(predicted.shape, np.nan)
    truth = as_points("truth", truth, len(faces), count)
    if names is not None:
        need_length("names", names, count, "landmarks")
    room = _room(faces, predicted if np.isnan(truth).all() else truth)
    figure, axes = _face_axes(len(faces), count + 1, room, faces.shape[1], 0.2 / len(faces))
    for row, face, clouds, found, true in zip(axes, faces, virtual, predicted, truth, strict=True):
        _virtual_row(row, face, room, clouds, found, true)
    names = range(1, count + 1) if names is None else names
    for axis, title in zip(axes[0], ["predicted", *names], strict=True):
        axis.set_title(title, fontsize=9, pad=3)
    handles = [
        _dot_handle(f"virtual keypoints ({virtual.shape[2]} per landmark)", "0.3", 3.5, 0.5),
        _dot_handle("predicted", "0.3"),
    ]
    if not np.isnan(truth).all():
        handles.append(_ring_handle("true", "black"))
    legend_below(figure, handles)
    return figure


def _virtual_row(
    row: Sequence[Axes],
    face: np.ndarray,
    room: _Room,
    clouds: np.ndarray,
    found: np.ndarray,
    true: np.ndarray,
) -> None:
    colours = point_colours(len(found))
    _draw(row[0], face, room)
    numbered(row[0], np.where(_inside(row[0], found)[:, None], found, np.nan), colours)
    for axis, cloud, place, at, colour in zip(row[1:], clouds, found, true, colours, strict=True):
        _draw(axis, faded(face), room)
        axis.scatter(
            *cloud[_known(cloud)].T,
            s=10,
            color=colour,
            alpha=0.55,
            edgecolor="black",
            linewidth=0.25,
            clip_on=False,
        )
        _rings(axis, at[None], 90, "black", 1.2)
        _marks(axis, place[None], 36, colour, 1.2)
        _note_outside(axis, place[None])


class _Room(NamedTuple):
    """Margins around a picture in pixels: on either side, above and below."""

    beside: float
    above: float
    below: float


def _room(faces: np.ndarray, points: np.ndarray) -> _Room:
    """Common margins of all faces; zero where no point lies outside its picture."""
    side = faces.shape[1]
    before, behind = -0.5 - points, points - (side - 0.5)
    beyond = [np.maximum(before, behind)[..., 0], before[..., 1], behind[..., 1]]
    needed = np.array([np.nanmax(pixels, initial=0) for pixels in beyond])
    return _Room(*np.where(needed > 0, np.minimum(needed + 0.05 * side, _AROUND * side), 0))


def _face_axes(
    rows: int,
    columns: int,
    room: _Room,
    side: int,
    title: float,
    left: float = 0,
    widest: float = 1.6,
) -> tuple[Figure, np.ndarray]:
    """Axes for pictures with their margins, and space for a legend."""
    cell = min(widest, (WIDTH - left) / columns)
    height = cell * (side + room.above + room.below) / (side + 2 * room.beside)
    return picture_axes(rows, columns, title + height - cell + 0.28 / rows, left, cell)


def _draw(axis: Axes, picture: np.ndarray, room: _Room) -> None:
    draw(axis, picture)
    end = len(picture) - 0.5
    axis.set(
        xlim=(-0.5 - room.beside, end + room.beside), ylim=(end + room.below, -0.5 - room.above)
    )


def _note_outside(axis: Axes, predicted: np.ndarray) -> None:
    """Write in the corner how many predictions lie outside the axis."""
    beyond = int((_known(predicted) & ~_inside(axis, predicted)).sum())
    if beyond:
        note = axis.text(
            0.97,
            0.97,
            f"dots outside: {beyond}",
            transform=axis.transAxes,
            fontsize=7,
            ha="right",
            va="top",
        )
        note.set_path_effects([withStroke(linewidth=2, foreground="white")])


def _rings(axis: Axes, points: np.ndarray, size: float, colour: str, width: float) -> None:
    """Hollow marks with white outlines, at the points inside the axis."""
    for edge, wide in (("white", 2 * width), (colour, width)):
        axis.scatter(
            *points[_inside(axis, points)].T,
            s=size,
            facecolor="none",
            edgecolor=edge,
            linewidth=wide,
            clip_on=False,
            zorder=3,
            gid=_halo(edge),
        )


def _halo(colour: str) -> str | None:
    """The name of a white line that only sets off the mark drawn over it."""
    return HALO if colour == "white" else None


def _marks(axis: Axes, points: np.ndarray, size: float, colour: str | tuple, width: float) -> None:
    """Filled marks with a black edge, at the points inside the axis."""
    axis.scatter(
        *points[_inside(axis, points)].T,
        s=size,
        color=[colour],
        edgecolor="black",
        linewidth=width,
        clip_on=False,
        zorder=4,
    )


def _ring_handle(label: str, colour: str) -> Line2D:
    style = {"markerfacecolor": "none", "markeredgecolor": colour, "markeredgewidth": 1.5}
    return Line2D([], [], linestyle="", marker="o", markersize=8, label=label, **style)


def _dot_handle(label: str, colour: str, size: float = 6, alpha: float = 1) -> Line2D:
    style = {"markerfacecolor": colour, "markeredgecolor": "black", "alpha": alpha}
    return Line2D([], [], linestyle="", marker="o", markersize=size, label=label, **style)


def _known(points: np.ndarray) -> np.ndarray:
    """Booleans [N]: which points ``[N,...,2]`` have no NaN."""
    return ~np.isnan(points).any(axis=tuple(range(1, points.ndim)))


def _inside(axis: Axes, points: np.ndarray) -> np.ndarray:
    """Booleans [N]: which points lie inside the axis; False for NaN."""
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    x, y = points.T
    return (left <= x) & (x <= right) & (top <= y) & (y <= bottom)
