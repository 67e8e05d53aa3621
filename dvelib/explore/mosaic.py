"""Several faces as one picture."""

from __future__ import annotations

import numpy as np

__all__ = ["Mosaic"]

GAP = 3  # pixels between faces


class Mosaic:
    """Faces ``[N,3,s,s]`` uint8 in rows of ``columns``.

    Convention: points (x, y) in pixels of the whole picture.
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

    def assembled(self, faces: np.ndarray) -> np.ndarray:
        """Pictures ``[N,s,s,3]`` in 0..1, placed in the whole picture."""
        whole = np.ones((*self.shape, 3))
        for face, (x, y) in zip(faces, self.corners, strict=True):
            whole[y : y + self.side, x : x + self.side] = face
        return whole

    @property
    def corners(self) -> np.ndarray:
        """``[N,2]``: the first pixel of each face."""
        place = np.arange(len(self.faces))
        return np.stack([place % self.columns, place // self.columns], 1) * (self.side + GAP)

    def inside(self, points: np.ndarray) -> np.ndarray:
        """Points ``[N,...,2]`` on the faces, with NaN for points outside of their face."""
        off = ((points < -0.5) | (points > self.side - 0.5)).any(axis=-1, keepdims=True)
        return np.where(off, np.nan, points)

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Points ``[N,...,2]`` on the faces as positions in the whole picture."""
        corners = self.corners
        return points + corners.reshape(len(corners), *[1] * (points.ndim - 2), 2)
