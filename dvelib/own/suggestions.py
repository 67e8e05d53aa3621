"""Which pictures to label next: those with doubtful predictions, and those unlike the labelled.

Pictures are compared by the descriptors of an embedding, averaged over the cells of a 3 x 3 grid.
Farthest-point selection (Gonzalez, 1985) takes, one after another, the picture whose nearest
labelled or selected picture is farthest away. Where predictions with doubt exist, it selects
among the most doubtful pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.own.landmark_file import LandmarkFile

if TYPE_CHECKING:
    from dvelib.data import FaceDataset
    from dvelib.describers import Describer
    from dvelib.own.framing import Framing

__all__ = [
    "SUGGESTED_FILE",
    "Suggestion",
    "farthest",
    "picture_features",
    "read_suggestions",
    "suggest",
    "write_suggestions",
]

SUGGESTED_FILE = "label_next.txt"
GRID = 3
DOUBTFUL = 3  # candidates for each suggestion, where doubt is known
BATCH = 32


class Suggestion(NamedTuple):
    """A picture to label; ``distance`` to the nearest labelled or suggested one before it."""

    file: str
    doubt: float | None
    distance: float


def suggest(
    file: LandmarkFile,
    describer: Describer,
    framing: Framing,
    count: int,
    doubt: Mapping[str, float] | Callable[[Sequence[str]], Mapping[str, float]] | None = None,
) -> tuple[Suggestion, ...]:
    """Up to ``count`` unlabelled pictures of a folder, in the order in which to label them.

    ``doubt``: by picture, more is more doubtful; or a function that gives it for pictures. With
    it, the candidates are the three times ``count`` most doubtful pictures, else all.
    Raises StudyError for a count below 1, and where no unlabelled picture can be read.
    """
    if count < 1:
        raise StudyError(f"the number of pictures to suggest must be at least 1, got {count}")
    faces = _all_pictures(file, framing)
    unlabelled = [i for i, name in enumerate(faces.files) if name not in file]
    if not unlabelled:
        raise StudyError(f"{file.path.parent}: all pictures that can be read are labelled")
    if callable(doubt):
        doubt = doubt([faces.files[i] for i in unlabelled])
    known = doubt or {}
    candidates = [i for i in unlabelled if faces.files[i] in known] or unlabelled
    if known:
        candidates.sort(key=lambda i: -known.get(faces.files[i], 0.0))
        candidates = candidates[: DOUBTFUL * count]
    labelled = [i for i, name in enumerate(faces.files) if name in file]
    features = picture_features(describer, faces)
    return tuple(
        Suggestion(faces.files[i], known.get(faces.files[i]), distance)
        for i, distance in farthest(features, labelled, candidates, count)
    )


def _all_pictures(file: LandmarkFile, framing: Framing) -> FaceDataset:
    """All pictures of the folder, whatever their split."""
    folder = file.path.parent
    train = framing.open(folder, "train")
    if not any(file.is_test(name) for name in file.files):
        return train
    test = framing.open(folder, "test")
    images = np.concatenate([train.images, test.images])
    return replace(train, files=train.files + test.files, images=images, full_landmarks=None)


def picture_features(describer: Describer, faces: FaceDataset) -> np.ndarray:
    """Mean unit descriptors in each cell of a 3 x 3 grid: ``[N,9*D]`` float32."""
    from torch.nn.functional import adaptive_avg_pool2d, normalize

    parts = []
    for at in range(0, len(faces), BATCH):
        maps = describer(faces.cropped(slice(at, at + BATCH)))
        parts.append(adaptive_avg_pool2d(normalize(maps, dim=1), GRID).flatten(1).cpu().numpy())
    return np.concatenate(parts)


def farthest(
    features: np.ndarray, chosen: Sequence[int], candidates: Sequence[int], count: int
) -> list[tuple[int, float]]:
    """Up to ``count`` candidates by farthest-point selection, each with its distance.

    ``features [N,D]``. The distance is Euclidean, to the nearest of ``chosen`` and of the
    candidates selected before. Without ``chosen``, the first distances are those to the mean, so
    that the first one selected is the most unusual. Ties go to the earlier candidate.
    """
    candidates = list(candidates)
    points = features[candidates]
    near = features[list(chosen)] if len(chosen) else features.mean(axis=0, keepdims=True)
    away = np.linalg.norm(points[:, None] - near[None], axis=2).min(axis=1)
    found = []
    for _ in range(min(count, len(candidates))):
        best = int(away.argmax())
        found.append((candidates[best], float(away[best])))
        away = np.minimum(away, np.linalg.norm(points - points[best], axis=1))
        away[best] = -1.0
    return found


def write_suggestions(folder: Path, files: Sequence[str]) -> Path:
    """Write the names of suggested pictures, one a line, for the annotator; returns the path."""
    path = folder / SUGGESTED_FILE
    with atomic_path(path) as temporary:
        temporary.write_text("".join(f"{name}\n" for name in files), encoding="utf-8")
    return path


def read_suggestions(folder: Path) -> tuple[str, ...]:
    """The names that `write_suggestions` wrote; empty without its file."""
    path = folder / SUGGESTED_FILE
    return tuple(path.read_text(encoding="utf-8").splitlines()) if path.exists() else ()
