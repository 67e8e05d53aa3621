"""Training of the predictors of face landmarks that come along, on any embedding.

    python -m dvelib.own.face_learning EMBEDDING --data ROOT --out FOLDER

Five landmarks are learned from AFLW_M, AFLW_R and 300-W, 68 from 300-W: labels set by people. Every
face is shown in frames that deviate at random from one around its landmarks, so that an answer
does not depend on how a face is framed. A tenth of the training faces is kept out for the
calibration of doubt (see `dvelib.own.doubt`). No test face is used.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dvelib.checkpoints.specifications import BenchmarkData, Jitter, RegressorSpec, validate
from dvelib.checkpoints.storage import Embedding, TrainedRegressor
from dvelib.data import FaceDataset, open_dataset
from dvelib.data.places import folder_of
from dvelib.own.face_framing import FaceFraming, face_frames, five_of
from dvelib.training.framing import jittered_copies
from dvelib.training.regressors import train_regressor

__all__ = ["KINDS", "FaceKind", "face_splits", "learn_faces"]

HELD_OUT = 10  # each tenth training face is for calibration
SIDE = 100  # pixels of the opened faces: frames are cut out of them


@dataclass(frozen=True)
class FaceKind:
    """Landmarks to learn: from which datasets, in which framing, and the training's settings."""

    count: int
    benchmarks: tuple[str, ...]
    framing: FaceFraming
    settings: dict


KINDS = {
    "five-landmarks": FaceKind(
        5,
        ("aflw-mtfl", "aflw", "300w-bicubic"),
        FaceFraming(size=0.25, lower=0.0),
        {
            "virtual_points": 50,
            "epochs": 20,
            "lower_rate_from": (12, 18),
            "learning_rate": 3e-3,
            "jitter": Jitter(),
        },
    ),
    "68-landmarks": FaceKind(
        68,
        ("300w-bicubic",),
        FaceFraming(size=0.205, lower=-0.05),
        {
            "virtual_points": 20,
            "epochs": 16,
            "lower_rate_from": (10, 15),
            "learning_rate": 3e-3,
            "jitter": Jitter(),
        },
    ),
}


def face_splits(
    kind: FaceKind, data_root: Path, split: str = "train"
) -> tuple[list[FaceDataset], list[FaceDataset]]:
    """The faces to learn from and those kept out for calibration, by dataset.

    Of the test split: all faces, and none. Landmarks are those of the kind, in uncropped squares.
    """
    learned, kept = [], []
    for name in kind.benchmarks:
        faces = open_dataset(name, data_root / folder_of(name), split, size=SIDE, crop=0)
        if kind.count == 5:
            faces = replace(faces, full_landmarks=five_of(faces.full_landmarks), eyes=(0, 1))
        out = np.arange(len(faces)) % HELD_OUT == 0
        if split == "test":
            out[:] = False
        learned.append(chosen(faces, np.flatnonzero(~out)))
        kept.append(chosen(faces, np.flatnonzero(out)))
    return learned, kept


def chosen(faces: FaceDataset, index: np.ndarray) -> FaceDataset:
    """The dataset of the faces with these indices."""
    return replace(
        faces,
        files=tuple(faces.files[i] for i in index),
        images=np.asarray(faces.images)[index],
        full_landmarks=faces.full_landmarks[index],
        identities=faces.identities and tuple(faces.identities[i] for i in index),
        published_count=None,
    )


def together(parts: list[FaceDataset]) -> FaceDataset:
    """Faces of several datasets with the same landmarks and sides as one dataset."""
    return replace(
        parts[0],
        name="faces",
        title=" and ".join(part.title for part in parts),
        files=tuple(f"{part.name}/{f}" for part in parts for f in part.files),
        images=np.concatenate([part.images for part in parts]),
        full_landmarks=np.concatenate([part.full_landmarks for part in parts]),
        digest=hashlib.sha256("".join(part.digest for part in parts).encode()).hexdigest(),
        root=None,
        published_count=None,
        identities=None,
        stand_in=None,
    )


def framed(parts: list[FaceDataset], kind: FaceKind, side: int, jitter: Jitter, seed: int):
    """Faces of several datasets in frames around their landmarks, as one dataset."""
    cuts = []
    for faces in parts:
        frames = face_frames(faces.full_landmarks, kind.framing, side)
        cuts.append(jittered_copies(faces, frames, side, jitter, seed))
    return together(cuts)


def learn_faces(
    name: str, embedding: Embedding, data_root: Path, folder: Path, **changes: object
) -> TrainedRegressor:
    """Train a predictor of `KINDS` into a folder, or load a finished one.

    Raises StudyError where a dataset is missing.
    """
    kind = KINDS[name]
    side = embedding.spec.size - 2 * embedding.spec.crop
    first, *others = (BenchmarkData(name=benchmark) for benchmark in kind.benchmarks)
    values = {"embedding": embedding.folder.name, "data": first, "also": tuple(others)}
    spec = validate(RegressorSpec, values | kind.settings | changes, name)
    learned, kept = face_splits(kind, data_root)
    train = framed(learned, kind, side, spec.jitter, spec.seed)
    test = framed(kept, kind, side, Jitter(copies=1, scale=0, shift=0, turn=0), spec.seed)
    return train_regressor(spec, embedding, train, test, folder)
