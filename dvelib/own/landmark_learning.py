"""Landmarks on a user's own pictures, learned from a few that are labelled.

``dve regress labels`` calls this module. Fewer than `FEW` labelled pictures are shown in many
warped copies, with the paper's protocol and learning rate for few annotations. `FEW` or more are
shown unwarped, on the published schedule at half length.

The regressor's folder holds a copy of its embedding, so that predicting needs no other folder.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dvelib.checkpoints import storage
from dvelib.checkpoints.pretrained import named_folder
from dvelib.checkpoints.specifications import BenchmarkData, RegressorSpec, validate
from dvelib.checkpoints.storage import Embedding, TrainedRegressor, load_embedding
from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.data import FaceDataset
from dvelib.data.cache import content_digest
from dvelib.data.folder import CENTRAL, LANDMARKS_FILE
from dvelib.own.accuracy import report_errors
from dvelib.own.embedding_training import (
    absolute,
    beside,
    claim_folder,
    left_out,
    need_kind,
    weights_digest,
)
from dvelib.own.framing import FITS, Framing, framing_of, say_outside
from dvelib.own.landmark_file import NAMES_FILE, LandmarkFile, read_names, write_names
from dvelib.own.predictor import EMBEDDING
from dvelib.training.landmark_workflow import learn_landmarks
from dvelib.training.schedule import published_drops

__all__ = ["COPIES", "FEW", "labelled", "regress_landmarks", "regressor_spec"]

FEW = 200  # fewer labelled pictures are shown in warped copies
COPIES = 2000  # warped pictures in all
NO_ERROR = (
    "no error was measured, since no labelled picture is kept for testing: label some more and "
    "tick 'keep for testing' in dve annotate (it writes test in the split column of landmarks.csv)"
)


def regress_landmarks(
    landmarks: Path | str,
    embedding: Path | str,
    out: Path | str | None = None,
    *,
    eyes: tuple[int, int] | None = None,
    fit: str | None = None,
    crop: int | None = None,
    copies: int | None = None,
    device: str = "auto",
    force: bool = False,
    say: Callable[[str], None] = print,
    **choices: object,
) -> TrainedRegressor:
    """Train a landmark regressor, resume the training, or load a finished one.

    ``landmarks``: the ``landmarks.csv`` in a folder of pictures, or that folder; ``embedding``:
    the folder of a finished embedding, or the name of a pretrained one; ``out``: the
    regressor's folder, by default ``<pictures>-regressor`` beside the pictures'. ``eyes``: two
    landmarks, counted from 0; errors are also given in percent of their distance. ``fit`` and
    ``crop``: the part of a picture that is shown, None for the embedding's own (see
    `dvelib.own.framing`); landmarks outside of it count as not set. ``copies``: warped pictures in
    all where few are labelled, None for `COPIES`. ``force``: replace a regressor of other labels
    or settings in ``out``. ``choices``: epochs, batch and seed; None is the default.
    Raises StudyError where there is nothing to learn from, a landmark is set on no picture, or a
    folder holds something else.
    """
    folder = _pictures_of(landmarks)
    source = absolute(named_folder(embedding))
    need_kind(source, "embedding")
    held = load_embedding(source, resolve_device(device))
    file = LandmarkFile(folder)
    names = read_names(folder, file.count)
    if eyes and not (eyes[0] != eyes[1] and all(0 <= k < file.count for k in eyes)):
        raise StudyError(f"--eyes must be two different landmarks from 0 to {file.count - 1}")
    framing = framing_of(held.spec, fit=fit, crop=crop)
    others = [framing_of(held.spec, fit=f) for f in FITS]
    say_outside(file, framing, [replace(framing, crop=others[1].crop), *others], say)
    train, test = (labelled(file, split, framing, say) for split in ("train", "test"))
    _check(train, names, file.path)
    shown = {
        "data": framing.data,
        "crop": None if framing.crop == held.spec.crop else framing.crop,
    }
    spec = regressor_spec(held.folder.name, folder.name, len(train), **shown, **choices)
    copies = -(-(copies or COPIES) // len(train)) if len(train) < FEW else 1
    origin = {
        "landmarks": train.digest,
        "test_landmarks": test and test.digest,
        "copies": copies,
        "embedding_weights": weights_digest(held.folder),
    }
    target = claim_folder(out or beside(folder, "regressor"), spec, origin, force)
    _copy_embedding(held, target / EMBEDDING)
    if (folder / NAMES_FILE).exists():
        write_names(target, names)
    warped = f" in {copies} warped copies each" if copies > 1 else ""
    say(f"{file.count} landmarks from {len(train)} labelled pictures{warped}, into {target}")
    # The regressor's predictions are of the test pictures, or of the training ones without any.
    trained = learn_landmarks(spec, held, train, test or train, target, copies=copies)
    if test is None:
        say(NO_ERROR)
    else:
        report_errors(trained, test, framing.layout, names, eyes, say)
    return trained


def regressor_spec(
    embedding: str,
    name: str,
    count: int,
    *,
    data: str = CENTRAL,
    crop: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    seed: int = 0,
) -> RegressorSpec:
    """The specification of a regressor on so many labelled pictures.

    ``data``: how they are shown, `CENTRAL` or `WHOLE`; ``crop``: None for the embedding's.
    Fewer than `FEW`: 1e-2 throughout, 50 epochs, as published for few annotations. Otherwise 150
    epochs from 1e-3 on, divided by ten at the published parts of the training (see
    `dvelib.training.schedule.published_drops`). Raises StudyError for impossible values.
    """
    if count < FEW:
        epochs = 50 if epochs is None else epochs
        schedule = {"learning_rate": 1e-2, "lower_rate_from": []}
    else:
        epochs = 150 if epochs is None else epochs
        schedule = {"learning_rate": 1e-3, "lower_rate_from": published_drops(epochs)}
    values = {
        "embedding": embedding,
        "crop": crop,
        "data": BenchmarkData(name=data, folder=name, skip_bad=True),
        "epochs": epochs,
        "batch": 32 if batch is None else batch,
        "seed": seed,
    }
    return validate(RegressorSpec, values | schedule, "the regressor")


def labelled(
    file: LandmarkFile, split: str, framing: Framing, say: Callable[[str], None] = print
) -> FaceDataset | None:
    """The labelled pictures of a split, or None if there are none.

    A landmark that the network does not see counts as not set.
    """
    if not any(file.is_test(f) == (split == "test") for f in file.annotated()):
        return None
    folder = file.path.parent
    faces = framing.open(folder, split)
    left_out(faces, say)
    points = faces.full_landmarks.copy()
    points[framing.outside(points)] = np.nan
    chosen = (~np.isnan(points[..., 0])).any(axis=1).nonzero()[0]
    if not len(chosen):
        return None
    files = tuple(faces.files[i] for i in chosen)
    digest = content_digest(folder, files).encode() + points[chosen].tobytes()
    return replace(
        faces,
        files=files,
        images=faces.images[chosen],
        full_landmarks=points[chosen],
        identities=faces.identities and tuple(faces.identities[i] for i in chosen),
        digest=hashlib.sha256(digest).hexdigest(),
        skipped=(),
    )


def _pictures_of(landmarks: Path | str) -> Path:
    path = absolute(landmarks)
    path = path / LANDMARKS_FILE if path.is_dir() else path
    if path.name != LANDMARKS_FILE or not path.is_file():
        raise StudyError(
            f"{path} is not there, or not a {LANDMARKS_FILE}: name the {LANDMARKS_FILE} in the "
            f"folder of your pictures (dve annotate --images FOLDER makes one)"
        )
    return path.parent


def _check(train: FaceDataset | None, names: Sequence[str], path: Path) -> None:
    if train is None:
        raise StudyError(
            f"{path} sets no landmark on a picture for training: label some "
            f"(dve annotate --images {path.parent})"
        )
    unset = np.isnan(train.full_landmarks[..., 0]).all(axis=0)
    if unset.any():
        k = int(unset.argmax())
        raise StudyError(
            f"{path}: {names[k]} (x{k}, y{k}) is set on no picture for training: set it on some, "
            f"or take its columns out"
        )


def _copy_embedding(embedding: Embedding, folder: Path) -> None:
    """Put a finished embedding into another folder, weights last."""
    if embedding.folder == folder:
        return
    folder.mkdir(exist_ok=True)
    parts = (storage.SPECIFICATION, storage.PROVENANCE, storage.HISTORY, storage.WEIGHTS)
    for name in parts:
        shutil.copyfile(embedding.folder / name, folder / name)
