"""Landmark regressors in closed form: no gradient steps, seconds instead of minutes.

The regressor is that of `dvelib.regressor`. Its filters are not learned but taken from the faces:
each is the mean descriptor of a few training faces at one place around the landmark. Faces and
place are drawn at random. A virtual keypoint is thus where a face looks like that place. The linear
map from virtual keypoints to landmarks is a ridge regression that weighs outliers less (Huber,
1964).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.checkpoints.specifications import RegressorSpec
from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset
from dvelib.describers import Describer
from dvelib.regressor import LandmarkRegressor, expected_positions, normalise_points

__all__ = ["descriptors_at", "solve_regressor"]

BATCH = 64  # faces at a time
FOR_FILTERS = 1200  # faces that filters are taken from, at most
A_FILTER = 20  # of them for each filter
HUBER = 0.05  # error, in [-1,1], beyond which a face is weighed less
ROUNDS = 5  # of weighing


def solve_regressor(
    spec: RegressorSpec, describer: Describer, faces: FaceDataset
) -> LandmarkRegressor:
    """The regressor that fits the faces; ``spec.closed_form`` must be given.

    Each face is described twice. The seed decides all random numbers. A face on which a landmark
    is not set is left out for that landmark.
    """
    draw = torch.Generator().manual_seed(spec.seed)
    landmarks = faces.landmarks.shape[1]
    network = LandmarkRegressor(
        describer.dimension, landmarks, spec.virtual_points, spec.softmax_scale
    )
    # Stored in half precision they stay the same.
    filters = _filters(spec, describer, faces, draw).half().float()  # [A*V,D]
    virtual = []
    with progress_bar(len(faces), "finding virtual keypoints", "faces") as bar:
        for at in range(0, len(faces), BATCH):
            maps = _maps(describer, faces, torch.arange(at, min(at + BATCH, len(faces))))
            virtual.append(expected_positions(maps, filters, spec.softmax_scale))
            bar.update(len(maps))
    found = torch.cat(virtual).view(len(faces), landmarks, -1).double()  # [N,A,2V]
    truth = normalise_points(torch.from_numpy(faces.landmarks), faces.cropped_size).double()
    rows = [_ridge(found[:, k], truth[:, k], spec.closed_form.ridge) for k in range(landmarks)]
    with torch.no_grad():
        network.inner_conv.weight.copy_(filters[..., None, None])
        network.reg_conv.weight.copy_(torch.cat(rows)[..., None, None])
    return network.eval()


def _filters(
    spec: RegressorSpec, describer: Describer, faces: FaceDataset, draw: torch.Generator
) -> Tensor:
    """Mean descriptors ``[A*V,D]`` at random places around landmarks.

    The first place of each landmark is the landmark itself. Filters have equal lengths, so that a
    descriptor of mean length gives at most the response ``sharpness``.
    """
    size, count = faces.cropped_size, faces.landmarks.shape[1]
    reach = spec.closed_form.reach * size
    places = torch.randn(count, spec.virtual_points, 2, generator=draw) * reach
    places[:, 0] = 0
    chosen = torch.randperm(len(faces), generator=draw)[:FOR_FILTERS]
    order = torch.rand(len(chosen), spec.virtual_points, generator=draw).argsort(0).argsort(0)
    serves = (order < A_FILTER).float()  # [N,V]: which faces make which filter
    length = 0.0  # of descriptors, summed over faces
    total = torch.zeros(count, spec.virtual_points, describer.dimension)
    with progress_bar(len(chosen), "collecting filters", "faces") as bar:
        for part, chosen_for in zip(chosen.split(BATCH), serves.split(BATCH), strict=True):
            points = torch.from_numpy(faces.landmarks[part.numpy()])[:, :, None] + places
            maps = _maps(describer, faces, part)
            length += float(maps.norm(dim=1).mean((1, 2)).sum())
            found = descriptors_at(maps, points.flatten(1, 2), size)
            found = found.nan_to_num(0).unflatten(1, (count, -1))
            total += torch.einsum("navd,nv->avd", found, chosen_for)
            bar.update(len(part))
    sharpness = spec.closed_form.sharpness / spec.softmax_scale
    return F.normalize(total.flatten(0, 1), dim=1) * sharpness * len(chosen) / length


def _maps(describer: Describer, faces: FaceDataset, index: Tensor) -> Tensor:
    return describer(faces.cropped(index.numpy())).float().cpu()


def descriptors_at(maps: Tensor, points: Tensor, size: int) -> Tensor:
    """Unit descriptors ``[N,K,D]`` at ``points [N,K,2]`` in pixels of images of side ``size``.

    ``maps [N,D,H,W]``. Points outside take the nearest descriptor; those that are NaN give NaN.
    """
    grid = normalise_points(points.float(), size).to(maps.device)
    missing = grid.isnan().any(2)
    found = F.grid_sample(
        maps, grid.nan_to_num(0)[:, :, None], padding_mode="border", align_corners=True
    )
    unit = F.normalize(found[..., 0].mT, dim=2)
    return unit.masked_fill(missing[..., None], torch.nan)


def _ridge(virtual: Tensor, truth: Tensor, penalty: float) -> Tensor:
    """Weights ``[2,2V]`` of one landmark, from ``virtual [N,2V]`` and ``truth [N,2]``."""
    known = ~truth.isnan().any(1)
    virtual, truth = virtual[known], truth[known]
    eye = penalty * torch.eye(virtual.shape[1], dtype=virtual.dtype)
    weight = torch.ones(len(virtual), 1, dtype=virtual.dtype)
    for _ in range(ROUNDS):
        weighted = (virtual * weight).T
        solved = torch.linalg.solve(weighted @ virtual + eye, weighted @ truth)
        away = (virtual @ solved - truth).norm(dim=1, keepdim=True)
        weight = (HUBER / away.clamp(min=HUBER)).clamp(max=1)
    return solved.T.float()
