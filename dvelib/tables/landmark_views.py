"""What a notebook shows of a table of landmark errors: frames and pictures' contents."""

from __future__ import annotations

import numpy as np
import pandas as pd

from dvelib.data.landmark_names import FIVE_LANDMARKS, landmark_names
from dvelib.evaluation.landmark_errors import MEAN_SHAPE, mean_shape
from dvelib.study.plan import Row
from dvelib.tables.effects import BASELINE
from dvelib.tables.frames import error_bars, grouped
from dvelib.tables.landmark_table import FewAnnotationsTable, RegressionTable
from dvelib.tables.results import Number
from dvelib.tables.sentences import change_sentences
from dvelib.training.regressors import predict

__all__ = [
    "comparison",
    "errors_by_count",
    "example_faces",
    "few_comparison",
    "finding_bars",
    "headline",
    "landmark_shape",
    "mean_shape_note",
    "virtual_keypoints",
]

GROUPS = ("best", "median", "worst")  # of example faces


def headline(table: RegressionTable) -> str:
    """The finding in sentences: what the table's first change does, and the best embedding."""
    statistics = table.statistics
    effects = table.main_effects(table.measure.name)
    changes = change_sentences(table, effects, "landmark error")
    best, trivial = statistics.number(statistics.best), statistics.mean_shape_number()
    return (
        f"{changes} Best: {statistics.best}, {best.mean:.2f} % of the inter-ocular distance (95 % "
        f"interval {best.low:.2f} to {best.high:.2f}), where the mean training shape errs by "
        f"{trivial.mean:.2f} %."
    ).strip()


def comparison(table: RegressionTable) -> pd.DataFrame:
    """Paper beside ours with its interval, a line for each row, then one for the mean shape."""
    lines = {row.label: _line(table, row) for row in table.rows}
    lines[MEAN_SHAPE.capitalize()] = _ours(table.statistics.mean_shape_number())
    return grouped(lines)


def _line(table: RegressionTable, row: Row) -> dict[tuple[str, str], object]:
    line: dict[tuple[str, str], object]
    line = {("paper", "error"): row.published.get(table.measure.name)}
    if not row.embeddings:
        return line
    ours = table.statistics.number(row.label)
    line |= _ours(ours) | {("seeds", "number"): ours.seeds}
    return line if ours.spread is None else line | {("seeds", "spread"): ours.spread}


def _ours(number: Number) -> dict[tuple[str, str], object]:
    return {
        ("ours", "error"): number.mean,
        ("ours", "low"): number.low,
        ("ours", "high"): number.high,
    }


def mean_shape_note(table: RegressionTable) -> str:
    """Which rows are not surely better than the mean training shape, in a sentence."""
    rows = [row.label for row in table.rows_with_results if not _beats_mean_shape(table, row.label)]
    if not rows:
        return "All rows have a smaller error than the mean training shape, by the whole interval."
    return (
        f"**Not better than the mean training shape** (the interval of the difference does not lie "
        f"above zero): {'; '.join(rows)}."
    )


def _beats_mean_shape(table: RegressionTable, label: str) -> bool:
    return any(
        effect.compares == BASELINE and effect.second == label and effect.measured.low > 0
        for effect in table.effects
        if effect.measured is not None
    )


def few_comparison(table: FewAnnotationsTable) -> pd.DataFrame:
    """Paper beside ours, both with the deviation over picks of annotated images."""
    frame = comparison(table)
    deviations = [row.published.get("std_iod") for row in table.rows]
    frame.insert(1, ("paper", "deviation"), [*deviations, None])  # the mean shape has none
    return frame.rename(columns={"spread": "deviation", "seeds": "picks"})


def errors_by_count(table: FewAnnotationsTable) -> pd.DataFrame:
    """embedding, images, error, deviation, kind (paper or ours): for a chart of errors by count."""
    lines = []
    for row in table.rows:
        about = (row.spec.embedding_label, row.spec.annotations)
        paper = (row.published.get(key) for key in ("mean_iod", "std_iod"))
        lines.append((*about, *paper, "paper"))
        if row.embeddings:
            ours = table.statistics.number(row.label)
            lines.append((*about, ours.mean, ours.spread, "ours"))
    return pd.DataFrame(lines, columns=["embedding", "images", "error", "deviation", "kind"])


def finding_bars(table: RegressionTable) -> tuple[pd.DataFrame, dict[str, float]]:
    """Errors of the rows, and that of the mean training shape: for `dvelib.plots.error_bars`."""
    errors = (
        (
            row.label,
            table.test_faces.title,
            table.statistics.number(row.label),
            row.published.get(table.measure.name),
        )
        for row in table.rows_with_results
    )
    return error_bars(errors), {MEAN_SHAPE: table.statistics.mean_shape_number().mean}


def landmark_shape(table: RegressionTable) -> dict[str, object]:
    """Names, mean shape and reference of `dvelib.plots.error_per_landmark`."""
    shape = mean_shape(table.training_faces)
    reference = {MEAN_SHAPE: np.nanmean(table.statistics.mean_shape, axis=0)}
    return {"names": landmark_names(len(shape)), "shape": shape, "reference": reference}


def example_faces(table: RegressionTable, label: str, each: int = 6) -> dict[str, object]:
    """Test faces with the smallest, middle and largest errors of a row's embedding.

    For `dvelib.plots.predicted_landmarks`; so many of each, less where there are few faces.
    """
    faces, errors = table.faces(label), table.statistics.image_errors(label)
    chosen, each = chosen_examples(errors, each)
    return {
        "images": faces.cropped(chosen),
        "truth": faces.landmarks[chosen],
        "predicted": table.regressors[label][0].predicted[chosen],
        "titles": [f"{errors[i]:.1f} %" for i in chosen],
        "rows": dict.fromkeys(GROUPS, each),
    }


def chosen_examples(errors: pd.Series, each: int) -> tuple[np.ndarray, int]:
    """Indices of the smallest, middle and largest errors, and how many there are of each."""
    order = errors.argsort().to_numpy()
    each = min(each, len(order) // len(GROUPS) or 1)
    middle = (len(order) - each) // 2
    return np.concatenate([order[:each], order[middle:][:each], order[-each:]]), each


def virtual_keypoints(table: RegressionTable, label: str, count: int = 4) -> dict[str, object]:
    """Virtual keypoints of at most five landmarks on the first test faces.

    For `dvelib.plots.virtual_keypoints`.
    """
    faces = table.faces(label)
    images = faces.cropped(slice(count))
    maps = table.first_seed[label](images)
    regressor = table.regressors[label][0].network
    predicted, virtual = predict(regressor, maps, faces.cropped_size)
    shown = evenly_spread(faces.landmarks.shape[1], len(FIVE_LANDMARKS))
    return {
        "images": images,
        "virtual": virtual[:, shown],
        "predicted": predicted[:, shown],
        "truth": faces.landmarks[: len(images)][:, shown],
    }


def evenly_spread(count: int, shown: int) -> np.ndarray:
    """At most ``shown`` of the indices below ``count``, evenly spread."""
    return np.arange(count) if count <= shown else np.arange(shown) * count // shown
