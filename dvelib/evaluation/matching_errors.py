"""Measuring an embedding: matching errors on warped pairs, computed once and kept beside it.

Images are taken two by two in file order. Each is warped twice with the published evaluation
draws; queries are the landmarks in the first view of the even image, looked for in its own second
view (same identity) and in the second view of the odd one (different identity).

Beside the descriptors' answer stand two that need no network: the same place, and that of perfect
features, which know where a query lies in the unwarped image and where that is in any other, and
still pay for whole pixels and, by the published protocol, for the lattice.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import Tensor, nn

from dvelib.checkpoints.storage import Embedding
from dvelib.common.digest import code_digest
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset
from dvelib.describers.embedding import describe_images
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


def matching_errors(embedding: Embedding, dataset: FaceDataset) -> pd.DataFrame:
    """Every matching error of an embedding on a dataset, from its cache where it has been there.

    Returns columns setting, protocol, method, pair, point, error (pixels of a 70-px face), without
    landmarks that were not set. Raises StudyError where the dataset has no landmarks or fewer than
    two images.
    """
    key = code_digest(__name__)[:8] + dataset.digest[:8]
    path = embedding.folder / f"matching-{dataset.name}-{dataset.size}-{dataset.crop}-{key}.csv.gz"
    with FileLock(path.with_suffix(".lock")):
        if not path.exists():
            errors = _measure(embedding, dataset)
            with atomic_path(path) as temporary:
                errors.to_csv(temporary, index=False, compression="gzip", float_format="%.4f")
    return pd.read_csv(path)


def summarise(errors: pd.DataFrame) -> pd.DataFrame:
    """Mean error by protocol, setting and method, over all points of all pairs."""
    return errors.groupby(["protocol", "setting", "method"], sort=False)["error"].mean().unstack()


def _measure(embedding: Embedding, dataset: FaceDataset) -> pd.DataFrame:
    count = len(dataset) // 2 * 2
    if count < 2:
        raise StudyError(f"matching needs two images, {dataset.title} has {len(dataset)}")
    weights = draw_weights_in_order(count, EVALUATION_WARP)
    blocks = []
    with progress_bar(count // 2, f"matching {embedding.spec.slug}", "pairs") as bar:
        for at in range(0, count, BATCH):
            part = slice(at, min(at + BATCH, count))
            views = _Views(dataset, part, *weights)
            blocks.append(views.errors(embedding.network))
            bar.update((part.stop - at) // 2)
    return _long_table(torch.cat(blocks))


class _Views:
    """The two views of a block of images, and what matching needs to know about them."""

    def __init__(self, dataset: FaceDataset, part: slice, first: Tensor, second: Tensor):
        self.crop, self.side = dataset.crop, dataset.cropped_size
        images = torch.from_numpy(np.array(dataset.images[part])).float()
        self.pair = warp_pair(images, first[part], second[part], self.crop)
        self.points = torch.from_numpy(dataset.landmarks[part] + self.crop)
        moved = warp_keypoints(self.points, self.pair.image_grid)
        self.second_points = moved - self.crop
        self.first_points = warp_keypoints(moved, self.pair.view_grid) - self.crop

    def errors(self, network: nn.Module) -> Tensor:
        """``[pairs,points,settings,protocols,methods]`` errors in pixels of a 70-px face."""
        # Warped views are cut to whole grey levels, as published and as in training.
        first = describe_images(network, self.pair.first[::2].floor())
        second = describe_images(network, self.pair.second.floor())
        stride = self.side // second.shape[-1]
        queries = self.first_points[::2]
        by_setting, nan = [], torch.tensor(torch.nan)
        for odd in (0, 1):
            truth, target = self.second_points[odd::2], second[odd::2]
            answers = [
                match_on_lattice(first, target, queries, stride),
                match_full_resolution(first, target, queries, stride),
                match_on_lattice(
                    nn.functional.normalize(first), nn.functional.normalize(target), queries, stride
                ),
            ]
            on_lattice = self._perfect(odd, stride)
            perfect = [on_lattice, self._perfect(odd, 1), on_lattice]
            # A landmark that was not set, here or there, has no error.
            truth = torch.where((self.points[::2] + self.points[odd::2]).isnan(), nan, truth)
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
