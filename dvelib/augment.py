"""Photometric noise, drawn anew for every view, and the colour normalisation of the networks.

The published order: JPEG at a random size and quality, then brightness, contrast and saturation
in a random order, then a shift along the principal colour axes. No flips.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from kornia import enhance
from torch import Tensor
from torch.nn import functional as F

__all__ = ["PhotometricNoise", "add_noise", "denormalise", "normalise"]

MEAN = (0.5084, 0.4224, 0.3769)
STD = (0.2599, 0.2371, 0.2323)
PCA_VALUES = (0.2175, 0.0188, 0.0045)
PCA_VECTORS = (
    (-0.5675, 0.7192, 0.4009),
    (-0.5808, -0.0045, -0.8140),
    (-0.5836, -0.6948, 0.4203),
)


@dataclass(frozen=True)
class PhotometricNoise:
    """How strong the noise is; the defaults are the published ones.

    ``jpeg_quality``: range of whole numbers, or None for no JPEG. ``jpeg_resize``: standard
    deviation of the relative change of side before compression, never below 0.8. ``colour``:
    brightness, contrast and saturation factors lie in [1-colour, 1+colour]. ``lighting``:
    standard deviation along the colour axes.
    """

    jpeg_quality: tuple[int, int] | None = (30, 98)
    jpeg_resize: float = 0.5
    colour: float = 0.4
    lighting: float = 0.1


# One JPEG side serves this many views of a step, so that they compress as one batch: more where
# launching work costs more than doing it.
_JPEG_GROUP = {"cpu": 8, "cuda": 32}


def normalise(images: Tensor) -> Tensor:
    """``[...,3,H,W]`` in 0..255 to what the networks expect (published mean and deviation)."""
    return (images / 255 - _channels(MEAN, images)) / _channels(STD, images)


def denormalise(images: Tensor) -> Tensor:
    """The inverse of `normalise`: 0..255, not clipped."""
    return (images * _channels(STD, images) + _channels(MEAN, images)) * 255


def _channels(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return _constant(values, like.device)[:, None, None]


@cache
def _constant(values: tuple, device: torch.device) -> Tensor:
    """Copied to a device once: every copy from the host waits for what is under way there."""
    with torch.inference_mode(False):  # what is kept serves training, too
        return torch.tensor(values, device=device)


def add_noise(
    images: Tensor,
    noise: PhotometricNoise,
    generator: torch.Generator,
    host: torch.Generator | None = None,
) -> Tensor:
    """Independent photometric noise for each image of a batch.

    Shapes: ``[B,3,H,W] -> [B,3,H,W]``, both in 0..255; input is cut to whole grey levels first,
    as published. The result is not clipped after the colour shift, as published.
    The generator must live on the images' device. ``host``, on the CPU, draws what decides shapes
    and order, so that nothing waits for the device; the generator does where there is none.
    Within one call the order of the three colour changes is shared by the batch, and eight images
    at a time (32 on a GPU) share the JPEG side; the factors, the quality and the shift are each
    image's own.
    """
    host = host or generator
    images = images.clamp(0, 255).floor() / 255
    if noise.jpeg_quality is not None:
        images = _jpeg(images, noise, generator, host)
    images = _colour_jitter(images, noise.colour, generator, host)
    return 255 * (images + _lighting(len(images), noise.lighting, generator))


def _jpeg(
    images: Tensor, noise: PhotometricNoise, generator: torch.Generator, host: torch.Generator
) -> Tensor:
    batch, _, side, _ = images.shape
    options = {"generator": generator, "device": images.device}
    low, high = noise.jpeg_quality
    quality = torch.randint(low, high + 1, (batch,), **options).to(images.dtype)
    groups = -(-batch // _JPEG_GROUP.get(images.device.type, 32))
    factors = 1 + noise.jpeg_resize * torch.randn(groups, generator=host, device=host.device)
    sides = (side * factors).int().clamp(min=int(0.8 * side)).tolist()
    parts = zip(images.chunk(groups), quality.chunk(groups), sides, strict=False)
    return torch.cat([_compress(part, q, at) for part, q, at in parts])


def _compress(images: Tensor, quality: Tensor, side: int) -> Tensor:
    resize = {"mode": "bilinear", "antialias": True}
    small = F.interpolate(images, (side, side), **resize)
    small = enhance.jpeg_codec_differentiable(small, quality).clamp(0, 1)
    return F.interpolate(small, images.shape[-2:], **resize)


def _colour_jitter(
    images: Tensor, strength: float, generator: torch.Generator, host: torch.Generator
) -> Tensor:
    changes = (
        enhance.adjust_brightness_accumulative,
        enhance.adjust_contrast_with_mean_subtraction,
        enhance.adjust_saturation_with_gray_subtraction,
    )
    draws = torch.rand(3, len(images), generator=generator, device=images.device)
    factors = 1 + strength * (2 * draws - 1)
    for i in torch.randperm(3, generator=host, device=host.device).tolist():
        images = changes[i](images, factors[i])
    return images


def _lighting(batch: int, strength: float, generator: torch.Generator) -> Tensor:
    """Shifts [batch,3,1,1] along the principal axes of natural colours, on the 0..1 scale."""
    device = generator.device
    draws = strength * torch.randn(batch, 3, generator=generator, device=device)
    axes = _constant(PCA_VECTORS, device) * _constant(PCA_VALUES, device)
    return (draws @ axes.T)[..., None, None]
