"""Results of a table as its notebook would record them, from errors that a test chooses."""

from __future__ import annotations

from collections.abc import Callable

from dvelib.checkpoints.specifications import read_yaml
from dvelib.common.files import ROOT
from dvelib.evaluation.matching_errors import COSINE as COSINE_PROTOCOL
from dvelib.evaluation.matching_errors import PROTOCOLS, SETTINGS
from dvelib.paper.benchmark_titles import BENCHMARK_TITLES
from dvelib.paper.numbers import published_experiments
from dvelib.study.profiles import RowSpec, TableSpec
from dvelib.tables.effects import BASELINE, row_pairs
from dvelib.tables.made import (
    DataAudit,
    ImagesUsed,
    Made,
    Range,
    RegressorTraining,
    RowTraining,
    Training,
)
from dvelib.tables.measures import (
    FEW_LANDMARK_ERROR,
    LANDMARK_ERROR,
    matching_measure,
    matching_measures,
)
from dvelib.tables.recording import published_by_measure
from dvelib.tables.results import (
    Benchmark,
    Effect,
    EffectNumbers,
    Measure,
    Number,
    Profile,
    Reference,
    RowResults,
    TableResults,
)

COSINE = matching_measure(SETTINGS[0], COSINE_PROTOCOL).name
TRIVIAL = 30.0  # error of the answer that needs no network
Errors = Callable[[RowSpec, str], float | None]


def table_names() -> list[str]:
    return sorted(path.stem for path in (ROOT / "params").glob("*.yaml"))


def printed(row: RowSpec, measure: str) -> float | None:
    """The paper's error of a row, None where it prints none."""
    return published_experiments().get(row.published, {}).get(measure)


def recorded(name: str, error: Errors, width: float = 0.002) -> TableResults:
    """Results whose errors are ``error(row, measure)``, None for a row that did not run.

    ``width``: of all intervals.
    """
    table = read_yaml(TableSpec, ROOT / "params" / f"{name}.yaml")
    measures = _measures(name, table)
    pairs = [*row_pairs(table.rows), *((BASELINE, None, row) for row in table.rows)]
    landmarks = table.has_regressors
    trivial = "mean training shape" if table.measures == "landmarks" else "same place"
    benchmark = table.benchmark
    return TableResults(
        table=name,
        kind=table.kind,
        title=table.title,
        claim=table.claim,
        benchmark=benchmark and Benchmark(name=benchmark, title=BENCHMARK_TITLES[benchmark]),
        profile=Profile(name="smoke", description="A study for tests."),
        digest="today",
        headline="The result in a sentence.",
        unit="%" if table.measures == "landmarks" else "px",
        interval="95 % interval of a test",
        measures=measures,
        rows=tuple(_row(row, measures, error, width) for row in table.rows),
        references=tuple(_reference(trivial, measure, width) for measure in measures),
        effects=tuple(
            _effect(what, first, second, measure.name, error, width, trivial)
            for what, first, second in pairs
            for measure in measures
        ),
        measured_on=audit("test"),
        learned_on=audit("train") if landmarks else None,
        context="The images are drawn." if landmarks else None,
        made=Made(training=TRAINING, regressors=REGRESSORS if landmarks else None),
        recorded="2019-10-27T00:00:00+00:00",
    )


def of_the_paper(name: str) -> TableResults:
    """Results that are the paper's, and where it prints none those of its other tables."""

    def error(row: RowSpec, measure: str) -> float | None:
        found = printed(row, measure)
        if name == "learning_curve" and measure == LANDMARK_ERROR.name:
            return 10.0  # not printed with the errors of matching
        if found is not None or not name.startswith("finetuned_matching_"):
            return found
        # Not printed: matching on a benchmark before fine-tuning, and by cosine.
        return 1.3 if measure == COSINE or row.architecture == "smallnet" else 1.0

    return recorded(name, error)


def audit(split: str, **values: object) -> DataAudit:
    """Eight drawn faces, or other ``values``."""
    drawn = {"dataset": "Drawn faces", "split": split, "images": 8, "published": None}
    return DataAudit.model_validate(drawn | {"complete": False, "stand_in": None} | values)


TRAINING = Training(
    trained_on=(ImagesUsed(dataset="Drawn faces", images=16),),
    size=70,
    cropped_size=50,
    pairs=Range(low=40, high=80),
    steps=Range(low=5, high=10),
    batch=8,
    pairs_per_second=Range(low=3, high=3.4),
    seconds=90.0,
    hardware="an abacus",
    precision="float32",
    seeds=(0,),
    versions={"torch": "2.0"},
    commit="0123abc",
)
REGRESSORS = RegressorTraining(
    virtual_points=50,
    epochs=3,
    batch=8,
    faces_per_second=Range(low=1000, high=2000),
    seconds=30.0,
    test_images_seen_by_embeddings=0,
    test_images_seen_by_regressors=1,
)


def _measures(name: str, table: TableSpec) -> tuple[Measure, ...]:
    if table.measures == "landmarks":
        return (FEW_LANDMARK_ERROR if name == "limited_annotations" else LANDMARK_ERROR,)
    measures = matching_measures(PROTOCOLS[:1])
    if table.measures == "learning curve":
        measures += (LANDMARK_ERROR.model_copy(update={"unit": "%"}),)
    if name.startswith("finetuned"):
        measures += (matching_measure(SETTINGS[0], COSINE_PROTOCOL),)
    return measures


def number(error: float, width: float = 0.002, spread: float | None = None) -> Number:
    ends = {"low": error - width / 2, "high": error + width / 2}
    return Number(mean=error, **ends, spread=spread, seeds=1 if spread is None else 3)


def _row(row: RowSpec, measures: tuple[Measure, ...], error: Errors, width: float) -> RowResults:
    errors = {measure.name: error(row, measure.name) for measure in measures}
    ours = {m: number(e, width) for m, e in errors.items() if e is not None}
    return RowResults(
        label=row.label,
        embedding=row.embedding_label,
        **row.model_dump(exclude={"published"}),
        published=published_by_measure(published_experiments().get(row.published, {})),
        ours=ours,
        training=RowTraining(
            pairs=80, steps=10, recipe="batch 8", seconds=30.0, processor_hours=0.01
        )
        if ours
        else None,
        embeddings=("small",) if ours else (),
        regressors=(),
    )


def _reference(name: str, measure: Measure, width: float) -> Reference:
    ends = {"low": TRIVIAL - width / 2, "high": TRIVIAL + width / 2}
    return Reference(name=name, measure=measure.name, mean=TRIVIAL, **ends, seeds=1)


def _effect(what, first, second, measure, error, width, trivial) -> Effect:
    before = TRIVIAL if first is None else error(first, measure)
    after = error(second, measure)
    one, other = (printed(row, measure) if row else None for row in (first, second))
    shared = first or second
    return Effect(
        compares=what,
        measure=measure,
        first=first.label if first else trivial,
        second=second.label,
        shared=shared.label_without_exchange if what == "exchange" else shared.label,
        published=None if None in (one, other) else one - other,
        measured=None if None in (before, after) else _effect_numbers(before, after, width),
    )


def _effect_numbers(before: float, after: float, width: float) -> EffectNumbers:
    gap = before - after
    ends = {"low": gap - width / 2, "high": gap + width / 2}
    return EffectNumbers(before=before, after=after, effect=gap, **ends, seeds=1)
