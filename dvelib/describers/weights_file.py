"""Weights that a user has in a file, for a network that is built here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from pickle import UnpicklingError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from dvelib.common.errors import StudyError

__all__ = ["load_weights"]

NESTED = ("state_dict", "model", "teacher")  # where others keep the weights in their files


def load_weights(network: nn.Module, path: Path, *, without: Sequence[str] = ()) -> None:
    """Fill a network from a ``.safetensors`` file or a ``.pth`` file of tensors alone.

    Nothing in the file is executed. ``without``: parts of the network whose weights may be missing
    or of another shape, and stay as they are. Prefixes ``module.`` and ``backbone.`` of the names
    are left out. Raises StudyError where the file is damaged or does not fit.
    """
    found = {_plain(name): value for name, value in _read(path).items()}
    kept = {n: v for n, v in found.items() if n.split(".")[0] not in without}
    wanted = {n for n in network.state_dict() if n.split(".")[0] not in without}
    if missing := sorted(wanted - kept.keys()):
        raise StudyError(
            f"{path} lacks {len(missing)} of the network's {len(wanted)} weights, "
            f"the first is {missing[0]}: it belongs to another network"
        )
    try:
        network.load_state_dict({n: kept[n] for n in wanted}, strict=False)
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip()
        raise StudyError(f"{path} does not fit the network: {first}") from None


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, UnpicklingError, RuntimeError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise StudyError(f"{path} cannot be read as a file of weights ({reason})") from None
    for key in NESTED:
        if isinstance(held, dict) and isinstance(held.get(key), dict):
            held = held[key]
    if not isinstance(held, dict) or not all(isinstance(v, Tensor) for v in held.values()):
        raise StudyError(f"{path} is no dictionary of weights: save a network's state_dict()")
    return held


def _plain(name: str) -> str:
    for prefix in ("module.", "backbone."):
        name = name.removeprefix(prefix)
    return name
