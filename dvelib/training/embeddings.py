"""Training an embedding: everything on the device, every step a function of (seed, step).

Notable:

- Images stay uint8 on the device; sampling, warps, noise and normalisation are batched there.
  The host draws what decides shapes, so that no step waits for the device.
- The random numbers of a step come from a generator seeded by (seed, step, rank), and the order
  of the images by (seed, epoch): a resumed run repeats what an uninterrupted one does.
- Descriptors are bfloat16 under autocast where the hardware has it and the specification allows.
- Under torchrun the batch is split over the ranks; the auxiliary image is the next one of the
  same rank, as published.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import Tensor, nn

from dvelib.augment import PhotometricNoise, add_noise, denormalise, normalise
from dvelib.checkpoints import storage
from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.checkpoints.storage import Embedding
from dvelib.common.errors import StudyError
from dvelib.common.progress import progress_bar
from dvelib.data import FaceDataset
from dvelib.losses import equivariance_loss, exchange_loss
from dvelib.networks import build_network
from dvelib.training import distributed
from dvelib.training.batches import device_batches
from dvelib.warps import TRAINING_WARP, WarpedPair, draw_weights, warp_pair

__all__ = ["example_pair", "resolve_device", "train", "training_pair"]

NOISE = {
    "published": PhotometricNoise(),
    "colour": PhotometricNoise(jpeg_quality=None),
    "none": None,
}
CHECKPOINT_SECONDS = 60
FINITE_CHECK_STEPS = {"cpu": 1, "cuda": 25}
# Streams of random numbers beside those of the ranks, which count from zero.
_ORDER, _HOST = -1, -2


def train(
    spec: EmbeddingSpec,
    dataset: FaceDataset,
    folder: Path | str,
    *,
    device: str = "auto",
    parent: Path | None = None,
) -> Embedding:
    """Train an embedding into ``folder``, resume it there, or load it if it is finished.

    ``parent`` is the folder of the embedding that ``spec.parent`` describes, to start from.

    Raises StudyError where the GPU asked for is not there, the folder is another embedding's, the
    dataset is smaller than a batch, or the loss stops being finite (the last good checkpoint
    stays).
    """
    folder, device = Path(folder), resolve_device(device)
    folder.mkdir(parents=True, exist_ok=True)
    with distributed.session(device), FileLock(distributed.lock_path(folder)):
        distributed.on_first_rank(storage.claim, folder, spec)
        if not storage.finished(folder):
            network = _initial_network(spec, parent)
            run = _Run(spec, dataset, folder, network, distributed.local_device(device))
            run.to_the_end()
        distributed.barrier()
    return storage.load_embedding(folder)


def resolve_device(device: str) -> torch.device:
    """``auto`` to the GPU where there is one; raises StudyError for a GPU that is not there."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise StudyError(
            "a GPU was asked for (device: cuda) and PyTorch sees none: "
            "set device to auto or cpu, or install a PyTorch build that fits the driver"
        )
    return torch.device(device)


def training_pair(
    images: Tensor,
    spec: EmbeddingSpec,
    generator: torch.Generator,
    host: torch.Generator | None = None,
) -> tuple[Tensor, Tensor, WarpedPair]:
    """uint8 images ``[B,3,S,S]`` to two views ``[B,3,s,s]``, noisy and normalised, and the warp.

    ``generator`` lives where the images do, ``host`` (see `dvelib.augment.add_noise`) on the CPU.
    """
    weights = draw_weights(len(images), TRAINING_WARP, generator)
    pair = warp_pair(images.float(), *weights, spec.crop)
    views = torch.cat([pair.first, pair.second])
    if noise := NOISE[spec.noise]:
        views = add_noise(views, noise, generator, host)
    first, second = normalise(views).chunk(2)
    return first, second, pair


def example_pair(
    spec: EmbeddingSpec, dataset: FaceDataset, count: int = 4
) -> tuple[Tensor, Tensor, Tensor]:
    """Two views in 0..255 and their flow for a few images, drawn as the first step draws them."""
    images = torch.from_numpy(np.array(dataset.images[:count]))
    generator = _generator(torch.device("cpu"), spec.seed, 0, 0)
    first, second, pair = training_pair(images, spec, generator)
    return denormalise(first), denormalise(second), pair.flow


@dataclass(frozen=True)
class _Schedule:
    """Steps of a training and the factor on its learning rates at each."""

    steps: int
    steps_per_epoch: int
    drops: tuple[int, ...]

    @classmethod
    def of(cls, spec: EmbeddingSpec, images: int) -> _Schedule:
        per_epoch = images // spec.batch
        if per_epoch == 0:
            raise StudyError(f"the training set has {images} images, fewer than batch {spec.batch}")
        unit = per_epoch if spec.epochs else 1
        drops = tuple((at - 1) * unit for at in spec.lower_rate_from)
        return cls((spec.epochs or spec.steps) * unit, per_epoch, drops)

    def factor(self, step: int) -> float:
        return 0.1 ** sum(step >= at for at in self.drops)


class _Run:
    """One training from its first or its last saved step to its end."""

    def __init__(
        self,
        spec: EmbeddingSpec,
        dataset: FaceDataset,
        folder: Path,
        network: nn.Module,
        device: torch.device,
    ):
        self.spec, self.dataset, self.folder, self.device = spec, dataset, folder, device
        torch.backends.cudnn.benchmark = True  # the same shapes at every step
        self.schedule = _Schedule.of(spec, len(dataset))
        self.network = network.to(device, memory_format=torch.channels_last)
        self.model = distributed.wrap(self.network, device)
        self.optimizer = build_optimizer(self.network, spec)
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.loss = exchange_loss if spec.exchange else equivariance_loss
        self.autocast = _autocast_type(spec.precision, device)
        self.log_every = max(1, self.schedule.steps // 1000)
        self.step, self.seconds, self.history = 0, 0.0, []
        self._restore()

    def to_the_end(self) -> None:
        self.network.train()
        pending: list[Tensor] = []
        began = saved = time.monotonic()
        with self._bar() as bar:
            for images in device_batches(self.dataset.images, self._indices(), self.device):
                pending.append(self._one_step(images))
                self.step += 1
                self._log(pending, bar)
                now = time.monotonic()
                if now - saved > CHECKPOINT_SECONDS and not pending:
                    self.seconds, began, saved = self.seconds + now - began, now, now
                    self._save()
        self.seconds += time.monotonic() - began
        self._finish()

    def _one_step(self, images: Tensor) -> Tensor:
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * self.schedule.factor(self.step)
        first, second, pair = training_pair(images, self.spec, *self._generators())
        views = torch.cat([first, second]).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            features = self.model(views)
        options = {"distance_power": self.spec.distance_power, "scale": self.spec.scale}
        loss = self.loss(*features.chunk(2), pair.grid, **options)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    def _generators(self) -> tuple[torch.Generator, torch.Generator]:
        """This step's, on the device and on the host, apart from those of all other ranks."""
        seed, rank = self.spec.seed, distributed.rank()
        on_device = _generator(self.device, seed, self.step, rank)
        return on_device, _generator(torch.device("cpu"), seed, self.step, _HOST - rank)

    def _indices(self) -> Iterator[Tensor]:
        """Which images are this rank's share of each batch, from the current step on."""
        share, known = distributed.share(self.spec.batch), None
        for step in range(self.step, self.schedule.steps):
            epoch, batch = divmod(step, self.schedule.steps_per_epoch)
            if epoch != known:
                generator = _generator(torch.device("cpu"), self.spec.seed, epoch, _ORDER)
                order, known = torch.randperm(len(self.dataset), generator=generator), epoch
            yield order[batch * self.spec.batch :][share]

    def _log(self, pending: list[Tensor], bar) -> None:
        """Read the losses back now and then: reading waits for the device."""
        due = self.step % self.log_every == 0 or self.step == self.schedule.steps
        if not due and self.step % FINITE_CHECK_STEPS.get(self.device.type, 25):
            bar.update(self.spec.batch)
            return
        values = torch.stack(pending)
        if not values.isfinite().all():
            raise StudyError(
                f"the loss of {self.spec.label} is not finite by step {self.step}: lower the "
                f"learning rate or use float32; the last good checkpoint stays in {self.folder}"
            )
        bar.update(self.spec.batch)
        if due:
            loss = distributed.mean(values.mean()).item()
            rate = self.optimizer.param_groups[0]["lr"]
            self.history.append((self.step, loss, rate))
            bar.set_postfix_str(f"loss {loss:.3f}", refresh=False)
            pending.clear()

    def _bar(self):
        done, total = (n * self.spec.batch for n in (self.step, self.schedule.steps))
        return progress_bar(total, self.spec.slug, "pairs", done, silent=distributed.rank() > 0)

    def _save(self) -> None:
        state = {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
        }
        distributed.on_first_rank(storage.save_checkpoint, self.folder, state)

    def _restore(self) -> None:
        state = storage.load_checkpoint(self.folder, self.device)
        if state is None:
            return
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]
        self.history = [tuple(row) for row in state["history"]]

    def _finish(self) -> None:
        pairs = self.schedule.steps * self.spec.batch
        made = storage.provenance(
            self.device,
            seconds=round(self.seconds, 1),
            steps=self.schedule.steps,
            pairs=pairs,
            pairs_per_second=round(pairs / max(self.seconds, 1e-9), 1),
            precision=str(self.autocast or torch.float32).removeprefix("torch."),
            processes=distributed.world_size(),
            data=self.dataset.split_audit(),
        )
        history = pd.DataFrame(self.history, columns=["step", "loss", "learning_rate"])
        distributed.on_first_rank(
            storage.save_embedding, self.folder, self.network, self.spec, made, history
        )


def build_optimizer(network: nn.Module, spec: EmbeddingSpec) -> torch.optim.Adam:
    """Adam with the specification's rates; ``bias_lr`` for the biases of convolutions alone."""
    biases = [
        module.bias
        for module in network.modules()
        if isinstance(module, nn.Conv2d) and module.bias is not None and spec.bias_lr is not None
    ]
    chosen = {id(bias) for bias in biases}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    groups = [{"params": rest, "lr": spec.learning_rate}]
    if biases:
        groups.append({"params": biases, "lr": spec.bias_lr})
    return torch.optim.Adam(
        groups, weight_decay=spec.weight_decay, amsgrad=spec.amsgrad, fused=True
    )


def _initial_network(spec: EmbeddingSpec, parent: Path | None) -> nn.Module:
    """The parent's network, or a freshly drawn one that depends on the seed alone."""
    if (spec.parent is None) != (parent is None):
        raise StudyError(f"{spec.label}: give the parent's folder if, and only if, it has a parent")
    if parent is not None:
        return storage.load_embedding(parent).network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return build_network(spec.architecture, spec.dimension)


def _generator(device: torch.device, seed: int, step: int, stream: int) -> torch.Generator:
    # Distinct odd factors keep (seed, step, stream) from meeting in one value.
    mixed = seed * 1_000_000_007 + step * 6_364_136_223_846_793_005 + stream * 1_442_695_040_888_963
    return torch.Generator(device).manual_seed(mixed % (2**63 - 1))


def _autocast_type(precision: str, device: torch.device) -> torch.dtype | None:
    if precision == "float32":
        return None
    if precision == "bfloat16" or _bfloat16_serves(device):
        return torch.bfloat16
    return None


def _bfloat16_serves(device: torch.device) -> bool:
    """Whether bfloat16 products are faster than float32 there, by what the hardware offers."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    except AttributeError:
        return False
