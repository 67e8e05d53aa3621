"""What a describer is, and how a user's own function becomes one."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError

__all__ = ["Describer", "FunctionDescriber", "open_describer"]

PROBE_SIDE = 70  # of a SmallNet's cropped images


@runtime_checkable
class Describer(Protocol):
    """Anything that turns images into maps; `dvelib.checkpoints.storage.Embedding` is one.

    Convention: cell (row i, column j) of a map stands for pixel (x = stride*j, y = stride*i).
    """

    @property
    def name(self) -> str:
        """Short, for names of files and progress bars."""

    @property
    def dimension(self) -> int:
        """Of the descriptors: D."""

    @property
    def stride(self) -> int:
        """Pixels of the image from one cell of a map to the next."""

    @property
    def device(self) -> torch.device:
        """Where it runs, and where its maps are."""

    @property
    def digest(self) -> str:
        """Hash that differs between describers of different maps. It is part of cache names."""

    def __call__(self, images: Tensor) -> Tensor:
        """Maps ``[B,D,H,W]`` float32, on the device, of images ``[B,3,S,S]`` uint8, cropped.

        The images may be on any device. The describer normalises their colours itself.
        """


@dataclass(frozen=True)
class FunctionDescriber:
    """A function of images as a describer. Make one with `open_describer`."""

    function: Callable[[Tensor], Tensor]
    name: str
    dimension: int
    stride: int
    device: torch.device
    digest: str

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """As in `Describer`; raises StudyError where the function returns another shape."""
        maps = _maps(self.function, images.to(self.device), self.name).to(self.device)
        if maps.shape[1] != self.dimension or images.shape[-1] // maps.shape[-1] != self.stride:
            raise StudyError(
                f"the describer {self.name} returned maps {list(maps.shape)} of images "
                f"{list(images.shape)}: D must be {self.dimension}, and a cell {self.stride} pixels"
            )
        return maps


def open_describer(
    entry: str, *, side: int = PROBE_SIDE, device: str | torch.device = "auto"
) -> FunctionDescriber:
    """The describer of a function, by ``module:function``.

    The function takes images ``[B,3,S,S]`` uint8 on the device and returns maps ``[B,D,H,W]``,
    S a multiple of H and H = W. It is called once with a grey image of side ``side`` to see D
    and the stride. Its digest is of the source file of its module: a change there makes caches
    start anew, a change in modules that it imports does not.
    Raises StudyError where there is no such function or its answer has another shape.
    """
    module_name, _, attribute = entry.partition(":")
    try:
        module = importlib.import_module(module_name)
        function = getattr(module, attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise StudyError(
            f"{entry!r} is no describer ({error}): give module:function, of a module that Python "
            f"can import from here"
        ) from None
    where = resolve_device(device)
    name = re.sub(r"\W+", "-", entry)
    with torch.inference_mode():
        grey = torch.full((1, 3, side, side), 128, dtype=torch.uint8, device=where)
        maps = _maps(function, grey, name)
    source = Path(inspect.getfile(module)).read_bytes()
    digest = hashlib.sha256(entry.encode() + b"\0" + source).hexdigest()
    return FunctionDescriber(
        function, name, maps.shape[1], side // maps.shape[-1], where, digest[:16]
    )


def _maps(function: Callable[[Tensor], Tensor], images: Tensor, name: str) -> Tensor:
    maps = function(images)
    shape = list(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
    fits = isinstance(maps, Tensor) and maps.ndim == 4 and len(maps) == len(images)
    if not fits or maps.shape[2] != maps.shape[3] or images.shape[-1] % max(1, maps.shape[3]):
        raise StudyError(
            f"the describer {name} returned {shape} for images {list(images.shape)}: it must "
            f"return a tensor [B,D,H,H], and H must divide the side of the images"
        )
    return maps.float()
