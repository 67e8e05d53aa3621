"""What is compared with what, and the table that comes of it."""

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
from dvelib.matching import match_on_lattice
from dvelib.networks import build_network
from dvelib.progress import progress_bar
from dvelib.regressor import LandmarkRegressor, landmark_loss
from dvelib.spec import DataSpec, EmbeddingSpec
from dvelib.training import build_optimizer, training_pair

__all__ = ["COMPARISONS", "Comparison", "OURS", "loss_work", "run"]

OURS = "dvelib"
Work = Callable[[], object]


@dataclass(frozen=True)
class Comparison:
    """One formula in several forms on the same input.

    ``forms``: by name, ours first, what makes the input and returns the work; importable, for it
    may run in a process of its own. ``count``: how many of ``unit`` one run does.
    ``operations``, ``bytes``: the least that any form has to compute and move.
    """

    name: str
    problem: str
    unit: str
    count: int
    forms: dict[str, Callable[[], Work]]
    operations: float = 0.0
    bytes: float = 0.0
    memory: bool = False

    def floor(self, machine: Machine) -> float:
        """Seconds below which this machine cannot do it."""
        return max(self.operations / machine.operations, self.bytes / machine.bytes)


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
            "comparison": comparison.name, "problem": comparison.problem, "form": form,
            "seconds": (median := float(np.median(taken))), "low": min(taken), "high": max(taken),
            "rate": comparison.count / median, "unit": f"{comparison.unit}/s",
            "ratio": median / ours, "floor": comparison.floor(machine),
            "memory": memory[form], "memory ratio": memory[form] / memory[OURS],
        }
        for form, taken in times.items()
    ]  # fmt: skip


def _losses(device: torch.device, small: bool) -> Iterator[Comparison]:
    shapes = [("SmallNet", 35, (4, 8, 16)), ("Hourglass", 48, (2, 4))]
    for network, side, batches in [("tiny", 5, (2,))] if small else shapes:
        for batch in batches:
            forms = {
                OURS: losses.exchange_loss,
                "one sample at a time": plain.exchange_loss,
                "plain batched": plain.batched_exchange_loss,
            }
            yield Comparison(
                "exchange loss, forward and backward",
                f"{network}, 64-d, {side}x{side}, batch {batch}", "pairs", batch,
                {k: partial(loss_work, f, batch, 64, side, str(device)) for k, f in forms.items()},
                operations=9 * 2 * batch * side**4 * 64, memory=True,
            )  # fmt: skip


def loss_work(form: Callable, batch: int, dimension: int, side: int, device: str) -> Work:
    """Forward and backward of a loss on random maps."""
    generator = torch.Generator().manual_seed(0)
    shape = (2, batch, dimension, side, side)
    maps = torch.randn(shape, generator=generator).mul(0.6).to(device)
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
            "warps and photometric noise", f"{side}-px images, batch {batch}", "pairs", batch,
            {k: partial(f, batch, side, str(device)) for k, f in forms.items()},
            # Two warps of every image by a product with 103 control weights; each view is read
            # and written.
            operations=2 * 2 * batch * side**2 * 103 * 2, bytes=2 * 2 * batch * 3 * side**2 * 4,
        )  # fmt: skip


def _our_pairs(batch: int, side: int, device: str) -> Work:
    images = torch.from_numpy(_images(batch, side)).to(device)
    generator = torch.Generator(device).manual_seed(0)
    host = torch.Generator().manual_seed(0)
    return partial(training_pair, images, _spec(side), generator, host)


def _plain_pairs(batch: int, side: int, device: str) -> Work:
    generator = torch.Generator().manual_seed(0)
    return partial(plain.warp_and_noise, _images(batch, side), _spec(side).crop, generator)


def _images(batch: int, side: int) -> np.ndarray:
    """Smooth random pictures ``[B,3,S,S]`` uint8, compressible like photographs."""
    coarse = torch.rand(batch, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    return (255 * torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")).clamp(
        0, 255
    ).byte().numpy()


def _spec(side: int, precision: str = "float32") -> EmbeddingSpec:
    crop = 3 * side // 20
    return EmbeddingSpec(
        architecture="smallnet", dimension=64, exchange=True, data=DataSpec(name="synthetic"),
        size=side, crop=crop, precision=precision, epochs=1,
    )  # fmt: skip


def _steps(device: torch.device, small: bool) -> Iterator[Comparison]:
    for batch in (2,) if small else (8, 32):
        side = 40 if small else 100
        forms = {
            OURS: partial(_step, _our_views, losses.exchange_loss),
            "plain pipeline and loss": partial(_step, _plain_views, plain.exchange_loss),
        }
        yield Comparison(
            "training step", f"SmallNet, 64-d, {side}-px images, batch {batch}, float32", "pairs",
            batch, {k: partial(f, batch, side, str(device)) for k, f in forms.items()},
            operations=_step_operations(batch, side),
        )  # fmt: skip


def _step(views: Callable, loss: Callable, batch: int, side: int, device: str) -> Work:
    """Pairs, network, loss, gradients and optimizer, on the images of one batch."""
    torch.manual_seed(0)
    spec = _spec(side)
    network = build_network("smallnet", 64).to(device, memory_format=torch.channels_last).train()
    optimizer = build_optimizer(network, spec)
    draw = views(batch, side, device)

    def work() -> None:
        pair, grid = draw()
        features = network(pair.contiguous(memory_format=torch.channels_last))
        optimizer.zero_grad(set_to_none=True)
        loss(*features.chunk(2), grid).backward()
        optimizer.step()

    return work


def _our_views(batch: int, side: int, device: str) -> Callable[[], tuple[Tensor, Tensor]]:
    draw = _our_pairs(batch, side, device)

    def views() -> tuple[Tensor, Tensor]:
        first, second, pair = draw()
        return torch.cat([first, second]), pair.grid

    return views


def _plain_views(batch: int, side: int, device: str) -> Callable[[], tuple[Tensor, Tensor]]:
    draw = _plain_pairs(batch, side, device)
    kept = side - 2 * _spec(side).crop
    # The warp's own grid costs nothing more: any other serves the loss as well.
    axis = torch.linspace(-1, 1, kept)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    grid = torch.stack([x, y], 2).expand(batch, -1, -1, -1).to(device)
    return lambda: (torch.from_numpy(np.concatenate(draw())).to(device) / 255, grid)


def _step_operations(batch: int, side: int) -> float:
    """Multiplications and additions of SmallNet's convolutions, three times, and of the loss."""
    kept = side - 2 * _spec(side).crop
    half = kept // 2
    convolutions = [(3, 20, 5, kept), (20, 48, 5, half), (48, 64, 5, half), (64, 80, 3, half),
                    (80, 256, 3, half), (256, 64, 1, half)]  # fmt: skip
    each = sum(2 * i * o * k**2 * s**2 for i, o, k, s in convolutions)
    return 3 * 2 * batch * each + 9 * 2 * batch * half**4 * 64


def _regressors(device: torch.device, small: bool) -> Iterator[Comparison]:
    cases = [(2, 5, 5)] if small else [(32, 5, 35), (8, 68, 35)]
    for batch, landmarks, side in cases:
        forms = {OURS: _our_regressor, "plain softmax": _plain_regressor}
        yield Comparison(
            "landmark regressor, forward and backward",
            f"64-d, {side}x{side}, {landmarks} landmarks, batch {batch}", "faces", batch,
            {k: partial(f, batch, landmarks, side, str(device)) for k, f in forms.items()},
            operations=2 * batch * side**2 * 64 * 50 * landmarks, memory=True,
        )  # fmt: skip


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
        "matching", f"64-d, {side}x{side}, {batch} pairs, {points} points", "pairs", batch,
        {k: partial(_matching, f, batch, points, side, str(device)) for k, f in forms.items()},
        operations=2 * batch * points * side**2 * 64, bytes=4 * batch * side**2 * 64,
    )  # fmt: skip


def _matching(form: Callable, batch: int, points: int, side: int, device: str) -> Work:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, batch, 64, side, side, generator=generator).to(device)
    queries = 2 * side * torch.rand(batch, points, 2, generator=generator).to(device)
    return partial(form, *maps, queries, 2)


COMPARISONS: dict[str, Callable[[torch.device, bool], Iterator[Comparison]]] = {
    "loss": _losses, "pipeline": _pipelines, "step": _steps, "regressor": _regressors,
    "matching": _matchings,
}  # fmt: skip
