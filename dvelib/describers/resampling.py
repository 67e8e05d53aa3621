"""Bringing the maps of any network onto the lattice that the protocols match on.

Networks disagree on where a cell of a map lies: DVE's cell j stands for pixel 2j, a patch of a
vision transformer for the middle of the patch. Here maps are interpolated at the pixels of one
lattice, so that all describers answer on the same cells.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["LATTICE", "cells", "enlarge", "mirrored", "on_lattice", "one_by_one"]

LATTICE = 2  # pixels from one cell to the next, as of the published networks


def on_lattice(maps: Tensor, side: int, *, first: float, spacing: float, factor: int = 1) -> Tensor:
    """Maps ``[B,D,h,w]`` at every second pixel of an image of that side: ``[B,D,H,H]``.

    Convention: cell j of ``maps`` has its centre at pixel ``first + spacing * j`` of the image
    enlarged ``factor`` times, see `enlarge`. Outside the outermost cells their values go on.
    """
    wanted = torch.arange(0, side, LATTICE, device=maps.device, dtype=torch.float32)
    cells = ((wanted + 0.5) * factor - 0.5 - first) / spacing
    height, width = maps.shape[-2:]
    y, x = (2 * cells / max(1, count - 1) - 1 for count in (height, width))
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    grid = torch.stack([columns, rows], 2).expand(len(maps), -1, -1, -1)
    return F.grid_sample(maps.float(), grid, padding_mode="border", align_corners=True)


def enlarge(images: Tensor, factor: int) -> Tensor:
    """Images ``[B,3,S,S]`` in 0..255, ``factor`` times as large, in 0..1, float32.

    Convention: pixel centres; pixel x lies at ``(x + 0.5) * factor - 0.5`` of the result.
    """
    images = images.float() / 255
    if factor == 1:
        return images
    return F.interpolate(images, scale_factor=factor, mode="bilinear", align_corners=False)


def mirrored(images: Tensor, multiple: int) -> Tensor:
    """Images ``[B,3,S,S]``, mirrored on the right and below until S is a multiple."""
    more = -images.shape[-1] % multiple
    return F.pad(images, [0, more, 0, more], mode="reflect")


def one_by_one(describe: Callable[[np.ndarray], np.ndarray], images: Tensor) -> Tensor:
    """Maps ``[B,D,h,w]`` by a function of one image ``[S,S,3]`` uint8 to a map ``[h,w,D]``."""
    maps = np.stack([describe(image) for image in images.permute(0, 2, 3, 1).cpu().numpy()])
    return torch.from_numpy(maps).permute(0, 3, 1, 2).to(images.device)


def cells(side: int, stride: int = LATTICE) -> int:
    """How many cells a side has a lattice whose first cell is pixel 0."""
    return -(-side // stride)
