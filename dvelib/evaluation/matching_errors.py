"""Matching errors of a describer on warped pairs of faces, computed once and cached.

Images are taken two by two in file order. Each is warped twice with the published evaluation
draws. The queries are the landmarks in the first view of the even image. They are searched in its
own second view (same identity) and in the second view of the odd image (different identity).

Two answers that need no network stand beside the descriptors': the same place, and perfect
features. Perfect features know where a query lies in the unwarped image, and where that point is
in any other image. Their error is the lowest this protocol allows, since answers are whole pixels
and, by the published protocol, cells of the lattice.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import Tensor, nn

from dvelib.common.digest import code_digest
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset
from dvelib.data.cache import cache_folder
from dvelib.describers import Describer
from dvelib.matching import (
    match_full_resolution,
    match_on_lattice,
    pixel_error,
    query_cells,
)
from dvelib.warps import (
    EVALUATION_WARP,
    draw_weights_in_order,
    pixels,
    warp_keypoints,
    warp_pair,
)

__all__ = ["COSINE", "MEASURED", "METHODS", "PROTOCOLS", "SETTINGS", "matching_errors", "summarise"]

SETTINGS = ("same-identity", "different-identity")
PROTOCOLS = ("published", "full resolution")
COSINE = "published, by cosine"  # the published protocol, with unit vectors in place of raw ones
MEASURED = (*PROTOCOLS, COSINE)
METHODS = ("descriptors", "perfect features", "same place")
BATCH = 32  # images at a time: 16 pairs


def matching_errors(describer: Describer, dataset: FaceDataset) -> pd.DataFrame:
    """Every matching error of a describer on a dataset, from its cache if it is there.

    The cache is in the folder of an embedding, and of another describer in the cache folder.
    Returns columns setting, protocol, method, pair, point, error (pixels of a 70-px face), without
    landmarks that were not set. Raises StudyError where the dataset has no landmarks or fewer than
    two images.
    """
    path = _cache_path(describer, dataset)
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            errors = _measure(describer, dataset)
            with atomic_path(path) as temporary:
                errors.to_csv(temporary, index=False, compression="gzip", float_format="%.4f")
    return pd.read_csv(path)


def _cache_path(describer: Describer, dataset: FaceDataset) -> Path:
    """Named by the code, the images and the describer: a change of any computes anew."""
    key = code_digest(__name__)[:8] + dataset.digest[:8] + describer.digest[:8]
    file = f"matching-{dataset.name}-{dataset.size}-{dataset.crop}-{key}.csv.gz"
    folder = getattr(describer, "folder", None)
    if folder is None:
        folder = cache_folder() / "matching" / describer.name
        folder.mkdir(parents=True, exist_ok=True)
    return folder / file


def summarise(errors: pd.DataFrame) -> pd.DataFrame:
    """Mean error by protocol, setting and method, over all points of all pairs."""
    return errors.groupby(["protocol", "setting", "method"], sort=False)["error"].mean().unstack()


def _measure(describer: Describer, dataset: FaceDataset) -> pd.DataFrame:
    count = len(dataset) // 2 * 2
    if count < 2:
        raise StudyError(f"matching needs two images, {dataset.title} has {len(dataset)}")
    weights = draw_weights_in_order(count, EVALUATION_WARP)
    blocks = []
    with progress_bar(count // 2, f"matching {describer.name}", "pairs") as bar:
        for at in range(0, count, BATCH):
            part = slice(at, min(at + BATCH, count))
            views = _Views(dataset, part, *weights)
            blocks.append(views.errors(describer))
            bar.update((part.stop - at) // 2)
    return _long_table(torch.cat(blocks))


class _Views:
    """The two views of a block of images, their landmarks and their warps, all on the CPU."""

    def __init__(self, dataset: FaceDataset, part: slice, first: Tensor, second: Tensor):
        self.crop, self.side = dataset.crop, dataset.cropped_size
        images = torch.from_numpy(np.array(dataset.images[part])).float()
        self.pair = warp_pair(images, first[part], second[part], self.crop)
        self.points = torch.from_numpy(dataset.landmarks[part] + self.crop)
        moved = warp_keypoints(self.points, self.pair.image_grid)
        self.second_points = moved - self.crop
        self.first_points = warp_keypoints(moved, self.pair.view_grid) - self.crop

    def errors(self, describer: Describer) -> Tensor:
        """``[pairs,points,settings,protocols,methods]`` errors in pixels of a 70-px face."""
        first = describer(_whole_levels(self.pair.first[::2]))
        second = describer(_whole_levels(self.pair.second))
        queries = self.first_points[::2]
        by_setting, nan = [], torch.tensor(torch.nan)
        for odd in (0, 1):
            answers = _answers(first, second[odd::2], queries, describer.stride)
            on_lattice = self._perfect(odd, describer.stride)
            perfect = [on_lattice, self._perfect(odd, 1), on_lattice]
            # A landmark that is not set in one of the two images has no error.
            unset = (self.points[::2] + self.points[odd::2]).isnan()
            truth = torch.where(unset, nan, self.second_points[odd::2])
            methods = [answers, perfect, [queries] * len(MEASURED)]
            by_setting.append([[pixel_error(a, truth, self.side) for a in m] for m in methods])
        stacked = torch.stack([torch.stack([torch.stack(m) for m in s]) for s in by_setting])
        return stacked.permute(3, 4, 0, 2, 1)  # from [settings,methods,protocols,pairs,points]

    def _perfect(self, odd: int, stride: int) -> Tensor:
        """Where perfect features would answer, on a lattice of that stride: ``[pairs,K,2]``."""
        lattice = [(self.side - 1) // stride + 1] * 2
        cells = query_cells(self.first_points[::2], stride, torch.Size(lattice))
        in_second = _look_up(self.pair.view_grid[::2], stride * cells + float(self.crop))
        if odd == 0:
            wanted, grid = in_second, None
        else:
            in_image = _look_up(self.pair.image_grid[::2], in_second)
            wanted = in_image - self.points[::2] + self.points[1::2]
            grid = self.pair.image_grid[1::2]
        return _nearest_on_lattice(wanted, grid, self.crop, self.side, stride)


def _whole_levels(views: Tensor) -> Tensor:
    """Views cut to whole grey levels, as published and as in training: uint8 is exact."""
    return views.clamp(0, 255).to(torch.uint8)


def _answers(first: Tensor, second: Tensor, queries: Tensor, stride: int) -> list[Tensor]:
    """The descriptors' answers ``[pairs,K,2]`` by each of `MEASURED`, on the CPU.

    The maps are matched on their own device; only points leave it.
    """
    points = queries.to(first.device)
    unit = nn.functional.normalize(first), nn.functional.normalize(second)
    found = (
        match_on_lattice(first, second, points, stride),
        match_full_resolution(first, second, points, stride),
        match_on_lattice(*unit, points, stride),
    )
    return [answer.cpu() for answer in found]


def _look_up(grid: Tensor, points: Tensor) -> Tensor:
    """Source position, in pixels, of output positions ``points [B,K,2]`` under ``grid``."""
    size = grid.shape[1]
    at = points[:, :, None] * (2 / (size - 1)) - 1  # [B,K,1,2]
    found = nn.functional.grid_sample(
        grid.permute(0, 3, 1, 2), at, padding_mode="border", align_corners=True
    )
    return pixels(found[..., 0].mT, size)


def _nearest_on_lattice(
    wanted: Tensor, grid: Tensor | None, crop: int, side: int, stride: int
) -> Tensor:
    """Lattice pixel of the crop whose source under ``grid`` is nearest to ``wanted [B,K,2]``."""
    axis = torch.arange(0, side, stride)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    lattice = torch.stack([x, y], 2).view(1, -1, 2)
    if grid is None:
        sources = (lattice + crop).to(wanted).expand(len(wanted), -1, -1)
    else:
        kept = grid[:, crop : crop + side, crop : crop + side][:, ::stride, ::stride]
        sources = pixels(kept, grid.shape[1]).flatten(1, 2)
    nearest = torch.cdist(wanted, sources).argmin(2)
    return lattice[0].to(wanted)[nearest]


def _long_table(errors: Tensor) -> pd.DataFrame:
    pairs, points = errors.shape[:2]
    index = pd.MultiIndex.from_product(
        [range(pairs), range(points), SETTINGS, MEASURED, METHODS],
        names=["pair", "point", "setting", "protocol", "method"],
    )
    table = pd.DataFrame({"error": errors.flatten().numpy()}, index=index)
    return table.dropna().reset_index()
