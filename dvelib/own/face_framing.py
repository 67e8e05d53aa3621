"""Framing of faces: where the five landmarks of a face lie in the square that a network sees.

The pictures of the pool and of AFLW_M show upright faces whose five landmarks form nearly the same
shape. A face is brought into this shape by shift, rotation and scale.
Convention: (x, y) in pixels; left and right are those of the picture.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from dvelib.common.errors import StudyError
from dvelib.data.synthetic import five_landmarks
from dvelib.training.framing import deviating, frames_around

__all__ = [
    "FACE_WIDTH",
    "FIVE_SHAPE",
    "FaceFraming",
    "box_frames",
    "face_frames",
    "five_of",
    "size_of",
]

# Mean of AFLW_M's training faces, each of size 1 (see `size_of`) around its centre, made symmetric.
FIVE_SHAPE = np.array(
    [(-0.763, -0.848), (0.763, -0.848), (0.0, 0.104), (-0.665, 0.796), (0.665, 0.796)]
)
FACE_WIDTH = 3.65  # width of a face, in sizes (see `size_of`)
# A detector's box: its centre lies so far below that of the five landmarks, in sizes, and the
# square root of its area is so many sizes.
BOX_LOWER, BOX_SIZE = -0.27, 3.85


class FaceFraming(NamedTuple):
    """Where a network sees faces. ``size``: root mean square distance of the five landmarks from
    their centre; ``lower``: how far the centre lies below that of the square. Both are in parts of
    the side of the square."""

    size: float
    lower: float

    def template(self, side: int) -> np.ndarray:
        """Places ``[5,2]`` of the five landmarks in a square of ``side`` pixels."""
        centre = (side - 1) / 2 + np.array([0, self.lower * side])
        return FIVE_SHAPE * self.size * side + centre


def five_of(points: np.ndarray) -> np.ndarray:
    """The five landmarks ``[N,5,2]`` of faces with 5 or 68 (those of 300-W).

    Raises StudyError for another number.
    """
    if points.shape[1] == 5:
        return points
    if points.shape[1] != 68:
        raise StudyError(f"faces have 5 or 68 landmarks, got {points.shape[1]}")
    return five_landmarks(torch.from_numpy(points)).numpy()


def size_of(five: np.ndarray) -> np.ndarray:
    """Root mean square distance of points ``[...,5,2]`` from their centre."""
    away = five - five.mean(axis=-2, keepdims=True)
    return np.sqrt((away**2).sum(axis=-1).mean(axis=-1))


def face_frames(points: np.ndarray, framing: FaceFraming, side: int) -> np.ndarray:
    """The frames ``[N,2,3]`` of squares of ``side`` pixels around landmarks ``[N,A,2]``."""
    return frames_around(five_of(points), framing.template(side))


def box_frames(boxes: np.ndarray, turns: np.ndarray, framing: FaceFraming, side: int) -> np.ndarray:
    """The frames ``[N,2,3]`` of detected faces.

    ``boxes [N,4]``: left, top, right, bottom; ``turns [N]``: degrees, clockwise in the picture.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    size = np.sqrt(sides.prod(axis=1)) / BOX_SIZE
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    turn = np.radians(turns)
    down = np.stack([-np.sin(turn), np.cos(turn)], 1)
    centre = centre - BOX_LOWER * size[:, None] * down
    scale = size / (framing.size * side)
    frames = np.zeros((len(boxes), 2, 3))
    frames[:, 0, 0] = frames[:, 1, 1] = scale * np.cos(turn)
    frames[:, 1, 0] = scale * np.sin(turn)
    frames[:, 0, 1] = -frames[:, 1, 0]
    middle = (side - 1) / 2 + np.array([0, framing.lower * side])
    frames[:, :, 2] = centre - frames[:, :, :2] @ middle
    return deviating(frames, side, np.ones(len(boxes)), np.zeros(len(boxes)), np.zeros((1, 2)))
