"""Frames: squares that are cut out of pictures, shifted, turned and scaled to fit an object.

A frame ``[2,3]`` maps pixels of the square to pixels of the picture: ``picture = M (x, y, 1)``.
Convention: (x, y); pixel centres are whole numbers in both.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.checkpoints.specifications import Jitter
from dvelib.common.errors import StudyError
from dvelib.data import FaceDataset

__all__ = ["cut", "deviating", "frames_around", "jittered_copies", "to_frame", "to_picture"]

BATCH = 64  # images at a time
FINEST = 4  # samples a pixel, along each side


def frames_around(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    """The frames ``[N,2,3]`` that bring points ``[N,K,2]`` closest to ``template [K,2]``.

    Least squares over shift, rotation and scale (Umeyama, 1991). A point that is NaN is left out.
    Raises StudyError for an object with fewer than two different points.
    """
    return np.stack([_frame_around(p, template) for p in np.asarray(points, np.float64)])


def _frame_around(points: np.ndarray, template: np.ndarray) -> np.ndarray:
    known = ~np.isnan(points).any(axis=1)
    if known.sum() < 2 or np.ptp(points[known], axis=0).max() == 0:
        raise StudyError("a frame needs two landmarks at different places: set more landmarks")
    a, b = _complex(template[known]), _complex(points[known])
    mean_a, mean_b = a.mean(), b.mean()
    # Rotation and scale are one complex factor, which least squares gives in closed form.
    factor = np.vdot(a - mean_a, b - mean_b) / np.vdot(a - mean_a, a - mean_a).real
    return _matrix(factor, mean_b - factor * mean_a)


def _complex(points: np.ndarray) -> np.ndarray:
    return points[..., 0] + 1j * points[..., 1]


def _matrix(factor: complex, shift: complex) -> np.ndarray:
    return np.array(
        [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    )


def deviating(
    frames: np.ndarray, side: int, scale: np.ndarray, turn: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """Frames ``[N,2,3]`` that deviate from others.

    ``scale [N]`` multiplies what a frame shows, ``turn [N]`` is in degrees, ``shift [N,2]`` in
    parts of the ``side`` of the square.
    """
    centre = (side - 1) / 2
    angle = np.radians(turn)
    own = np.empty((len(frames), 3, 3))
    own[:] = np.eye(3)
    own[:, 0, 0] = own[:, 1, 1] = scale * np.cos(angle)
    own[:, 1, 0] = scale * np.sin(angle)
    own[:, 0, 1] = -own[:, 1, 0]
    own[:, :2, 2] = centre + np.asarray(shift) * side - own[:, :2, :2] @ np.full(2, centre)
    return frames @ own


def to_picture(points: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """Points ``[N,K,2]`` of the squares, in pixels of the pictures."""
    return points @ frames[:, :, :2].swapaxes(1, 2) + frames[:, None, :, 2]


def to_frame(points: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The inverse of `to_picture`."""
    inverse = np.linalg.inv(frames[:, :, :2])
    return (points - frames[:, None, :, 2]) @ inverse.swapaxes(1, 2)


def cut(images: Tensor, frames: np.ndarray, side: int) -> Tensor:
    """The squares ``[N,3,side,side]`` uint8 that frames ``[N,2,3]`` cut out of images.

    ``images``: ``[N,3,H,W]`` uint8, or one ``[1,3,H,W]`` for all frames. Bilinear; where the image
    is finer than the square, several samples are averaged. Beyond its border the image is
    continued by its outermost pixels.
    """
    finest = np.sqrt(np.abs(np.linalg.det(frames[:, :, :2]))).max()
    samples = min(max(math.ceil(finest - 0.1), 1), FINEST)
    steps = (torch.arange(side * samples, dtype=torch.float64) + 0.5) / samples - 0.5
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    lattice = torch.stack([x, y, torch.ones_like(x)], 2).view(-1, 3)
    there = lattice @ torch.from_numpy(frames).to(torch.float64).mT  # [N,n*n,2]
    sides = torch.tensor([images.shape[3] - 1, images.shape[2] - 1], dtype=torch.float64)
    grid = (2 * there / sides.clamp(min=1) - 1).float()
    grid = grid.view(len(frames), side * samples, side * samples, 2)
    source = images.float().expand(len(frames), -1, -1, -1)
    found = F.grid_sample(source, grid, padding_mode="border", align_corners=True)
    return F.avg_pool2d(found, samples).round_().clamp_(0, 255).to(torch.uint8)


def jittered_copies(
    faces: FaceDataset, frames: np.ndarray, side: int, jitter: Jitter, seed: int
) -> FaceDataset:
    """Each face of a dataset in several squares, cut out by frames that deviate at random.

    ``frames [N,2,3]``: those without deviation, of squares of ``side`` pixels. The result is
    cropped to that side already. The seed decides all random numbers.
    """
    count = len(faces) * jitter.copies
    draw = np.random.default_rng(seed)
    entries = np.tile(np.arange(len(faces)), jitter.copies)
    moved = deviating(
        frames[entries],
        side,
        np.exp(jitter.scale * draw.standard_normal(count)),
        jitter.turn * draw.standard_normal(count),
        jitter.shift * draw.standard_normal((count, 2)),
    )
    images = np.empty((count, 3, side, side), np.uint8)
    for at in range(0, count, BATCH):
        part = slice(at, at + BATCH)
        originals = torch.from_numpy(np.array(faces.images[entries[part]]))
        images[part] = cut(originals, moved[part], side).numpy()
    said = f"{faces.digest} {frames.tolist()} {side} {jitter} {seed}"
    return replace(
        faces,
        title=f"{faces.title}, each face in {jitter.copies} frames",
        size=side,
        crop=0,
        files=tuple(faces.files[i] for i in entries),
        images=images,
        full_landmarks=to_frame(faces.full_landmarks[entries], moved).astype(np.float32),
        digest=hashlib.sha256(said.encode()).hexdigest(),
        published_count=None,
        identities=faces.identities and tuple(faces.identities[i] for i in entries),
    )
