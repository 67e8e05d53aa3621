"""Random thin-plate-spline warps of image batches and of keypoints.

Notable:

- A training pair takes two warps. The first turns the image into the second view; the second warp
  turns the second view into the first view (the published order). The grid of the second warp
  alone relates the two views.
- All grids are [-1,1] with ``align_corners=True``; sampling is bilinear and zero outside.
- Views are cropped after warping, which removes most of the black border.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "EVALUATION_WARP",
    "TRAINING_WARP",
    "ThinPlateSpline",
    "WarpDistribution",
    "WarpedPair",
    "crop_grid",
    "draw_weights",
    "draw_weights_in_order",
    "identity_weights",
    "pixels",
    "sample",
    "warp_keypoints",
    "warp_pair",
]

CONTROL_SIDE = 10
CONTROL_POINTS = CONTROL_SIDE**2
WEIGHTS = CONTROL_POINTS + 3


class ThinPlateSpline:
    """Thin-plate spline with a 10x10 control grid over [-1,1]^2, on a square image.

    Convention: positions (x, y) in [-1,1], ``align_corners=True``. The kernel is
    r^2 log(r^2 + 1e-5). The 103 weights of one warp are 100 control weights (x, y), control
    points row by row, then the rows for 1, x and y of an affine map. Source: paper, section 4.
    """

    def __init__(self, size: int, device: torch.device | str = "cpu"):
        if size < 2:
            raise ValueError(f"a warp needs an image side of at least 2 pixels, got {size}")
        self.size = size
        self._design = _design_matrix(size).to(device, torch.float32)

    def grid(self, weights: Tensor) -> Tensor:
        """``weights [B,103,2] -> [B,S,S,2]``: where each output pixel is sampled from."""
        if weights.ndim != 3 or weights.shape[1:] != (WEIGHTS, 2):
            raise ValueError(f"weights must be [B,{WEIGHTS},2], got {tuple(weights.shape)}")
        design = self._design.to(weights)
        return (design @ weights).view(-1, self.size, self.size, 2)


def _design_matrix(size: int) -> Tensor:
    points = _lattice(size)
    squared = (points[:, None] - _lattice(CONTROL_SIDE)).square().sum(2)
    kernel = squared * torch.log(squared + 1e-5)
    return torch.cat([kernel, torch.ones(len(points), 1, dtype=kernel.dtype), points], 1)


def _lattice(side: int) -> Tensor:
    """[side*side,2] positions (x, y) in [-1,1], row by row, in float64."""
    axis = torch.linspace(-1, 1, side, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], 2).view(-1, 2)


@cache
def _spline(size: int, device: torch.device) -> ThinPlateSpline:
    return ThinPlateSpline(size, device)


@dataclass(frozen=True)
class WarpDistribution:
    """Standard deviations of a random warp. Lengths in units of half the image side.

    ``control``: control weights; ``control_subset``: the same for a random half of them;
    ``translation``; ``scale``, relative; ``rotation``, in degrees. ``first_control`` is a factor
    on the control weights of the first of a pair's two warps.
    """

    control: float = 0.001
    control_subset: float = 0.01
    translation: float = 0.1
    scale: float = 0.1
    rotation: float = 5.0
    first_control: float = 0.5


TRAINING_WARP = WarpDistribution()
EVALUATION_WARP = WarpDistribution(0.0005, 0.005, 0.05, 0.05, 2.5, first_control=1.0)


def identity_weights(batch: int = 1) -> Tensor:
    """Weights ``[batch,103,2]`` of the identity warp."""
    weights = torch.zeros(batch, WEIGHTS, 2)
    weights[:, -2, 0] = weights[:, -1, 1] = 1.0
    return weights


def draw_weights(
    batch: int, distribution: WarpDistribution, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Weights ``[batch,103,2]`` of the first and the second warp, on the generator's device."""
    both = _draw(2 * batch, distribution, generator)
    first, second = both[:batch], both[batch:]
    first[:, :CONTROL_POINTS] *= distribution.first_control
    return first, second


def _draw(count: int, d: WarpDistribution, generator: torch.Generator) -> Tensor:
    like = {"generator": generator, "device": generator.device}
    control = torch.randn(count, CONTROL_POINTS, 2, **like)
    subset = torch.rand(count, CONTROL_POINTS, 2, **like) > 0.5
    control = control * torch.where(subset, d.control_subset, d.control)
    return torch.cat([control, _affine_rows(torch.randn(4, count, **like), d)], 1)


def draw_weights_in_order(
    count: int, distribution: WarpDistribution, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """The published evaluation draws: one stream, image after image, first then second warp.

    Returns two tensors ``[count,103,2]``. The draws cannot be batched: how many numbers a warp
    takes from the stream is itself random.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = [_draw_one(distribution, generator) for _ in range(2 * count)]
    weights = torch.stack(drawn).view(count, 2, WEIGHTS, 2)
    first, second = weights.unbind(1)
    first = first.clone()
    first[:, :CONTROL_POINTS] *= distribution.first_control
    return first, second.contiguous()


def _draw_one(d: WarpDistribution, generator: torch.Generator) -> Tensor:
    control = torch.randn(CONTROL_POINTS, 2, generator=generator) * d.control
    subset = torch.rand(CONTROL_POINTS, 2, generator=generator) > 0.5
    replaced = torch.randn(int(subset.sum()), generator=generator)
    control[subset] = replaced * d.control_subset
    scalars = torch.stack([torch.randn([], generator=generator) for _ in range(4)])
    return torch.cat([control, _affine_rows(scalars[:, None], d)[0]])


def _affine_rows(normals: Tensor, d: WarpDistribution) -> Tensor:
    """[4,B] standard normals (rotation, scale, x, y) -> [B,3,2] rows for 1, x and y."""
    angle = normals[0] * (d.rotation * math.pi / 180)
    scale = 1 + normals[1] * d.scale
    shift = normals[2:] * d.translation
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [shift[0], shift[1], cos, -sin, sin, cos]
    return torch.stack(rows, 1).view(-1, 3, 2)


@dataclass(frozen=True)
class WarpedPair:
    """Two views of each image, and the grids that relate them.

    ``first``, ``second`` ``[B,3,s,s]`` are cropped to s = S - 2*crop. ``grid`` ``[B,s,s,2]`` is
    the position in the second view of each pixel of the first, in [-1,1] of the cropped side.
    ``image_grid`` and ``view_grid`` ``[B,S,S,2]`` are the uncropped grids from image to second
    view and from second to first view, for `warp_keypoints`.
    """

    first: Tensor
    second: Tensor
    grid: Tensor
    image_grid: Tensor
    view_grid: Tensor

    @property
    def flow(self) -> Tensor:
        """`grid` as displacements (x, y) in pixels: ``[B,s,s,2]``."""
        size = self.grid.shape[1]
        axis = torch.arange(size, device=self.grid.device, dtype=self.grid.dtype)
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        return pixels(self.grid, size) - torch.stack([x, y], 2)


def warp_pair(
    images: Tensor, weights_first: Tensor, weights_second: Tensor, crop: int
) -> WarpedPair:
    """Warp images twice and crop: the second view is one warp away, the first view two.

    Shapes: ``images [B,3,S,S]`` of any range, weights ``[B,103,2]``. ``weights_first`` turns the
    image into the second view, ``weights_second`` the second view into the first.
    Convention: ``align_corners=True``, bilinear, zero outside; ``crop`` pixels leave each side
    after warping. Raises ValueError where the crop leaves fewer than 2 pixels.
    """
    size = images.shape[-1]
    if images.ndim != 4 or images.shape[-2] != size:
        raise ValueError(f"images must be square, [B,3,S,S], got {tuple(images.shape)}")
    if crop < 0 or size - 2 * crop < 2:
        raise ValueError(f"a crop of {crop} leaves nothing of a {size}-pixel image")
    spline = _spline(size, images.device)
    image_grid, view_grid = spline.grid(weights_first), spline.grid(weights_second)
    second = sample(images, image_grid)
    # Only the pixels inside the crop are needed of the first view.
    kept = _crop(view_grid, crop)
    first = sample(second, kept)
    grid = crop_grid(kept, size, crop)
    second = second[..., crop : size - crop, crop : size - crop]
    return WarpedPair(first, second, grid, image_grid, view_grid)


def sample(images: Tensor, grid: Tensor) -> Tensor:
    """Bilinear look-up of ``[B,C,S,S]`` at ``grid [B,h,w,2]`` in [-1,1], zero outside."""
    return F.grid_sample(images, grid.to(images.dtype), align_corners=True)


def pixels(grid: Tensor, size: int) -> Tensor:
    """Positions in [-1,1] (``align_corners=True``) as pixels of an image of that side."""
    return (grid + 1) * ((size - 1) / 2)


def crop_grid(grid: Tensor, size: int, crop: int) -> Tensor:
    """Positions in [-1,1] of a side ``size`` as positions in [-1,1] of its centre crop."""
    return (pixels(grid, size) - crop) * (2 / (size - 2 * crop - 1)) - 1


def _crop(grid: Tensor, crop: int) -> Tensor:
    side = grid.shape[1]
    return grid[:, crop : side - crop, crop : side - crop]


def warp_keypoints(points: Tensor, grid: Tensor) -> Tensor:
    """Warped keypoints: the output pixel that is sampled nearest to each keypoint.

    Shapes: ``points [B,K,2]``, ``grid [B,S,S,2]`` -> ``[B,K,2]``.
    Convention: points (x, y) in pixels of the S x S input, before any crop (the caller
    subtracts it); grid in [-1,1] with ``align_corners=True``. The result is whole pixels, as
    published. For a keypoint outside the output it is the nearest border pixel.
    """
    size = grid.shape[1]
    sources = pixels(grid, size).flatten(1, 2)  # [B,S*S,2]
    nearest = torch.cdist(points.to(sources), sources).argmin(2)
    return torch.stack([nearest % size, nearest // size], 2).to(points.dtype)
