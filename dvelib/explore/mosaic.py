"""Several faces as one picture: one axis receives all clicks and is redrawn at once."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps

__all__ = ["Mosaic"]

GAP = 3  # pixels between faces
SHADE = 0.75  # opacity of the heat map at its maximum


class Mosaic:
    """Faces ``[N,3,s,s]`` uint8 in rows of ``columns``.

    Convention: points (x, y) in pixels of the whole picture; `locate` returns pixels of one face.
    """

    def __init__(self, images: np.ndarray, columns: int = 4):
        self.faces = np.asarray(images).transpose(0, 2, 3, 1) / 255
        self.side = self.faces.shape[1]
        self.columns = min(columns, len(self.faces))
        self.rows = -(-len(self.faces) // self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the whole picture."""
        step = self.side + GAP
        return self.rows * step - GAP, self.columns * step - GAP

    def picture(self, heat: np.ndarray | None = None) -> np.ndarray:
        """The whole picture ``[H,W,3]`` in 0..1, overlaid with heat maps ``[N,s,s]`` if given.

        Heat is scaled to 0..1 on each face and squared, so that only large values are visible.
        """
        faces = self.faces if heat is None else self._heated(heat)
        return self.assembled(faces)

    def assembled(self, faces: np.ndarray) -> np.ndarray:
        """Pictures ``[N,s,s,3]`` in 0..1, placed in the whole picture."""
        whole = np.ones((*self.shape, 3))
        for face, (x, y) in zip(faces, self.corners, strict=True):
            whole[y : y + self.side, x : x + self.side] = face
        return whole

    def _heated(self, heat: np.ndarray) -> np.ndarray:
        low, high = (f(heat, axis=(1, 2), keepdims=True) for f in (np.min, np.max))
        heat = ((heat - low) / np.maximum(high - low, 1e-6)) ** 2
        colours = colormaps["inferno"](heat)[..., :3]
        share = SHADE * heat[..., None]
        grey = self.faces.mean(axis=3, keepdims=True)
        return (1 - share) * grey + share * colours

    @property
    def corners(self) -> np.ndarray:
        """``[N,2]``: the first pixel of each face."""
        place = np.arange(len(self.faces))
        return np.stack([place % self.columns, place // self.columns], 1) * (self.side + GAP)

    def locate(self, x: float, y: float) -> tuple[int, float, float] | None:
        """Face index and (x, y) on it for a point of the whole picture; None outside of faces."""
        step = self.side + GAP
        column, row = int((x + 0.5) // step), int((y + 0.5) // step)
        face = row * self.columns + column
        inside = x + 0.5 - column * step < self.side and y + 0.5 - row * step < self.side
        if not inside or min(x, y) < -0.5 or column >= self.columns or face >= len(self.faces):
            return None
        return face, x - column * step, y - row * step

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Points ``[N,...,2]`` on the faces, with NaN for points outside of their face."""
        off = ((points < -0.5) | (points > self.side - 0.5)).any(axis=-1, keepdims=True)
        return np.where(off, np.nan, points)

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Points ``[N,...,2]`` on the faces as positions in the whole picture."""
        corners = self.corners
        return points + corners.reshape(len(corners), *[1] * (points.ndim - 2), 2)
