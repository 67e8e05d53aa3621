"""Batches of uint8 images on the device, without loader workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

__all__ = ["device_batches", "streamed_batches"]

SHARE = 0.5  # of a GPU's free memory for images; the rest is for the training


def device_batches(
    images: np.ndarray, indices: Iterable[Tensor], device: torch.device
) -> Iterator[Tensor]:
    """The images ``[n,3,S,S]`` uint8 of each index ``[n]`` (CPU, int64), on the device.

    ``images [N,3,S,S]`` uint8, in memory or mapped from disk. All of them are copied to a GPU if
    they fit into half of its free memory; else each batch is copied during the step before it.
    """
    if device.type != "cuda":
        return (torch.from_numpy(images[index.numpy()]) for index in indices)
    if images.nbytes <= SHARE * torch.cuda.mem_get_info(device)[0]:
        resident = torch.from_numpy(np.array(images)).to(device)
        return (resident[index.to(device, non_blocking=True)] for index in indices)
    return _one_ahead((images[index.numpy()] for index in indices), device)


def streamed_batches(batches: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]:
    """Batches ``[n,3,S,S]`` uint8 on the device; to a GPU, copied during the step before."""
    if device.type != "cuda":
        return map(torch.from_numpy, batches)
    return _one_ahead(batches, device)


def _one_ahead(batches: Iterable[np.ndarray], device: torch.device) -> Iterator[Tensor]:
    copying = torch.cuda.Stream(device)
    waiting = None
    for batch in batches:
        pinned = torch.from_numpy(batch).pin_memory()
        with torch.cuda.stream(copying):
            copied = pinned.to(device, non_blocking=True)
        if waiting is not None:
            yield waiting
        # The next step waits for the copies made so far, and for no later one.
        torch.cuda.current_stream(device).wait_stream(copying)
        copied.record_stream(torch.cuda.current_stream(device))
        waiting = copied
    if waiting is not None:
        yield waiting
