"""Regression of landmarks from frozen descriptors through virtual keypoints (paper, section 4.2).

Each landmark has 50 filters on the descriptors. The spatial softmax of a filter's response gives a
virtual keypoint, the expected position. A linear map from the 50 keypoints gives the landmark.

The softmax over all positions is never stored. On a GPU it is scaled dot-product attention of
filters on descriptors, with positions as values. On a CPU, `expected_positions` uses that the
softmax is sharp: with responses times 100, only one or two positions in a thousand have a weight
that is not zero in float32, and only these are computed. Short descriptors of other origin than DVE
can make it blunt; then the CPU computes attention, too.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = [
    "LandmarkRegressor",
    "denormalise_points",
    "expected_positions",
    "landmark_loss",
    "normalise_points",
]

_TILE_ELEMENTS = 200_000  # responses at a time: those that fit in the cache of a core
_PROBED = 64  # filters by which the softmax is judged
_SHARP = 0.05  # of the positions have a weight: up to there computing only these is faster


class LandmarkRegressor(nn.Module):
    """Virtual-keypoint regressor; landmarks share no weights.

    Shapes: ``[B,D,H,W] -> (landmarks [B,A,2], virtual [B,A,V,2])``.
    Convention: (x, y) in [-1,1], ``align_corners=True``. ``softmax_scale`` multiplies the
    responses before the softmax (100 as published). State keys ``inner_conv.weight``
    ``[A*V,D,1,1]`` and ``reg_conv.weight`` ``[2A,2V,1,1]``; no biases.
    """

    def __init__(
        self,
        embedding_dim: int,
        landmarks: int,
        virtual_points: int = 50,
        softmax_scale: float = 100.0,
    ):
        super().__init__()
        self.landmarks, self.virtual_points = landmarks, virtual_points
        self.softmax_scale = softmax_scale
        self.inner_conv = nn.Conv2d(embedding_dim, landmarks * virtual_points, 1, bias=False)
        self.reg_conv = nn.Conv2d(
            landmarks * 2 * virtual_points, 2 * landmarks, 1, groups=landmarks, bias=False
        )
        nn.init.normal_(self.inner_conv.weight)
        bound = (2 * virtual_points) ** -0.5
        nn.init.uniform_(self.reg_conv.weight, -bound, bound)

    def forward(self, descriptors: Tensor) -> tuple[Tensor, Tensor]:
        batch = len(descriptors)
        filters = self.inner_conv.weight.flatten(1)
        expected = expected_positions(descriptors, filters, self.softmax_scale)  # [B,A*V,2]
        points = self.reg_conv(expected.flatten(1)[..., None, None])
        return (
            points.view(batch, self.landmarks, 2),
            expected.view(batch, self.landmarks, self.virtual_points, 2),
        )


def expected_positions(descriptors: Tensor, filters: Tensor, scale: float) -> Tensor:
    """Mean position under the spatial softmax of ``scale`` times each filter's response.

    Shapes: ``descriptors [B,D,H,W]``, ``filters [C,D]``, result ``[B,C,2]``; differentiable in
    both. Convention: (x, y) in [-1,1], ``align_corners=True``. On a CPU the smallest weights,
    whose sum is below the rounding error of the data type, are taken as zero.
    """
    positions = _positions(*descriptors.shape[2:], descriptors)
    if descriptors.device.type == "cpu" and _is_sharp(descriptors, filters, scale):
        return _SharpAttention.apply(descriptors.flatten(2), filters * scale, positions)
    return _attention(descriptors.flatten(2), filters, positions, scale)


def _is_sharp(descriptors: Tensor, filters: Tensor, scale: float) -> bool:
    """Whether few positions have a weight, judged by some filters on the first image."""
    with torch.no_grad():
        responses = scale * filters[:_PROBED] @ descriptors[0].flatten(1)
        near = responses >= responses.amax(1, keepdim=True) - _depth(responses)
        return bool(near.float().mean() < _SHARP)


def _depth(responses: Tensor) -> float:
    """Responses so far below the largest have weights that add up to less than the rounding."""
    return math.log(responses.shape[1] / torch.finfo(responses.dtype).eps)


def _attention(descriptors: Tensor, filters: Tensor, positions: Tensor, scale: float) -> Tensor:
    """Expected positions by PyTorch's fused attention, whose kernels need multiples of 8."""
    batch, dimension, _ = descriptors.shape
    pad = (0, -dimension % 8)
    keys = F.pad(descriptors.mT, pad)[:, None]
    queries = F.pad(filters, pad).expand(batch, 1, -1, -1)
    values = F.pad(positions, (0, 6)).expand(batch, 1, -1, -1)
    expected = F.scaled_dot_product_attention(queries, keys, values, scale=scale)
    return expected[:, 0, :, :2]


class _SharpAttention(torch.autograd.Function):
    """Expected positions from the few weights that are not zero; see `expected_positions`.

    Shapes: descriptors ``[B,D,N]``, filters ``[C,D]`` times the scale, positions ``[N,2]``.
    A weight is indexed by its row ``b*C+c`` and its cell n.
    """

    @staticmethod
    def forward(ctx, descriptors: Tensor, filters: Tensor, positions: Tensor) -> Tensor:
        batch, channels = len(descriptors), len(filters)
        row, cell, logits, peaks = _largest_responses(descriptors, filters)
        weights = (logits - peaks[row]).exp_()
        totals = torch.zeros_like(peaks).index_add_(0, row, weights)
        weights /= totals[row]
        expected = positions.new_zeros(batch * channels, 2)
        expected.index_add_(0, row, weights[:, None] * positions[cell])
        expected[totals == 0] = math.nan  # rows with a NaN response have no weights
        ctx.save_for_backward(descriptors, filters, positions, row, cell, weights, expected)
        return expected.view(batch, channels, 2)

    @staticmethod
    def backward(ctx, gradient: Tensor):
        descriptors, filters, positions, row, cell, weights, expected = ctx.saved_tensors
        gradient = gradient.reshape(-1, 2)
        slope = (gradient[row] * (positions[cell] - expected[row])).sum(1).mul_(weights)
        # The gradient of a row is zero where one position has all the weight: most rows.
        kept = slope.nonzero()[:, 0]
        row, cell, slope = row[kept], cell[kept], slope[kept]
        image, channel = row // len(filters), row % len(filters)
        to_descriptors = to_filters = None
        if ctx.needs_input_grad[0]:
            moved = torch.zeros_like(descriptors.mT, memory_format=torch.contiguous_format)
            moved.index_put_((image, cell), slope[:, None] * filters[channel], accumulate=True)
            to_descriptors = moved.mT
        if ctx.needs_input_grad[1]:
            found = descriptors[image, :, cell]  # [n,D]
            to_filters = torch.zeros_like(filters)
            to_filters.index_add_(0, channel, slope[:, None] * found)
        return to_descriptors, to_filters, None


def _largest_responses(descriptors: Tensor, filters: Tensor) -> tuple[Tensor, ...]:
    """Rows, cells and values of the responses near their row's peak, and the peaks ``[B*C]``."""
    batch, _, cells = descriptors.shape
    channels = len(filters)
    step = max(1, _TILE_ELEMENTS // cells)
    tile = filters.new_empty(min(step, channels), cells)
    depth = _depth(tile)
    peaks = filters.new_empty(batch * channels)
    found, values = [], []
    for first in range(0, batch * channels, channels):
        for at in range(0, channels, step):
            part = filters[at : at + step]
            responses = torch.mm(part, descriptors[first // channels], out=tile[: len(part)])
            top = peaks[first + at : first + at + len(part)]
            torch.amax(responses, 1, out=top)
            # NumPy finds the few true values among many faster than torch.nonzero does.
            near = np.flatnonzero(responses.numpy() >= (top - depth).numpy()[:, None])
            values.append(responses.view(-1)[torch.from_numpy(near)])
            found.append(near + (first + at) * cells)
    flat = torch.from_numpy(np.concatenate(found))
    row = flat // cells
    return row, flat - row * cells, torch.cat(values), peaks


def _positions(height: int, width: int, like: Tensor) -> Tensor:
    options = {"device": like.device, "dtype": like.dtype}
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height, **options),
        torch.linspace(-1, 1, width, **options),
        indexing="ij",
    )
    return torch.stack([x, y], 2).view(-1, 2)


def landmark_loss(predicted: Tensor, truth: Tensor, alpha: float = 10.0) -> Tensor:
    """Mean smooth L1 loss of ``alpha`` times the coordinates ``[B,A,2]`` in [-1,1]; a scalar.

    Landmarks that are NaN in ``truth`` are not annotated and are left out of the mean.
    """
    known = ~truth.isnan()
    truth = torch.where(known, truth, predicted.detach())
    total = F.smooth_l1_loss(alpha * predicted, alpha * truth, reduction="sum")
    return total / known.sum().clamp(min=1)


def normalise_points(points: Tensor, size: int) -> Tensor:
    """Pixels of an image of side ``size`` as [-1,1] with ``align_corners=True``."""
    return points * (2 / (size - 1)) - 1


def denormalise_points(points: Tensor, size: int) -> Tensor:
    """The inverse of `normalise_points`."""
    return (points + 1) * ((size - 1) / 2)
