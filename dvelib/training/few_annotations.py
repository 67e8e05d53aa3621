"""Few labelled images (the paper's limited annotations), each in many warped copies.

The published protocol: n images are picked, and the list of them is repeated until it is as long
as the training set. Every entry gets one random thin-plate-spline warp of its own, drawn before
training and kept through all epochs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from dvelib.checkpoints.specifications import RegressorSpec
from dvelib.common.errors import StudyError
from dvelib.data import FaceDataset
from dvelib.warps import ThinPlateSpline, WarpDistribution, draw_weights, sample, warp_keypoints

__all__ = ["LIMITED_WARP", "annotated_faces", "pick", "warped_copies"]

LIMITED_WARP = WarpDistribution(
    control=0.0005,
    control_subset=0.0,
    translation=0.02,
    scale=0.02,
    rotation=2.0,
    first_control=1.0,
)
BATCH = 32  # images at a time
ROUNDING = 0.01  # grey levels by which arithmetic may fall short of a whole one


def pick(count: int, n: int, seed: int) -> np.ndarray:
    """The places ``[n]`` of n images among ``count``: for one seed, fewer are the first of more.

    Raises StudyError where there are not so many.
    """
    if not 1 <= n <= count:
        raise StudyError(f"{n} images cannot be picked out of {count}: ask for 1 to {count}")
    return np.random.RandomState(seed).permutation(count)[:n]


def annotated_faces(
    spec: RegressorSpec, faces: FaceDataset
) -> tuple[FaceDataset, Callable[[int], FaceDataset] | None]:
    """The faces that a regressor learns from, and a function that draws those of an epoch.

    Without ``spec.annotations``: all faces. With it: so many faces, picked by the seed, in warped
    copies, about as many copies in all as there are faces. The function is None unless
    ``spec.fresh_warps`` asks for other copies in each epoch.
    Raises StudyError where there are fewer faces than ``spec.annotations``.
    """
    if spec.annotations is None:
        return faces, None
    picks = pick(len(faces), spec.annotations, spec.seed)
    copies = len(faces) // spec.annotations

    def drawn(epoch: int) -> FaceDataset:
        return warped_copies(faces, picks, copies, spec.seed + 1_000_003 * epoch)

    return drawn(0), drawn if spec.fresh_warps else None


def warped_copies(faces: FaceDataset, picks: np.ndarray, copies: int, seed: int) -> FaceDataset:
    """The picked images, over and over, each time under a warp of its own.

    ``picks [n]``: places in ``faces``. The result holds n times ``copies`` images: all picks once,
    then all of them again. The seed decides all random numbers.
    Convention: warps come before the crop; landmarks move as in `dvelib.warps.warp_keypoints`, to
    whole pixels; one that was not set stays NaN. Grey levels are cut to whole ones, as published.
    Raises StudyError where there is nothing to copy or the images have no landmarks.
    """
    picks = np.asarray(picks)
    if not len(picks) or copies < 1:
        raise StudyError(
            f"{faces.title}: {len(picks)} labelled images in {copies} copies give no image to "
            f"learn from: give at least one image and one copy"
        )
    entries = np.tile(picks, copies)
    points = torch.from_numpy(faces.landmarks[entries] + np.float32(faces.crop))
    images = np.empty((len(entries), 3, faces.size, faces.size), np.uint8)
    moved = np.empty(points.shape, np.float32)
    weights, spline = _weights(len(entries), seed), ThinPlateSpline(faces.size)
    for at in range(0, len(entries), BATCH):
        part = slice(at, at + BATCH)
        grid = spline.grid(weights[part])
        originals = torch.from_numpy(faces.images[entries[part]]).float()
        images[part] = _whole_levels(sample(originals, grid)).numpy()
        moved[part] = _move(points[part], grid).numpy()
    return replace(
        faces,
        title=f"{faces.title}, {copies} warped copies of {len(picks)} images",
        files=tuple(faces.files[i] for i in entries),
        images=images,
        full_landmarks=moved,
        digest=_digest(faces, picks, copies, seed),
        published_count=None,
        identities=faces.identities and tuple(faces.identities[i] for i in entries),
    )


def _weights(count: int, seed: int) -> Tensor:
    """``[count,103,2]``: one warp for each entry."""
    generator = torch.Generator().manual_seed(seed)
    return torch.cat(draw_weights(-(-count // 2), LIMITED_WARP, generator))[:count]


def _whole_levels(images: Tensor) -> Tensor:
    return images.add_(ROUNDING).floor_().clamp_(0, 255).to(torch.uint8)


def _move(points: Tensor, grid: Tensor) -> Tensor:
    unset = points.isnan().any(2, keepdim=True)
    moved = warp_keypoints(points.nan_to_num(0), grid)
    return moved.masked_fill(unset, torch.nan)


def _digest(faces: FaceDataset, picks: np.ndarray, copies: int, seed: int) -> str:
    said = f"{faces.digest} {picks.tolist()} {copies} {seed} {LIMITED_WARP}"
    return hashlib.sha256(said.encode()).hexdigest()
