"""HOG: histograms of gradients in blocks of 2 x 2 cells of 6 x 6 pixels (scikit-image).

Source: Dalal and Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from dvelib.describers.resampling import on_lattice, one_by_one

__all__ = ["TITLE", "make_describer"]

TITLE = "HOG"
CELL, CELLS = 6, 2  # pixels of a cell, cells of a block, a side


def make_describer():
    """Descriptors of 36 numbers; beyond the border the image is mirrored."""
    from skimage.feature import hog

    edge = CELL * CELLS

    def one(image: np.ndarray) -> np.ndarray:
        padded = np.pad(image, [(edge, edge), (edge, edge), (0, 0)], mode="reflect")
        blocks = hog(
            padded,
            pixels_per_cell=(CELL, CELL),
            cells_per_block=(CELLS, CELLS),
            feature_vector=False,
            channel_axis=-1,
        )
        return blocks.reshape(*blocks.shape[:2], -1)

    def describe(images: Tensor) -> Tensor:
        maps = one_by_one(one, images)
        first = CELL * CELLS / 2 - 0.5 - edge  # the middle of the first block
        return on_lattice(maps, images.shape[-1], first=first, spacing=CELL)

    return describe
