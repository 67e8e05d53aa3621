"""Every number of a study in one long table, ours and the paper's, for people's own plots."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator

from dvelib.tables.results import Effect, Number, Reference, RowResults, TableResults

__all__ = ["COLUMNS", "numbers_csv"]

COLUMNS = {
    "profile": "which study",
    "table": "which of its tables",
    "kind": "row: the error of an embedding; reference: of an answer that needs no network; "
    "effect: the error of one row less that of another",
    "label": "what the number is of; of an effect, the second row",
    "compares": "of an effect, what the two rows differ by",
    "compared_with": "of an effect, the first row",
    "architecture": "of the row",
    "dimension": "of its descriptors",
    "exchange": "whether it was trained with exchange",
    "finetuned": "whether it was fine-tuned on the benchmark",
    "annotations": "how many annotated images, if few",
    "measure": "what was measured",
    "unit": "px of a 70-pixel face, or % of the inter-ocular distance",
    "source": "ours or paper",
    "value": "the number: a mean over test units and seeds",
    "low": "lower end of its 95 % interval",
    "high": "upper end",
    "spread": "standard deviation over seeds",
    "seeds": "how many",
    "dataset": "what ours was measured on",
    "images": "how many images of it",
    "published_images": "how many the published split has",
    "complete": "whether ours is the published split",
    "stand_in": "what the images are where they replace the published ones",
    "embeddings": "names of the networks, one for each seed",
    "pairs": "image pairs that one network was trained on, without those before fine-tuning",
    "recipe": "how one network was trained, in words; empty where it is not recorded",
    "precision": "of the training",
    "processor_hours": "of training the networks of all seeds: of processor threads, or of GPUs; "
    "empty where it is not recorded",
    "commit": "of the code that trained them; empty where it is not known",
    "hardware": "that trained them",
    "recorded": "when",
    "digest": "of everything that the numbers of the table rest on",
}


def numbers_csv(tables: Iterable[TableResults]) -> str:
    """The numbers of recorded tables as CSV, a line each; `COLUMNS` says what a line holds.

    A column is empty where it does not apply.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for results in tables:
        common = {"profile": results.profile.name, "table": results.table}
        made = _provenance(results)
        for line in _lines(results):
            unit = results.unit_of(line["measure"])
            written = {**common, **line, "unit": unit}
            writer.writerow(written | (made if line["source"] == "ours" else {}))
    return text.getvalue()


def _lines(results: TableResults) -> Iterator[dict]:
    rows = {row.label: row for row in results.rows}
    for row in results.rows:
        yield from _row_lines(row)
    yield from map(_reference_line, results.references)
    for effect in results.effects:
        yield from _effect_lines(effect, rows[effect.second])


def _row_lines(row: RowResults) -> Iterator[dict]:
    about = {"kind": "row", "label": row.label, **_settings(row)}
    for measure, number in row.ours.items():
        yield {**about, **_training(row), "measure": measure, **_ours(number)}
    for measure, paper in row.published.items():
        numbers = {"source": "paper", "value": paper.value, "spread": paper.spread}
        yield {**about, "measure": measure, **numbers}


def _settings(row: RowResults) -> dict:
    return {
        "architecture": row.architecture,
        "dimension": row.dimension,
        "exchange": row.exchange,
        "finetuned": row.finetuned,
        "annotations": row.annotations,
    }


def _training(row: RowResults) -> dict:
    names = {"embeddings": " ".join(row.embeddings)}
    if row.training is None:
        return names
    return names | {
        "pairs": row.training.pairs,
        "recipe": row.training.recipe,
        "processor_hours": row.training.processor_hours,
    }


def _ours(number: Number | Reference) -> dict:
    numbers = number.model_dump(include={"low", "high", "spread", "seeds"})
    return {"source": "ours", "value": number.mean, **numbers}


def _reference_line(reference: Reference) -> dict:
    about = {"kind": "reference", "label": reference.name, "measure": reference.measure}
    return about | _ours(reference)


def _effect_lines(effect: Effect, row: RowResults) -> Iterator[dict]:
    about = {
        "kind": "effect",
        "label": effect.second,
        "compares": effect.compares,
        "compared_with": effect.first,
        "measure": effect.measure,
        **_settings(row),
    }
    if effect.measured is not None:
        numbers = effect.measured.model_dump(include={"low", "high", "seeds"})
        yield {**about, "source": "ours", "value": effect.measured.effect, **numbers}
    if effect.published is not None:
        yield {**about, "source": "paper", "value": round(effect.published, 2)}


def _provenance(results: TableResults) -> dict:
    data, training = results.measured_on, results.made.training
    return {
        "dataset": data.dataset,
        "images": data.images,
        "published_images": data.published,
        "complete": data.complete,
        "stand_in": data.stand_in,
        "precision": training.precision,
        "commit": training.commit,
        "hardware": training.hardware,
        "recorded": results.recorded,
        "digest": results.digest,
    }
