"""Matching a point of one face in another by its descriptor, and the errors the study reports.

Two protocols. *Published*: the query is the descriptor of the nearest cell of the stride-2
lattice, and the match is the cell with the largest raw dot product. The lattice alone causes an
error of about a pixel. *Full resolution*: descriptors are interpolated to every pixel and compared
by cosine similarity.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "ERROR_SIDE",
    "inter_ocular_error",
    "match_full_resolution",
    "match_on_lattice",
    "match_points",
    "pixel_error",
    "query_cells",
    "upsample_descriptors",
]

ERROR_SIDE = 70  # px: published errors are rescaled to a face crop of this side


def match_points(source: Tensor, target: Tensor, points: Tensor, stride: int) -> Tensor:
    """Match points of the source map in the target map by the published protocol.

    Shapes: ``source``, ``target`` ``[D,H,W]``, ``points [K,2]`` -> ``[K,2]``.
    Convention: (x, y) in pixels of the cropped image; cell (row i, column j) stands for pixel
    (stride*j, stride*i); queries round half to even and are clamped to the lattice.
    """
    return match_on_lattice(source[None], target[None], points[None], stride)[0]


def match_on_lattice(source: Tensor, target: Tensor, points: Tensor, stride: int) -> Tensor:
    """`match_points` on a batch: ``[B,D,H,W]``, ``[B,D,H,W]``, ``[B,K,2] -> [B,K,2]``."""
    width = source.shape[-1]
    queries = _gather(source, query_cells(points, stride, source.shape[-2:]))
    best = (queries @ target.flatten(2)).argmax(2)  # [B,K]
    return stride * torch.stack([best % width, best // width], 2).to(points.dtype)


def query_cells(points: Tensor, stride: int, shape: torch.Size) -> Tensor:
    """Lattice cells (column, row), int64, nearest to points (x, y) in pixels."""
    cells = (points / stride).round().long()  # torch rounds half to even, as NumPy does
    limit = torch.tensor([shape[1] - 1, shape[0] - 1], device=points.device)
    return torch.minimum(cells.clamp(min=0), limit)


def _gather(features: Tensor, cells: Tensor) -> Tensor:
    """[B,D,H,W] at [B,K,2] cells (column, row): [B,K,D]."""
    flat = cells[..., 1] * features.shape[-1] + cells[..., 0]
    index = flat[:, None].expand(-1, features.shape[1], -1)
    return features.flatten(2).gather(2, index).mT


def match_full_resolution(source: Tensor, target: Tensor, points: Tensor, stride: int) -> Tensor:
    """Match at every pixel by cosine similarity of interpolated descriptors.

    Shapes and convention as in `match_on_lattice`. Matches are whole pixels.
    """
    dense = upsample_descriptors(target, stride)
    queries = _sample_at(source, points / stride)
    best = (queries @ F.normalize(dense, dim=1).flatten(2)).argmax(2)
    side = dense.shape[-1]
    return torch.stack([best % side, best // side], 2).to(points.dtype)


def upsample_descriptors(features: Tensor, stride: int) -> Tensor:
    """Bilinear descriptors at every pixel: ``[B,D,H,W] -> [B,D,stride*H,stride*W]``.

    Convention: cell j is pixel stride*j exactly. Pixels past the last cell repeat its value.
    """
    batch, _, height, width = features.shape
    y = torch.arange(stride * height, device=features.device) / stride
    x = torch.arange(stride * width, device=features.device) / stride
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    cells = torch.stack([columns, rows], 2).expand(batch, -1, -1, -1)
    return _bilinear(features, cells)


def _sample_at(features: Tensor, cells: Tensor) -> Tensor:
    return _bilinear(features, cells[:, None])[:, :, 0].mT  # [B,K,D]


def _bilinear(features: Tensor, cells: Tensor) -> Tensor:
    height, width = features.shape[-2:]
    side = torch.tensor([width - 1, height - 1], device=features.device)
    grid = (2 * cells / side - 1).to(features.dtype)
    return F.grid_sample(features, grid, padding_mode="border", align_corners=True)


def pixel_error(predicted: Tensor, truth: Tensor, size: int) -> Tensor:
    """Euclidean distance ``[...,2] -> [...]`` in pixels of a 70-px face crop.

    ``size`` is the side, in pixels, of the crop that contains the points.
    """
    return (predicted - truth).norm(dim=-1) * (ERROR_SIDE / size)


def inter_ocular_error(predicted: Tensor, truth: Tensor, eyes: tuple[int, int]) -> Tensor:
    """Landmark error in percent of the inter-ocular distance: ``[B,A,2] -> [B,A]``.

    ``eyes`` are the indices of the two landmarks whose true distance in each image is 100 %.
    Points may be in any unit of length. Raises ValueError naming the first image whose eyes
    coincide.
    """
    between = (truth[:, eyes[0]] - truth[:, eyes[1]]).norm(dim=1)
    if (between <= 0).any():
        first = int((between <= 0).nonzero()[0])
        raise ValueError(f"image {first}: eyes {eyes} coincide, no inter-ocular distance")
    return 100 * (predicted - truth).norm(dim=2) / between[:, None]
