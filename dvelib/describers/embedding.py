"""A trained network as a describer."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dvelib.augment import normalise

__all__ = ["describe_images"]


@torch.inference_mode()
def describe_images(network: nn.Module, images: Tensor) -> Tensor:
    """Descriptor maps ``[B,D,H,W]`` float32 of images ``[B,3,s,s]`` in 0..255, already cropped.

    The network runs where it lives; the maps come back to the CPU, where the landmarks are.
    """
    device = next(network.parameters()).device
    images = normalise(images.to(device).float())
    return network.eval()(images.contiguous(memory_format=torch.channels_last)).float().cpu()
