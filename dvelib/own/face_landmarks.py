"""Landmarks of one face in a picture: framed, framed again, and averaged over several frames.

The first frame comes from a detector or from the picture's central square. The landmarks found in
it give the next frame. The answer is the mean over frames that deviate a little from that one, each
also mirrored. How far the single answers differ is evidence for `dvelib.own.doubt`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from dvelib.checkpoints.storage import Embedding
from dvelib.common.errors import StudyError
from dvelib.own.face_framing import (
    FIVE_SHAPE,
    FaceFraming,
    box_frames,
    face_frames,
    five_of,
    size_of,
)
from dvelib.regressor import LandmarkRegressor, normalise_points
from dvelib.training.framing import cut, deviating, frames_around, to_picture
from dvelib.training.regressors import predict

__all__ = ["FaceReader", "FaceReading", "central_frame", "mirror_order"]

# Deviations of frames: scale, degrees, shift in parts of the side.
FIRST = ((1.0, 0, (0, 0)), (0.88, 0, (0, 0)), (1.15, 0, (0, 0)))
SHRINK = 3.0  # pixels of the picture for one of the square, at most
SECOND = ((1.0, 0, (0, 0)), (0.93, 5, (0.02, 0.02)), (1.07, -5, (-0.02, -0.02)))
# Runs of the 68 landmarks that a mirror reverses, and the right eye's places of the left eye's.
REVERSED = ((0, 17), (17, 27), (31, 36), (48, 55), (55, 60), (60, 65), (65, 68))
EYES = {36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46}


class FaceReading(NamedTuple):
    """What was found on one face: ``landmarks [A,2]`` in pixels of the picture, and evidence.

    ``spread [A]``: root mean square distance of the answers in single frames from their mean.
    ``scatter [A]``: median distance of virtual keypoints from their usual places around the
    landmark. ``misshapen``: distance of the five landmarks from the mean shape. These are in sizes
    of the face (see `dvelib.own.face_framing.size_of`). ``descriptors [A,D]``: the unit descriptor
    at each landmark, averaged over frames.
    """

    landmarks: np.ndarray
    spread: np.ndarray
    scatter: np.ndarray
    misshapen: float
    descriptors: np.ndarray


class FaceReader(NamedTuple):
    """An embedding, a regressor on it, and the framing of the faces that it learned from.

    ``offsets [A,V,2]``: usual places of the virtual keypoints around their landmark, in sizes of
    the face.
    """

    embedding: Embedding
    regressor: LandmarkRegressor
    framing: FaceFraming
    offsets: np.ndarray

    @property
    def side(self) -> int:
        """Pixels of the square that the network sees."""
        return self.embedding.spec.size - 2 * self.embedding.spec.crop

    def read(self, image: Image.Image, frame: np.ndarray) -> FaceReading:
        """The landmarks of the face in a first frame ``[2,3]`` of an RGB picture."""
        frames = self._around(frame, FIRST)
        points, _, _ = self._answers(image, frames)
        middle = np.median(to_picture(points, frames), axis=0)
        frames = self._around(self._frame_around(middle, frame), SECOND)
        both = np.concatenate([frames, mirrored(frames, self.side)])
        points, virtual, maps = self._answers(image, both)
        plain = len(frames)
        points[plain:] = points[plain:, mirror_order(points.shape[1])]
        return self._reading(
            to_picture(points, both), points[:plain], virtual[:plain], maps[:plain]
        )

    def frame_of(self, box: np.ndarray, turn: float) -> np.ndarray:
        """The first frame ``[2,3]`` of a detected face; see `box_frames`."""
        return box_frames(box[None], np.array([turn]), self.framing, self.side)[0]

    def _frame_around(self, landmarks: np.ndarray, before: np.ndarray) -> np.ndarray:
        try:
            return face_frames(landmarks[None], self.framing, self.side)[0]
        except StudyError:  # all landmarks in one place, on a picture without structure
            return before

    def _around(self, frame: np.ndarray, deviations: tuple) -> np.ndarray:
        scale, turn, shift = (np.array(part, float) for part in zip(*deviations, strict=True))
        return deviating(np.repeat(frame[None], len(scale), 0), self.side, scale, turn, shift)

    def _answers(self, image: Image.Image, frames: np.ndarray) -> tuple[np.ndarray, ...]:
        """Landmarks ``[R,A,2]`` and virtual keypoints in pixels of the squares, and their maps."""
        maps = self.embedding(squares(image, frames, self.side))
        points, virtual = predict(self.regressor, maps, self.side)
        return points.double().numpy(), virtual.double().numpy(), maps

    def _reading(
        self, views: np.ndarray, points: np.ndarray, virtual: np.ndarray, maps: Tensor
    ) -> FaceReading:
        landmarks = views.mean(axis=0)
        five = five_of(landmarks[None])
        size = max(float(size_of(five)[0]), 1e-3)
        spread = np.sqrt(((views - landmarks) ** 2).sum(axis=2).mean(axis=0)) / size
        offsets = virtual_offsets(points, virtual, self.framing.size * self.side)
        away = np.linalg.norm(offsets - self.offsets, axis=-1)  # [R,A,V]
        shape = to_picture(FIVE_SHAPE[None], frames_around(five, FIVE_SHAPE))
        misshapen = np.sqrt(((shape - five) ** 2).sum(axis=2).mean()) / size
        descriptors = unit_descriptors(maps, points, self.side).mean(axis=0)
        scatter = np.median(away, axis=2).mean(axis=0)
        return FaceReading(
            landmarks.astype(np.float32), spread, scatter, float(misshapen), descriptors
        )


def virtual_offsets(points: np.ndarray, virtual: np.ndarray, size: float) -> np.ndarray:
    """Places ``[R,A,V,2]`` of virtual keypoints around their landmarks ``[R,A,2]``, in sizes."""
    return (virtual - points[:, :, None]) / size


def unit_descriptors(maps: Tensor, points: np.ndarray, side: int) -> np.ndarray:
    """Descriptors ``[R,A,D]`` of length 1 at landmarks ``[R,A,2]`` in pixels of the squares."""
    grid = normalise_points(torch.from_numpy(points).float(), side)
    grid = grid.to(maps.device)[:, :, None]
    found = F.grid_sample(maps, grid, padding_mode="border", align_corners=True)
    return F.normalize(found[..., 0].mT, dim=2).cpu().numpy()


def squares(image: Image.Image, frames: np.ndarray, side: int) -> Tensor:
    """The squares ``[R,3,side,side]`` uint8 that frames ``[R,2,3]`` cut out of an RGB picture.

    Only the part of the picture around the frames is decoded into a tensor, shrunk where it is
    much finer than the squares.
    """
    ends = np.array([[[0, 0], [0, side], [side, 0], [side, side]]], float)
    corners = to_picture(ends, frames).reshape(-1, 2)
    low = np.clip(np.floor(corners.min(axis=0)) - 2, 0, np.array(image.size) - 1)
    high = np.clip(np.ceil(corners.max(axis=0)) + 2, low + 1, image.size)
    part = image.crop((*low.astype(int), *high.astype(int)))
    finest = np.sqrt(np.abs(np.linalg.det(frames[:, :, :2]))).max()
    if finest > SHRINK:
        sides = np.maximum(np.round(np.array(part.size) * SHRINK / finest), 1).astype(int)
        scale = sides / part.size
        part = part.resize(tuple(sides), Image.Resampling.BOX)
    else:
        scale = np.ones(2)
    moved = frames.copy()
    moved[:, :, 2] -= low
    moved[:, :, 2] += 0.5  # pixel centres are whole numbers in both pictures
    moved *= scale[:, None]
    moved[:, :, 2] -= 0.5
    pixels = torch.from_numpy(np.array(part)).movedim(2, 0)[None]
    return cut(pixels, moved, side)


def mirrored(frames: np.ndarray, side: int) -> np.ndarray:
    """Frames whose squares are the mirror images of those of ``frames [N,2,3]``."""
    flip = np.array([[-1, 0, side - 1], [0, 1, 0], [0, 0, 1]], float)
    return frames @ flip


def mirror_order(count: int) -> np.ndarray:
    """The landmark ``[count]`` whose place each of 5 or 68 landmarks takes in a mirror image."""
    if count == 5:
        return np.array([1, 0, 2, 4, 3])
    order = np.arange(count)
    for first, last in REVERSED:
        order[first:last] = order[first:last][::-1]
    for left, right in EYES.items():
        order[[left, right]] = right, left
    return order


def central_frame(size: tuple[int, int], embedding: Embedding) -> np.ndarray:
    """The frame ``[2,3]`` of the central square of a picture, cropped as in a study."""
    spec, side = embedding.spec, min(size)
    scale = side / spec.size
    corner = (np.array(size) - side) // 2 + (spec.crop + 0.5) * scale - 0.5
    return np.column_stack([scale * np.eye(2), corner])
