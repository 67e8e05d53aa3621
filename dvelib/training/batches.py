"""Batches of uint8 images where training wants them, without loader workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["device_batches"]

SHARE = 0.5  # of a GPU's free memory that images may take; the rest is for the training


def device_batches(
    images: np.ndarray, indices: Iterable[Tensor], device: torch.device
) -> Iterator[Tensor]:
    """The images ``[n,3,S,S]`` uint8 of each index ``[n]`` (CPU, int64), on the device.

    ``images [N,3,S,S]`` uint8, in memory or mapped from disk. On a GPU all of them lie there
    where they fit into half of its free memory; else batches are copied one ahead of their use.
    """
    if device.type != "cuda":
        return (torch.from_numpy(images[index.numpy()]) for index in indices)
    if images.nbytes <= SHARE * torch.cuda.mem_get_info(device)[0]:
        resident = torch.from_numpy(np.array(images)).to(device)
        return (resident[index.to(device, non_blocking=True)] for index in indices)
    return _one_ahead(images, indices, device)


def _one_ahead(
    images: np.ndarray, indices: Iterable[Tensor], device: torch.device
) -> Iterator[Tensor]:
    copying = torch.cuda.Stream(device)
    waiting = None
    for index in indices:
        pinned = torch.from_numpy(images[index.numpy()]).pin_memory()
        with torch.cuda.stream(copying):
            copied = pinned.to(device, non_blocking=True)
        if waiting is not None:
            yield waiting
        # What the copy's stream has done so far is all that the next step waits for.
        torch.cuda.current_stream(device).wait_stream(copying)
        copied.record_stream(torch.cuda.current_stream(device))
        waiting = copied
    if waiting is not None:
        yield waiting
