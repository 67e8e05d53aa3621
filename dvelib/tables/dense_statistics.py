"""Statistics of dense matching errors on drawn faces, over frames alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from dvelib.evaluation.matching_errors import METHODS
from dvelib.tables.measures import DENSE_ERROR
from dvelib.tables.results import Measure, Number, Reference
from dvelib.tables.statistics import mean_number

__all__ = ["DenseStatistics"]

SAME_PLACE = METHODS[-1]


@dataclass(frozen=True)
class DenseStatistics:
    """Errors in pixels of a 70-px face; implements `dvelib.tables.statistics.Statistics`.

    ``errors``: by label the frame of `dvelib.evaluation.dense_errors`. A unit is a pair of faces.
    """

    errors: Mapping[str, pd.DataFrame]

    @property
    def measures(self) -> tuple[Measure, ...]:
        return (DENSE_ERROR,)

    def baseline_of(self, measure: str) -> str:
        return SAME_PLACE

    def number(self, label: str, measure: str) -> Number:
        units = self.unit_errors(label, measure)
        return mean_number([float(units.to_numpy().mean())], units)

    def unit_errors(self, label: str, measure: str) -> pd.DataFrame:
        return self._by_pair(label, "error")

    def baseline_errors(self, label: str, measure: str) -> pd.DataFrame:
        return self._by_pair(label, "same_place")

    def references(self) -> tuple[Reference, ...]:
        first = next(iter(self.errors))
        units = self.baseline_errors(first, DENSE_ERROR.name)
        number = mean_number([float(units.to_numpy().mean())], units)
        values = number.model_dump(include={"mean", "low", "high", "seeds"})
        return (Reference(name=SAME_PLACE, measure=DENSE_ERROR.name, **values),)

    def _by_pair(self, label: str, column: str) -> pd.DataFrame:
        return self.errors[label].groupby("pair")[[column]].mean()
