"""DINOv3 (ViT-S/16): patch features of a vision transformer, with your own weights (timm).

Source: Siméoni et al., "DINOv3", 2025.
"""

from __future__ import annotations

from pathlib import Path

import torch

from dvelib.describers.vision_transformer import patch_features

__all__ = ["PACKAGES", "TITLE", "WEIGHTS", "make_describer"]

TITLE = "DINOv3, ViT-S/16"
PACKAGES = ("timm",)
MODEL = "vit_small_patch16_dinov3"
WEIGHTS = "a .pth or .safetensors file of timm's vit_small_patch16_dinov3"


def make_describer(device: torch.device, weights: Path):
    """Descriptors of 384 numbers; the image is enlarged until a patch is four of its pixels."""
    return patch_features(MODEL, device, weights)
