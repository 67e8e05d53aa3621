"""Statistics of landmark errors, over arrays alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dvelib.evaluation.landmark_errors import MEAN_SHAPE
from dvelib.tables.measures import LANDMARK_ERROR
from dvelib.tables.results import Measure, Number, Reference
from dvelib.tables.statistics import mean_number

__all__ = ["LandmarkStatistics"]


@dataclass(frozen=True)
class LandmarkStatistics:
    """Errors of N test faces with A landmarks; implements `dvelib.tables.statistics.Statistics`.

    ``errors``: by label and seed ``[N,A]``, percent of the inter-ocular distance, NaN for
    landmarks that are not annotated. ``mean_shape``: the same of the mean training shape.
    ``measure``: which of the published numbers the error is; ``ddof``: of the deviation over
    seeds (0: of these seeds alone).
    """

    errors: Mapping[str, Sequence[np.ndarray]]
    mean_shape: np.ndarray
    measure: Measure = LANDMARK_ERROR
    ddof: int = 1

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (self.measure,)

    def baseline_of(self, measure: str) -> str:
        return MEAN_SHAPE

    def number(self, label: str, measure: str | None = None) -> Number:
        by_seed = [float(np.nanmean(errors)) for errors in self.errors[label]]
        return mean_number(by_seed, self.unit_errors(label), ddof=self.ddof)

    def mean_shape_number(self) -> Number:
        """Mean error of the mean training shape and its interval over images."""
        units = pd.Series(np.nanmean(self.mean_shape, axis=1))
        return mean_number([float(np.nanmean(self.mean_shape))], units)

    def unit_errors(self, label: str, measure: str | None = None) -> pd.DataFrame:
        """Mean error of each test image over its landmarks: ``[images, seeds]``."""
        return pd.DataFrame(np.stack([np.nanmean(e, axis=1) for e in self.errors[label]], axis=1))

    def baseline_errors(self, label: str, measure: str | None = None) -> pd.DataFrame:
        images = np.nanmean(self.mean_shape, axis=1)
        return pd.DataFrame(dict.fromkeys(range(len(self.errors[label])), images))

    def references(self) -> tuple[Reference, ...]:
        number = self.mean_shape_number()
        values = number.model_dump(include={"mean", "low", "high", "seeds"})
        return (Reference(name=MEAN_SHAPE, measure=self.measure.name, **values),)

    @property
    def best(self) -> str:
        """The label of the row with the smallest mean error."""
        return min(self.errors, key=lambda label: self.number(label).mean)

    def image_errors(self, label: str) -> pd.Series:
        """Mean error of each test image over its landmarks and the seeds: ``[images]``."""
        return pd.Series(np.nanmean(np.stack(self.errors[label]), axis=(0, 2)))

    def by_landmark(self) -> dict[str, np.ndarray]:
        """By label, the mean error of each landmark over images and seeds: ``[A]``."""
        return {
            label: np.nanmean(np.stack(seeds), axis=(0, 1)) for label, seeds in self.errors.items()
        }

    def single_errors(self) -> dict[str, np.ndarray]:
        """By label, the error of every annotated landmark of every image, first seed: ``[n]``."""
        return {label: _known(seeds[0]) for label, seeds in self.errors.items()}

    def reference_single_errors(self) -> dict[str, np.ndarray]:
        """The same of the mean training shape."""
        return {MEAN_SHAPE: _known(self.mean_shape)}


def _known(errors: np.ndarray) -> np.ndarray:
    return errors[~np.isnan(errors)]
