"""What the tables of every kind share: their embeddings, what made them, how they are recorded."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from dvelib.checkpoints.storage import PROVENANCE, Embedding, load_embedding
from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.common.files import read_json, write_json
from dvelib.evaluation.intervals import uncertainty
from dvelib.study.plan import Row, Study
from dvelib.tables.effects import BASELINE, NOT_RUN, effect, readable, row_pairs

__all__ = ["StudyTable", "measured", "number_range"]


class StudyTable(ABC):
    """One table of the study under one profile, its embeddings trained.

    ``unit``: of its errors; ``units``: what they are means over; ``repeats``: what is repeated;
    ``baseline``: the answer that needs no network.
    """

    unit: str
    units: str
    repeats = "seeds"
    baseline: str

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

    def pairs_of_rows(self, by: str = "exchange") -> list[tuple[Row, Row]]:
        """Rows without ``by`` (exchange or finetuned), each with the row that differs by it alone.

        A row that another profile would run has no part in it.
        """
        by_key = {_key(row): row for row in self.ran}
        pairs = []
        for row in self.ran:
            twin = by_key.get(_key(row) - {(by, False)} | {(by, True)})
            if not getattr(row.spec, by) and twin is not None:
                pairs.append((row, twin))
        return pairs

    @property
    @abstractmethod
    def measures(self) -> tuple[str, ...]:
        """What is measured of each row, by the names that `numbers` has."""

    @abstractmethod
    def unit_errors(self, label: str, measure: str) -> pd.DataFrame:
        """``[units, seeds]``: the mean error of each test unit under each seed."""

    @abstractmethod
    def baseline_errors(self, label: str, measure: str) -> pd.DataFrame:
        """The same for the answer that needs no network, on the units of this row."""

    @property
    def interval(self) -> str:
        """What intervals of this table rest on, in words."""
        row = self.ran[0]
        count = len(row.regressors or row.embeddings)
        over = f"95 % bootstrap interval over {self.units}"
        if count == 1:
            return f"{over} of one seed, which gives no interval over seeds"
        return f"{over} and {count} {self.repeats}"

    @cached_property
    def effects(self) -> list[dict]:
        """All effects between rows, measure by measure, and against the baseline.

        Keys compares, measure, first and second (labels), published (the paper's effect), before,
        after, effect, low, high, seeds; None from before on where the profile does not run both
        rows. See `dvelib.tables.effects`.
        """
        return list(self._effects())

    def _effects(self) -> Iterator[dict]:
        rows = {row.label: row for row in self.rows}
        pairs = [(w, a.label, b.label) for w, a, b in row_pairs([row.spec for row in self.rows])]
        pairs += [(BASELINE, None, label) for label in rows]
        for compares, first, second in pairs:
            ran = all(rows[label].embeddings for label in (first, second) if label)
            for measure in self.measures:
                printed = [rows[i].published.get(measure) if i else None for i in (first, second)]
                yield {
                    "compares": compares,
                    "measure": measure,
                    "first": first or self.baseline,
                    "second": second,
                    "published": None if None in printed else printed[0] - printed[1],
                    **(self._effect(first, second, measure) if ran else NOT_RUN),
                }

    def _effect(self, first: str | None, second: str, measure: str) -> dict[str, float | int]:
        after = self.unit_errors(second, measure)
        if first is None:
            return effect(self.baseline_errors(second, measure), after)
        return effect(self.unit_errors(first, measure), after)

    def effects_of(self, compares: str, *measures: str) -> pd.DataFrame:
        """Effects that this profile measured, to read; see `dvelib.tables.effects.readable`.

        ``measures``: these alone.
        """
        dimensions = {row.label: row.spec.dimension for row in self.rows}
        return readable(self.effects, dimensions, compares, measures or self.measures)

    def training_facts(self) -> dict[str, str]:
        """What data, steps, time and hardware made the embeddings."""
        embeddings = [e for seeds in self.embeddings.values() for e in seeds]
        first, facts = embeddings[0], [e.provenance for e in embeddings]
        spec = first.spec
        return {
            **self._trained_on(),
            "Image size": f"{spec.size} px, cropped to {spec.size - 2 * spec.crop}",
            "Training of each": number_range("{:,} pairs", [f["pairs"] for f in facts]),
            "Steps of each": number_range("{:,} steps", [f["steps"] for f in facts]),
            "Batch": f"{spec.batch} pairs",
            "Speed": number_range("{:.0f} pairs/s", [f["pairs_per_second"] for f in facts]),
            "Time in all": f"{sum(f['seconds'] for f in facts) / 60:.1f} minutes of training",
            "Hardware": first.provenance["hardware"],
            "Precision": first.provenance["precision"],
            "Seeds": ", ".join(map(str, self.study.profile.seeds)),
            "Versions": ", ".join(f"{k} {v}" for k, v in first.provenance["versions"].items()),
            "Commit": str(first.provenance["commit"]),
        }

    def _trained_on(self) -> dict[str, str]:
        """What images the embeddings saw, and which of them in fine-tuning."""
        names = {name for row in self.ran for name in row.embeddings}
        parents = self.study.parents
        trained = {parents.get(name, name) for name in names}
        facts = {"Trained on": trained, "Fine-tuned on": names & parents.keys()}
        return {fact: self._images_of(those) for fact, those in facts.items() if those}

    def _images_of(self, names: set[str]) -> str:
        folders = [self.study.embedding_folder(name) for name in sorted(names)]
        data = [read_json(folder / PROVENANCE)["data"] for folder in folders]
        return "; ".join(dict.fromkeys(f"{d['dataset']}, {d['images']:,} images" for d in data))

    def profile_facts(self) -> dict[str, str]:
        return {"Profile": f"{self.study.name}: {self.study.profile.description}"}

    @abstractmethod
    def made(self) -> dict[str, str]:
        """What data, training, time and hardware made the table, name by name."""

    @abstractmethod
    def measured_on(self) -> dict[str, object]:
        """The audit of the faces that the table's numbers were measured on."""

    @abstractmethod
    def numbers(self, row: Row) -> dict[str, dict]:
        """By measure, mean, low, high, spread and seeds of a row that ran."""

    def record(self, headline: str, **more: object) -> None:
        """Write ``results.json`` of the table, from which the site and the README are made."""
        result = {
            "table": self.name,
            "title": self.spec.title,
            "claim": self.spec.claim,
            "profile": self.study.name,
            "digest": self.study.table_digest(self.name),
            "state": "complete",
            "headline": headline,
            "unit": self.unit,
            "interval": self.interval,
            "rows": [self._record_row(row) for row in self.rows],
            "effects": self.effects,
            **more,
            "data": self.measured_on(),
            "made": self.made(),
            "recorded": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_json(self.study.table_folder(self.name) / "results.json", result)

    def _record_row(self, row: Row) -> dict:
        return {
            "label": row.label,
            **row.spec.model_dump(exclude={"published"}),
            "published": row.published,
            "ours": self.numbers(row) if row.embeddings else {},
            "embeddings": list(row.embeddings),
            "regressors": list(row.regressors),
        }


def _key(row: Row) -> frozenset[tuple[str, object]]:
    return frozenset(row.spec.model_dump(exclude={"published"}).items())


def measured(
    by_seed: list[float], units: pd.Series | pd.DataFrame, *, ddof: int = 1
) -> dict[str, float | int | None]:
    """A number of a table: mean over seeds, 95 % interval over units and seeds, spread over seeds.

    The spread is the standard deviation of the sample, or with ``ddof=0`` of these seeds alone.
    """
    low, high = uncertainty(units)
    spread = float(np.std(by_seed, ddof=ddof)) if len(by_seed) > 1 else None
    mean = float(np.mean(by_seed))
    return {"mean": mean, "low": low, "high": high, "spread": spread, "seeds": len(by_seed)}


def number_range(form: str, values: list[float]) -> str:
    """Smallest to largest value, or the one value that all have."""
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"
