"""Calls that work alike in one process and in several under torchrun."""

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
def session(device: torch.device) -> Iterator[None]:
    """Join the process group of torchrun, if the process was started by it."""
    if "WORLD_SIZE" not in os.environ:
        yield
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def local_device(device: torch.device) -> torch.device:
    """This process's own GPU where there are several processes."""
    if device.type == "cuda" and world_size() > 1:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


def lock_path(folder: Path) -> Path:
    """The lock of an embedding's folder; each rank of a training has a lock of its own."""
    return folder / (".lock" if rank() == 0 else f".lock-rank{rank()}")


def wrap(network: nn.Module, device: torch.device) -> nn.Module:
    if world_size() == 1:
        return network
    return DistributedDataParallel(network, [device.index] if device.type == "cuda" else None)


def share(batch: int) -> slice:
    """This rank's part of a batch; raises StudyError where it does not divide evenly."""
    each, rest = divmod(batch, world_size())
    if rest or each < 2:
        raise StudyError(
            f"a batch of {batch} does not divide into {world_size()} processes of two or more"
        )
    return slice(rank() * each, (rank() + 1) * each)


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
