"""The maps of a network for figures and for the explorer, on the CPU."""

from __future__ import annotations

from torch import Tensor, nn

from dvelib.checkpoints.storage import network_maps

__all__ = ["describe_images"]


def describe_images(network: nn.Module, images: Tensor) -> Tensor:
    """Descriptor maps ``[B,D,H,W]`` float32 of images ``[B,3,s,s]`` in 0..255, already cropped.

    The network runs on its own device; the maps are on the CPU.
    """
    return network_maps(network, images).cpu()
