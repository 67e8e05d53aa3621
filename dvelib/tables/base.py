"""What tables of every kind share: their rows, the trained embeddings and the effects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from pathlib import Path

import pandas as pd

from dvelib.checkpoints.storage import Embedding, load_embedding
from dvelib.common.devices import resolve_device
from dvelib.data import FaceDataset
from dvelib.study.jobs import train_rows
from dvelib.study.plan import Row, Study
from dvelib.tables.effects import effects_frame, table_effects
from dvelib.tables.results import Effect, RowResults, Trend
from dvelib.tables.statistics import Statistics

__all__ = ["StudyTable", "interval_text"]


class StudyTable(ABC):
    """One table of the study under one profile. `train` trains what it needs and is not there.

    The profile need not list the table. ``unit``: of its errors; ``test_units``: what they are
    means over; ``repeats``: what is repeated.
    Raises StudyError where there is no such table, or where the profile lacks what it needs.
    """

    unit: str
    test_units: str
    repeats = "seeds"

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
        self.study = Study.load(profile, data_root, outputs=outputs, also=table)
        self.spec = self.study.tables[table]
        self.rows = self.study.rows[table]
        self.device = resolve_device(device)

    def train(self) -> None:
        """Train what is missing of this table's embeddings and regressors, with progress bars.

        In a study that `dve study` runs, nothing is. A training that was stopped goes on.
        """
        train_rows(self.study, self.rows_with_results)

    @property
    def rows_with_results(self) -> list[Row]:
        """The rows that this profile runs."""
        return [row for row in self.rows if row.embeddings]

    @cached_property
    def embeddings(self) -> dict[str, list[Embedding]]:
        """By label, the embedding of each seed."""
        folder = self.study.embedding_folder
        return {
            row.label: [load_embedding(folder(name), self.device) for name in row.embeddings]
            for row in self.rows_with_results
        }

    @cached_property
    def first_seed(self) -> dict[str, Embedding]:
        """By label, the embedding of the first seed."""
        return {label: seeds[0] for label, seeds in self.embeddings.items()}

    @property
    def not_run(self) -> list[str]:
        """Labels of the rows that this profile does not run."""
        return [row.label for row in self.rows if not row.embeddings]

    def main_effects(self, measure: str) -> list[Effect]:
        """Measured effects of the first comparison of the page, those of most dimensions first."""
        dimensions = {row.label: row.spec.dimension for row in self.rows}
        found = [
            effect
            for effect in self.effects
            if (effect.compares, effect.measure) == (*self.spec.compares[:1], measure)
            and effect.measured
        ]
        return sorted(found, key=lambda effect: -dimensions[effect.second])

    @property
    def example_rows(self) -> tuple[str, str]:
        """Labels of the two rows that examples show.

        Those of the first main effect; where there is none, the table's first and last row.
        """
        for effect in self.main_effects(self.statistics.measures[0].name):
            return effect.first, effect.second
        return self.rows_with_results[0].label, self.rows_with_results[-1].label

    @property
    @abstractmethod
    def statistics(self) -> Statistics:
        """The errors of the rows that this profile runs."""

    @property
    @abstractmethod
    def test_faces(self) -> FaceDataset:
        """The faces that the errors are measured on, at the size of the first row."""

    @property
    def interval(self) -> str:
        """What the intervals of this table rest on, in words."""
        row = self.rows_with_results[0]
        return interval_text(self.test_units, self.repeats, len(row.regressors or row.embeddings))

    @cached_property
    def effects(self) -> tuple[Effect, ...]:
        """Effects between rows and beside the baseline; see `dvelib.tables.effects`."""
        return self._measure_effects()

    def _measure_effects(self) -> tuple[Effect, ...]:
        return table_effects(self.rows, self.statistics)

    @property
    def more_rows(self) -> tuple[RowResults, ...]:
        """Rows beside those of embeddings: of other describers."""
        return ()

    def facts_of_row(self, label: str) -> dict[str, object]:
        """Further values of `RowResults` of a row."""
        return {}

    @property
    def command(self) -> str:
        """The command that makes this table's page again."""
        parameters = {"table": self.name, "profile": self.study.name}
        if self.study.data_root:
            parameters["data_root"] = str(self.study.data_root)
        options = " ".join(f"-p {key} {value}" for key, value in parameters.items())
        return f"papermill notebooks/{self.spec.notebook}.ipynb page.ipynb {options}"

    @property
    def trends(self) -> tuple[Trend, ...]:
        """How errors and effects change with the training pairs: of a learning curve alone."""
        return ()

    @property
    def shown_effects(self) -> pd.DataFrame:
        """The effects that the page shows; see `effects_frame`."""
        return effects_frame(self.effects, self.rows, self.spec.compares)


def interval_text(units: str, repeats: str, count: int) -> str:
    """What an interval over test units and ``count`` repeats rests on, in words."""
    over = f"95 % bootstrap interval over {units}"
    if count == 1:
        return f"{over} of one seed; it does not include the variation between seeds"
    return f"{over} and {count} {repeats}"
