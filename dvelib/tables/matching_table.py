"""Tables of matching errors: what a notebook shows of a study, and what it records."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import pandas as pd
import torch

from dvelib.checkpoints.storage import Embedding
from dvelib.common.markup import data_text
from dvelib.data import FaceDataset
from dvelib.describers.embedding import describe_images
from dvelib.evaluation.examples import example_images
from dvelib.evaluation.matching_errors import COSINE, METHODS, PROTOCOLS, SETTINGS, matching_errors
from dvelib.study.plan import Row
from dvelib.tables.base import StudyTable, measured
from dvelib.tables.effects import NOT_RUN, PRODUCTS, effect

__all__ = ["FinetunedMatchingTable", "MatchingTable"]

DESCRIPTORS, *REFERENCES = METHODS
# The errors of one embedding by protocol, setting and method.
Errors = dict[tuple[str, str, str], pd.DataFrame]


class MatchingTable(StudyTable):
    """One table of matching errors under one profile, its embeddings trained.

    All errors are pixels of a 70-px face, means over points, pairs and then seeds.
    """

    protocols: tuple[str, ...] = PROTOCOLS
    unit, units, baseline = "px", "image pairs", REFERENCES[-1]

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._faces: dict[tuple[int, int], FaceDataset] = {}

    def faces_for(self, embedding: Embedding) -> FaceDataset:
        """The faces matched, at the size that this embedding was trained for."""
        key = embedding.spec.size, embedding.spec.crop
        if key not in self._faces:
            self._faces[key] = self.study.matching_data(embedding.spec, self.spec.benchmark)
        return self._faces[key]

    @cached_property
    def faces(self) -> FaceDataset:
        """The faces matched, at the size of the first row's embedding."""
        return self.faces_for(next(iter(self.first_seed.values())))

    @cached_property
    def errors(self) -> dict[str, list[Errors]]:
        """By label, the errors of each seed (see `dvelib.evaluation.matching_errors`)."""
        return {
            label: [_split(matching_errors(e, self.faces_for(e))) for e in seeds]
            for label, seeds in self.embeddings.items()
        }

    def mean(self, label: str, protocol: str, setting: str, method: str = DESCRIPTORS) -> float:
        """Mean over the seeds of the mean error."""
        return float(np.mean(self._by_seed(label, protocol, setting, method)))

    def _by_seed(self, label, protocol, setting, method=DESCRIPTORS) -> list[float]:
        return [e[protocol, setting, method]["error"].mean() for e in self.errors[label]]

    def comparison(self) -> pd.DataFrame:
        """Paper beside ours, a line a row of the published table, the two references below."""
        lines = {row.label: self._line(row) for row in self.rows}
        first = next(iter(self.errors))
        for method in REFERENCES:
            lines[method.capitalize()] = {
                (protocol, setting): self.mean(first, protocol, setting, method)
                for protocol in self.protocols
                for setting in SETTINGS
            }
        table = pd.DataFrame.from_dict(lines, orient="index")
        columns = [("paper", s) for s in SETTINGS]
        columns += [(p, s) for p in self.protocols for s in SETTINGS]
        columns += [("seeds", "number"), ("seeds", "spread")]
        table = table.reindex(columns=pd.MultiIndex.from_tuples(columns))
        names = {protocol: f"ours, {protocol}" for protocol in self.protocols}
        return table.rename(columns=names, level=0)

    def _line(self, row: Row) -> dict[tuple[str, str], object]:
        line: dict[tuple[str, str], object] = {("paper", s): row.published.get(s) for s in SETTINGS}
        if not row.embeddings:
            return line
        for protocol in self.protocols:
            for setting in SETTINGS:
                line[protocol, setting] = self.mean(row.label, protocol, setting)
        line["seeds", "number"] = len(row.embeddings)
        if len(row.embeddings) > 1:
            line["seeds", "spread"] = self._measured(row.label, PROTOCOLS[0], SETTINGS[1])["spread"]
        return line

    def bars(self, protocol: str) -> pd.DataFrame:
        """label, setting, error, low, high, kind: for `dvelib.plots.error_bars`."""
        lines = []
        for row in self.ran:
            for setting in SETTINGS:
                ours = self._measured(row.label, protocol, setting)
                shown = (ours["mean"], ours["low"], ours["high"])
                lines.append((row.label, setting, *shown, "ours"))
                if paper := row.published.get(setting):
                    lines.append((row.label, setting, paper, paper, paper, "paper"))
        columns = ["label", "setting", "error", "low", "high", "kind"]
        return pd.DataFrame(lines, columns=columns)

    def references(self, protocol: str) -> dict[str, dict[str, float]]:
        """By method and setting: errors of perfect features and of answering the same place."""
        first = next(iter(self.errors))
        return {
            method: {s: self.mean(first, protocol, s, method) for s in SETTINGS}
            for method in REFERENCES
        }

    def point_errors(self, protocol: str, setting: str) -> dict[str, np.ndarray]:
        """By label, the error of every point, for `dvelib.plots.cumulative_error`."""
        return {
            label: seeds[0][protocol, setting, DESCRIPTORS]["error"].to_numpy()
            for label, seeds in self.errors.items()
        }

    def reference_errors(self, protocol: str, setting: str) -> dict[str, np.ndarray]:
        """The same for the answers that need no network."""
        first = next(iter(self.errors.values()))[0]
        return {m: first[protocol, setting, m]["error"].to_numpy() for m in REFERENCES}

    @property
    def measures(self) -> tuple[str, ...]:
        return tuple(_measure(protocol, s) for protocol in self.protocols for s in SETTINGS)

    def unit_errors(self, label: str, measure: str, method: str = DESCRIPTORS) -> pd.DataFrame:
        """``[pairs, seeds]``: mean error of each pair of images, over its points."""
        setting, _, protocol = measure.partition(", ")
        key = protocol or PROTOCOLS[0], setting, method
        seeds = (e[key].groupby("pair")["error"].mean() for e in self.errors[label])
        return pd.DataFrame(dict(enumerate(seeds)))

    def baseline_errors(self, label: str, measure: str) -> pd.DataFrame:
        return self.unit_errors(label, measure, self.baseline)

    def pair_errors(self, label: str, protocol: str, setting: str) -> pd.Series:
        """Mean error of each pair of images, over its points and the seeds."""
        return self.unit_errors(label, _measure(protocol, setting)).mean(axis=1)

    def maps(self, count: int = 6) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Cropped faces ``[N,3,s,s]`` uint8 and, by label, their descriptor maps."""
        images = example_images(self.faces, count)
        maps = {
            label: describe_images(e.network, images)
            for label, e in self.first_seed.items()
            if self.faces_for(e).cropped_size == self.faces.cropped_size
        }
        return images, maps

    def made(self) -> dict[str, str]:
        """What data, steps, time and hardware made the table."""
        facts = self.profile_facts() | self.training_facts()
        return facts | {"Matched on": data_text(self.measured_on())}

    def measured_on(self) -> dict[str, object]:
        return self.faces.split_audit()

    def record(self, headline: str) -> None:
        """Write ``results.json``, with the references."""
        references = {protocol: self.references(protocol) for protocol in self.protocols}
        super().record(headline, references=references)

    def numbers(self, row: Row) -> dict[str, dict]:
        """By setting under the published protocol, and by setting and name under the other."""
        return {
            _measure(protocol, setting): self._measured(row.label, protocol, setting)
            for protocol in self.protocols
            for setting in SETTINGS
        }

    def _measured(self, label: str, protocol: str, setting: str) -> dict:
        pairs = self.unit_errors(label, _measure(protocol, setting))
        return measured(self._by_seed(label, protocol, setting), pairs)


class FinetunedMatchingTable(MatchingTable):
    """Embeddings before and after fine-tuning, matched by raw products and by cosine."""

    protocols = (PROTOCOLS[0], COSINE, PROTOCOLS[1])

    def _effects(self) -> Iterator[dict]:
        """Those of every table, and raw products beside cosine, on the same lattice."""
        yield from super()._effects()
        for row in self.rows:
            for setting in SETTINGS:
                line = {"compares": PRODUCTS, "measure": setting, "published": None}
                line |= {"first": row.label, "second": row.label}
                yield line | (self._products(row.label, setting) if row.embeddings else NOT_RUN)

    def _products(self, label: str, setting: str) -> dict[str, float | int]:
        raw, cosine = (_measure(protocol, setting) for protocol in (PROTOCOLS[0], COSINE))
        return effect(self.unit_errors(label, raw), self.unit_errors(label, cosine))


def _measure(protocol: str, setting: str) -> str:
    """A setting under the published protocol, setting and protocol under any other."""
    return setting if protocol == PROTOCOLS[0] else f"{setting}, {protocol}"


def _split(errors: pd.DataFrame) -> Errors:
    return dict(iter(errors.groupby(["protocol", "setting", "method"], sort=False)))
