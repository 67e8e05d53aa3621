"""Findings from the long training: errors at several lengths, and trials of recipes.

``runs``: rows of ``outputs/published/campaign/matching.csv``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from dvelib import plots
from dvelib.pages.finding import PIXELS, Finding, dots

__all__ = ["FROM_CAMPAIGN"]

AVERAGE, LAST = "eta8", "last"  # weights of the long training: averaged, and of the last step
# Runs of the long training by dimension and exchange.
LONG_RUNS = {
    (64, True): "plainfirst-64x-s0",
    (64, False): "c64p-s0",
    (16, True): "c16x-s0",
    (16, False): "c16p-s0",
    (3, True): "c3x-s0",
    (3, False): "c3p-s0",
}
# Trials of recipes, 64 dimensions with exchange, and what each changes.
TRIALS = {
    "base": "the base",
    "plainfirst": "plain loss for the first 2,000 pairs",
    "small": "small crops first",
    "aux4": "four auxiliary images",
    "b16": "batch of 16, twice the rate",
    "lr1e3": "twice the rate",
}
TRIAL_SECONDS = 480  # of one thread, at which trials are compared; the nearest snapshot counts


def _training_pays(runs: pd.DataFrame) -> Finding | None:
    """Errors against training pairs, for each dimension and loss."""
    parts = []
    for (dimension, exchange), run in LONG_RUNS.items():
        part = runs[(runs.run == run) & (runs.kind == AVERAGE)]
        for measure, column in (("different identity", "across"), ("same identity", "within")):
            parts.append(
                pd.DataFrame(
                    {
                        "dimension": dimension,
                        "exchange": exchange,
                        "measure": measure,
                        "pairs": part.pairs,
                        "error": part[column],
                        "low": float("nan"),
                        "high": float("nan"),
                    }
                )
            )
    frame = pd.concat(parts, ignore_index=True)
    across = frame[frame.measure == "different identity"]
    largest = across.dimension.max()
    lines = [
        f"- {dimension} dimensions, {'with' if exchange else 'without'} exchange: "
        + ", ".join(f"{row.error:.1f} px after {row.pairs:,}" for row in part.itertuples())
        for (dimension, exchange), part in across.groupby(["dimension", "exchange"])
    ]
    widest = across[across.dimension == largest]
    slopes = {exchange: _per_doubling(part) for exchange, part in widest.groupby("exchange")}
    more = "more" if slopes[True] > slopes[False] else "no more"
    return Finding(
        "training_pays",
        f"Exchange gains {more} from longer training than the plain loss",
        f"A line through all lengths falls by {slopes[True]:.1f} px across identities when pairs "
        f"double, at {largest} dimensions with exchange, and by {slopes[False]:.1f} px without. "
        "Mean errors at full resolution on the first 1,000 test faces of AFLW_M, one training "
        "each, averaged weights:\n\n" + "\n".join(lines),
        plots.learning_curves(frame),
        "Matching error against training pairs, with and without exchange, by dimension.",
    )


def _per_doubling(curve: pd.DataFrame) -> float:
    """How far the error falls when pairs double: the slope of a line through all lengths."""
    return -float(np.polyfit(np.log2(curve.pairs), curve.error, 1)[0])


def _recipes(runs: pd.DataFrame) -> Finding | None:
    """Errors of the trials of recipes at about the same processor time, a dot a seed."""
    found = []
    for trial, label in TRIALS.items():
        for run, part in runs[runs.kind == AVERAGE].groupby("run"):
            if run.rsplit("-64x-", 1)[0] == trial:
                nearest = part.iloc[(part.seconds - TRIAL_SECONDS).abs().argmin()]
                found.append({"label": label, "run": run, **nearest[["across", "seconds"]]})
    trials = pd.DataFrame(found)
    if trials.empty:
        return None
    means = trials.groupby("label", sort=False).across.mean()
    base = means[TRIALS["base"]]
    better = means[means < base - 0.5].sort_values()
    lines = [
        f"- {label}: {', '.join(f'{value:.2f}' for value in part.across)} px"
        for label, part in trials.groupby("label", sort=False)
    ]
    frame = dots(trials.label, "error across identities", trials.across)
    return Finding(
        "recipes",
        "The plain loss for the first pairs helps; more auxiliary images and higher rates do not"
        if better.index[0] == TRIALS["plainfirst"] and means[TRIALS["aux4"]] >= base - 0.5
        else f"The best change of the recipe: {better.index[0]}",
        f"64 dimensions with exchange at about equal processor time, {trials.seconds.min():.0f} to "
        f"{trials.seconds.max():.0f} s of one thread; a number a seed; the first 1,000 test faces "
        "of AFLW_M, full resolution:\n\n" + "\n".join(lines),
        plots.error_bars(frame, {"the base, mean": base}, xlabel=PIXELS),
        "Error across identities of each change of the recipe, beside the base.",
    )


def _averaging(runs: pd.DataFrame) -> Finding | None:
    """Averaged weights less the last step's, for every run and length."""
    both = runs.pivot_table(index=["run", "pairs"], columns="kind", values="across").reset_index()
    both = both[both.run.isin(LONG_RUNS.values())]
    gain = both[LAST] - both[AVERAGE]
    frame = dots(
        both.run.map({run: _name(*key) for key, run in LONG_RUNS.items()}),
        "error of the last step's weights less that of their average",
        gain,
    )
    return Finding(
        "averaging",
        f"Averaging the weights changes the error by {-gain.mean():+.2f} px in the mean",
        f"The average over the training (exponent 8), at a constant learning rate, in place of the "
        f"last step's weights changes the error across identities by {-gain.max():+.2f} to "
        f"{-gain.min():+.2f} px, over {len(gain)} lengths and trainings.",
        plots.error_bars(frame, {"no change": 0.0}, xlabel=PIXELS),
        "What averaging gains at each length of each training.",
    )


def _name(dimension: int, exchange: bool) -> str:
    return f"{dimension}-d {'with' if exchange else 'without'} exchange"


FROM_CAMPAIGN = (_training_pays, _recipes, _averaging)
