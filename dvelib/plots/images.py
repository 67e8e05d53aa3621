"""Figures of faces and descriptors: pairs, maps, matches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from numpy.typing import ArrayLike
from torch import Tensor

from dvelib.plots.parts import (
    as_array,
    as_pictures,
    as_points,
    dots,
    draw,
    faded,
    need_length,
    numbered,
    picture_axes,
    point_colours,
    row_label,
)

__all__ = ["descriptor_colours", "descriptor_maps", "faces_grid", "matches", "warp_examples"]

_LATTICE = 9  # arrows along each side of the flow


def faces_grid(
    images: ArrayLike | Tensor,
    titles: Sequence[str] | None = None,
    columns: int = 8,
    landmarks: ArrayLike | Tensor | None = None,
) -> Figure:
    """Faces row by row. ``images [N,3,S,S]``; ``titles``: N; ``landmarks [N,K,2]``."""
    faces = as_pictures("images", images)
    count = len(faces)
    if titles is not None:
        need_length("titles", titles, count, "images")
    points = None if landmarks is None else as_points("landmarks", landmarks, count)
    columns = min(columns, count)
    _, axes = picture_axes(-(-count // columns), columns, 0.22 if titles is not None else 0)
    for i, (axis, face) in enumerate(zip(axes.flat, faces, strict=False)):
        draw(axis, face)
        if titles is not None:
            axis.set_title(titles[i], fontsize=8, pad=3)
        if points is not None:
            dots(axis, points[i], point_colours(points.shape[1]), size=14)
    return axes.flat[0].figure


def warp_examples(
    first: ArrayLike | Tensor, second: ArrayLike | Tensor, flow: ArrayLike | Tensor
) -> Figure:
    """One row per pair: first view, second view, and the flow from the first to the second.

    ``first``, ``second [B,3,s,s]``; ``flow [B,s,s,2]``: displacement in pixels from the first
    view to the second. An arrow starts at a pixel of the first view and ends at its position in
    the second; its hue shows its direction. Dots mark the same pixels in both views.
    """
    views = as_pictures("first", first), as_pictures("second", second)
    flow = as_array(flow)
    expected = (*views[0].shape[:3], 2)
    if views[1].shape != views[0].shape:
        raise ValueError(f"second must have the shape of first, {list(as_array(first).shape)}")
    if flow.shape != expected:
        raise ValueError(f"flow must be {list(expected)} for these views, got {list(flow.shape)}")
    _, axes = picture_axes(len(flow), 3, cell=2.1)
    for row, one, two, moved in zip(axes, *views, flow, strict=True):
        _draw_warp(row, one, two, moved)
    for axis, title in zip(axes[0], ("first view", "second view", "first to second"), strict=True):
        axis.set_title(title, fontsize=10)
    return axes[0, 0].figure


def _draw_warp(row: Sequence[Axes], first: np.ndarray, second: np.ndarray, flow: np.ndarray):
    side = len(flow)
    lattice = np.linspace(0.08 * side, 0.92 * side, _LATTICE).round().astype(int)
    x, y = (part.ravel() for part in np.meshgrid(lattice, lattice))
    dx, dy = flow[y, x].T
    direction = (np.arctan2(dy, dx) / (2 * np.pi)) % 1
    hues = hsv_to_rgb(np.stack([direction, np.full_like(dx, 0.85), np.full_like(dx, 0.75)], 1))
    for axis, view in zip(row, (first, second, faded(first)), strict=True):
        draw(axis, view)
    row[0].scatter(x, y, s=5, color="white", edgecolor="black", linewidth=0.4)
    row[1].scatter(x + dx, y + dy, s=5, color="white", edgecolor="black", linewidth=0.4)
    row[2].quiver(
        x, y, dx, dy, color=hues, angles="xy", scale_units="xy", scale=1, width=0.011, headwidth=4
    )


def descriptor_maps(
    images: ArrayLike | Tensor, features: Mapping[str, ArrayLike | Tensor]
) -> Figure:
    """Faces, and below them one row of coloured descriptor maps per embedding.

    ``images [N,3,s,s]``; ``features``: by label ``[N,D,H,W]``. Unit descriptors are projected on
    three principal axes shared by the row, so that equal descriptors have equal colours on all
    faces. With D = 3 the colour is the unit vector itself.
    """
    faces = as_pictures("images", images)
    rows = [faces]
    for label, maps in features.items():
        maps = as_array(maps)
        if maps.ndim != 4 or len(maps) != len(faces):
            raise ValueError(
                f"features[{label!r}] must be [{len(faces)},D,H,W], got {list(maps.shape)}"
            )
        rows.append(descriptor_colours(maps))
    _, axes = picture_axes(len(rows), len(faces), left=1.2)
    for row, pictures, label in zip(axes, rows, ["faces", *features], strict=True):
        for axis, picture in zip(row, pictures, strict=True):
            draw(axis, picture)
        row_label(row[0], label)
    return axes[0, 0].figure


def descriptor_colours(maps: np.ndarray) -> np.ndarray:
    """Descriptors ``[N,D,H,W]`` as colours ``[N,H,W,3]`` in 0..1; see `descriptor_maps`."""
    unit = np.moveaxis(maps, 1, -1).astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=-1, keepdims=True), 1e-12)
    if unit.shape[-1] == 3:
        return (unit + 1) / 2
    flat = unit.reshape(-1, unit.shape[-1])
    flat = flat - flat.mean(0)
    axes = np.linalg.eigh(flat.T @ flat)[1][:, ::-1][:, :3]
    # The sign of an eigenvector is arbitrary; fix it, so that figures are reproducible.
    axes = axes * np.sign(axes[np.abs(axes).argmax(0), np.arange(axes.shape[1])])
    projected = flat @ axes
    low, high = np.percentile(projected, [1, 99], axis=0)
    colours = np.clip((projected - low) / np.maximum(high - low, 1e-12), 0, 1)
    missing = 3 - colours.shape[1]
    return np.pad(colours, ((0, 0), (0, missing))).reshape(*unit.shape[:-1], 3)


def matches(
    source_image: ArrayLike | Tensor,
    target_images: ArrayLike | Tensor,
    points: ArrayLike | Tensor,
    matched: Mapping[str, ArrayLike | Tensor],
    truth: ArrayLike | Tensor,
) -> Figure:
    """Numbered points of one face and their matches in other faces, one row per embedding.

    ``source_image [3,s,s]``, ``target_images [N,3,s,s]``, ``points [K,2]``; ``matched``: by
    label ``[N,K,2]``; ``truth [N,K,2]``. A dot is the match, a circle the true point, and the
    line between them the error.
    """
    source = as_pictures("source_image", as_array(source_image)[None])[0]
    targets = as_pictures("target_images", target_images)
    points = as_points("points", as_array(points)[None], 1)[0]
    truth = as_points("truth", truth, len(targets), len(points))
    found = {
        label: as_points(f"matched[{label!r}]", value, len(targets), len(points))
        for label, value in matched.items()
    }
    rows = max(1, len(found))
    _, axes = picture_axes(rows, len(targets) + 1, 0.2 / rows, left=1.2)
    colours = point_colours(len(points))
    for row, (label, places) in zip(axes, found.items(), strict=True):
        draw(row[0], source)
        numbered(row[0], points, colours)
        row_label(row[0], label)
        for axis, face, place, true in zip(row[1:], targets, places, truth, strict=True):
            draw(axis, face)
            _errors(axis, place, true, colours)
    axes[0, 0].set_title("source", fontsize=9, pad=3)
    return axes[0, 0].figure


def _errors(axis: Axes, places: np.ndarray, truth: np.ndarray, colours: Sequence) -> None:
    axis.plot(*np.stack([places, truth]).transpose(2, 0, 1), color="white", linewidth=1.2)
    axis.scatter(*truth.T, s=40, facecolor="none", edgecolor="white", linewidth=2.2)
    axis.scatter(*truth.T, s=40, facecolor="none", edgecolor=colours, linewidth=1.2)
    dots(axis, places, colours, size=16)
