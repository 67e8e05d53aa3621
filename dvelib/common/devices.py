"""The device that a computation runs on, its threads, and the precision that pays off there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from dvelib.common.errors import StudyError

__all__ = ["autocast_type", "cpu_threads", "has_fast_bfloat16", "resolve_device"]


def resolve_device(device: str | torch.device) -> torch.device:
    """The device of that name; ``auto`` is the GPU if there is one, else the CPU.

    Raises StudyError for a GPU that PyTorch does not see.
    """
    device = str(device)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise StudyError(
            "a GPU was asked for (device: cuda) and PyTorch sees none: "
            "set device to auto or cpu, or install a PyTorch build that fits the driver"
        )
    return torch.device(device)


def autocast_type(precision: str, device: torch.device) -> torch.dtype | None:
    """The type of a network's products under autocast; None: float32, without autocast.

    ``precision``: float32, bfloat16, or auto (bfloat16 where it is faster).
    """
    if precision == "bfloat16" or (precision == "auto" and has_fast_bfloat16(device)):
        return torch.bfloat16
    return None


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the hardware has instructions for bfloat16 products."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    try:
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    except AttributeError:
        return False


@contextmanager
def cpu_threads(count: int) -> Iterator[None]:
    """Compute with so many threads inside this block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
