"""Errors of matching every visible pixel of a drawn face in another drawn face.

Real benchmarks know the true match of a few landmarks. Drawn faces know the canonical position of
every pixel, so a describer is measured on the whole face, and one sees where on it it fails.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dvelib.common.progress import progress_bar
from dvelib.data.synthetic_dataset import render_split
from dvelib.describers import Describer
from dvelib.matching import match_full_resolution, pixel_error

__all__ = ["ASPECT", "DENSE_PAIRS", "dense_errors", "error_map"]

DENSE_PAIRS = 48
STEP = 2  # pixels between queries
NEAR = 1.0  # canonical positions nearer than so many pixels' width count as the same place
# Extent of the canonical face: x from -0.7 to 0.7, y from -1.02 to 0.93.
LOW, HIGH = np.array([-0.75, -1.05]), np.array([0.75, 0.95])
ASPECT = 2.0 / 1.5  # height over width of that extent


def dense_errors(
    describer: Describer, *, size: int, crop: int, pairs: int = DENSE_PAIRS
) -> pd.DataFrame:
    """Errors on the first drawn test faces, taken two by two, at full resolution.

    Every second visible pixel of the even face is searched in the odd one. The truth is the pixel
    there with the nearest canonical position. Pixels whose place is hidden there are left out.
    ``size`` and ``crop`` of the faces in pixels. Columns pair; x, y (canonical position, from -1 to
    1 about the face); error and, for the answer of the same place, same_place: pixels of a 70-pixel
    face.
    """
    faces = render_split("test", 0, 2 * pairs, size=size)
    keep = slice(crop, size - crop)
    images = faces.images[:, :, keep, keep].contiguous()
    canonical = faces.canonical[:, keep, keep]
    parts = []
    with progress_bar(pairs, f"dense matching {describer.name}", "pairs") as bar:
        for pair in range(pairs):
            both = slice(2 * pair, 2 * pair + 2)
            parts.append(_pair(describer, images[both], canonical[both]).assign(pair=pair))
            bar.update(1)
    return pd.concat(parts, ignore_index=True)


def _pair(describer: Describer, images: Tensor, canonical: Tensor) -> pd.DataFrame:
    side = images.shape[-1]
    queries, truth, places = _correspondences(*canonical)
    maps = describer(images)
    found = match_full_resolution(
        maps[:1], maps[1:], queries[None].to(maps.device), describer.stride
    )[0].cpu()
    return pd.DataFrame(
        {
            "x": places[:, 0].numpy(),
            "y": places[:, 1].numpy(),
            "error": pixel_error(found, truth, side).numpy(),
            "same_place": pixel_error(queries, truth, side).numpy(),
        }
    )


def _correspondences(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels (x, y) of the first face ``[Q,2]``, their places in the second, canonical positions.

    ``first``, ``second [s,s,2]``: canonical positions, NaN where there is no face.
    """
    rows, columns = torch.nonzero(~second.isnan().any(2), as_tuple=True)
    there = second[rows, columns]
    axis = torch.arange(0, len(first), STEP)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    wanted = first[y, x].flatten(0, 1)
    pixels = torch.stack([x, y], 2).flatten(0, 1).float()
    visible = ~wanted.isnan().any(1)
    wanted, pixels = wanted[visible], pixels[visible]
    if not len(there) or not len(wanted):
        empty = torch.empty(0, 2)
        return empty, empty, empty
    distance, nearest = torch.cdist(wanted, there).min(1)
    shown = distance <= NEAR * _pixel_width(second)
    truth = torch.stack([columns, rows], 1).float()[nearest]
    return pixels[shown], truth[shown], wanted[shown]


def _pixel_width(canonical: Tensor) -> float:
    """Canonical distance between neighbouring pixels, the median over the face."""
    steps = (canonical[:, 1:] - canonical[:, :-1]).norm(dim=2)
    return float(steps.nanmedian())


def error_map(errors: pd.DataFrame, cells: int = 24) -> np.ndarray:
    """Mean error by place on the canonical face: ``[cells,cells]``, NaN where nothing was asked.

    ``errors``: of `dense_errors`; row 0 is the forehead.
    """
    at = (errors[["x", "y"]].to_numpy() - LOW) / (HIGH - LOW)
    column, row = np.clip((at * cells).astype(int), 0, cells - 1).T
    total, count = np.zeros((cells, cells)), np.zeros((cells, cells))
    np.add.at(total, (row, column), errors["error"].to_numpy())
    np.add.at(count, (row, column), 1)
    with np.errstate(invalid="ignore"):
        return total / count
