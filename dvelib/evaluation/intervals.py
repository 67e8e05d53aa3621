"""Bootstrap intervals of mean errors over test units and seeds."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["uncertainty"]


def uncertainty(errors: pd.Series | pd.DataFrame, draws: int = 1000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean error over test units and seeds.

    ``errors``: the mean error of each unit (a pair of images, or an image), a Series of one seed
    or a frame with a column for each. Every draw picks units, the same for all seeds since all
    seeds are measured on the same units, and then seeds (Owen, "The pigeonhole bootstrap", 2007).
    The interval of one seed is over units alone. Returns its low and its high end.
    """
    units = errors.to_numpy().reshape(len(errors), -1)
    generator = np.random.default_rng(0)
    index = generator.integers(len(units), size=(draws, len(units)))
    by_seed = np.stack([seed[index].mean(axis=1) for seed in units.T], axis=1)  # [draws,seeds]
    chosen = generator.integers(by_seed.shape[1], size=by_seed.shape)
    means = np.take_along_axis(by_seed, chosen, axis=1).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
