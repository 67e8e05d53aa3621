"""What to expect on a user's pictures: the error against the number of labelled pictures.

For each number, several random draws of labelled pictures train a regressor. All are tested on the
same pictures: those kept for testing. The baseline needs no network: it answers the mean position
of each landmark on the drawn pictures.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dvelib.checkpoints.storage import Embedding, load_embedding
from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.common.files import outputs_folder
from dvelib.common.progress import lines_only, track
from dvelib.data import FaceDataset
from dvelib.evaluation.intervals import uncertainty
from dvelib.own.drawn_fish import draw_fish
from dvelib.own.framing import Framing, framing_of, say_outside
from dvelib.own.landmark_file import LandmarkFile
from dvelib.own.landmark_learning import labelled, regressor_spec
from dvelib.own.sitting import embedding_folder
from dvelib.training.few_annotations import pick
from dvelib.training.landmark_workflow import learn_landmarks

__all__ = [
    "MEAN_POSITION",
    "LabelCounts",
    "errors_by_label_count",
    "pictures_or_fish",
    "summary",
    "verdict",
]

MEAN_POSITION = "mean position"


@dataclass(frozen=True)
class LabelCounts:
    """How the errors are measured.

    ``counts``: numbers of labelled pictures; ``draws``: random choices for each of them; ``fit``:
    see `dvelib.own.framing`; ``copies``: warped pictures in all that a regressor learns from;
    ``epochs`` and ``batch``: of a regressor.
    """

    counts: Sequence[int] = (2, 5, 10, 20, 40)
    draws: int = 3
    fit: str = "whole"
    copies: int = 160
    epochs: int = 20
    batch: int = 16
    device: str = "auto"


def pictures_or_fish(images: Path | str | None, outputs: Path | str | None) -> tuple[Path, Path]:
    """The folder of labelled pictures, and the folder for the results on them.

    Without ``images``: drawn fish, among the results. ``outputs``: None is the project's.
    """
    results = Path(outputs or outputs_folder()).expanduser().resolve() / "own_pictures"
    if images is None:
        return draw_fish(results / "fish" / "pictures"), results / "fish"
    images = Path(images).expanduser().resolve()
    return images, results / images.name


def errors_by_label_count(
    images: Path | str,
    embeddings: Mapping[str, Path | str],
    settings: LabelCounts,
    say: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Mean error of each test picture, in percent of the side of its square.

    ``embeddings``: folders or names, by what to call them. Columns: embedding (also
    `MEAN_POSITION`), labels, draw, picture and error. Landmarks that no drawn picture shows are
    left out of the errors of that draw, for the baseline also. Counts above the number of
    labelled pictures are left out.
    Raises StudyError if no labelled picture is kept for testing or for training.
    """
    images = Path(images).expanduser().resolve()
    file, tables = LandmarkFile(images), []
    for name, place in embeddings.items():
        embedding = load_embedding(embedding_folder(images, place), resolve_device(settings.device))
        framing = framing_of(embedding.spec, fit=settings.fit)
        if not tables:
            say_outside(file, framing, (), say)
        train, test = _splits(file, framing)
        drawn = list(_draws(train, settings))
        for draw, part in track(drawn, len(drawn), f"learning on {name}", "draws"):
            if name == next(iter(embeddings)):
                tables.append(_errors(MEAN_POSITION, _mean_position(part), part, test, draw))
            found = _learned(embedding, framing, part, test, draw, settings)
            tables.append(_errors(name, found, part, test, draw))
    return pd.concat(tables, ignore_index=True)


def _splits(file: LandmarkFile, framing: Framing) -> tuple[FaceDataset, FaceDataset]:
    train, test = (labelled(file, split, framing) for split in ("train", "test"))
    if train is None or test is None:
        raise StudyError(
            f"{file.path} must label pictures for training and pictures for testing: tick 'keep "
            f"for testing' on some in dve annotate"
        )
    return train, test


def _draws(train: FaceDataset, settings: LabelCounts) -> Iterator[tuple[int, FaceDataset]]:
    """Each draw and its labelled pictures; for one draw, fewer pictures are the first of more."""
    for count in (n for n in settings.counts if n <= len(train)):
        for draw in range(settings.draws):
            places = pick(len(train), count, draw)
            digest = f"{train.digest} {places.tolist()}"
            yield draw, replace(train.chosen(places), digest=digest)


def _learned(
    embedding: Embedding,
    framing: Framing,
    part: FaceDataset,
    test: FaceDataset,
    draw: int,
    settings: LabelCounts,
) -> np.ndarray:
    """The landmarks ``[N,A,2]`` that a regressor trained on the part finds on the test pictures."""
    spec = regressor_spec(
        embedding.folder.name,
        "label-counts",
        len(part),
        data=framing.data,
        crop=framing.crop,
        epochs=settings.epochs,
        batch=settings.batch,
        seed=draw,
    )
    copies = -(-settings.copies // len(part))
    # A notebook shows one bar for all draws, and not several for each.
    with lines_only(), tempfile.TemporaryDirectory(prefix="label-counts-") as folder:
        trained = learn_landmarks(spec, embedding, part, test, folder, copies=copies)
    return trained.predicted.numpy()


def _mean_position(part: FaceDataset) -> np.ndarray:
    """The mean of each landmark over the pictures where it is set: ``[1,A,2]``; NaN for none."""
    points = part.landmarks
    known = (~np.isnan(points)).sum(axis=0)
    means = np.nansum(points, axis=0) / np.maximum(known, 1)
    return np.where(known > 0, means, np.nan)[None]


def _errors(
    name: str, found: np.ndarray, part: FaceDataset, test: FaceDataset, draw: int
) -> pd.DataFrame:
    away = 100 * np.linalg.norm(found - test.landmarks, axis=2) / test.size  # [N,A]
    away[:, np.isnan(part.landmarks[..., 0]).all(axis=0)] = np.nan
    known = ~np.isnan(away)
    table = pd.DataFrame({"picture": test.files, "error": np.nansum(away, axis=1)})
    table["error"] /= np.maximum(known.sum(axis=1), 1)
    table = table[known.any(axis=1)]
    return table.assign(embedding=name, labels=len(part), draw=draw)


def verdict(means: pd.DataFrame) -> str:
    """What the errors say about each embedding, in sentences; ``means``: as `summary` returns."""
    table = means.pivot(index="labels", columns="embedding", values="error").sort_index()
    few, many = table.index[0], table.index[-1]
    sentences = []
    for name in (column for column in table if column != MEAN_POSITION):
        errors = table[name]
        better = [str(n) for n in table.index[errors < table[MEAN_POSITION]]]
        sentences.append(
            f"With the embedding *{name}* the mean error goes from {errors[few]:.1f} % with {few} "
            f"labelled pictures to {errors[many]:.1f} % with {many}; it is lower than that of the "
            f"mean position with {', '.join(better) or 'no number of'} labelled pictures."
        )
    return " ".join(sentences)


def summary(errors: pd.DataFrame) -> pd.DataFrame:
    """Mean error over pictures and draws, with its 95 % interval over both, by embedding and count.

    ``errors``: as `errors_by_label_count` returns it. Columns: embedding, labels, error, low and
    high. Pictures without an error in some draw are left out of the interval.
    """
    rows = []
    for (name, count), part in errors.groupby(["embedding", "labels"], sort=False):
        wide = part.pivot(index="picture", columns="draw", values="error").dropna()
        low, high = uncertainty(wide)
        rows.append((name, count, part["error"].mean(), low, high))
    return pd.DataFrame(rows, columns=["embedding", "labels", "error", "low", "high"])
