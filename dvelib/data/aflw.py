"""AFLW_R: faces of AFLW re-cropped, with five landmarks.

Layout: ``aflw_train_images.txt`` and ``aflw_test_images.txt`` name images under ``output``;
``aflw_train_keypoints.mat`` and ``aflw_test_keypoints.mat`` hold their landmarks ``gt [N,5,2]``
as (y, x) and the images' heights and widths ``hw [N,2]``. Images are squeezed to squares.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.data.layout import Layout, Listing, require
from dvelib.data.reading import check_finite, check_lengths, read_lines, read_mat

__all__ = ["Aflw"]

IF_MISSING = "unpack the AFLW_R archive there, or point data_root at the folder that holds it"
IF_DAMAGED = "unpack the AFLW_R archive again"


class Aflw(Layout):
    """Convention: the listing's landmarks are (x, y) as fractions of image width and height."""

    name = "aflw"
    title = "AFLW_R"
    published = {"train": 10_122, "test": 2_991}

    def listing(self, root: Path, split: str) -> Listing:
        names = require(root / f"aflw_{split}_images.txt", f"AFLW_R's {split} list", IF_MISSING)
        mat = require(
            root / f"aflw_{split}_keypoints.mat", f"AFLW_R's {split} landmarks", IF_MISSING
        )
        files = read_lines(names, IF_DAMAGED)
        points, sides = read_mat(mat, ("gt", "hw"), IF_DAMAGED)
        if not (isinstance(points, np.ndarray) and isinstance(sides, np.ndarray)):
            raise StudyError(f"{mat}: gt and hw must be arrays of numbers: {IF_DAMAGED}")
        check_lengths(
            names, len(files), {f"gt of {mat}": len(points), f"hw of {mat}": len(sides)}, IF_DAMAGED
        )
        if points.shape[1:] != (5, 2) or sides.shape[1:] != (2,):
            raise StudyError(
                f"{mat}: expected gt of N x 5 x 2 and hw of N x 2, "
                f"found {_shape(points)} and {_shape(sides)}: {IF_DAMAGED}"
            )
        points, sides = points.astype(np.float64), sides.astype(np.float64)
        check_finite(points, files, mat, "coordinate", IF_DAMAGED)
        check_finite(np.where(sides > 0, sides, np.nan), files, mat, "height or width", IF_DAMAGED)
        parts = points / sides[:, None]
        return Listing(tuple(f"output/{f}" for f in files), parts[:, :, ::-1].copy())

    def place(
        self, points: np.ndarray, sources: np.ndarray, boxes: np.ndarray | None, size: int
    ) -> np.ndarray:
        return points * size


def _shape(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape))
