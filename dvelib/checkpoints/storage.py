"""The folders of embeddings and regressors: writing them and reading them.

A finished embedding or regressor is a folder: ``weights.safetensors``, ``specification.json``
(readable), ``provenance.json`` (commit, versions, hardware, seconds, data digest) and
``history.csv``, and ``checksums.json`` of the files of numbers. The weights are written last: a
folder with weights is complete. Every file is on the disk before it has its name, and the checksums
are compared when the folder is opened; folders made before there were checksums have none.

An unfinished one has checkpoints instead (see `dvelib.checkpoints.resuming`).
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file
from torch import Tensor, nn

from dvelib.augment import normalise
from dvelib.checkpoints.resuming import drop_checkpoints
from dvelib.checkpoints.specifications import EmbeddingSpec, RegressorSpec, validate
from dvelib.common.errors import StudyError
from dvelib.common.files import (
    atomic_path,
    file_sha256,
    read_file,
    read_json,
    remove_leftovers,
    write_json,
)
from dvelib.networks import build_network
from dvelib.regressor import LandmarkRegressor

__all__ = [
    "Embedding",
    "TrainedRegressor",
    "changed_fields",
    "check_sums",
    "claim",
    "finished",
    "held_specification",
    "load_embedding",
    "load_regressor",
    "network_maps",
    "save_embedding",
    "write_checksums",
]

Spec = EmbeddingSpec | RegressorSpec

WEIGHTS = "weights.safetensors"
SPECIFICATION = "specification.json"
PROVENANCE = "provenance.json"
HISTORY = "history.csv"
PREDICTIONS = "predictions.npy"
CHECKSUMS = "checksums.json"
NUMBERS = (WEIGHTS, HISTORY, PREDICTIONS)  # the files that have a checksum
MOST_WEIGHTS = 4 * 2**30  # bytes
REMEDY = "delete that folder and train it again"
STRIDE = 2  # of both networks


@dataclass(frozen=True)
class Embedding:
    """A trained network in eval mode with its specification and provenance; a describer.

    ``images [B,3,S,S]`` uint8, cropped, to maps ``[B,D,S/2,S/2]`` float32 on the network's device
    (see `dvelib.describers.Describer`).
    """

    network: nn.Module
    spec: EmbeddingSpec
    provenance: dict
    history: pd.DataFrame
    folder: Path

    @property
    def name(self) -> str:
        return self.spec.slug

    @property
    def title(self) -> str:
        return self.spec.label

    @property
    def dimension(self) -> int:
        return self.spec.dimension

    @property
    def stride(self) -> int:
        return STRIDE

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    @cached_property
    def digest(self) -> str:
        """Hash of the network's class and weights."""
        total = hashlib.sha256(type(self.network).__qualname__.encode())
        for name, value in self.network.state_dict().items():
            total.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
        return total.hexdigest()[:16]

    def __call__(self, images: Tensor) -> Tensor:
        return network_maps(self.network, images)


@torch.inference_mode()
def network_maps(network: nn.Module, images: Tensor) -> Tensor:
    """Descriptor maps ``[B,D,H,W]`` float32 of images ``[B,3,s,s]`` in 0..255, already cropped.

    The network runs on its own device, in eval mode; the maps stay there.
    """
    device = next(network.parameters()).device
    images = normalise(images.to(device).float())
    return network.eval()(images.contiguous(memory_format=torch.channels_last)).float()


@dataclass(frozen=True)
class TrainedRegressor:
    """A trained landmark regressor with its specification and provenance.

    ``predicted [N,A,2]``: the landmarks it found on the test faces, in pixels of the cropped image.
    """

    network: LandmarkRegressor
    spec: RegressorSpec
    provenance: dict
    history: pd.DataFrame
    predicted: Tensor
    folder: Path


def finished(folder: Path) -> bool:
    """Whether a folder holds a finished embedding or regressor."""
    return (folder / WEIGHTS).exists()


def claim(folder: Path, spec: Spec) -> None:
    """Reserve a folder for a specification; raises StudyError where another one holds it."""
    remove_leftovers(folder)
    path = folder / SPECIFICATION
    if path.exists() and (different := changed_fields(folder, spec)):
        kind = {EmbeddingSpec: "an embedding", RegressorSpec: "a regressor"}[type(spec)]
        raise StudyError(
            f"{folder} belongs to {kind} of another {', '.join(different)}: "
            f"choose another folder, or delete that one"
        )
    write_json(path, spec.model_dump(mode="json"))


def changed_fields(folder: Path, spec: Spec) -> list[str]:
    """The fields in which the specification in a folder differs from this one.

    A field that was added after the folder was made is at its default there.
    """
    path, wanted = folder / SPECIFICATION, spec.model_dump(mode="json")
    held = read_json(path, REMEDY)
    try:
        held = validate(type(spec), held, str(path)).model_dump(mode="json")
    except StudyError:
        pass  # the other kind, or with fields that this version does not know: compared as it is
    return [key for key in wanted if held.get(key) != wanted[key]]


def save_embedding(
    folder: Path,
    network: nn.Module,
    spec: Spec,
    made: dict,
    history: pd.DataFrame,
    *,
    keep_checkpoint: bool = False,
) -> None:
    """Write a finished embedding or regressor, weights last, and drop its checkpoint."""
    claim(folder, spec)
    write_json(folder / PROVENANCE, made)
    with atomic_path(folder / HISTORY) as path:
        history.to_csv(path, index=False)
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as path:
        save_file(state, path)
        write_checksums(folder, {WEIGHTS: path})
    drop_checkpoints(folder, keep_last=keep_checkpoint)


def write_checksums(folder: Path, places: Mapping[str, Path] | None = None) -> None:
    """Record the SHA-256 of a folder's files of numbers; ``places``: of those still to be renamed.

    Convention: ``{"weights.safetensors": hexadecimal digits, ...}``.
    """
    files = {name: folder / name for name in NUMBERS} | dict(places or {})
    sums = {name: file_sha256(path) for name, path in files.items() if path.is_file()}
    write_json(folder / CHECKSUMS, sums)


def check_sums(folder: Path) -> None:
    """Raises StudyError naming a file that is not the one whose checksum was recorded."""
    if not (folder / CHECKSUMS).exists():
        return  # made before there were checksums
    for name, recorded in read_json(folder / CHECKSUMS, REMEDY).items():
        path = folder / name
        if name in NUMBERS and path.is_file() and file_sha256(path) != recorded:
            raise StudyError(f"{path} is damaged (its checksum is not the recorded one): {REMEDY}")


def load_embedding(folder: Path | str, device: str | torch.device = "cpu") -> Embedding:
    """Load a finished embedding; raises StudyError where there is none or it does not fit."""
    folder = Path(folder)
    spec = _specification(folder, EmbeddingSpec, "embedding")
    network = build_network(spec.architecture, spec.dimension)
    _fill(network, _weights(folder), f"the {spec.label}", folder)
    return Embedding(network.eval().to(device), spec, *_records(folder), folder)


def load_regressor(folder: Path | str, device: str | torch.device = "cpu") -> TrainedRegressor:
    """Load a finished regressor; raises StudyError where there is none or it does not fit."""
    folder = Path(folder)
    spec = _specification(folder, RegressorSpec, "regressor")
    weights = _weights(folder)
    sizes = {name: value.shape for name, value in weights.items() if value.ndim == 4}
    inner = sizes.get("inner_conv.weight", (0, 0))
    landmarks = max(1, sizes.get("reg_conv.weight", (2,))[0] // 2)
    if inner[0] != landmarks * spec.virtual_points:  # before memory is taken for them
        raise StudyError(
            f"{folder / WEIGHTS} does not fit the regressor of {folder / SPECIFICATION}: it has "
            f"{inner[0]} filters, not {spec.virtual_points} for each of {landmarks} landmarks"
        )
    network = LandmarkRegressor(inner[1], landmarks, spec.virtual_points, spec.softmax_scale)
    _fill(network, weights, "the regressor", folder)
    return TrainedRegressor(
        network.eval().to(device),
        spec,
        *_records(folder),
        _predictions(folder / PREDICTIONS),
        folder,
    )


def _records(folder: Path) -> tuple[dict, pd.DataFrame]:
    """The provenance and the history of a finished folder."""
    path = folder / HISTORY
    text = read_file(path, REMEDY)
    try:
        history = pd.read_csv(io.BytesIO(text))
    except Exception as error:  # pandas raises almost anything on a file of another kind
        raise StudyError(f"{path} is damaged ({error}): {REMEDY}") from None
    return _held(folder / PROVENANCE), history


def _held(path: Path) -> dict:
    try:
        return read_json(path, REMEDY)
    except FileNotFoundError:
        raise StudyError(f"there is no file {path}: {REMEDY}") from None


def _predictions(path: Path) -> Tensor:
    """Landmarks ``[N,A,2]`` of the test faces."""
    data = read_file(path, REMEDY, MOST_WEIGHTS)
    try:
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # numpy raises almost anything on a damaged header
        raise StudyError(f"{path} is damaged ({error}): {REMEDY}") from None
    if array.ndim != 3 or array.shape[2] != 2 or array.dtype.kind != "f":
        raise StudyError(f"{path} is damaged (it holds no landmarks [N,A,2]): {REMEDY}")
    return torch.from_numpy(array)


def _specification(folder: Path, kind: type[Spec], what: str) -> Spec:
    if not finished(folder):
        raise StudyError(f"{folder} holds no finished {what}: there is no {WEIGHTS} in it")
    return held_specification(folder, kind)


def held_specification(folder: Path, kind: type[Spec]) -> Spec:
    """The specification that a folder was claimed for; raises StudyError for another kind."""
    path = folder / SPECIFICATION
    return validate(kind, _held(path), str(path))


def _weights(folder: Path) -> dict[str, Tensor]:
    path = folder / WEIGHTS
    data = read_file(path, REMEDY, MOST_WEIGHTS)
    check_sums(folder)
    try:
        return load(data)
    except (SafetensorError, ValueError, KeyError, OverflowError, RuntimeError) as error:
        raise StudyError(f"{path} is damaged ({error}): {REMEDY}") from None


def _fill(network: nn.Module, weights: dict[str, Tensor], what: str, folder: Path) -> None:
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        first = (str(error).splitlines()[1:2] or [str(error)])[0].strip()
        raise StudyError(
            f"{folder / WEIGHTS} does not fit {what} of {folder / SPECIFICATION}: {first}"
        ) from None
