"""Patch features of a vision transformer of timm as maps on the lattice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.describers.hypercolumns import imagenet_colours
from dvelib.describers.resampling import mirrored, on_lattice
from dvelib.describers.weights_file import load_weights

__all__ = ["patch_features"]

PIXELS = 4  # of the image in a patch, a side


def patch_features(model: str, device: torch.device, weights: Path) -> Callable[[Tensor], Tensor]:
    """A function from images ``[B,3,S,S]`` uint8 to unit descriptors on the lattice.

    The image is enlarged until a patch is four of its pixels, and mirrored on the right and below
    to whole patches. Raises StudyError where the weights do not fit.
    """
    import timm

    network = timm.create_model(model, pretrained=False, num_classes=0, dynamic_img_size=True)
    load_weights(network, weights)
    network = network.to(device).eval()
    patch = network.patch_embed.patch_size[0]

    def describe(images: Tensor) -> Tensor:
        whole = mirrored(images.float() / 255, PIXELS)
        count = whole.shape[-1] // PIXELS
        large = F.interpolate(whole, size=count * patch, mode="bilinear", align_corners=False)
        tokens = network.forward_features(imagenet_colours(large))
        tokens = tokens[:, network.num_prefix_tokens :]
        maps = tokens.mT.unflatten(2, (count, count))
        unit = F.normalize(maps, dim=1)
        return on_lattice(unit, images.shape[-1], first=(PIXELS - 1) / 2, spacing=PIXELS)

    return describe
