"""What a training leaves on disk, and how it is found again.

A finished embedding is a folder: ``weights.safetensors``, ``specification.json`` (readable),
``provenance.json`` (commit, versions, hardware, seconds, data digest) and ``history.csv``. While
training, ``checkpoint.pt`` holds all that a resumed run needs to end in the same numbers. The
weights are written last: where they are, the rest is.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from dvelib.errors import StudyError
from dvelib.files import atomic_path, read_json, write_json
from dvelib.networks import build_network
from dvelib.spec import EmbeddingSpec, validate

__all__ = ["Embedding", "claim", "finished", "load_checkpoint", "load_embedding", "provenance",
           "save_checkpoint", "save_embedding"]

WEIGHTS = "weights.safetensors"
SPECIFICATION = "specification.json"
PROVENANCE = "provenance.json"
HISTORY = "history.csv"
CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Embedding:
    """A trained network in eval mode, with what made it."""

    network: nn.Module
    spec: EmbeddingSpec
    provenance: dict
    history: pd.DataFrame
    folder: Path


def finished(folder: Path) -> bool:
    """Whether a folder holds a finished embedding."""
    return (folder / WEIGHTS).exists()


def claim(folder: Path, spec: EmbeddingSpec) -> None:
    """Make a folder this embedding's; raises StudyError where it is another's already."""
    path, values = folder / SPECIFICATION, spec.model_dump(mode="json")
    if path.exists():
        held = read_json(path)
        if different := [key for key in values if held.get(key) != values[key]]:
            raise StudyError(
                f"{folder} belongs to an embedding of another {', '.join(different)}: "
                f"choose another folder, or delete that one"
            )
    write_json(path, values)


def save_embedding(
    folder: Path, network: nn.Module, spec: EmbeddingSpec, made: dict, history: pd.DataFrame
) -> None:
    """Write a finished embedding, weights last, and drop its checkpoint."""
    claim(folder, spec)
    write_json(folder / PROVENANCE, made)
    with atomic_path(folder / HISTORY) as path:
        history.to_csv(path, index=False)
    state = {k: v.detach().cpu().contiguous() for k, v in network.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as path:
        save_file(state, path)
    (folder / CHECKPOINT).unlink(missing_ok=True)


def load_embedding(folder: Path | str, device: str | torch.device = "cpu") -> Embedding:
    """Load a finished embedding; raises StudyError where there is none or it does not fit."""
    folder = Path(folder)
    if not finished(folder):
        raise StudyError(f"{folder} holds no finished embedding: there is no {WEIGHTS} in it")
    where = str(folder / SPECIFICATION)
    spec = validate(EmbeddingSpec, read_json(folder / SPECIFICATION), where)
    network = build_network(spec.architecture, spec.dimension)
    try:
        network.load_state_dict(load_file(folder / WEIGHTS), strict=True)
    except SafetensorError as error:
        raise StudyError(
            f"{folder / WEIGHTS} is damaged ({error}): delete that folder and train it again"
        ) from None
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise StudyError(
            f"{folder / WEIGHTS} does not fit the {spec.label} of {where}: {first}"
        ) from None
    history = pd.read_csv(folder / HISTORY)
    return Embedding(
        network.eval().to(device), spec, read_json(folder / PROVENANCE), history, folder
    )


def save_checkpoint(folder: Path, state: dict) -> None:
    """Write the state of an unfinished training, whole or not at all."""
    with atomic_path(folder / CHECKPOINT) as path:
        torch.save(state, path)


def load_checkpoint(folder: Path, device: torch.device) -> dict | None:
    """The state to resume from, or None; tensors only, nothing in the file is executed."""
    path = folder / CHECKPOINT
    return torch.load(path, map_location=device, weights_only=True) if path.exists() else None


def provenance(device: torch.device, **facts: object) -> dict:
    """What made a result: commit, versions, hardware, and the given facts."""
    packages = ("torch", "torchvision", "kornia", "numpy")
    return {
        "commit": _commit(),
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in packages},
        "hardware": describe_hardware(device),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    }


def describe_hardware(device: torch.device) -> str:
    """One line: the GPU's name, or the processor and how many threads were used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} thread(s)"


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of this package's checkout, marked where its files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() or None
