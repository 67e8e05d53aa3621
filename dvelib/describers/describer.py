"""What a describer is, and how a name or a user's own function becomes one."""

from __future__ import annotations

import hashlib
import importlib
import inspect
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.describers.catalogue import installed_version, known_describers
from dvelib.describers.resampling import cells

__all__ = [
    "Describer",
    "FunctionDescriber",
    "folder_name",
    "is_describer",
    "open_describer",
    "title_of",
    "wrap_describer",
]

PROBE_SIDE = 70  # of a SmallNet's cropped images
CHOICES = {"device", "weights"}  # what a maker of describers may ask for
Function = Callable[[Tensor], Tensor]


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
    """A function of images as a describer. Make one with `open_describer` or `wrap_describer`."""

    function: Function
    name: str
    dimension: int
    stride: int
    device: torch.device
    digest: str
    title: str | None = None

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> Tensor:
        """As in `Describer`; raises StudyError where the function returns anything else."""
        maps = _maps(self.function, images.to(self.device), self.name).to(self.device)
        wanted = self.dimension, cells(images.shape[-1], self.stride)
        if (maps.shape[1], maps.shape[2]) != wanted:
            raise StudyError(
                f"the describer {self.name} returned maps {list(maps.shape)} of images "
                f"{list(images.shape)}: with D {self.dimension} and stride {self.stride} they must "
                f"be {[len(images), wanted[0], wanted[1], wanted[1]]}"
            )
        return maps


def open_describer(
    entry: str,
    *,
    device: str | torch.device = "auto",
    weights: Path | str | None = None,
    side: int = PROBE_SIDE,
) -> FunctionDescriber:
    """A describer by the name of one that comes along, or by ``module:function``.

    The function is either a describer itself, from images ``[B,3,S,S]`` uint8 on the device to maps
    ``[B,D,H,H]``, or it makes one: then it takes no argument but ``device`` and ``weights``, or
    none. See `wrap_describer` for the stride. ``weights``: a file, for those that need one.
    The digest is of the source file of the module, of the versions of the packages that it names in
    ``PACKAGES`` and of the weights: a change there makes caches start anew, a change in other
    modules that it imports does not.
    Raises StudyError where there is no such describer, a package or the weights are missing, or the
    answer to a grey image of side ``side`` has another form.
    """
    where = resolve_device(device)
    module, function, title = _find(entry)
    path = None if weights is None else Path(weights).expanduser()
    if path is not None and not path.is_file():
        raise StudyError(f"there is no file of weights {path}")
    digest = hashlib.sha256(entry.encode() + b"\0" + Path(inspect.getfile(module)).read_bytes())
    digest.update(
        repr([(p, installed_version(p)) for p in getattr(module, "PACKAGES", ())]).encode()
    )
    if path is not None:
        digest.update(path.read_bytes())
    made = _made(entry, function, {"device": where, "weights": path})
    return wrap_describer(
        made,
        name=re.sub(r"\W+", "-", entry),
        title=title,
        device=where,
        digest=digest.hexdigest()[:16],
        side=side,
    )


def title_of(describer: Describer) -> str:
    """What to call a describer in tables and figures: its ``title``, or its name."""
    return getattr(describer, "title", None) or describer.name


def folder_name(describer: Describer) -> str:
    """The name of an embedding's folder; the name and the digest of another describer."""
    folder = getattr(describer, "folder", None)
    return f"{describer.name}-{describer.digest}" if folder is None else folder.name


def is_describer(entry: str) -> bool:
    """Whether a name is one of `open_describer`, and not the path of something that exists."""
    named = ":" in entry or entry in known_describers()
    return named and not Path(entry).exists()


def wrap_describer(
    function: Function,
    *,
    name: str,
    digest: str,
    title: str | None = None,
    stride: int | None = None,
    device: str | torch.device = "auto",
    side: int = PROBE_SIDE,
) -> FunctionDescriber:
    """A function from images ``[B,3,S,S]`` uint8 to maps ``[B,D,H,H]`` as a describer.

    ``stride``: pixels from one cell to the next, where cell 0 stands for pixel 0, so that H is S
    divided by it and rounded up. By default the function's attribute ``stride``, or S / H where
    that is a whole number. ``digest``: must differ between functions of different maps.
    The function is called once with a grey image of side ``side``. Raises StudyError where its
    answer has another form.
    """
    where = resolve_device(device)
    with torch.inference_mode():
        grey = torch.full((1, 3, side, side), 128, dtype=torch.uint8, device=where)
        maps = _maps(function, grey, name)
    stride = stride or getattr(function, "stride", None) or _whole_stride(name, side, maps)
    if cells(side, stride) != maps.shape[2]:
        raise StudyError(
            f"the describer {name} returned maps of {maps.shape[2]} cells a side for images of "
            f"{side} pixels, which does not fit its stride of {stride}: at that stride there are "
            f"{cells(side, stride)}"
        )
    return FunctionDescriber(function, name, maps.shape[1], stride, where, digest, title or name)


def _find(entry: str) -> tuple[ModuleType, Callable, str]:
    """The module and the function of an entry, and a title to read."""
    if ":" not in entry:
        return _find_known(entry)
    module_name, _, attribute = entry.partition(":")
    try:
        with _current_folder_first():
            module = importlib.import_module(module_name)
        return module, getattr(module, attribute), entry
    except (ImportError, AttributeError, ValueError) as error:
        raise StudyError(
            f"{entry!r} is no describer ({error}): give module:function, of a module that Python "
            f"can import from here"
        ) from None


@contextmanager
def _current_folder_first() -> Iterator[None]:
    """Modules are looked for in the current folder too, as under ``python -m``."""
    before = sys.path.copy()
    sys.path.insert(0, os.getcwd())
    try:
        yield
    finally:
        sys.path[:] = before


def _find_known(name: str) -> tuple[ModuleType, Callable, str]:
    known = known_describers()
    if name not in known:
        raise StudyError(
            f"{name!r} is no describer: give module:function, or one of {', '.join(known)}"
        )
    if missing := known[name].missing:
        raise StudyError(
            f"the describer {name} needs {' and '.join(missing)}: "
            f"pip install 'dvelib[describers]' has them"
        )
    module = importlib.import_module(known[name].module)
    return module, module.make_describer, known[name].title


def _made(entry: str, function: Callable, choices: dict[str, object]) -> Function:
    """The function itself, or what it makes if it asks for nothing but ``choices``."""
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return function
    needed = [
        n for n, p in parameters.items() if p.default is p.empty and p.kind < p.VAR_POSITIONAL
    ]
    if not set(needed) <= CHOICES:
        return function
    if "weights" in needed and choices["weights"] is None:
        module = inspect.getmodule(function)
        what = getattr(module, "WEIGHTS", None) or "a file of weights"
        raise StudyError(f"the describer {entry} needs {what}: name it with --weights FILE")
    return function(**{name: choices[name] for name in parameters if name in CHOICES})


def _whole_stride(name: str, side: int, maps: Tensor) -> int:
    count = maps.shape[2]
    if side % count:
        raise StudyError(
            f"the describer {name} returned maps of {count} cells a side for images of {side} "
            f"pixels: {count} does not divide {side}, so say how many pixels lie between two cells "
            f"(an attribute stride of the function)"
        )
    return side // count


def _maps(function: Function, images: Tensor, name: str) -> Tensor:
    maps = function(images)
    fits = isinstance(maps, Tensor) and maps.ndim == 4 and len(maps) == len(images)
    if not fits or maps.shape[2] != maps.shape[3] or not maps.numel():
        shape = list(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
        raise StudyError(
            f"the describer {name} returned {shape} for images {list(images.shape)}: it must "
            f"return a tensor [B,D,H,H]"
        )
    bad = ~maps.isfinite().flatten(1).all(1)
    if bad.any():
        raise StudyError(
            f"the describer {name} returned values that are not finite for {int(bad.sum())} of "
            f"{len(images)} images: its descriptors must be numbers"
        )
    return maps.float()
