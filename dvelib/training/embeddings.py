"""Training an embedding: everything on the device, every step a function of (seed, step).

Notable:

- Images stay uint8 on the device; sampling, warps, noise and normalisation are batched there.
  The host draws the random numbers that decide shapes, so that no step waits for the device.
- The random numbers of a step come from a generator seeded by (seed, step, rank), and the order
  of the images by (seed, epoch): a resumed run repeats the numbers of an uninterrupted one.
- Descriptors are bfloat16 under autocast where the hardware has it and the specification allows.
- Under torchrun the batch is split over the ranks; the auxiliary image is the next one of the
  same rank, as published (see `dvelib.training.distributed`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from filelock import FileLock
from torch import Tensor, nn

from dvelib.augment import denormalise
from dvelib.checkpoints import resuming, storage
from dvelib.checkpoints.provenance import provenance
from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.checkpoints.storage import Embedding
from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.data import FaceDataset
from dvelib.data.shards import ShardedPictures
from dvelib.networks import build_network
from dvelib.training import distributed
from dvelib.training.averaging import averaged_model
from dvelib.training.batches import device_batches, streamed_batches
from dvelib.training.embedding_step import EmbeddingStep, training_pair
from dvelib.training.loop import Loop
from dvelib.training.schedule import Schedule

__all__ = ["example_pair", "initial_network", "train"]

Images = FaceDataset | ShardedPictures
LOGGED = 1000  # rows of the history, about
# Streams of random numbers beside those of the ranks, which count from zero.
_ORDER, _HOST = -1, -2


def train(
    spec: EmbeddingSpec,
    dataset: Images,
    folder: Path | str,
    *,
    device: str = "auto",
    parent: Path | None = None,
    earlier: Path | None = None,
    proceed: Callable[[int], bool] | None = None,
) -> Embedding:
    """Train an embedding into ``folder``, resume it there, or load it if it is finished.

    ``parent`` is the folder of the embedding that ``spec.parent`` describes, to start from.
    ``earlier`` is the folder of a shorter training that ``spec`` continues: it goes on from that
    one's last step. Where that folder has no checkpoint, the training starts from its first step
    and ends in the same numbers. ``proceed``: called after each step with the number of steps
    done; False stops the training soon after, with a checkpoint from which it can go on.

    Raises StudyError where the GPU asked for is not there, the folder is another embedding's, the
    dataset is smaller than a batch, the loss stops being finite (the last good checkpoint
    stays), or ``proceed`` stopped the training.
    """
    folder, device = Path(folder), resolve_device(device)
    folder.mkdir(parents=True, exist_ok=True)
    with distributed.session(device) as device, FileLock(distributed.lock_path(folder)):
        distributed.on_first_rank(storage.claim, folder, spec)
        if earlier is not None and not storage.finished(folder):
            distributed.on_first_rank(resuming.copy_checkpoint, earlier, folder)
        distributed.barrier()  # every rank finds the same checkpoint
        if not storage.finished(folder):
            _train(spec, dataset, folder, initial_network(spec, parent), device, proceed)
        distributed.barrier()
    return storage.load_embedding(folder)


def initial_network(spec: EmbeddingSpec, parent: Path | None = None) -> nn.Module:
    """The network before its first step: the parent's, or one drawn by the seed alone.

    Raises StudyError unless the parent's folder is given if, and only if, there is a parent.
    """
    if (spec.parent is None) != (parent is None):
        raise StudyError(f"{spec.label}: give the parent's folder if, and only if, it has a parent")
    if parent is not None:
        return storage.load_embedding(parent).network
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return build_network(spec.architecture, spec.dimension)


def example_pair(
    spec: EmbeddingSpec, dataset: FaceDataset, count: int = 4
) -> tuple[Tensor, Tensor, Tensor]:
    """Two views in 0..255 and their flow for a few images, drawn as the first step draws them."""
    images = torch.from_numpy(np.array(dataset.images[:count]))
    generator = _generator(torch.device("cpu"), spec.seed, 0, 0)
    first, second, pair = training_pair(images, spec, generator)
    return denormalise(first), denormalise(second), pair.flow


def _train(
    spec: EmbeddingSpec,
    dataset: Images,
    folder: Path,
    network: nn.Module,
    device: torch.device,
    proceed: Callable[[int], bool] | None,
) -> None:
    """All steps that are left, then the finished embedding in its folder."""
    torch.backends.cudnn.benchmark = True  # the same shapes at every step
    schedule = _schedule(spec, len(dataset))
    step = EmbeddingStep(network, spec, device)
    average = None if spec.averaging is None else averaged_model(step.network, spec.averaging)
    parts = {"network": step.network} | ({"average": average} if average else {})
    loop = Loop(
        folder,
        parts,
        step.optimizer,
        schedule,
        device=device,
        batch=spec.batch,
        log_every=max(1, schedule.steps // LOGGED),
        title=spec.label,
        bar=spec.slug,
        unit="pairs",
        proceed=proceed,
    )

    def learn(images: Tensor) -> Tensor:
        generators = _generators(device, spec.seed, loop.step)
        loss = step(images, *generators, step=loop.step)
        if average:
            average.update_parameters(step.network)
        return loss

    step.network.train()
    loop.run(_batches(spec, dataset, schedule, loop.step, device), learn)
    _save(spec, dataset, folder, average.module if average else step.network, step, loop)


def _schedule(spec: EmbeddingSpec, images: int) -> Schedule:
    per_epoch = images // spec.batch
    if per_epoch == 0:
        raise StudyError(f"the training set has {images} images, fewer than batch {spec.batch}")
    if spec.epochs:
        return Schedule.in_epochs(spec.epochs, per_epoch, spec.lower_rate_from)
    return Schedule.in_steps(spec.steps, per_epoch, spec.lower_rate_from)


def _batches(
    spec: EmbeddingSpec, dataset: Images, schedule: Schedule, first: int, device: torch.device
) -> Iterator[Tensor]:
    """This rank's share ``[n,3,S,S]`` uint8 of each batch, from step ``first`` on."""
    if not isinstance(dataset, ShardedPictures):
        indices = _indices(spec, len(dataset), schedule, first)
        return device_batches(dataset.images, indices, device)
    share = distributed.share(spec.batch)
    arrays = dataset.batches(
        spec.seed,
        steps_per_epoch=schedule.steps_per_epoch,
        first=first,
        steps=schedule.steps,
        batch=share.stop - share.start,
        rank=distributed.rank(),
        processes=distributed.world_size(),
    )
    return streamed_batches(arrays, device)


def _indices(spec: EmbeddingSpec, images: int, schedule: Schedule, first: int) -> Iterator[Tensor]:
    """Which images are this rank's share of each batch, from step ``first`` on: int64 ``[n]``."""
    share, known = distributed.share(spec.batch), None
    for step in range(first, schedule.steps):
        epoch, batch = divmod(step, schedule.steps_per_epoch)
        if epoch != known:
            generator = _generator(torch.device("cpu"), spec.seed, epoch, _ORDER)
            order, known = torch.randperm(images, generator=generator), epoch
        yield order[batch * spec.batch :][share]


def _generators(
    device: torch.device, seed: int, step: int
) -> tuple[torch.Generator, torch.Generator]:
    """A step's generators on the device and on the host, of streams that no other rank uses."""
    rank = distributed.rank()
    on_device = _generator(device, seed, step, rank)
    return on_device, _generator(torch.device("cpu"), seed, step, _HOST - rank)


def _generator(device: torch.device, seed: int, step: int, stream: int) -> torch.Generator:
    # Distinct odd factors keep (seed, step, stream) from meeting in one value.
    mixed = seed * 1_000_000_007 + step * 6_364_136_223_846_793_005 + stream * 1_442_695_040_888_963
    return torch.Generator(device).manual_seed(mixed % (2**63 - 1))


def _save(
    spec: EmbeddingSpec,
    dataset: Images,
    folder: Path,
    network: nn.Module,
    step: EmbeddingStep,
    loop: Loop,
) -> None:
    pairs = loop.schedule.steps * spec.batch
    made = provenance(
        step.device,
        seconds=round(loop.seconds, 1),
        steps=loop.schedule.steps,
        pairs=pairs,
        pairs_per_second=round(pairs / max(loop.seconds, 1e-9), 1),
        precision=str(step.autocast or torch.float32).removeprefix("torch."),
        processes=distributed.world_size(),
        data=dataset.split_audit(),
    )
    history = pd.DataFrame(loop.history, columns=["step", "loss", "learning_rate"])
    if spec.can_grow:
        loop.save()
    save = partial(storage.save_embedding, keep_checkpoint=spec.can_grow)
    distributed.on_first_rank(save, folder, network, spec, made, history)
