"""Making the weights that come with the project from a finished study."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from dvelib.checkpoints import storage
from dvelib.checkpoints.pretrained import EMBEDDINGS, LANDMARKS_ON, REGRESSORS, WEIGHTS_FOLDER
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, read_json, write_json
from dvelib.data.landmark_names import landmark_names
from dvelib.own.landmark_file import write_names
from dvelib.study.plan import Study

__all__ = ["ship"]


def ship(study: Study, target: Path = WEIGHTS_FOLDER) -> list[Path]:
    """Write `EMBEDDINGS` and `REGRESSORS` from a study's trainings, in half precision.

    Raises StudyError where the study lacks one of them.
    """
    sources = {name: _embedding(study, name) for name in EMBEDDINGS}
    for name, benchmark in REGRESSORS.items():
        sources[name] = _regressor(study, sources[LANDMARKS_ON].name, benchmark)
    for name, folder in sources.items():
        _halved(folder, target / name)
    for name in REGRESSORS:
        # The predictions on the benchmark's own test faces are the study's.
        found = np.load(sources[name] / storage.PREDICTIONS)
        np.save(target / name / storage.PREDICTIONS, found[:0])
        if names := landmark_names(found.shape[1]):
            write_names(target / name, names)
    return [target / name for name in sources]


def _embedding(study: Study, slug: str) -> Path:
    """The folder of a study's embedding of that kind and its first seed."""
    seed = study.profile.seeds[0]
    for name in study.embeddings_with_pages:  # of a learning curve, the longest training
        folder = study.embedding_folder(name)
        if study.embeddings[name].slug == f"{slug}-seed{seed}" and storage.finished(folder):
            return folder
    raise StudyError(f"the study {study.name} has trained no {slug}: run it first")


def _regressor(study: Study, embedding: str, benchmark: str) -> Path:
    """The folder of a benchmark's longest regressor on that embedding, from all labelled faces."""
    finished = {
        spec.epochs: study.regressor_folder(name)
        for name, spec in study.regressors.items()
        if (spec.benchmark, spec.embedding, spec.annotations) == (benchmark, embedding, None)
        and storage.finished(study.regressor_folder(name))
    }
    if not finished:
        raise StudyError(f"the study {study.name} has no regressor of {benchmark} on {embedding}")
    return finished[max(finished)]


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
