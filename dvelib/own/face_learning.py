"""Training of the predictors of face landmarks that come along, on any embedding.

`dvelib.pages.shipping` stores them as pretrained weights. Five landmarks are learned from
AFLW_M, AFLW_R and 300-W, 68 from 300-W: labels set by people. Every face is shown in frames that
deviate at random from one around its landmarks, so that an answer does not depend on how a face is
framed. A tenth of the training faces is kept out for the calibration of doubt
(`dvelib.own.calibration`). No test face is used.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from dvelib.checkpoints import storage
from dvelib.checkpoints.provenance import provenance
from dvelib.checkpoints.specifications import (
    BenchmarkData,
    ClosedForm,
    Jitter,
    RegressorSpec,
)
from dvelib.checkpoints.storage import Embedding
from dvelib.common.files import atomic_path
from dvelib.data import FaceDataset, open_dataset
from dvelib.data.landmark_names import landmark_names
from dvelib.data.places import folder_of
from dvelib.own.calibration import calibrate
from dvelib.own.face_framing import FaceFraming, face_frames, five_of
from dvelib.own.landmark_file import write_names
from dvelib.training.closed_form import solve_regressor
from dvelib.training.framing import jittered_copies

__all__ = ["KINDS", "FaceKind", "face_splits", "framed", "learn_faces"]

HELD_OUT = 10  # each tenth training face is for calibration
SIDE = 100  # pixels of the opened faces: frames are cut out of them


@dataclass(frozen=True)
class FaceKind:
    """How many landmarks to learn, from which datasets, and in which framing.

    ``virtual_points``: filters of a landmark; ``copies``: frames of a face; ``limit``: faces of a
    dataset, at most.
    """

    count: int
    benchmarks: tuple[str, ...]
    framing: FaceFraming
    virtual_points: int
    copies: int
    limit: int = 2000

    def spec(self, embedding: str, seed: int = 0) -> RegressorSpec:
        """The specification of a regressor of this kind on an embedding."""
        first, *others = (
            BenchmarkData(name=name, train_images=self.limit) for name in self.benchmarks
        )
        return RegressorSpec(
            embedding=embedding,
            data=first,
            also=tuple(others),
            jitter=Jitter(copies=self.copies),
            closed_form=ClosedForm(),
            virtual_points=self.virtual_points,
            seed=seed,
        )


KINDS = {
    "five-landmarks": FaceKind(
        5, ("aflw-mtfl", "aflw", "300w-bicubic"), FaceFraming(0.25, 0.0), 100, 1
    ),
    "68-landmarks": FaceKind(68, ("300w-bicubic",), FaceFraming(0.205, -0.05), 50, 2),
}


def face_splits(
    kind: FaceKind, data_root: Path, split: str = "train"
) -> tuple[list[FaceDataset], list[FaceDataset]]:
    """The faces to learn from and those kept out for calibration, by dataset.

    Of the test split: all faces, and none. The squares are not cropped. Faces of 300-W with five
    landmarks have those of the 68 that `dvelib.own.face_framing.five_of` names.
    """
    learned, kept = [], []
    for name in kind.benchmarks:
        limit = kind.limit if split == "train" else None
        root = data_root / folder_of(name)
        faces = open_dataset(name, root, split, size=SIDE, crop=0, limit=limit)
        if kind.count == 5:
            faces = replace(faces, full_landmarks=five_of(faces.full_landmarks), eyes=(0, 1))
        out = (np.arange(len(faces)) % HELD_OUT == 0) & (split == "train")
        learned.append(faces.chosen(np.flatnonzero(~out)))
        kept.append(faces.chosen(np.flatnonzero(out)))
    return learned, kept


def framed(
    parts: list[FaceDataset], framing: FaceFraming, side: int, jitter: Jitter, seed: int
) -> FaceDataset:
    """Faces of several datasets in squares around their landmarks, as one dataset."""
    cuts = []
    for faces in parts:
        frames = face_frames(faces.full_landmarks, framing, side)
        cuts.append(jittered_copies(faces, frames, side, jitter, seed))
    return replace(
        cuts[0],
        name="faces",
        title=" and ".join(part.title for part in parts),
        files=tuple(f"{part.name}/{f}" for part in cuts for f in part.files),
        images=np.concatenate([part.images for part in cuts]),
        full_landmarks=np.concatenate([part.full_landmarks for part in cuts]),
        digest=hashlib.sha256("".join(part.digest for part in cuts).encode()).hexdigest(),
        root=None,
        published_count=None,
        identities=None,
        stand_in=None,
    )


def learn_faces(
    name: str,
    embedding: Embedding,
    data_root: Path,
    folder: Path,
    say: Callable[[str], None] = print,
) -> Path:
    """Train and calibrate a predictor of `KINDS`; a finished one in ``folder`` is replaced.

    Raises StudyError where a dataset or the face detector is missing.
    """
    kind, start = KINDS[name], time.perf_counter()
    spec = kind.spec(embedding.folder.name)
    side = embedding.spec.size - 2 * embedding.spec.crop
    learned, kept = face_splits(kind, data_root)
    train = framed(learned, kind.framing, side, spec.jitter, spec.seed)
    network = solve_regressor(spec, embedding, train)
    solved = time.perf_counter() - start
    folder.mkdir(parents=True, exist_ok=True)
    facts = calibrate(folder, embedding, network, kind.framing, train, kept, spec.seed)
    with atomic_path(folder / storage.PREDICTIONS) as path:
        np.save(path, np.empty((0, kind.count, 2), np.float32))
    if names := landmark_names(kind.count):
        write_names(folder, names)
    made = provenance(
        embedding.device,
        seconds=round(time.perf_counter() - start, 1),
        seconds_to_solve=round(solved, 1),
        learned_from=[_about(faces) for faces in learned],
        calibrated_on=[_about(faces) for faces in kept],
    )
    history = pd.DataFrame(columns=["epoch", "loss", "learning_rate"])
    (folder / storage.SPECIFICATION).unlink(missing_ok=True)
    storage.save_embedding(folder, network, spec, made, history)
    say(f"{name}: {len(train)} pictures of faces, {made['seconds']:.0f} s, into {folder}; {facts}")
    return folder


def _about(faces: FaceDataset) -> dict[str, object]:
    return {
        "dataset": faces.title,
        "split": faces.split,
        "images": len(faces),
        "stand_in": faces.stand_in,
        "digest": faces.digest,
    }
