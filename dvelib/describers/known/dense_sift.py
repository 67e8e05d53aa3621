"""Dense SIFT: histograms of gradients in 4 x 4 cells around every pixel (kornia).

Source: Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004; one scale,
upright, RootSIFT.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.describers.resampling import on_lattice

__all__ = ["TITLE", "make_describer"]

TITLE = "dense SIFT"
BINS, BIN = 4, 4  # spatial bins a side, and their side in pixels: a descriptor spans 16 pixels
EDGE = 8  # pixels that the image is mirrored by


def make_describer(device: torch.device):
    """Descriptors of 128 numbers, one at every pixel."""
    from kornia.color import rgb_to_grayscale
    from kornia.feature import DenseSIFTDescriptor

    sift = DenseSIFTDescriptor(num_spatial_bins=BINS, spatial_bin_size=BIN, padding=0).to(device)
    centre = (BINS - 1) * BIN / 2 - 0.5  # of cell 0

    def describe(images: Tensor) -> Tensor:
        grey = rgb_to_grayscale(images.float() / 255)
        maps = sift(F.pad(grey, [EDGE] * 4, mode="reflect"))
        first = centre - EDGE
        return on_lattice(maps, images.shape[-1], first=first, spacing=1)

    return describe
