"""Making the weights that come with the project from a finished study."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from dvelib.checkpoints import storage
from dvelib.checkpoints.pretrained import EMBEDDINGS, LANDMARKS, LANDMARKS_ON, WEIGHTS_FOLDER
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, read_json, write_json
from dvelib.data.landmark_names import FIVE_LANDMARKS
from dvelib.own.landmark_file import write_names
from dvelib.study.plan import Study

__all__ = ["ship"]

BENCHMARK = "aflw-mtfl"


def ship(study: Study, target: Path = WEIGHTS_FOLDER) -> list[Path]:
    """Write `EMBEDDINGS` and `LANDMARKS` from a study's trainings, in half precision.

    Raises StudyError where the study lacks one of them.
    """
    sources = {name: _embedding(study, name) for name in EMBEDDINGS}
    sources[LANDMARKS] = _regressor(study, sources[LANDMARKS_ON].name)
    for name, folder in sources.items():
        _halved(folder, target / name)
    # The predictions on the benchmark's own test faces are the study's, and so is the name.
    found = np.load(sources[LANDMARKS] / storage.PREDICTIONS)
    np.save(target / LANDMARKS / storage.PREDICTIONS, found[:0])
    write_names(target / LANDMARKS, FIVE_LANDMARKS)
    return [target / name for name in sources]


def _embedding(study: Study, slug: str) -> Path:
    """The folder of a study's embedding of that kind and its first seed."""
    seed = study.profile.seeds[0]
    for name, spec in study.embeddings.items():
        folder = study.embedding_folder(name)
        if spec.slug == f"{slug}-seed{seed}" and storage.finished(folder):
            return folder
    raise StudyError(f"the study {study.name} has trained no {slug}: run it first")


def _regressor(study: Study, embedding: str) -> Path:
    """The folder of the regressor of five landmarks on that embedding, from all labelled faces."""
    for name, spec in study.regressors.items():
        folder = study.regressor_folder(name)
        wanted = spec.benchmark == BENCHMARK and spec.embedding == embedding
        if wanted and spec.annotations is None and storage.finished(folder):
            return folder
    raise StudyError(f"the study {study.name} has no regressor of {BENCHMARK} on {embedding}")


def _halved(folder: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in (storage.SPECIFICATION, storage.PROVENANCE, storage.HISTORY):
        shutil.copyfile(folder / name, target / name)
    state = load_file(folder / storage.WEIGHTS)
    halves = {k: v.half() if v.is_floating_point() else v for k, v in state.items()}
    if not all(torch.isfinite(v).all() for v in halves.values()):
        raise StudyError(f"{folder} has weights beyond half precision")
    made = read_json(target / storage.PROVENANCE)
    # The name of its folder holds the digest of its specification, images and code.
    made |= {"trained_as": folder.name, "stored": "float16"}
    write_json(target / storage.PROVENANCE, made)
    with atomic_path(target / storage.WEIGHTS) as path:
        save_file(halves, path)
