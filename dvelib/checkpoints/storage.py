"""The folders of embeddings and regressors: writing them and reading them.

A finished embedding or regressor is a folder: ``weights.safetensors``, ``specification.json``
(readable), ``provenance.json`` (commit, versions, hardware, seconds, data digest) and
``history.csv``. An unfinished one has a ``checkpoint.pt``, from which a resumed training ends in
the numbers of an uninterrupted one. A finished one keeps it where a longer training can go on
from it. The weights are written last: a folder with weights is complete.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from dvelib.augment import normalise
from dvelib.checkpoints.specifications import EmbeddingSpec, RegressorSpec, validate
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, read_json, write_json
from dvelib.networks import build_network
from dvelib.regressor import LandmarkRegressor

__all__ = [
    "Embedding",
    "TrainedRegressor",
    "changed_fields",
    "claim",
    "copy_checkpoint",
    "finished",
    "held_specification",
    "load_checkpoint",
    "load_embedding",
    "load_regressor",
    "network_maps",
    "save_checkpoint",
    "save_embedding",
]

Spec = EmbeddingSpec | RegressorSpec

WEIGHTS = "weights.safetensors"
SPECIFICATION = "specification.json"
PROVENANCE = "provenance.json"
HISTORY = "history.csv"
PREDICTIONS = "predictions.npy"
CHECKPOINT = "checkpoint.pt"
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
    held = read_json(path)
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
    if not keep_checkpoint:
        (folder / CHECKPOINT).unlink(missing_ok=True)


def load_embedding(folder: Path | str, device: str | torch.device = "cpu") -> Embedding:
    """Load a finished embedding; raises StudyError where there is none or it does not fit."""
    folder = Path(folder)
    spec = _specification(folder, EmbeddingSpec, "embedding")
    network = build_network(spec.architecture, spec.dimension)
    _fill(network, _weights(folder), f"the {spec.label}", folder)
    return Embedding(
        network.eval().to(device),
        spec,
        read_json(folder / PROVENANCE),
        pd.read_csv(folder / HISTORY),
        folder,
    )


def load_regressor(folder: Path | str, device: str | torch.device = "cpu") -> TrainedRegressor:
    """Load a finished regressor; raises StudyError where there is none or it does not fit."""
    folder = Path(folder)
    spec = _specification(folder, RegressorSpec, "regressor")
    weights = _weights(folder)
    sizes = {name: value.shape for name, value in weights.items()}
    landmarks = sizes.get("reg_conv.weight", [2])[0] // 2
    dimension = sizes.get("inner_conv.weight", [1, 1])[1]
    network = LandmarkRegressor(dimension, landmarks, spec.virtual_points, spec.softmax_scale)
    _fill(network, weights, "the regressor", folder)
    return TrainedRegressor(
        network.eval().to(device),
        spec,
        read_json(folder / PROVENANCE),
        pd.read_csv(folder / HISTORY),
        torch.from_numpy(np.load(folder / PREDICTIONS)),
        folder,
    )


def _specification(folder: Path, kind: type[Spec], what: str) -> Spec:
    if not finished(folder):
        raise StudyError(f"{folder} holds no finished {what}: there is no {WEIGHTS} in it")
    return held_specification(folder, kind)


def held_specification(folder: Path, kind: type[Spec]) -> Spec:
    """The specification that a folder was claimed for; raises StudyError for another kind."""
    path = folder / SPECIFICATION
    return validate(kind, read_json(path), str(path))


def _weights(folder: Path) -> dict[str, Tensor]:
    try:
        return load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise StudyError(
            f"{folder / WEIGHTS} is damaged ({error}): delete that folder and train it again"
        ) from None


def _fill(network: nn.Module, weights: dict[str, Tensor], what: str, folder: Path) -> None:
    try:
        network.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise StudyError(
            f"{folder / WEIGHTS} does not fit {what} of {folder / SPECIFICATION}: {first}"
        ) from None


def save_checkpoint(folder: Path, state: dict) -> None:
    """Write the state of an unfinished training, whole or not at all."""
    with atomic_path(folder / CHECKPOINT) as path:
        torch.save(state, path)


def copy_checkpoint(source: Path, folder: Path) -> None:
    """Take over the checkpoint of another folder, if it has one and this folder has none."""
    if (source / CHECKPOINT).exists() and not (folder / CHECKPOINT).exists():
        with atomic_path(folder / CHECKPOINT) as path:
            shutil.copyfile(source / CHECKPOINT, path)


def load_checkpoint(folder: Path, device: torch.device) -> dict | None:
    """The state to resume from, or None; tensors only, nothing in the file is executed."""
    path = folder / CHECKPOINT
    return torch.load(path, map_location=device, weights_only=True) if path.exists() else None
