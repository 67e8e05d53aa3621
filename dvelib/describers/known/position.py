"""The place in the image and nothing else: matching answers the same place.

A floor: what matches better than this has looked at the image.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dvelib.describers.resampling import LATTICE

__all__ = ["TITLE", "make_describer"]

TITLE = "position"


def make_describer():
    """Four numbers, a point on a quarter circle for x and one for y.

    All descriptors have the same length, so that raw products and cosines agree.
    """

    def describe(images: Tensor) -> Tensor:
        side = images.shape[-1]
        angle = torch.arange(0, side, LATTICE, device=images.device) * (torch.pi / 2 / side)
        y, x = torch.meshgrid(angle, angle, indexing="ij")
        maps = torch.stack([x.cos(), x.sin(), y.cos(), y.sin()])
        return maps.expand(len(images), -1, -1, -1)

    return describe
