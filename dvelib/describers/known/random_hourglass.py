"""An hourglass with random weights: what the architecture gives without any training."""

from __future__ import annotations

import torch
from torch import Tensor

from dvelib.augment import normalise
from dvelib.describers.known.random_smallnet import random_network
from dvelib.describers.resampling import cells, mirrored

__all__ = ["SLOW", "TITLE", "make_describer"]

TITLE = "hourglass, random weights"
SLOW = True
MULTIPLE = 32  # pixels: its input is halved five times


def make_describer(device: torch.device):
    """Descriptors of 64 numbers; the image is mirrored on the right and below to fit."""
    network = random_network("hourglass").to(device)

    def describe(images: Tensor) -> Tensor:
        count = cells(images.shape[-1])
        return network(mirrored(normalise(images.float()), MULTIPLE))[:, :, :count, :count]

    return describe
