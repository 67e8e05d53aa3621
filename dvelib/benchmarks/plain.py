"""Straightforward forms of the formulas: one sample, one image or one query at a time.

They follow the paper's equations and use autograd. Benchmarks compare the package's own forms with
them, and tests check that both give the same results.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
from PIL import Image, ImageEnhance
from scipy.ndimage import map_coordinates
from torch import Tensor
from torch.nn import functional as F

from dvelib.augment import PCA_VALUES, PCA_VECTORS, PhotometricNoise
from dvelib.warps import TRAINING_WARP, ThinPlateSpline, draw_weights, pixels

__all__ = ["batched_exchange_loss", "exchange_loss", "match_points", "regress", "warp_and_noise"]


def exchange_loss(first: Tensor, second: Tensor, grid: Tensor) -> Tensor:
    """Equation 5 sample by sample; rebuilding descriptors takes a ``[D,HW,HW]`` product.

    Shapes as in `dvelib.losses.exchange_loss`. Descriptors are raw; bfloat16 becomes float32.
    """
    batch, _, height, _ = first.shape
    first, second = _precise(first), _precise(second)
    distances = _distances(grid, height)
    total = first.new_zeros(())
    for b in range(batch):
        source, target = first[b].flatten(1), second[b].flatten(1)  # [D,HW]
        auxiliary = first[(b + 1) % batch].flatten(1)
        exchange = (source.T @ auxiliary).softmax(1)  # [HW,HW]
        rebuilt = (exchange[None] * auxiliary[:, None, :]).sum(2)  # [D,HW]
        probability = (rebuilt.T @ target).softmax(1)
        total = total + (probability * distances(b)).sum()
    return total / (batch * height * height)


def batched_exchange_loss(
    first: Tensor, second: Tensor, grid: Tensor, *, auxiliary_learns: bool = True
) -> Tensor:
    """Equation 5 on the whole batch, with autograd, which stores every HW x HW matrix.

    ``auxiliary_learns=False`` drops the gradient through the auxiliary descriptors. The value stays
    correct and the gradient becomes wrong: a control for experiments.
    """
    batch, _, height, _ = first.shape
    first, second = _precise(first), _precise(second)
    distances = _distances(grid, height)
    source, target = first.flatten(2).mT, second.flatten(2).mT
    auxiliary = source.roll(-1, 0)
    if not auxiliary_learns:
        auxiliary = auxiliary.detach()
    rebuilt = (source @ auxiliary.mT).softmax(2) @ auxiliary
    probability = (rebuilt @ target.mT).softmax(2)
    distance = torch.stack([distances(b) for b in range(batch)])
    return (probability * distance).sum() / (batch * height * height)


def _precise(maps: Tensor) -> Tensor:
    return maps.to(torch.promote_types(maps.dtype, torch.float32))


def _distances(grid: Tensor, height: int) -> Callable[[int], Tensor]:
    """A function from sample to ``[HW,HW]`` square roots of distances in input pixels."""
    side = grid.shape[1]
    stride = side // height
    expected = pixels(grid, side)[:, ::stride, ::stride].flatten(1, 2)
    axis = torch.arange(0, side, stride, device=grid.device, dtype=grid.dtype)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    lattice = torch.stack([x, y], 2).view(-1, 2)
    return lambda b: (expected[b][:, None] - lattice).norm(dim=2).sqrt()


def warp_and_noise(
    images: np.ndarray, crop: int, generator: torch.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Two noisy views ``[B,3,s,s]`` in 0..255 of each image ``[B,3,S,S]``, image by image.

    Warps by SciPy, photometric noise by Pillow, as in a data-loader process.
    """
    size = images.shape[-1]
    spline = ThinPlateSpline(size)
    random = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
    views = []
    for image in images:
        weights = draw_weights(1, TRAINING_WARP, generator)
        to_image, to_second = (pixels(spline.grid(w), size)[0].numpy() for w in weights)
        second = _look_up(image, to_image)
        first = _look_up(second, to_second)
        kept = slice(crop, size - crop)
        views.append([_noise(view[:, kept, kept], random) for view in (first, second)])
    first, second = zip(*views, strict=True)
    return np.stack(first), np.stack(second)


def _look_up(image: np.ndarray, places: np.ndarray) -> np.ndarray:
    at = places[..., ::-1].transpose(2, 0, 1)  # rows, then columns
    return np.stack([map_coordinates(c, at, output=np.float32, order=1) for c in image])


def _noise(view: np.ndarray, random: np.random.Generator) -> np.ndarray:
    noise = PhotometricNoise()
    picture = Image.fromarray(view.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
    side = picture.width
    small = max(int(0.8 * side), int(side * (1 + noise.jpeg_resize * random.standard_normal())))
    buffer = io.BytesIO()
    quality = int(random.integers(noise.jpeg_quality[0], noise.jpeg_quality[1] + 1))
    picture.resize((small, small), Image.BILINEAR).save(buffer, "JPEG", quality=quality)
    picture = Image.open(buffer).resize((side, side), Image.BILINEAR)
    changes = [ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color]
    for i in random.permutation(3):
        picture = changes[i](picture).enhance(random.uniform(1 - noise.colour, 1 + noise.colour))
    draws = random.normal(0, noise.lighting, 3) * np.array(PCA_VALUES)
    shift = (255 * np.array(PCA_VECTORS) @ draws).astype(np.float32)
    return np.asarray(picture, np.float32).transpose(2, 0, 1) + shift[:, None, None]


def regress(descriptors: Tensor, filters: Tensor, linear: Tensor, scale: float) -> Tensor:
    """The landmark regressor's formula with the whole softmax.

    Shapes: ``descriptors [B,D,H,W]``, ``filters [A*V,D]``, ``linear [A,2,2V]`` -> ``[B,A,2]``.
    """
    batch, _, height, width = descriptors.shape
    landmarks = len(linear)
    responses = torch.einsum("cd,bdhw->bchw", filters, descriptors)
    weights = (scale * responses).flatten(2).softmax(2).view_as(responses)
    x, y = (torch.linspace(-1, 1, n, device=filters.device) for n in (width, height))
    points = torch.stack([(weights.sum(2) * x).sum(2), (weights.sum(3) * y).sum(2)], 2)
    return torch.einsum("aov,bav->bao", linear, points.view(batch, landmarks, -1))


def match_points(source: Tensor, target: Tensor, points: Tensor, stride: int) -> Tensor:
    """Matching by the published protocol, pair by pair and point by point.

    Shapes: ``[B,D,H,W]``, ``[B,D,H,W]``, ``[B,K,2] -> [B,K,2]``.
    """
    found = torch.empty_like(points)
    height, width = source.shape[2:]
    for b in range(len(source)):
        for k, (x, y) in enumerate(points[b] / stride):
            row, column = (int(v.round().clamp(0, n - 1)) for v, n in ((y, height), (x, width)))
            similarity = F.conv2d(target[b : b + 1], source[b, :, row, column][None, :, None, None])
            best = int(similarity.argmax())
            found[b, k] = stride * torch.tensor([best % width, best // width], dtype=points.dtype)
    return found
