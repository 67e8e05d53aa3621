"""The comparisons of our forms with the straightforward ones, and the table of their results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from dvelib import losses
from dvelib.benchmarks import plain
from dvelib.benchmarks.measure import Machine, peak_memory, seconds
from dvelib.benchmarks.steps import first_step, loss_operations, step_operations
from dvelib.checkpoints.specifications import ARCHITECTURES, DataSpec, EmbeddingSpec
from dvelib.common.progress import progress_bar
from dvelib.fused import loss as fused_loss
from dvelib.matching import match_on_lattice
from dvelib.regressor import LandmarkRegressor, landmark_loss
from dvelib.training.embedding_step import training_pair

__all__ = ["COMPARISONS", "Comparison", "OURS", "loss_work", "precisions", "run"]

OURS = "dvelib"
TILED = "ours without fused kernels"
Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """One formula in several forms on the same input.

    ``forms``: by name, ours first, a function that makes the input and returns the work. It is
    importable, since it may run in a process of its own. ``count``: how many of ``unit`` one run
    does. ``operations``, ``bytes``: the least that every form has to compute and move.
    ``arithmetic``: the fastest arithmetic of any form (see `Machine.operations`).
    """

    name: str
    problem: str
    unit: str
    count: int
    forms: dict[str, Callable[[], Work]]
    operations: float = 0.0
    bytes: float = 0.0
    arithmetic: str = "float32"
    memory: bool = False

    def floor(self, machine: Machine) -> float:
        """The least seconds that one run can take on this machine."""
        computing = self.operations / machine.operations(self.arithmetic)
        return max(computing, self.bytes / machine.bytes)


def run(
    kind: str,
    device: str = "cpu",
    repeats: int = 5,
    small: bool = False,
    machine: Machine | None = None,
) -> pd.DataFrame:
    """Measure all comparisons of a kind (see `COMPARISONS`); a line for each form.

    Columns comparison, problem, form, seconds (median of the repeats), low, high (their range),
    rate and unit, ratio (seconds over ours), floor (seconds), memory (bytes, NaN if not measured),
    memory ratio. ``small``: problems for tests, of no meaning. ``machine``: its rates, measured
    anew if not given.
    """
    where = torch.device(device)
    machine = machine or Machine(where)
    lines: list[dict] = []
    chosen = list(COMPARISONS[kind](where, small))
    with progress_bar(len(chosen), kind, "problems") as bar:
        for comparison in chosen:
            lines += _measured(comparison, where, repeats, machine)
            bar.update(1)
    return pd.DataFrame(lines)


def _measured(
    comparison: Comparison, device: torch.device, repeats: int, machine: Machine
) -> list[dict]:
    times, memory = {}, {}
    for form, prepare in comparison.forms.items():
        times[form] = seconds(prepare(), device, repeats)
        memory[form] = peak_memory(prepare, device) if comparison.memory else np.nan
    ours = np.median(times[OURS])
    return [
        {
            "comparison": comparison.name,
            "problem": comparison.problem,
            "form": form,
            "seconds": (median := float(np.median(taken))),
            "low": min(taken),
            "high": max(taken),
            "rate": comparison.count / median,
            "unit": f"{comparison.unit}/s",
            "ratio": median / ours,
            "floor": comparison.floor(machine),
            "memory": memory[form],
            "memory ratio": memory[form] / memory[OURS],
        }
        for form, taken in times.items()
    ]


def precisions(device: torch.device, small: bool) -> tuple[str, ...]:
    """The precisions to measure: bfloat16 on GPUs and in tests alone."""
    return ("float32", "bfloat16") if device.type == "cuda" or small else ("float32",)


def _losses(device: torch.device, small: bool) -> Iterator[Comparison]:
    shapes = [("SmallNet", 35, (4, 8, 16)), ("Hourglass", 48, (2, 4))]
    fused = {TILED: _tiled_exchange_loss} if device.type == "cuda" or small else {}
    forms = {
        OURS: losses.exchange_loss,
        **fused,
        "one sample at a time": plain.exchange_loss,
        "plain batched": plain.batched_exchange_loss,
    }
    for precision in precisions(device, small):
        note = "" if precision == "float32" else f", {precision} (plain: float32)"
        for network, side, batches in [("tiny", 5, (2,))] if small else shapes:
            for batch in batches:
                shape = batch, 64, side, str(device), precision
                yield Comparison(
                    "exchange loss, forward and backward",
                    f"{network}, 64-d, {side}x{side}, batch {batch}{note}",
                    "pairs",
                    batch,
                    {name: partial(loss_work, form, *shape) for name, form in forms.items()},
                    loss_operations(batch, side, 64),
                    arithmetic=precision,
                    memory=True,
                )


def _tiled_exchange_loss(*arguments: Tensor) -> Tensor:
    with fused_loss.disabled():
        return losses.exchange_loss(*arguments)


def loss_work(
    form: Callable, batch: int, dimension: int, side: int, device: str, precision: str = "float32"
) -> Work:
    """Forward and backward of a loss on random maps of that precision."""
    generator = torch.Generator().manual_seed(0)
    shape = (2, batch, dimension, side, side)
    maps = torch.randn(shape, generator=generator).mul(0.6).to(device, getattr(torch, precision))
    grid = torch.rand(batch, 2 * side, 2 * side, 2, generator=generator).mul(2).sub(1).to(device)
    first, second = (m.requires_grad_() for m in maps)

    def work() -> tuple[Tensor, ...]:
        return torch.autograd.grad(form(first, second, grid), (first, second))

    return work


def _pipelines(device: torch.device, small: bool) -> Iterator[Comparison]:
    for batch in (2,) if small else (8, 32):
        side = 40 if small else 100
        forms = {OURS: _our_pairs, "Pillow and SciPy, one image at a time": _plain_pairs}
        yield Comparison(
            "warps and photometric noise",
            f"{side}-px images, batch {batch}",
            "pairs",
            batch,
            {k: partial(f, _spec(side, batch=batch), str(device)) for k, f in forms.items()},
            # Two warps of every image by a product with 103 control weights; each view is read
            # and written.
            operations=2 * 2 * batch * side**2 * 103 * 2,
            bytes=2 * 2 * batch * 3 * side**2 * 4,
        )


def _our_pairs(spec: EmbeddingSpec, device: str) -> Work:
    images = torch.from_numpy(_images(spec)).to(device)
    return partial(training_pair, images, spec, *_generators(torch.device(device)))


def _plain_pairs(spec: EmbeddingSpec, device: str) -> Work:
    generator = torch.Generator().manual_seed(0)
    return partial(plain.warp_and_noise, _images(spec), spec.crop, generator)


def _images(spec: EmbeddingSpec) -> np.ndarray:
    """Smooth random pictures ``[B,3,S,S]`` uint8, compressible like photographs."""
    side = spec.size
    coarse = torch.rand(spec.batch, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    return (
        (255 * torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic"))
        .clamp(0, 255)
        .byte()
        .numpy()
    )


def _spec(size: int, **options) -> EmbeddingSpec:
    return EmbeddingSpec(
        size=size, crop=3 * size // 20, data=DataSpec(name="synthetic"), epochs=1, **options
    )


def _steps(device: torch.device, small: bool) -> Iterator[Comparison]:
    forms = {OURS: _our_step, "plain pipeline and loss": _plain_step}
    for spec in _step_specs(device, small):
        network = ARCHITECTURES[spec.architecture].label
        note = "" if spec.precision == "float32" else " (plain loss: float32)"
        yield Comparison(
            "training step",
            f"{network}, 64-d, {spec.size}-px images, batch {spec.batch}, {spec.precision}{note}",
            "pairs",
            spec.batch,
            {name: partial(form, spec, device) for name, form in forms.items()},
            step_operations(spec),
            arithmetic=_arithmetic(spec, device),
        )


def _step_specs(device: torch.device, small: bool) -> Iterator[EmbeddingSpec]:
    """SmallNets at the published size; the hourglass where it takes no minutes."""
    for precision in precisions(device, small):
        for batch in (2,) if small else (8, 32):
            yield _spec(40 if small else 100, batch=batch, precision=precision)
        if device.type == "cuda" or small:
            size, batch = (44, 2) if small else (136, 16)
            yield _spec(size, batch=batch, precision=precision, architecture="hourglass")


def _arithmetic(spec: EmbeddingSpec, device: torch.device) -> str:
    # PyTorch lets a GPU's float32 convolutions round their inputs.
    tf32 = device.type == "cuda" and spec.precision == "float32"
    return "TensorFloat32" if tf32 else spec.precision


def _our_step(spec: EmbeddingSpec, device: torch.device) -> Work:
    """The step of a training: pairs, network, loss, gradients and optimizer on one batch."""
    images = torch.from_numpy(_images(spec)).to(device)
    return partial(first_step(spec, device), images, *_generators(device))


def _plain_step(spec: EmbeddingSpec, device: torch.device) -> Work:
    """The same network and optimizer, with the plain pairs and the plain loss."""
    step, draw = first_step(spec, device, plain.exchange_loss), _plain_pairs(spec, str(device))
    # A grid that is no warp takes the loss as long as the grid of the pair.
    axis = torch.linspace(-1, 1, spec.size - 2 * spec.crop)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([x, y], 2).expand(spec.batch, -1, -1, -1).to(device)
    return lambda: step.learn(torch.from_numpy(np.concatenate(draw())).to(device) / 255, grid)


def _generators(device: torch.device) -> tuple[torch.Generator, torch.Generator]:
    """On the device and on the host."""
    return torch.Generator(device).manual_seed(0), torch.Generator().manual_seed(0)


def _regressors(device: torch.device, small: bool) -> Iterator[Comparison]:
    cases = [(2, 5, 5)] if small else [(32, 5, 35), (8, 68, 35)]
    for batch, landmarks, side in cases:
        forms = {OURS: _our_regressor, "plain softmax": _plain_regressor}
        yield Comparison(
            "landmark regressor, forward and backward",
            f"64-d, {side}x{side}, {landmarks} landmarks, batch {batch}",
            "faces",
            batch,
            {k: partial(f, batch, landmarks, side, str(device)) for k, f in forms.items()},
            operations=2 * batch * side**2 * 64 * 50 * landmarks,
            memory=True,
        )


def _regressor_problem(batch: int, landmarks: int, side: int, device: str):
    generator = torch.Generator().manual_seed(0)
    # Smooth maps, as networks make them.
    coarse = torch.randn(batch, 64, side // 4 + 1, side // 4 + 1, generator=generator)
    maps = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").to(device)
    truth = torch.rand(batch, landmarks, 2, generator=generator).to(device)
    torch.manual_seed(0)
    return maps, truth, LandmarkRegressor(64, landmarks).to(device)


def _our_regressor(batch: int, landmarks: int, side: int, device: str) -> Work:
    maps, truth, network = _regressor_problem(batch, landmarks, side, device)
    weights = list(network.parameters())
    return lambda: torch.autograd.grad(landmark_loss(network(maps)[0], truth), weights)


def _plain_regressor(batch: int, landmarks: int, side: int, device: str) -> Work:
    maps, truth, network = _regressor_problem(batch, landmarks, side, device)
    weights = list(network.parameters())

    def work() -> tuple[Tensor, ...]:
        filters = network.inner_conv.weight.flatten(1)
        linear = network.reg_conv.weight.view(landmarks, 2, -1)
        found = plain.regress(maps, filters, linear, network.softmax_scale)
        return torch.autograd.grad(landmark_loss(found, truth), weights)

    return work


def _matchings(device: torch.device, small: bool) -> Iterator[Comparison]:
    batch, points, side = (2, 3, 5) if small else (16, 5, 35)
    forms = {OURS: match_on_lattice, "one point at a time": plain.match_points}
    yield Comparison(
        "matching",
        f"64-d, {side}x{side}, {batch} pairs, {points} points",
        "pairs",
        batch,
        {k: partial(_matching, f, batch, points, side, str(device)) for k, f in forms.items()},
        operations=2 * batch * points * side**2 * 64,
        bytes=4 * batch * side**2 * 64,
    )


def _matching(form: Callable, batch: int, points: int, side: int, device: str) -> Work:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, batch, 64, side, side, generator=generator).to(device)
    queries = 2 * side * torch.rand(batch, points, 2, generator=generator).to(device)
    return partial(form, *maps, queries, 2)


COMPARISONS: dict[str, Callable[[torch.device, bool], Iterator[Comparison]]] = {
    "loss": _losses,
    "pipeline": _pipelines,
    "step": _steps,
    "regressor": _regressors,
    "matching": _matchings,
}
