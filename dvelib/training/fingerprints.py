"""Recorded numbers of short trainings, by which a change of the method is noticed.

Every kind of training runs a few steps in float32 on one thread, on images made of random blocks.
Its fingerprint holds the losses and how the weights moved: the length of the movement, and its
projections on random directions. Two processors round differently, so fingerprints are compared
within tolerances, which are several times the differences measured between AVX2 and AVX-512.

    python -m dvelib.training.fingerprints            compare with the recorded ones
    python -m dvelib.training.fingerprints record     record anew, after raising a version
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dvelib.checkpoints.specifications import (
    BenchmarkData,
    DataSpec,
    EmbeddingSpec,
    RegressorSpec,
)
from dvelib.checkpoints.storage import Embedding
from dvelib.common.files import read_json, write_json
from dvelib.data import FaceDataset
from dvelib.training.embeddings import initial_network, train
from dvelib.training.few_annotations import annotated_faces
from dvelib.training.regressors import initial_regressor, train_regressor
from dvelib.training.versions import METHOD_VERSIONS

__all__ = ["CASES", "Fingerprint", "compare", "defaults", "fingerprint", "record", "recorded"]

RECORD = Path(__file__).parent / "fingerprints.json"
LOSS_TOLERANCE = 2e-3  # relative, of each loss
LENGTH_TOLERANCE = 2e-2  # relative, of the movement of all weights
DIRECTION_TOLERANCE = 0.3  # of each projection; those of unrelated movements differ by about 1.4
PROJECTIONS = 16
BLOCK = 6  # pixels of one grey level
# Scaled losses are steep: at the usual rate, roundings grow within a few steps.
SCALED = {"scale": 20.0, "bias_lr": None, "learning_rate": 1e-5}
HOURGLASS = SCALED | {"architecture": "hourglass", "learning_rate": 1e-6, "steps": 2}


@dataclass(frozen=True)
class Fingerprint:
    """``losses``: one a step or epoch; ``length`` and ``directions``: how the weights moved."""

    method: str
    losses: list[float]
    length: float
    directions: list[float]


@dataclass(frozen=True)
class Case:
    """One kind of training. ``run`` returns its losses, and the weights before and after it."""

    method: str
    run: Callable[[Path], tuple[list[float], dict[str, Tensor], dict[str, Tensor]]]


def _faces(split: str, count: int = 12, size: int = 52, crop: int = 10) -> FaceDataset:
    generator = np.random.default_rng(["train", "test"].index(split))
    levels = generator.integers(256, size=(count, 3, size // BLOCK + 1, size // BLOCK + 1))
    images = np.kron(levels, np.ones((BLOCK, BLOCK), int))[..., :size, :size].astype(np.uint8)
    landmarks = generator.integers(crop + 2, size - crop - 2, (count, 5, 2)).astype(np.float32)
    return FaceDataset(
        name="blocks",
        title="random blocks",
        split=split,
        size=size,
        crop=crop,
        files=tuple(map(str, range(count))),
        images=images,
        full_landmarks=landmarks,
        eyes=(0, 1),
        digest=f"blocks {split}",
    )


def _spec(**values: object) -> EmbeddingSpec:
    usual = {"data": DataSpec(name="synthetic"), "size": 52, "crop": 10, "batch": 4, "steps": 4}
    return EmbeddingSpec(**(usual | {"dimension": 8, "lower_rate_from": (4,)} | values))


def _embedding(**values: object) -> Case:
    def run(folder: Path):
        spec = _spec(**values)
        return _trained(spec, folder, initial_network(spec).state_dict())

    return Case("embedding", run)


def _finetuned() -> Case:
    def run(folder: Path):
        parent = train(_spec(steps=2), _faces("train"), folder / "parent", device="cpu")
        spec = _spec(parent=parent.spec, steps=3, **SCALED)
        return _trained(spec, folder / "child", parent.network.state_dict(), parent.folder)

    return Case("embedding", run)


def _trained(spec: EmbeddingSpec, folder: Path, start: dict, parent: Path | None = None):
    made = train(spec, _faces("train"), folder, device="cpu", parent=parent)
    return made.history["loss"].tolist(), start, made.network.state_dict()


def _regressor(method: str, **values: object) -> Case:
    def run(folder: Path):
        embedding_spec = _spec(dimension=16)
        network = initial_network(embedding_spec).eval()
        embedding = Embedding(network, embedding_spec, {}, None, folder / "embedding")
        usual = {"embedding": "blocks", "data": BenchmarkData(name="synthetic"), "batch": 4}
        spec = RegressorSpec(**(usual | {"epochs": 4, "lower_rate_from": (3,)} | values))
        faces, redraw = annotated_faces(spec, _faces("train"))
        made = train_regressor(
            spec, embedding, faces, _faces("test", 4), folder / "regressor", redraw=redraw
        )
        start = initial_regressor(spec, embedding, landmarks=5)
        return made.history["loss"].tolist(), start.state_dict(), made.network.state_dict()

    return Case(method, run)


FEW = {"annotations": 2, "learning_rate": 1e-2, "lower_rate_from": ()}
CASES = {
    "SmallNet, raw, exchange": _embedding(),
    "SmallNet, raw, plain": _embedding(exchange=False),
    "SmallNet, scaled, exchange": _embedding(**SCALED),
    "SmallNet, recipe for small budgets": _embedding(auxiliaries=2, plain_steps=2, averaging=8.0),
    "SmallNet, small crops first": _embedding(early_crop=16, early_steps=2),
    "SmallNet, colour noise alone": _embedding(noise="colour"),
    "Hourglass, scaled, exchange": _embedding(**HOURGLASS),
    "Hourglass, scaled, plain": _embedding(exchange=False, **HOURGLASS),
    "fine-tuning": _finetuned(),
    "regressor": _regressor("regressor"),
    "few annotations": _regressor("few annotations", **FEW),
    "few annotations, fresh warps": _regressor("few annotations", fresh_warps=True, **FEW),
}


def fingerprint(name: str) -> Fingerprint:
    """Run one of `CASES` and describe its losses and the movement of its weights."""
    case = CASES[name]
    with tempfile.TemporaryDirectory() as folder, _one_thread():
        losses, start, end = case.run(Path(folder))
    moved = torch.cat([(end[key] - start[key]).flatten().double() for key in _weights(end)])
    length = moved.norm().item()
    directions = [(moved @ way).item() / length for way in _directions(len(moved))]
    return Fingerprint(case.method, losses, length, directions)


def _weights(state: dict[str, Tensor]) -> list[str]:
    """Keys of what the optimizer moves; running statistics follow from the images."""
    floating = (key for key, value in state.items() if value.is_floating_point())
    return sorted(key for key in floating if "running_" not in key)


def _directions(count: int) -> Iterator[Tensor]:
    """Random signs: a movement's projection on each is about as large as its length."""
    generator = np.random.default_rng(0)
    for _ in range(PROJECTIONS):
        yield torch.from_numpy(generator.integers(2, size=count) * 2.0 - 1.0)


@contextmanager
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def recorded() -> dict:
    """The record: versions, fingerprints by case, and defaults of the specifications."""
    return read_json(RECORD)


def compare(name: str, found: Fingerprint, held: dict) -> list[str]:
    """Every difference beyond the tolerances between a fingerprint and the recorded one."""
    if len(found.losses) != len(held["losses"]):
        return [f"{name}: {len(found.losses)} losses, {len(held['losses'])} recorded"]
    wrong = []
    for step, (now, then) in enumerate(zip(found.losses, held["losses"], strict=True), 1):
        if abs(now - then) > LOSS_TOLERANCE * abs(then):
            wrong.append(f"loss {step} is {now:.6g}, recorded {then:.6g}")
    if abs(found.length - held["length"]) > LENGTH_TOLERANCE * held["length"]:
        wrong.append(f"the weights moved by {found.length:.6g}, recorded {held['length']:.6g}")
    gaps = [abs(a - b) for a, b in zip(found.directions, held["directions"], strict=True)]
    if max(gaps) > DIRECTION_TOLERANCE:
        wrong.append(f"the weights moved another way (largest gap {max(gaps):.2f})")
    return [f"{name}: {text}" for text in wrong]


def defaults() -> dict[str, dict]:
    """The default of every field of the two specifications; names leave defaults out."""
    return {
        kind.__name__: {
            name: field.get_default()
            for name, field in kind.model_fields.items()
            if not field.is_required()
        }
        for kind in (EmbeddingSpec, RegressorSpec)
    }


def record(path: Path = RECORD) -> None:
    """Record all fingerprints with the present versions."""
    cases = {name: asdict(fingerprint(name)) for name in CASES}
    write_json(path, {"versions": METHOD_VERSIONS, "cases": cases, "defaults": defaults()})


def _main() -> int:
    if sys.argv[1:] == ["record"]:
        record()
        print(f"recorded in {RECORD}")
        return 0
    held = recorded()["cases"]
    wrong = [line for name in CASES for line in compare(name, fingerprint(name), held[name])]
    print("\n".join(wrong) or "all trainings give the recorded numbers")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(_main())
