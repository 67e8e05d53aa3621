"""Networks from the files that the DVE authors published.

`load_model` returns the network of a file, and its landmark regressor if there is one.
`save_converted` writes both as safetensors. `published_embedding` returns the network as an
embedding with the published settings, for use like an embedding of this study.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dvelib.checkpoints.authors_files import load_published
from dvelib.checkpoints.authors_settings import (
    ARCHITECTURES,
    Experiment,
    experiment,
    experiments,
    published_spec,
)
from dvelib.checkpoints.storage import Embedding
from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, write_json
from dvelib.networks import build_network
from dvelib.regressor import LandmarkRegressor

__all__ = ["PublishedModel", "load_model", "published_embedding", "save_converted"]

NETWORK, REGRESSOR, FACTS = "network.safetensors", "regressor.safetensors", "published.json"
LABEL = {"smallnet": "SmallNet", "hourglass": "Hourglass"}
LAST_LAYER = {"smallnet": "conv6.weight", "hourglass": "output_layers.0.4.weight"}
FROZEN = "0.wrapped_module."  # prefix of the network's keys in a regressor's file
# Unused entries of a regressor's file.
UNUSED = re.compile(r"descriptors|linear\.\d+\.weight")

State = dict[str, Tensor]


@dataclass(frozen=True)
class PublishedModel:
    """A published network, in eval mode on the CPU, and its origin.

    ``regressor``: the landmark regressor on the network's maps, None in an embedding's file.
    ``upsampled``: whether maps are enlarged to the image's size for the regressor. ``arch``: the
    authors' class name. ``experiment``: None if neither the caller nor the folders above the file
    name it.
    """

    network: nn.Module
    regressor: LandmarkRegressor | None
    upsampled: bool
    arch: str
    architecture: str
    dimension: int
    epoch: int
    path: Path
    sha256: str
    experiment: Experiment | None = None


def load_model(path: Path | str, name: str | None = None) -> PublishedModel:
    """The network of a published file, with all keys and shapes checked; nothing is executed.

    ``name``: the published experiment. Without it, the folders above the file are searched for a
    name, since the authors publish ``<experiment>/<time>/checkpoint-epoch100.pth``.
    Raises StudyError for an unknown name, and naming the file if it is not a published checkpoint,
    its weights do not match the network, or it does not belong to the named experiment.
    """
    path = Path(path)
    named = experiment(name) if name else None
    held = load_published(path)
    index, state, head = _split(held["arch"], held["state_dict"], path)
    architecture = _architecture(held["arch"], state, path)
    dimension = _sizes(state, LAST_LAYER[architecture], default=(64,))[0]
    model = PublishedModel(
        network=_network(architecture, dimension, state, FROZEN if index else "", path),
        regressor=_regressor(dimension, head, f"{index}.", path) if index else None,
        upsampled=index == 2,
        arch=held["arch"],
        architecture=architecture,
        dimension=dimension,
        epoch=held["epoch"],
        path=path,
        sha256=_sha256(path),
    )
    if named is None:
        above = next((p for p in reversed(path.absolute().parts[:-1]) if p in experiments()), None)
        return replace(model, experiment=experiment(above)) if _is(model, above) else model
    if not _is(model, name):
        raise StudyError(f"{path} is not the published {name}: it holds {_describe(model)}")
    return replace(model, experiment=named)


def save_converted(model: PublishedModel, folder: Path) -> None:
    """Write the network, and the regressor if there is one, as safetensors, with facts as JSON.

    Files, in order: ``published.json``, ``regressor.safetensors``, ``network.safetensors``. State
    keys are those of `dvelib.networks` and `LandmarkRegressor`.
    """
    facts = {
        "arch": model.arch,
        "architecture": model.architecture,
        "dimension": model.dimension,
        "epoch": model.epoch,
        "landmarks": model.regressor.landmarks if model.regressor else None,
        "upsampled": model.upsampled,
        "file": model.path.name,
        "sha256": model.sha256,
        "experiment": asdict(model.experiment) if model.experiment else None,
    }
    write_json(folder / FACTS, facts)
    for name, module in ((REGRESSOR, model.regressor), (NETWORK, model.network)):
        if module is not None:
            with atomic_path(folder / name) as path:
                save_file(module.state_dict(), path)


def published_embedding(
    path: Path | str, name: str | None = None, device: str | torch.device = "cpu"
) -> Embedding:
    """The embedding in a published file, with the published settings.

    For a regressor's file it is the frozen network of the regressor. The provenance names the file
    and its digest, and the history is empty. The folder, beside the file and named by its digest,
    receives later measurements and need not exist.
    Raises StudyError as `load_model` does, and if the experiment is unknown: the weights alone do
    not show whether they were trained with exchange.
    """
    model = load_model(path, name)
    if model.experiment is None:
        fitting = [known for known in experiments() if _is(model, known)]
        raise StudyError(
            f"{path} holds {_describe(model)}: give the name of its published experiment, "
            + (f"one of {', '.join(fitting)}" if fitting else "though no published one matches")
        )
    made = {
        "source": "the file of weights that the authors published",
        "experiment": model.experiment.name,
        "embedding": model.experiment.embedding,
        "url": model.experiment.url,
        "file": model.path.name,
        "sha256": model.sha256,
        "arch": model.arch,
        "epoch": model.epoch,
    }
    history = pd.DataFrame(columns=["step", "loss", "learning_rate"])
    folder = model.path.parent / f"{model.path.stem}-{model.sha256[:10]}"
    spec = published_spec(model.experiment.name)
    return Embedding(model.network.to(device), spec, made, history, folder)


def _split(arch: str, state: State, path: Path) -> tuple[int, State, State]:
    """Index of the regressor in its Sequential (0: none), and the states of both modules."""
    if arch != "Sequential":
        return 0, state, {}
    # With the authors' optional upsampling, a module without state, the regressor is the third.
    index = 2 if any(key.startswith("2.") for key in state) else 1
    network, head = {}, {}
    for key, value in state.items():
        if key.startswith(FROZEN):
            network[key.removeprefix(FROZEN)] = value
        elif not key.startswith(f"{index}."):
            raise StudyError(f"{path} does not match a landmark regressor: {key!r} is unexpected")
        elif not UNUSED.fullmatch(inner := key.removeprefix(f"{index}.")):
            head[inner] = value
    return index, network, head


def _architecture(arch: str, state: State, path: Path) -> str:
    if arch == "Sequential":
        return "hourglass" if any(key.startswith("hg.") for key in state) else "smallnet"
    if arch not in ARCHITECTURES:
        known = ", ".join((*ARCHITECTURES, "Sequential"))
        raise StudyError(f"{path} holds the network {arch[:80]!r}, which is not one of {known}")
    return ARCHITECTURES[arch]


def _sizes(state: State, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a weight, or the default if it is missing or not a shape of a convolution."""
    shape = tuple(state[key].shape) if key in state else ()
    return shape if len(shape) == 4 and min(shape) > 0 else default


def _network(architecture: str, dimension: int, state: State, prefix: str, path: Path) -> nn.Module:
    label = f"{LABEL[architecture]} {dimension}-d"
    return _filled(lambda: build_network(architecture, dimension), state, label, prefix, path)


def _regressor(dimension: int, state: State, prefix: str, path: Path) -> LandmarkRegressor:
    virtual, *_ = _sizes(state, "inner_conv.weight", default=(250,))
    coordinates, inputs, *_ = _sizes(state, "reg_conv.weight", default=(virtual // 25, 100))
    landmarks, points = max(1, coordinates // 2), max(1, inputs // 2)
    label = f"regressor of {landmarks} landmarks from {dimension} dimensions"
    return _filled(
        lambda: LandmarkRegressor(dimension, landmarks, points), state, label, prefix, path
    )


def _filled(
    build: Callable[[], nn.Module], state: State, label: str, prefix: str, path: Path
) -> nn.Module:
    """A network with this state, in eval mode; memory is allocated after the state is checked."""
    with torch.device("meta"):
        network = build()
    expected = network.state_dict()
    # PyTorch before 0.4.1 saved no batch counts. They are not used here.
    counts = {key: torch.tensor(0) for key in expected if key.endswith(".num_batches_tracked")}
    state = counts | state
    if problem := _misfit(expected, state, prefix):
        raise StudyError(f"{path} does not match the {label}: {problem}")
    network.to_empty(device="cpu").load_state_dict(state)
    return network.eval()


def _misfit(expected: State, state: State, prefix: str) -> str | None:
    """A problem with the first missing or unexpected key or wrong shape; None if all match."""
    if missing := [key for key in expected if key not in state]:
        return f"{prefix + missing[0]!r} is missing"
    if unexpected := [key for key in state if key not in expected]:
        return f"{prefix + unexpected[0]!r} is unexpected"
    for key, value in expected.items():
        held, wanted = _kind(state[key]), _kind(value)
        if held != wanted:
            return f"{prefix + key!r} is {held}, expected {wanted}"
    return None


def _kind(value: Tensor) -> str:
    return f"{list(value.shape)} of {str(value.dtype).removeprefix('torch.')}"


def _is(model: PublishedModel, name: str | None) -> bool:
    """Whether architecture, dimension, epoch and kind of a model are those of an experiment."""
    if name is None:
        return False
    known = experiment(name)
    regresses = model.regressor is not None
    return (model.architecture, model.dimension, model.epoch, regresses) == (
        known.architecture,
        known.dimension,
        known.epoch,
        known.is_regressor,
    )


def _describe(model: PublishedModel) -> str:
    network = f"{LABEL[model.architecture]} {model.dimension}-d"
    what = f"a landmark regressor on the {network}" if model.regressor else f"the {network}"
    return f"{what} after epoch {model.epoch}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
