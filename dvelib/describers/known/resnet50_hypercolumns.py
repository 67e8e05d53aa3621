"""ResNet-50 hypercolumns, as ContrastLandmark and LEAD use them, with your own weights.

Sources: Cheng et al., "On equivariant and invariant learning of object landmark representations",
ICCV 2021; Karmali et al., "LEAD: self-supervised landmark estimation by aligning distributions of
feature similarity", WACV 2022. The weights: a state dictionary with torchvision's names.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from dvelib.describers.hypercolumns import hypercolumns, imagenet_colours
from dvelib.describers.resampling import enlarge

__all__ = ["TITLE", "WEIGHTS", "make_describer"]

TITLE = "ResNet-50 hypercolumns"
WEIGHTS = "a .pth or .safetensors file of ResNet-50 weights with torchvision's names"
FACTOR = 2
STAGES = ("layer1", "layer2", "layer3", "layer4")


def make_describer(device: torch.device, weights: Path):
    """Descriptors of 3,840 numbers of the image enlarged twice."""
    from torchvision.models import resnet50

    from dvelib.describers.weights_file import load_weights

    network = resnet50(weights=None)
    load_weights(network, weights, without=("fc",))
    network = network.to(device).eval()

    def describe(images: Tensor) -> Tensor:
        x = imagenet_colours(enlarge(images, FACTOR))
        x = network.maxpool(network.relu(network.bn1(network.conv1(x))))
        layers = []
        for stage in STAGES:
            x = getattr(network, stage)(x)
            layers.append(x)
        return hypercolumns(layers, images.shape[-1], FACTOR)

    return describe
