"""Raw colours of a patch of 7 x 7 pixels, the plainest descriptor there is.

A floor: what matches better than this has learned something.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from dvelib.describers.resampling import LATTICE, cells

__all__ = ["TITLE", "make_describer"]

TITLE = "colour patches"
SIDE = 7  # pixels


def make_describer():
    """Descriptors of 147 numbers, grey at zero; beyond the border the image is mirrored."""

    def describe(images: Tensor) -> Tensor:
        padded = F.pad(images.float() / 255 - 0.5, [SIDE // 2] * 4, mode="reflect")
        patches = F.unfold(padded, SIDE, stride=LATTICE)  # [B,3*49,H*H]
        count = cells(images.shape[-1])
        return patches.view(len(images), -1, count, count)

    return describe
