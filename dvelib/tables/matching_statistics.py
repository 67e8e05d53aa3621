"""Statistics of matching errors, over frames alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dvelib.evaluation.matching_errors import METHODS, PROTOCOLS
from dvelib.tables.measures import matching_measures
from dvelib.tables.results import Measure, Number, Reference
from dvelib.tables.statistics import mean_number

__all__ = ["REFERENCES", "MatchingStatistics", "split_errors"]

DESCRIPTORS, *REFERENCES = METHODS  # the descriptors' answer, and two that need no network
BASELINE = REFERENCES[-1]
# The errors of one embedding by protocol, setting and method.
Errors = Mapping[tuple[str, str, str], pd.DataFrame]


def split_errors(errors: pd.DataFrame) -> Errors:
    """The frame of `dvelib.evaluation.matching_errors` by protocol, setting and method."""
    return dict(iter(errors.groupby(["protocol", "setting", "method"], sort=False)))


@dataclass(frozen=True)
class MatchingStatistics:
    """Errors in pixels of a 70-px face; implements `dvelib.tables.statistics.Statistics`.

    ``errors``: by label and seed, as `split_errors` returns them, with columns pair and error.
    ``protocols``: those that the table shows.
    """

    errors: Mapping[str, Sequence[Errors]]
    protocols: tuple[str, ...] = PROTOCOLS

    @property
    def measures(self) -> tuple[Measure, ...]:
        return matching_measures(self.protocols)

    def baseline_of(self, measure: str) -> str:
        return BASELINE

    def mean(self, label: str, protocol: str, setting: str, method: str = DESCRIPTORS) -> float:
        """Mean over points, pairs and then seeds."""
        return float(np.mean(self._by_seed(label, (protocol, setting, method))))

    def number(self, label: str, measure: str) -> Number:
        by_seed = self._by_seed(label, self._key(measure))
        return mean_number(by_seed, self.unit_errors(label, measure))

    def unit_errors(self, label: str, measure: str, method: str = DESCRIPTORS) -> pd.DataFrame:
        """Mean error of each pair of images over its points: ``[pairs, seeds]``."""
        key = self._key(measure, method)
        seeds = (e[key].groupby("pair")["error"].mean() for e in self.errors[label])
        return pd.DataFrame(dict(enumerate(seeds)))

    def baseline_errors(self, label: str, measure: str) -> pd.DataFrame:
        return self.unit_errors(label, measure, BASELINE)

    def pair_errors(self, label: str, measure: str) -> pd.Series:
        """Mean error of each pair of images over its points and the seeds: ``[pairs]``."""
        return self.unit_errors(label, measure).mean(axis=1)

    def references(self) -> tuple[Reference, ...]:
        return tuple(
            Reference(
                name=method,
                measure=measure.name,
                mean=self.reference(measure.protocol, measure.setting, method),
            )
            for measure in self.measures
            for method in REFERENCES
        )

    def reference(self, protocol: str, setting: str, method: str) -> float:
        """Mean error of an answer that needs no network, on the pairs of the first row."""
        return self.mean(self._first, protocol, setting, method)

    def single_errors(self, protocol: str, setting: str) -> dict[str, np.ndarray]:
        """By label, the error of every point of the first seed: ``[points]``."""
        return {
            label: seeds[0][protocol, setting, DESCRIPTORS]["error"].to_numpy()
            for label, seeds in self.errors.items()
        }

    def reference_single_errors(self, protocol: str, setting: str) -> dict[str, np.ndarray]:
        """The same for the answers that need no network."""
        first = self.errors[self._first][0]
        return {m: first[protocol, setting, m]["error"].to_numpy() for m in REFERENCES}

    @property
    def _first(self) -> str:
        return next(iter(self.errors))

    def _key(self, measure: str, method: str = DESCRIPTORS) -> tuple[str, str, str]:
        (found,) = (m for m in self.measures if m.name == measure)
        return found.protocol, found.setting, method

    def _by_seed(self, label: str, key: tuple[str, str, str]) -> list[float]:
        return [errors[key]["error"].mean() for errors in self.errors[label]]
