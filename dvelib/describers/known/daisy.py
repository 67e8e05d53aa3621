"""DAISY: histograms of gradients on rings around every pixel (scikit-image).

Source: Tola, Lepetit and Fua, "DAISY: an efficient dense descriptor applied to wide-baseline
stereo", PAMI 2010.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from dvelib.describers.resampling import on_lattice, one_by_one

__all__ = ["TITLE", "make_describer"]

TITLE = "DAISY"
RADIUS, STEP = 9, 2  # pixels
RINGS = {"rings": 2, "histograms": 8, "orientations": 8}


def make_describer():
    """Unit descriptors of 136 numbers; beyond the border the image is mirrored."""
    from skimage.color import rgb2gray
    from skimage.feature import daisy

    def one(image: np.ndarray) -> np.ndarray:
        grey = np.pad(rgb2gray(image), RADIUS, mode="reflect")
        return daisy(grey, step=STEP, radius=RADIUS, **RINGS)

    def describe(images: Tensor) -> Tensor:
        maps = F.normalize(one_by_one(one, images), dim=1)
        return on_lattice(maps, images.shape[-1], first=0, spacing=STEP)

    return describe
