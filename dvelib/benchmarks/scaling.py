"""Time and memory of the loss by side of the descriptor map and by embedding dimension."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import torch

from dvelib.benchmarks import plain
from dvelib.benchmarks.comparisons import OURS, loss_work
from dvelib.benchmarks.measure import peak_memory, seconds
from dvelib.common.progress import progress_bar
from dvelib.losses import exchange_loss

__all__ = ["growth"]

BATCH = 2
SIDES, DIMENSION = (16, 24, 35, 48, 64), 64
DIMENSIONS, SIDE = (3, 16, 64, 128), 35
# The plain form needs gigabytes for larger sides.
PLAIN_UP_TO = 48


def growth(device: str = "cpu", repeats: int = 3, small: bool = False) -> pd.DataFrame:
    """Columns form, along ("side" or "dimension"), at, seconds, memory (bytes).

    Forward and backward of the exchange loss on a batch of two.
    """
    where = torch.device(device)
    sides, dimensions = ((4, 6), (3,)) if small else (SIDES, DIMENSIONS)
    points = [("side", side, DIMENSION, side) for side in sides]
    points += [("dimension", d, d, sides[0] if small else SIDE) for d in dimensions]
    lines = []
    with progress_bar(len(points), "growth", "points") as bar:
        for along, at, dimension, side in points:
            for form, loss in {OURS: exchange_loss, "plain": plain.exchange_loss}.items():
                if form != OURS and side > PLAIN_UP_TO:
                    continue
                prepare = partial(loss_work, loss, BATCH, dimension, side, device)
                taken = float(np.median(seconds(prepare(), where, repeats)))
                lines.append((form, along, at, taken, peak_memory(prepare, where)))
            bar.update(1)
    return pd.DataFrame(lines, columns=["form", "along", "at", "seconds", "memory"])
