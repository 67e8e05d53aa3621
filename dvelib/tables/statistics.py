"""What every kind of table needs of its errors: numbers, references, and errors by unit.

`Statistics` is the interface; `dvelib.tables.matching_statistics` and
`dvelib.tables.landmark_statistics` implement it over arrays. A unit is what the errors of a row
are means over: a pair of images, or a test image.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import pandas as pd

from dvelib.evaluation.intervals import uncertainty
from dvelib.tables.results import Measure, Number, Reference

__all__ = ["Statistics", "mean_number"]


class Statistics(Protocol):
    """Errors of the rows of one table, by label and measure."""

    @property
    def measures(self) -> tuple[Measure, ...]:
        """What is measured of each row."""

    def baseline_of(self, measure: str) -> str:
        """Name of the answer that needs no network and that rows are compared with."""

    def number(self, label: str, measure: str) -> Number:
        """Mean error of a row, its interval and its spread over seeds."""

    def unit_errors(self, label: str, measure: str) -> pd.DataFrame:
        """Mean error of each test unit under each seed: ``[units, seeds]``."""

    def baseline_errors(self, label: str, measure: str) -> pd.DataFrame:
        """The same for the baseline, on the units and for the seeds of this row."""

    def references(self) -> tuple[Reference, ...]:
        """Errors of the answers that need no network."""


def mean_number(by_seed: list[float], units: pd.Series | pd.DataFrame, *, ddof: int = 1) -> Number:
    """A number of a table from the mean error of each seed and of each unit.

    ``units``: ``[units]`` of one seed or ``[units, seeds]``. The spread is the standard deviation
    of the sample of seeds, or with ``ddof=0`` that of these seeds alone.
    """
    low, high = uncertainty(units)
    spread = float(np.std(by_seed, ddof=ddof)) if len(by_seed) > 1 else None
    mean = float(np.mean(by_seed))
    return Number(mean=mean, low=low, high=high, spread=spread, seeds=len(by_seed))
