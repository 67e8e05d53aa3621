"""How long a describer takes."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from dvelib.describers.describer import Describer

__all__ = ["milliseconds_per_image"]


def milliseconds_per_image(describer: Describer, images: Tensor, repeats: int = 3) -> float:
    """Time of one of the images ``[B,3,s,s]``, described together: the smallest of some repeats."""
    describer(images)  # the first call warms up
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        maps = describer(images)
        if maps.device.type == "cuda":
            torch.cuda.synchronize(maps.device)
        times.append(time.perf_counter() - began)
    return 1000 * min(times) / len(images)
