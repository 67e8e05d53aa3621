"""What a table records in ``results.json``: the one source of the site, the README and the CSV.

`TableResults` is the whole file. Its ``schema_version`` is raised when a field changes its meaning
or its name; a file of another version is not read, and its table has to run again.

Errors of matching are in pixels of a 70-pixel face, errors of landmarks in percent of the
inter-ocular distance. ``measure`` always names one of the table's `Measure` entries.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dvelib.checkpoints.specifications import Strict
from dvelib.common.errors import StudyError
from dvelib.common.files import read_json, write_json
from dvelib.common.parameters import validate
from dvelib.tables.made import DataAudit, Made, Many, RowTraining

__all__ = [
    "SCHEMA_VERSION",
    "Benchmark",
    "Effect",
    "EffectNumbers",
    "Measure",
    "Number",
    "Profile",
    "PublishedNumber",
    "Reference",
    "RowResults",
    "TableResults",
    "Trend",
    "read_results",
    "write_results",
]

SCHEMA_VERSION = 2


class Measure(Strict):
    """One quantity that the table measures of each row.

    ``title``: for a column's head. ``unit``: where it is not the table's. ``setting`` and
    ``protocol``: of a matching error.
    """

    name: str
    title: str
    unit: Literal["px", "%"] | None = None
    setting: str | None = None
    protocol: str | None = None


class Number(Strict):
    """Mean over test units and seeds, its 95 % interval, and the standard deviation over seeds.

    ``spread`` is None for one seed.
    """

    mean: float
    low: float
    high: float
    spread: float | None
    seeds: int


class PublishedNumber(Strict):
    """A number of the paper; ``spread``: the standard deviation that it prints beside it."""

    value: float
    spread: float | None = None


class RowResults(Strict):
    """One row of the table; ``ours`` is empty where the profile does not run it.

    ``label`` names the row, ``embedding`` its embedding alone, without the number of annotated
    images. ``pairs``: of a learning curve, after how many training pairs; ``recipe``: the name of
    the row's own recipe, None for that of the profile. Of another describer than an embedding
    ``architecture`` is its name and ``exchange`` None; ``stride`` and ``milliseconds`` (an image)
    are told where describers of many kinds are compared. ``published`` and
    ``ours`` are by measure. ``embeddings`` and ``regressors`` are the
    names of their folders.
    """

    label: str
    embedding: str
    architecture: str
    dimension: int
    exchange: bool | None
    finetuned: bool
    annotations: int | None
    stride: int | None = None
    milliseconds: float | None = None
    pairs: int | None = None
    recipe: str | None = None
    published: dict[str, PublishedNumber]
    ours: dict[str, Number]
    training: RowTraining | None
    embeddings: Many[str]
    regressors: Many[str]

    @property
    def has_results(self) -> bool:
        return bool(self.ours)


class Reference(Strict):
    """The error of an answer that needs no network, for one measure.

    ``low`` and ``high`` bound its 95 % interval where one was computed.
    """

    name: str
    measure: str
    mean: float
    low: float | None = None
    high: float | None = None
    seeds: int | None = None


class EffectNumbers(Strict):
    """Errors of the first and the second row, their difference and its 95 % interval."""

    before: float
    after: float
    effect: float
    low: float
    high: float
    seeds: int


class Effect(Strict):
    """The error of a first row less that of a second: above zero, the second is better.

    ``compares``: what the rows differ by. ``first``: a row's label, or the name of the answer that
    needs no network. ``shared``: a name of what both rows are. ``published``: the paper's effect.
    ``measured`` is None where the profile does not run both rows.
    """

    compares: str
    measure: str
    first: str
    second: str
    shared: str
    published: float | None
    measured: EffectNumbers | None


class Trend(Strict):
    """How an effect or an error changes with the logarithm of the number of training pairs.

    ``compares``: as of an `Effect`, or ``error`` for the error of a row itself. ``first``,
    ``second``: the rows' labels without their pairs. ``pairs``: the numbers that the line is fitted
    to. ``slope``: its change for twice as many pairs, with its 95 % interval; ``level``: the line
    at the last of ``pairs``.
    """

    compares: str
    measure: str
    first: str
    second: str
    architecture: str
    dimension: int
    exchange: bool
    pairs: Many[int]
    level: float
    slope: float
    low: float
    high: float


class Benchmark(Strict):
    """Whose landmarks the table is about: the name in ``params/`` and the one to read."""

    name: str
    title: str


class Profile(Strict):
    """The profile that the table was made under."""

    name: str
    description: str


class TableResults(Strict):
    """All that a table records.

    ``kind``: tables of one kind test the same claims of the paper. ``digest``: of everything that
    its numbers rest on. ``headline``: its finding, in sentences. ``interval``: what the intervals
    rest on, in words. ``learned_on``: the faces that landmarks were learned from. ``context``:
    whether the paper's numbers are comparable, in words. ``recorded``: date and time, ISO 8601.
    """

    schema_version: Literal[SCHEMA_VERSION] = SCHEMA_VERSION
    table: str
    kind: str
    title: str
    claim: str
    benchmark: Benchmark | None
    profile: Profile
    digest: str
    headline: str
    unit: Literal["px", "%"]
    interval: str
    measures: Many[Measure]
    rows: Many[RowResults]
    references: Many[Reference]
    effects: Many[Effect]
    trends: Many[Trend] = ()
    measured_on: DataAudit
    learned_on: DataAudit | None = None
    context: str | None = None
    made: Made
    recorded: str

    def unit_of(self, measure: str) -> str:
        """The unit of a measure's numbers."""
        return next(m.unit for m in self.measures if m.name == measure) or self.unit

    @property
    def rows_with_results(self) -> tuple[RowResults, ...]:
        """The rows that the profile ran."""
        return tuple(row for row in self.rows if row.has_results)


def write_results(path: Path, results: TableResults) -> None:
    """Write ``results.json`` atomically."""
    write_json(path, results.model_dump(mode="json"))


def read_results(path: Path) -> TableResults:
    """Read ``results.json``.

    Raises StudyError, one sentence, for a damaged file and for one of another schema version;
    FileNotFoundError where there is none.
    """
    values = read_json(path, "delete it and run the table again")
    version = values.get("schema_version", 1)
    if version is not None and version != SCHEMA_VERSION:
        raise StudyError(
            f"{path} has schema version {version}, and this code reads version {SCHEMA_VERSION}: "
            "run the table again"
        )
    return validate(TableResults, values, str(path))
