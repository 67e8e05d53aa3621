"""A SmallNet with random weights: what the architecture gives without any training."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dvelib.augment import normalise
from dvelib.networks import build_network

__all__ = ["TITLE", "make_describer", "random_network"]

TITLE = "SmallNet, random weights"
SEED = 0


def make_describer(device: torch.device):
    """Descriptors of 64 numbers."""
    network = random_network("smallnet").to(device)

    def describe(images: Tensor) -> Tensor:
        return network(normalise(images.float()))

    return describe


def random_network(architecture: str) -> nn.Module:
    """A network of 64 dimensions as its training would begin, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return build_network(architecture, 64).eval()
