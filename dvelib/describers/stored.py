"""The descriptors of a whole dataset, computed once and kept where there is room for them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import torch
from torch import Tensor

from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset
from dvelib.data.cache import cache_folder
from dvelib.describers.describer import Describer

__all__ = ["described"]

BATCH = 64
SHARE = 0.3  # of the free memory: two trainings side by side leave room for the rest


@contextmanager
def described(
    describer: Describer, dataset: FaceDataset, *, memory: int | None = None
) -> Iterator[Tensor]:
    """All descriptor maps ``[N,D,H,W]`` float32 of a dataset, cropped and not warped.

    They are on the describer's GPU if it runs on one and they fit there, else in memory, else in
    a file that is mapped from disk and removed afterwards. ``memory``: how many bytes may be used,
    by default a share of the free ones.
    """
    device = describer.device
    first = describer(dataset.cropped(slice(1)))
    shape = (len(dataset), *first.shape[1:])
    size = 4 * int(np.prod(shape))
    if device.type == "cuda" and size <= _allowed(torch.cuda.mem_get_info(device)[0], memory):
        yield _fill(torch.empty(shape, device=device), describer, dataset)
    elif size <= _allowed(psutil.virtual_memory().available, memory):
        yield _fill(torch.empty(shape), describer, dataset)
    else:
        with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="descriptors-") as folder:
            path = Path(folder) / "descriptors.bin"
            mapped = torch.from_file(str(path), shared=True, size=int(np.prod(shape)))
            yield _fill(mapped.view(shape), describer, dataset)


def _allowed(free: int, memory: int | None) -> float:
    return SHARE * free if memory is None else memory


def _fill(maps: Tensor, describer: Describer, dataset: FaceDataset) -> Tensor:
    with progress_bar(len(dataset), f"describing {dataset.title}", "images") as bar:
        for at in range(0, len(dataset), BATCH):
            part = describer(dataset.cropped(slice(at, at + BATCH)))
            maps[at : at + len(part)] = part.to(maps.device)
            bar.update(len(part))
    return maps
