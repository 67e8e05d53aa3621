"""Tables of matching errors: what a notebook shows of a study, and what it records."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd
import torch

from dvelib.checkpoints import Embedding
from dvelib.data import FaceDataset
from dvelib.evaluation import (
    COSINE,
    METHODS,
    PROTOCOLS,
    SETTINGS,
    describe_images,
    example_images,
    matching_errors,
    uncertainty,
)
from dvelib.markup import data_text
from dvelib.study import Row
from dvelib.tables.base import StudyTable, measured

__all__ = ["FinetunedMatchingTable", "MatchingTable"]

DESCRIPTORS, *REFERENCES = METHODS
# The errors of one embedding by protocol, setting and method.
Errors = dict[tuple[str, str, str], pd.DataFrame]


class MatchingTable(StudyTable):
    """One table of matching errors under one profile, its embeddings trained.

    All errors are pixels of a 70-px face, means over points, pairs and then seeds.
    """

    protocols: tuple[str, ...] = PROTOCOLS

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
        line: dict[tuple[str, str], object] = {
            ("paper", s): row.published.get(s) for s in SETTINGS
        }
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

    def pair_errors(self, label: str, protocol: str, setting: str) -> pd.Series:
        """Mean error of each pair of images, over its points and the seeds."""
        seeds = [e[protocol, setting, DESCRIPTORS] for e in self.errors[label]]
        return pd.concat(seeds).groupby("pair")["error"].mean()

    def exchange_effect(self, protocol: str = PROTOCOLS[1]) -> pd.DataFrame:
        """Error without exchange less error with it, by dimension, in both settings.

        Columns dimension, setting, without, with, effect, low, high: the interval is a 95 %
        bootstrap over image pairs, of the same pairs under both embeddings.
        """
        lines = []
        for rows in self.pairs_of_rows():
            for setting in SETTINGS:
                without, with_ = (self.pair_errors(r.label, protocol, setting) for r in rows)
                gap = without - with_
                means = (without.mean(), with_.mean(), gap.mean())
                lines.append((rows[0].spec.dimension, setting, *means, *uncertainty(gap)))
        columns = ["dimension", "setting", "without", "with", "effect", "low", "high"]
        return pd.DataFrame(lines, columns=columns)

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

    def record(self, headline: str, effects: pd.DataFrame | None = None) -> None:
        """Write ``results.json``, with the references and the effects of exchange."""
        super().record(
            headline,
            references={protocol: self.references(protocol) for protocol in self.protocols},
            effects=None if effects is None else effects.to_dict("records"),
        )

    def numbers(self, row: Row) -> dict[str, dict]:
        """By setting under the published protocol, and by setting and name under the other."""
        return {
            setting if protocol == PROTOCOLS[0] else f"{setting}, {protocol}": self._measured(
                row.label, protocol, setting
            )
            for protocol in self.protocols
            for setting in SETTINGS
        }

    def _measured(self, label: str, protocol: str, setting: str) -> dict:
        pairs = self.pair_errors(label, protocol, setting)
        return measured(self._by_seed(label, protocol, setting), pairs)


class FinetunedMatchingTable(MatchingTable):
    """Embeddings before and after fine-tuning, matched by raw products and by cosine."""

    protocols = (PROTOCOLS[0], COSINE, PROTOCOLS[1])

    def cosine_effect(self) -> pd.DataFrame:
        """Error by raw products less error by cosine, on the same lattice, row by row.

        Columns embedding, setting, raw, cosine, effect, low, high: the interval is a 95 %
        bootstrap over image pairs.
        """
        lines = []
        for row in self.ran:
            for setting in SETTINGS:
                raw, cosine = (
                    self.pair_errors(row.label, protocol, setting)
                    for protocol in (PROTOCOLS[0], COSINE)
                )
                gap = raw - cosine
                means = (raw.mean(), cosine.mean(), gap.mean())
                lines.append((row.label, setting, *means, *uncertainty(gap)))
        columns = ["embedding", "setting", "raw", "cosine", "effect", "low", "high"]
        return pd.DataFrame(lines, columns=columns)

    def finetuning_effect(self) -> pd.DataFrame:
        """Error before fine-tuning less error after it, by protocol and setting.

        Columns embedding, setting, protocol, before, after, effect, low, high: the interval is a
        95 % bootstrap over image pairs, of the same pairs under both embeddings.
        """
        lines = []
        for rows in self.pairs_of_rows("finetuned"):
            for setting in SETTINGS:
                for protocol in self.protocols:
                    before, after = (self.pair_errors(r.label, protocol, setting) for r in rows)
                    gap = before - after
                    means = (before.mean(), after.mean(), gap.mean())
                    lines.append((rows[0].label, setting, protocol, *means, *uncertainty(gap)))
        columns = ["embedding", "setting", "protocol", "before", "after", "effect", "low", "high"]
        return pd.DataFrame(lines, columns=columns)


def _split(errors: pd.DataFrame) -> Errors:
    return dict(iter(errors.groupby(["protocol", "setting", "method"], sort=False)))
