"""The explorer's first view as a picture, for places that show no page, such as the README."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dvelib.explore.scene import Scene
from dvelib.matching import ERROR_SIDE

__all__ = ["matches_figure"]

WIDTH = 9.6  # inches
TITLE = 0.3  # inches above each row
RANGE = 0.35  # of similarity below the largest one that is shown as warm


def matches_figure(scene: Scene, labels: Sequence[str], face: int, landmark: int) -> Figure:
    """Matches of a landmark of one face on all faces of a scene, a row for each embedding.

    The marks are those of the live page: a cross for the landmark, dots for the best matches and
    rings for the true places. A row's title gives the mean error in pixels of a 70-pixel face.
    """
    count, rows = len(scene.images), len(labels)
    tall = WIDTH / count + TITLE
    figure = Figure((WIDTH, rows * tall))
    point = np.clip(scene.landmarks[face, landmark], 0, scene.side - 1)
    for row, label in enumerate(labels):
        look = scene.look(label, face, tuple(point), face)
        others = np.arange(count) != face
        misses = np.linalg.norm(look.best - scene.landmarks[:, landmark], axis=1)[others]
        error = np.nanmean(misses) * ERROR_SIDE / scene.side
        top = 1 - row / rows
        height = WIDTH / count / (rows * tall)
        figure.text(0.002, top - 0.02, f"{label}: mean error {error:.1f} px", va="top", fontsize=10)
        for i in range(count):
            place = (i / count, top - 1 / rows, 0.98 / count, height)
            axis = figure.add_axes(place)
            _draw(axis, scene, i, None if i == face else look.similarity[i])
            if i == face:
                _mark(axis, point, "+", 15, "tab:red")
                continue
            _mark(axis, scene.landmarks[i, landmark], "o", 12, "none")
            _mark(axis, look.best[i], "o", 7, "tab:red")
    return figure


def _draw(axis: Axes, scene: Scene, face: int, similarity: np.ndarray | None) -> None:
    extent = (-0.5, scene.side - 0.5, scene.side - 0.5, -0.5)
    axis.imshow(scene.large[face].permute(1, 2, 0).numpy(), extent=extent)
    if similarity is not None:
        axis.imshow(_heat(similarity), extent=extent, interpolation="bilinear")
    axis.set_axis_off()


def _heat(similarity: np.ndarray) -> np.ndarray:
    """Colours ``[s,s,4]``: warm where similar, and a dark veil elsewhere."""
    v = np.clip(1 - (similarity.max() - similarity) / RANGE, 0, 1)
    warm, dark = v**2, 0.5 * (1 - v) ** 2
    share = warm / (warm + dark)
    return np.stack([share, 0.86 * (1 - v) * share, 0 * v, 0.7 * np.maximum(warm, dark)], 2)


def _mark(axis: Axes, at: np.ndarray, marker: str, size: float, colour: str) -> None:
    if marker == "+":
        axis.plot(*at, marker, color="white", markersize=size + 3, markeredgewidth=5)
        axis.plot(*at, marker, color=colour, markersize=size, markeredgewidth=2.5)
    else:
        axis.plot(*at, marker, markersize=size, mfc=colour, mec="white", markeredgewidth=1.8)
