"""Reading the stored outputs of the published code, for every parity test."""

from pathlib import Path

import numpy as np
import torch

GOLDEN = Path(__file__).parent / "golden"


def load(name: str) -> dict[str, torch.Tensor]:
    with np.load(GOLDEN / f"{name}.npz") as stored:
        numbers = [key for key in stored if stored[key].dtype.kind != "U"]
        return {key: torch.from_numpy(stored[key]) for key in numbers}


def relative(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Relative L2 difference."""
    return ((actual - expected).norm() / expected.norm()).item()


def fill_state(network: torch.nn.Module, gain: float) -> None:
    """Give a network the deterministic weights that the stored outputs were made with."""
    state = network.state_dict()
    for i, key in enumerate(sorted(state)):
        value = state[key]
        if not value.is_floating_point():
            state[key] = torch.zeros_like(value)
            continue
        j = torch.arange(1, value.numel() + 1, dtype=torch.float64)
        s = torch.sin(0.1 * j + i + 1).view(value.shape)
        if key.endswith("running_var"):
            filled = 1 + 0.5 * s
        elif value.ndim == 1:
            filled = 1 + 0.1 * s if key.endswith(".weight") else 0.1 * s
        else:
            filled = gain * s * (2 / value[0].numel()) ** 0.5
        state[key] = filled.float().to(value.dtype)
    network.load_state_dict(state, strict=True)
