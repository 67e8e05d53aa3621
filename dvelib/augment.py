"""Photometric noise, drawn independently for every view, and colour normalisation.

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
    """Strength of the noise; the defaults are the published values.

    ``jpeg_quality``: range of whole numbers, or None for no JPEG. ``jpeg_resize``: standard
    deviation of the relative change of side before compression; the side is at least 0.8 of the
    original. ``colour``: brightness, contrast and saturation factors lie in [1-colour, 1+colour].
    ``lighting``: standard deviation along the colour axes.
    """

    jpeg_quality: tuple[int, int] | None = (30, 98)
    jpeg_resize: float = 0.5
    colour: float = 0.4
    lighting: float = 0.1


# Views that share one JPEG side, so that they are compressed as one batch. The number is larger on
# a GPU, where launching kernels takes longer than running them.
_JPEG_GROUP = {"cpu": 8, "cuda": 32}


def normalise(images: Tensor) -> Tensor:
    """Images ``[...,3,H,W]`` in 0..255 as input of the networks (published mean and deviation)."""
    return (images / 255 - _channels(MEAN, images)) / _channels(STD, images)


def denormalise(images: Tensor) -> Tensor:
    """The inverse of `normalise`: 0..255, not clipped."""
    return (images * _channels(STD, images) + _channels(MEAN, images)) * 255


def _channels(values: tuple[float, float, float], like: Tensor) -> Tensor:
    return _constant(values, like.device)[:, None, None]


@cache
def _constant(values: tuple, device: torch.device) -> Tensor:
    """Copied to a device once, because a copy from the host waits for the device's queued work."""
    with torch.inference_mode(False):  # the cached tensor is also used in training
        return torch.tensor(values, device=device)


def add_noise(
    images: Tensor,
    noise: PhotometricNoise,
    generator: torch.Generator,
    host: torch.Generator | None = None,
) -> Tensor:
    """Independent photometric noise for each image of a batch.

    Shapes: ``[B,3,H,W] -> [B,3,H,W]``, both in 0..255. Input is first rounded down to whole grey
    levels, and the result is not clipped after the colour shift, both as published.
    ``generator`` must be on the images' device. ``host``, a generator on the CPU, draws the JPEG
    sides, the order of the colour changes and, for a GPU, the JPEG qualities, so that the host
    does not wait for the device; without it, ``generator`` draws them, too.
    The batch shares the order of the three colour changes, and groups of eight images (32 on a
    GPU) share the JPEG side. Factors, quality and shift are drawn per image.
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
    low, high = noise.jpeg_quality
    # kornia reads the qualities to check them. Those of a GPU's images are drawn on the host, so
    # that reading them does not wait for the GPU.
    draws = generator if images.device.type == "cpu" else host
    options = {"generator": draws, "device": draws.device}
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
