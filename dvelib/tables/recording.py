"""Recording a table: its numbers and what made them, in ``results.json``."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pandas as pd

from dvelib.checkpoints.storage import PROVENANCE, Embedding
from dvelib.common.files import read_json
from dvelib.data.audit import shared_images
from dvelib.paper.benchmark_titles import BENCHMARK_TITLES
from dvelib.study.plan import Row
from dvelib.tables.base import StudyTable
from dvelib.tables.landmark_table import RegressionTable
from dvelib.tables.made import (
    DataAudit,
    ImagesUsed,
    Made,
    Range,
    RegressorTraining,
    RowTraining,
    Training,
    made_facts,
)
from dvelib.tables.results import (
    Benchmark,
    Profile,
    PublishedNumber,
    RowResults,
    TableResults,
    write_results,
)

__all__ = ["facts_of", "published_by_measure", "record", "table_results", "trainings_of"]

# The paper prints the deviation of a mean under a name of its own.
DEVIATIONS = {"mean_iod": "std_iod"}


def record(table: StudyTable, headline: str) -> TableResults:
    """Write ``results.json`` of a table; returns what it holds."""
    results = table_results(table, headline)
    write_results(table.study.table_folder(table.name) / "results.json", results)
    return results


def table_results(table: StudyTable, headline: str) -> TableResults:
    """All that a table records, computed. ``headline``: its finding in a sentence."""
    regression = table if isinstance(table, RegressionTable) else None
    benchmark = table.spec.benchmark
    return TableResults(
        table=table.name,
        kind=table.spec.kind,
        title=table.spec.title,
        claim=table.spec.claim,
        benchmark=benchmark and Benchmark(name=benchmark, title=BENCHMARK_TITLES[benchmark]),
        profile=_profile(table),
        digest=table.study.table_digest(table.name),
        headline=headline,
        unit=table.unit,
        interval=table.interval,
        measures=table.statistics.measures,
        rows=tuple(_row_results(table, row) for row in table.rows) + table.more_rows,
        references=table.statistics.references(),
        effects=table.effects,
        trends=table.trends,
        measured_on=_audit(table.test_faces),
        learned_on=regression and _audit(regression.training_faces),
        context=regression and regression.context,
        made=_made(table),
        recorded=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def facts_of(table: StudyTable) -> dict[str, str]:
    """What data, training, time and hardware made a table, name by name, to read."""
    learned = _audit(table.training_faces) if isinstance(table, RegressionTable) else None
    profile = _profile(table)
    text = f"{profile.name}: {profile.description}"
    facts = made_facts(_made(table), text, _audit(table.test_faces), learned)
    return facts | {"Made again by": table.command}


def trainings_of(table: StudyTable) -> pd.DataFrame:
    """How the embeddings of each row were trained: pairs, recipe, seeds, precision, hours.

    The pairs that the parent of a fine-tuned embedding has seen are not counted.
    """
    lines = {}
    for row in table.rows_with_results:
        training = _row_training(table, row)
        lines[row.label] = {
            "pairs": training.pairs,
            "recipe": training.recipe,
            "seeds": len(row.embeddings),
            "precision": training.precision,
            "processor hours": training.processor_hours,
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("embedding")


def _profile(table: StudyTable) -> Profile:
    return Profile(name=table.study.name, description=table.study.profile.description)


def _audit(faces) -> DataAudit:
    return DataAudit.model_validate(faces.split_audit())


def _row_results(table: StudyTable, row: Row) -> RowResults:
    measures = [measure.name for measure in table.statistics.measures] if row.embeddings else []
    return RowResults(
        label=row.label,
        embedding=row.spec.embedding_label,
        **row.spec.model_dump(exclude={"published"}),
        **table.facts_of_row(row.label),
        published=published_by_measure(row.published),
        ours={name: table.statistics.number(row.label, name) for name in measures},
        training=_row_training(table, row) if row.embeddings else None,
        embeddings=row.embeddings,
        regressors=row.regressors,
    )


def published_by_measure(numbers: dict[str, float]) -> dict[str, PublishedNumber]:
    """The paper's numbers of a row by measure, a deviation beside the mean that it belongs to."""
    return {
        name: PublishedNumber(value=value, spread=numbers.get(DEVIATIONS.get(name, "")))
        for name, value in numbers.items()
        if name not in DEVIATIONS.values()
    }


def _row_training(table: StudyTable, row: Row) -> RowTraining:
    made = [embedding.provenance for embedding in table.embeddings[row.label]]
    # A GPU counts as one processor; on a CPU each process of a training has so many threads.
    threads = table.study.profile.threads if table.device.type == "cpu" else 1
    hours = sum(m["seconds"] * m.get("processes", 1) for m in made) * threads / 3600
    return RowTraining(
        pairs=made[0]["pairs"],
        steps=made[0]["steps"],
        recipe=table.embeddings[row.label][0].spec.recipe,
        precision=made[0]["precision"],
        seconds=sum(m["seconds"] for m in made),
        processor_hours=round(hours, 4),
    )


def _made(table: StudyTable) -> Made:
    regressors = _regressor_training(table) if isinstance(table, RegressionTable) else None
    return Made(training=_training(table), regressors=regressors)


def _training(table: StudyTable) -> Training:
    embeddings = [e for seeds in table.embeddings.values() for e in seeds]
    made, spec = [e.provenance for e in embeddings], embeddings[0].spec
    names = {name for row in table.rows_with_results for name in row.embeddings}
    parents = table.study.parents
    # A longer training's time holds that of the shorter one that it went on from.
    continued = {
        table.study.embedding_folder(e) for n, e in table.study.earlier.items() if n in names
    }
    whole = [e for e in embeddings if e.folder not in continued]
    return Training(
        trained_on=_images_used(table, {parents.get(name, name) for name in names}),
        finetuned_on=_images_used(table, names & parents.keys()),
        size=spec.size,
        cropped_size=spec.size - 2 * spec.crop,
        pairs=_range(m["pairs"] for m in made),
        steps=_range(m["steps"] for m in made),
        batch=spec.batch,
        pairs_per_second=_range(m["pairs_per_second"] for m in made),
        seconds=sum(e.provenance["seconds"] for e in whole),
        hardware=made[0]["hardware"],
        precision=" and ".join(sorted({m["precision"] for m in made})),
        recipe=" or ".join(dict.fromkeys(e.spec.recipe for e in embeddings)),
        seeds=table.study.profile.seeds,
        versions=made[0]["versions"],
        commit=made[0]["commit"],
    )


def _images_used(table: StudyTable, names: set[str]) -> tuple[ImagesUsed, ...]:
    folders = [table.study.embedding_folder(name) for name in sorted(names)]
    data = [read_json(folder / PROVENANCE)["data"] for folder in folders]
    used = (ImagesUsed(dataset=d["dataset"], images=d["images"]) for d in data)
    return tuple(dict.fromkeys(used))


def _range(values: Iterable[float]) -> Range:
    values = list(values)
    return Range(low=min(values), high=max(values))


def _regressor_training(table: RegressionTable) -> RegressorTraining:
    regressors = [r for seeds in table.regressors.values() for r in seeds]
    made, spec = [r.provenance for r in regressors], regressors[0].spec
    embedding: Embedding = next(iter(table.first_seed.values()))
    unlabelled = table.study.training_data(embedding.spec)
    return RegressorTraining(
        virtual_points=spec.virtual_points,
        epochs=spec.epochs,
        batch=spec.batch,
        faces_per_second=_range(m["faces_per_second"] for m in made),
        seconds=sum(m["seconds"] for m in made),
        test_images_seen_by_embeddings=shared_images(unlabelled, table.test_faces),
        test_images_seen_by_regressors=shared_images(table.training_faces, table.test_faces),
    )
