"""Statistics of several kinds of errors of the same rows, as one."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from dvelib.tables.results import Measure, Number, Reference
from dvelib.tables.statistics import Statistics

__all__ = ["JoinedStatistics"]


@dataclass(frozen=True)
class JoinedStatistics:
    """Several statistics whose measures have different names; implements `Statistics`."""

    parts: tuple[Statistics, ...]

    @property
    def measures(self) -> tuple[Measure, ...]:
        return tuple(measure for part in self.parts for measure in part.measures)

    def baseline_of(self, measure: str) -> str:
        return self.part(measure).baseline_of(measure)

    def number(self, label: str, measure: str) -> Number:
        return self.part(measure).number(label, measure)

    def unit_errors(self, label: str, measure: str) -> pd.DataFrame:
        return self.part(measure).unit_errors(label, measure)

    def baseline_errors(self, label: str, measure: str) -> pd.DataFrame:
        return self.part(measure).baseline_errors(label, measure)

    def references(self) -> tuple[Reference, ...]:
        return tuple(reference for part in self.parts for reference in part.references())

    def part(self, measure: str) -> Statistics:
        """The statistics that have a measure."""
        return next(p for p in self.parts if any(m.name == measure for m in p.measures))
