"""Making the weights that come with the project from a finished study.

Embeddings are those of the study. Regressors of face landmarks are trained here, in closed form,
on one of them (`dvelib.own.face_learning`).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from dvelib.checkpoints import storage
from dvelib.checkpoints.pretrained import EMBEDDINGS, LANDMARKS_ON, REGRESSORS, WEIGHTS_FOLDER
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, read_json, write_json
from dvelib.own.face_learning import learn_faces
from dvelib.study.plan import Study

__all__ = ["ship", "ship_regressors"]

WHOLE = ("reg_conv.weight",)  # weights that keep their precision


def ship(study: Study, target: Path = WEIGHTS_FOLDER) -> list[Path]:
    """Write `EMBEDDINGS` from a study's trainings and `REGRESSORS` on one, in half precision.

    Raises StudyError where the study lacks an embedding, and where the labelled faces or the face
    detector are missing.
    """
    sources = {name: _embedding(study, name) for name in EMBEDDINGS}
    for name, folder in sources.items():
        _halved(folder, target / name)
    return [target / name for name in EMBEDDINGS] + ship_regressors(study.data_root, target)


def ship_regressors(data_root: Path, target: Path = WEIGHTS_FOLDER) -> list[Path]:
    """Train and write `REGRESSORS` on the embedding `LANDMARKS_ON` in ``target``.

    ``data_root``: the folder that holds AFLW_M, AFLW_R and 300-W.
    """
    embedding = storage.load_embedding(target / LANDMARKS_ON)
    for name in REGRESSORS:
        _store_halved(learn_faces(name, embedding, data_root, target / name))
    return [target / name for name in REGRESSORS]


def _embedding(study: Study, slug: str) -> Path:
    """The folder of a study's embedding of that kind and its first seed."""
    seed = study.profile.seeds[0]
    for name in study.embeddings_with_pages:  # of a learning curve, the longest training
        folder = study.embedding_folder(name)
        if study.embeddings[name].slug == f"{slug}-seed{seed}" and storage.finished(folder):
            return folder
    raise StudyError(f"the study {study.name} has trained no {slug}: run it first")


def _halved(folder: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for name in (storage.SPECIFICATION, storage.PROVENANCE, storage.HISTORY, storage.WEIGHTS):
        shutil.copyfile(folder / name, target / name)
    _store_halved(target, trained_as=folder.name)


def _store_halved(folder: Path, **facts: str) -> None:
    """Replace the weights in a folder by the same in half precision.

    The linear map of a regressor stays as it is: it is small, and its sums would lose digits.
    """
    state = load_file(folder / storage.WEIGHTS)
    kept = {k: v for k, v in state.items() if not v.is_floating_point() or k in WHOLE}
    halves = kept | {k: v.half() for k, v in state.items() if k not in kept}
    if not all(torch.isfinite(v).all() for v in halves.values()):
        raise StudyError(f"{folder} has weights beyond half precision")
    # The name of its folder holds the digest of its specification, images and code.
    made = read_json(folder / storage.PROVENANCE) | facts | {"stored": "float16"}
    write_json(folder / storage.PROVENANCE, made)
    with atomic_path(folder / storage.WEIGHTS) as path:
        save_file(halves, path)
