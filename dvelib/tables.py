"""Tables of matching errors: what a notebook shows of a study, and what it records."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from dvelib.checkpoints import Embedding, load_embedding
from dvelib.data import FaceDataset
from dvelib.errors import StudyError
from dvelib.evaluation import (
    METHODS,
    PROTOCOLS,
    SETTINGS,
    describe_images,
    example_images,
    matching_errors,
    uncertainty,
)
from dvelib.files import write_json
from dvelib.markup import data_text
from dvelib.study import Row, Study
from dvelib.training import resolve_device

__all__ = ["MatchingTable"]

DESCRIPTORS, *REFERENCES = METHODS
# The errors of one embedding by protocol, setting and method.
Errors = dict[tuple[str, str, str], pd.DataFrame]


class MatchingTable:
    """One table of matching errors under one profile, its embeddings trained.

    All errors are pixels of a 70-px face, means over points, pairs and then seeds.
    """

    def __init__(
        self,
        table: str,
        profile: str,
        data_root: str | None = None,
        *,
        outputs: Path | str | None = None,
        device: str = "auto",
    ):
        self.name = table
        self.study = Study.load(profile, data_root, outputs=outputs)
        if table not in self.study.tables:
            known = ", ".join(self.study.tables)
            raise StudyError(f"the profile {profile} has no table {table!r}; it has {known}")
        self.spec = self.study.tables[table]
        self.rows = self.study.rows[table]
        self.device = resolve_device(device)
        self._faces: dict[tuple[int, int], FaceDataset] = {}

    @property
    def ran(self) -> list[Row]:
        """The rows that this profile runs."""
        return [row for row in self.rows if row.embeddings]

    @cached_property
    def embeddings(self) -> dict[str, list[Embedding]]:
        """By label, the embedding of each seed."""
        folder = self.study.embedding_folder
        return {
            row.label: [load_embedding(folder(name), self.device) for name in row.embeddings]
            for row in self.ran
        }

    @cached_property
    def first_seed(self) -> dict[str, Embedding]:
        return {label: seeds[0] for label, seeds in self.embeddings.items()}

    def faces_for(self, embedding: Embedding) -> FaceDataset:
        """The faces matched, at the size that this embedding was trained for."""
        key = embedding.spec.size, embedding.spec.crop
        if key not in self._faces:
            self._faces[key] = self.study.matching_data(embedding.spec)
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
                for protocol in PROTOCOLS
                for setting in SETTINGS
            }
        table = pd.DataFrame.from_dict(lines, orient="index")
        columns = [("paper", s) for s in SETTINGS]
        columns += [(p, s) for p in PROTOCOLS for s in SETTINGS]
        columns += [("seeds", "number"), ("seeds", "spread")]
        table = table.reindex(columns=pd.MultiIndex.from_tuples(columns))
        names = {protocol: f"ours, {protocol}" for protocol in PROTOCOLS}
        return table.rename(columns=names, level=0)

    def _line(self, row: Row) -> dict[tuple[str, str], object]:
        line: dict[tuple[str, str], object] = {("paper", s): row.published[s] for s in SETTINGS}
        if not row.embeddings:
            return line
        for protocol in PROTOCOLS:
            for setting in SETTINGS:
                line[protocol, setting] = self.mean(row.label, protocol, setting)
        line["seeds", "number"] = len(row.embeddings)
        if len(row.embeddings) > 1:
            line["seeds", "spread"] = self.spread(row.label, PROTOCOLS[0], SETTINGS[1])
        return line

    def spread(self, label: str, protocol: str, setting: str) -> float | None:
        """Standard deviation over the seeds; None for a single seed."""
        values = self._by_seed(label, protocol, setting)
        return float(np.std(values, ddof=1)) if len(values) > 1 else None

    def bars(self, protocol: str) -> pd.DataFrame:
        """label, setting, error, low, high, kind: for `dvelib.plots.error_bars`."""
        lines = []
        for row in self.ran:
            for setting in SETTINGS:
                error = self.mean(row.label, protocol, setting)
                low, high = self._interval(row.label, protocol, setting)
                lines.append((row.label, setting, error, low, high, "ours"))
                paper = row.published[setting]
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

    def _interval(self, label: str, protocol: str, setting: str) -> tuple[float, float]:
        return uncertainty(self.pair_errors(label, protocol, setting))

    def pair_errors(self, label: str, protocol: str, setting: str) -> pd.Series:
        """Mean error of each pair of images, over its points and the seeds."""
        seeds = [e[protocol, setting, DESCRIPTORS] for e in self.errors[label]]
        return pd.concat(seeds).groupby("pair")["error"].mean()

    def exchange_effect(self, protocol: str = PROTOCOLS[1]) -> pd.DataFrame:
        """Error without exchange less error with it, by dimension, in both settings.

        Columns dimension, setting, without, with, effect, low, high: the interval is a 95 %
        bootstrap over image pairs, of the same pairs under both embeddings.
        """
        by_key = {(r.spec.architecture, r.spec.dimension, r.spec.exchange): r for r in self.ran}
        lines = []
        for (architecture, dimension, exchange), row in by_key.items():
            other = by_key.get((architecture, dimension, True))
            if exchange or other is None:
                continue
            for setting in SETTINGS:
                without, with_ = (
                    self.pair_errors(r.label, protocol, setting) for r in (row, other)
                )
                gap = without - with_
                means = (without.mean(), with_.mean(), gap.mean())
                lines.append((dimension, setting, *means, *uncertainty(gap)))
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
        embeddings = [e for seeds in self.embeddings.values() for e in seeds]
        first, faces = embeddings[0], self.faces
        training, facts = first.provenance["data"], [e.provenance for e in embeddings]
        return {
            "Profile": f"{self.study.name}: {self.study.profile.description}",
            "Trained on": f"{training['dataset']}, {training['images']:,} images",
            "Matched on": data_text(faces.split_audit()),
            "Image size": f"{faces.size} px, cropped to {faces.cropped_size}",
            "Training of each": _range("{:,} pairs", [f["pairs"] for f in facts]),
            "Steps of each": _range("{:,} steps", [f["steps"] for f in facts]),
            "Batch": f"{first.spec.batch} pairs",
            "Speed": _range("{:.0f} pairs/s", [f["pairs_per_second"] for f in facts]),
            "Time in all": f"{sum(f['seconds'] for f in facts) / 60:.1f} minutes of training",
            "Hardware": first.provenance["hardware"],
            "Precision": first.provenance["precision"],
            "Seeds": ", ".join(map(str, self.study.profile.seeds)),
            "Versions": ", ".join(f"{k} {v}" for k, v in first.provenance["versions"].items()),
            "Commit": str(first.provenance["commit"]),
        }

    def record(self, headline: str, effects: pd.DataFrame | None = None) -> None:
        """Write ``results.json`` of the table, from which the site and the README are made."""
        result = {
            "table": self.name,
            "title": self.spec.title,
            "claim": self.spec.claim,
            "profile": self.study.name,
            "digest": self.study.table_digest(self.name),
            "state": "complete",
            "headline": headline,
            "rows": [self._record_row(row) for row in self.rows],
            "references": {protocol: self.references(protocol) for protocol in PROTOCOLS},
            "effects": None if effects is None else effects.to_dict("records"),
            "data": self.faces.split_audit(),
            "made": self.made(),
            "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_json(self.study.table_folder(self.name) / "results.json", result)

    def _record_row(self, row: Row) -> dict:
        ours = {}
        for protocol in PROTOCOLS if row.embeddings else ():
            for setting in SETTINGS:
                low, high = self._interval(row.label, protocol, setting)
                key = setting if protocol == PROTOCOLS[0] else f"{setting}, {protocol}"
                ours[key] = {
                    "mean": self.mean(row.label, protocol, setting),
                    "low": low,
                    "high": high,
                    "spread": self.spread(row.label, protocol, setting),
                    "seeds": len(row.embeddings),
                }
        names = list(row.embeddings)
        return {"label": row.label, "published": row.published, "ours": ours, "embeddings": names}


def _split(errors: pd.DataFrame) -> Errors:
    return dict(iter(errors.groupby(["protocol", "setting", "method"], sort=False)))


def _range(form: str, values: list[float]) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"
