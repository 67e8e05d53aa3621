"""Descriptors from several layers of a network for classification, side by side.

Source: Hariharan et al., "Hypercolumns for object segmentation and fine-grained localization",
CVPR 2015. ContrastLandmark and LEAD measure landmarks on such features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.describers.resampling import on_lattice

__all__ = ["hypercolumns", "imagenet_colours"]


def hypercolumns(layers: Sequence[Tensor], side: int, factor: int) -> Tensor:
    """Maps ``[B,D,H,H]`` on the lattice, from layers ``[B,d,h,h]`` of an enlarged image.

    Every layer is scaled to unit descriptors first, so that none outweighs the others by its units.
    Convention: the cells of a layer divide the enlarged image of side ``side * factor`` evenly.
    """
    maps = []
    for layer in layers:
        spacing = side * factor / layer.shape[-1]
        unit = F.normalize(layer.float(), dim=1)
        maps.append(on_lattice(unit, side, first=(spacing - 1) / 2, spacing=spacing, factor=factor))
    return torch.cat(maps, 1)


def imagenet_colours(images: Tensor) -> Tensor:
    """Images ``[B,3,S,S]`` in 0..1, less the mean colour of ImageNet, over its deviation."""
    mean = images.new_tensor([0.485, 0.456, 0.406])[:, None, None]
    deviation = images.new_tensor([0.229, 0.224, 0.225])[:, None, None]
    return (images - mean) / deviation
