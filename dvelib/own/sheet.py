"""The sheet of ``dve predict``: some pictures, or their faces, with the landmarks found on them.

Doubtful landmarks have a red ring, and doubtful faces a red title.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from dvelib.common.files import atomic_path
from dvelib.data.folder import Folder

if TYPE_CHECKING:
    from dvelib.own.predictor import Face

__all__ = ["Tile", "draw_sheet", "face_tile", "framed_tile", "sheet_path"]

SIDE = 200  # pixels of the side of a tile
MARGIN = 1.7  # side of the part that is shown, in longer sides of the face's box
TITLE = 18  # letters of a file's name above it
DOUBTFUL = "#c1121f"


@dataclass(frozen=True)
class Tile:
    """``square [3,S,S]``; ``points [A,2]`` in its pixels, or None; ``doubtful [A]``."""

    title: str
    square: np.ndarray
    points: np.ndarray | None
    doubtful: np.ndarray
    is_doubtful: bool = False


def framed_tile(file: str, image: Image.Image, points: np.ndarray, layout: Folder) -> Tile:
    """The part of a picture that the network saw."""
    square = np.asarray(layout.square(image, SIDE, None)).transpose(2, 0, 1)
    placed = layout.place(points[None], np.array([image.size]), None, SIDE)[0]
    return Tile(_short(file), square, placed, np.zeros(len(points), bool))


def face_tile(file: str, image: Image.Image, face: Face | None) -> Tile:
    """The surroundings of a face, or the whole picture if it has none."""
    size = np.array(image.size)
    centre, side = size / 2, float(max(image.size))
    if face is not None:
        centre = (face.box[:2] + face.box[2:]) / 2
        side = min(side, MARGIN * float((face.box[2:] - face.box[:2]).max()))
    low = np.round(centre - side / 2).astype(int)
    part = image.crop((*low, *(low + round(side))))  # black beyond the picture
    square = np.asarray(part.resize((SIDE, SIDE), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    if face is None:
        return Tile(f"no face: {_short(file)}", square, None, np.zeros(0, bool), True)
    points = (face.landmarks - low + 0.5) * SIDE / round(side) - 0.5
    return Tile(_short(file), square, points, face.doubtful, face.is_doubtful)


def draw_sheet(tiles: Sequence[Tile], path: Path, say: Callable[[str], None]) -> Path | None:
    """Write the sheet; None, with a message, if the drawing package is not installed."""
    try:
        from dvelib.plots import faces_grid
    except ImportError as error:
        say(f"no sheet was drawn: {error.name} is not installed; pip install 'dvelib[study]'")
        return None
    count = max(len(tile.doubtful) for tile in tiles)
    nothing = np.full((count, 2), np.nan)
    points = [nothing if tile.points is None else tile.points for tile in tiles]
    squares, titles = np.stack([tile.square for tile in tiles]), [tile.title for tile in tiles]
    figure = faces_grid(squares, titles, landmarks=np.stack(points) if count else None)
    for axis, tile in zip(figure.axes, tiles, strict=False):
        if tile.doubtful.any():
            rings = tile.points[tile.doubtful]
            axis.scatter(*rings.T, s=45, facecolors="none", edgecolors=DOUBTFUL, linewidths=1)
        if tile.is_doubtful:
            axis.title.set_color(DOUBTFUL)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=160, facecolor="white")
    shown = len({tile.title for tile in tiles})
    say(f"{shown} pictures with their landmarks, in {path}")
    return path


def sheet_path(path: Path, images: Path) -> Path:
    """Path of the sheet: ``predictions.png`` beside ``predictions.csv``.

    If this is inside the folder of the pictures, the path is ``<folder>-predictions.png`` beside
    the folder instead, so that the sheet is not taken for one of the pictures.
    """
    if path.is_relative_to(images):
        return images.with_name(f"{images.name}-{path.stem}.png")
    return path.with_suffix(".png")


def _short(file: str) -> str:
    name = Path(file).name
    return name if len(name) <= TITLE else f"{name[: TITLE - 1]}…"
