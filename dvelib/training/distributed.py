"""Calls that work alike in one process and in several under torchrun.

Several processes learn what one process would learn that goes through their shares of a batch one
after the other and adds up the gradients. Batch normalisation and exchange stay inside a share, as
they stayed inside the batch of one GPU in the published code; running statistics are those of the
first process. The number of processes is therefore part of the numbers of a training.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dvelib.common.errors import StudyError


def world_size() -> int:
    return dist.get_world_size() if dist.is_initialized() else 1


def rank() -> int:
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def session(device: torch.device) -> Iterator[torch.device]:
    """Join the process group of torchrun, if the process was started by it.

    Yields the device of this process: its own GPU where there are several.
    """
    if "WORLD_SIZE" not in os.environ:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)  # before the first message, which goes through this GPU
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


def lock_path(folder: Path) -> Path:
    """The lock of an embedding's folder; each rank of a training has a lock of its own."""
    return folder / (".lock" if rank() == 0 else f".lock-rank{rank()}")


def wrap(network: nn.Module, device: torch.device) -> nn.Module:
    if world_size() == 1:
        return network
    return DistributedDataParallel(network, [device.index] if device.type == "cuda" else None)


def share(batch: int) -> slice:
    """This rank's part of a batch; the first ranks take one more where it does not divide evenly.

    Raises StudyError where a rank would get fewer than two, since exchange needs two images.
    """
    each, rest = divmod(batch, world_size())
    if each < 2:
        raise StudyError(
            f"a batch of {batch} is too small for {world_size()} processes, of which each needs at "
            f"least two images: raise the batch, or start fewer processes"
        )
    first = rank() * each + min(rank(), rest)
    return slice(first, first + each + (rank() < rest))


def weighted(loss: Tensor, images: int, batch: int) -> Tensor:
    """A rank's mean loss over its images, weighted so that the mean over ranks is the batch's.

    ``images`` of this rank, ``batch`` of all ranks. The same weight makes the mean of the ranks'
    gradients the gradient of the whole batch.
    """
    if world_size() == 1 or images * world_size() == batch:
        return loss
    return loss * (images * world_size() / batch)


def mean(value: Tensor) -> Tensor:
    """Mean over the ranks."""
    if world_size() == 1:
        return value
    value = value.clone()
    dist.all_reduce(value)
    return value / world_size()


def barrier() -> None:
    if world_size() > 1:
        dist.barrier()


def on_first_rank(function: Callable, *arguments: object) -> None:
    if rank() == 0:
        function(*arguments)
