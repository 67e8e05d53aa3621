"""The two losses of the paper: equivariance, and equivariance with descriptor exchange.

Notation, for one pair: ``f1_i`` is the descriptor of pixel i of the first view, ``f2_j`` that of
pixel j of the second view, ``g(i)`` the position of pixel i in the second view, and ``d`` a power
of the Euclidean distance in input pixels. With p(j|i) = softmax_j <f1_i, f2_j>

    equivariance:  mean_i sum_j p(j|i) d(g(i), j)                                   (paper, eq. 2)

Exchange first rebuilds each query descriptor from the descriptors ``fa_k`` of an auxiliary image:

    r_i = sum_k softmax_k(<f1_i, fa_k>) fa_k,   p(j|i) = softmax_j <r_i, f2_j>      (paper, eq. 5)

Notable:

- The loss is a scalar. Its gradient is therefore computed in the forward pass, tile by tile of the
  similarity matrices. Memory grows with HW instead of (HW)^2 and nothing is recomputed. On a GPU,
  `dvelib.fused.loss` does the same and never writes similarities to memory.
- bfloat16 descriptors are compared in float32. Only the products that compute gradients and
  rebuild descriptors stay in bfloat16.
- There is no visibility mask: pixels whose match lies outside the crop count, as published.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from dvelib.fused import loss as fused_loss

__all__ = ["equivariance_loss", "exchange_loss"]

# Similarities computed at once: those that fit in the cache of a core, and 256 MiB on a GPU.
_TILE_ELEMENTS = {"cpu": 2**18, "cuda": 2**26}


def equivariance_loss(
    first: Tensor,
    second: Tensor,
    grid: Tensor,
    *,
    distance_power: float = 0.5,
    scale: float | None = None,
) -> Tensor:
    """Expected distance between the match of a pixel and its true position in the second view.

    Shapes: ``first``, ``second`` ``[B,D,H,W]``; ``grid`` ``[B,S,S,2]``; returns a scalar, the
    mean over B*H*W pixels of the first view.
    Convention: ``grid[b,i,j]`` is the (x, y) position in the second view of pixel (row i,
    column j) of the first, in [-1,1] with ``align_corners=True``; S is a multiple of H.
    ``distance_power`` acts on the Euclidean distance in input pixels. ``scale=None`` compares
    raw descriptors; a number compares unit vectors times that number (20 in the paper).
    Raises ValueError where the shapes do not match. Source: paper, equation 2.
    """
    _check_shapes(first, second, grid)
    source, target = _flatten(first, scale), _flatten(second, scale)
    return _expected_distance(source, None, target, grid, first.shape[-2], distance_power)


def exchange_loss(
    first: Tensor,
    second: Tensor,
    grid: Tensor,
    *,
    distance_power: float = 0.5,
    scale: float | None = None,
    auxiliaries: int = 1,
) -> Tensor:
    """Equivariance loss of descriptors that are rebuilt from an auxiliary image.

    The auxiliary image of sample b is the first view of sample (b+1) mod B. A rebuilt descriptor
    is a convex combination of auxiliary descriptors and is not normalised again. Gradients flow
    to the source, the auxiliary and the target descriptors. Shapes, convention and errors as in
    `equivariance_loss`. Source: paper, equation 5.

    ``auxiliaries`` (not in the paper): the mean of the losses with the next so many samples as
    auxiliary. Raises ValueError unless it is at least 1 and less than the batch.
    """
    _check_shapes(first, second, grid)
    if not 1 <= auxiliaries < max(2, len(first)):
        raise ValueError(f"auxiliaries must be 1 to {len(first) - 1}, got {auxiliaries}")
    source, target = _flatten(first, scale), _flatten(second, scale)
    height = first.shape[-2]
    losses = [
        _expected_distance(source, source.roll(-k, 0), target, grid, height, distance_power)
        for k in range(1, auxiliaries + 1)
    ]
    return losses[0] if auxiliaries == 1 else torch.stack(losses).mean()


def _check_shapes(first: Tensor, second: Tensor, grid: Tensor) -> None:
    if first.ndim != 4 or first.shape != second.shape:
        raise ValueError(
            f"descriptor maps must both be [B,D,H,W], got {tuple(first.shape)} "
            f"and {tuple(second.shape)}"
        )
    batch, _, height, width = first.shape
    if height != width or grid.ndim != 4 or grid.shape[0] != batch or grid.shape[3] != 2:
        raise ValueError(
            f"grid must be [B,S,S,2] for square maps of batch {batch}, got "
            f"{tuple(grid.shape)} for maps {tuple(first.shape)}"
        )
    if grid.shape[1] != grid.shape[2] or grid.shape[1] % height:
        raise ValueError(
            f"the side of the grid must be a multiple of the map's {height}, "
            f"got {grid.shape[1]}x{grid.shape[2]}"
        )


def _flatten(features: Tensor, scale: float | None) -> Tensor:
    vectors = features.flatten(2).transpose(1, 2)  # [B,HW,D]
    if scale is not None:
        vectors = (scale * F.normalize(_precise(vectors), dim=2)).to(features.dtype)
    return vectors.contiguous()


def _expected_distance(
    source: Tensor,
    auxiliary: Tensor | None,
    target: Tensor,
    grid: Tensor,
    height: int,
    power: float,
) -> Tensor:
    side = grid.shape[1]
    stride = side // height
    with torch.no_grad():
        expected = (grid[:, ::stride, ::stride].flatten(1, 2) + 1) * ((side - 1) / 2)
    # `_ExpectedDistance` chooses the precision of every product: disable the caller's autocast.
    with torch.autocast(source.device.type, enabled=False):
        fused = fused_loss.is_supported(source, _ExpectedDistance)
        form = fused_loss.ExpectedDistance if fused else _ExpectedDistance
        return form.apply(source, auxiliary, target, expected, stride, power)


class _ExpectedDistance(fused_loss.FormedForward):
    """mean_i sum_j p(j|i) |e_i - x_j|^power, with its gradient, tile by tile.

    With c_i the inner sum, the gradient with respect to the logits of p is p_ij (d_ij - c_i).
    It depends only on the rows of the tile. The same holds for the exchange step before it.
    """

    @staticmethod
    def forward(ctx, source, auxiliary, target, expected, stride, power):
        batch, pixels, _ = source.shape
        axis = stride * torch.arange(math.isqrt(pixels), device=source.device)
        wanted = any(ctx.needs_input_grad[:3])
        # Gradients are summed over tiles in float32.
        grads = [
            None if x is None else torch.zeros_like(_precise(x))
            for x in (source, auxiliary, target)
        ]
        total = expected.new_zeros(())
        for samples, rows in _tiles(batch, pixels, source.device.type):
            keys = (x if x is None else x[samples] for x in (auxiliary, target))
            queries = samples, rows
            cost, parts = _tile(source[queries], *keys, expected[queries], axis, power, wanted)
            total += cost
            places = queries, samples, samples
            for grad, place, part in zip(grads, places, parts, strict=False):
                if grad is not None:
                    grad[place] += part
        ctx.grads = grads if wanted else None
        ctx.dtype, ctx.count = source.dtype, batch * pixels
        return total / ctx.count


def _tiles(batch: int, pixels: int, device: str) -> Iterator[tuple[slice, slice]]:
    """Slices of samples and of rows of their similarities: many samples, or a part of one."""
    elements = _TILE_ELEMENTS.get(device, _TILE_ELEMENTS["cuda"])
    samples = max(1, elements // pixels**2)
    parts = -(-samples * pixels**2 // elements)
    rows = -(-pixels // parts)
    for at in range(0, batch, samples):
        for row in range(0, pixels, rows):
            yield slice(at, at + samples), slice(row, row + rows)


def _tile(source, auxiliary, target, expected, axis, power, wanted):
    """Summed cost of some rows and, if wanted, their part of the three gradients."""
    low = source.dtype
    query = source
    if auxiliary is not None:
        exchange = _similarity(source, auxiliary).softmax(2)  # [b,rows,HW]
        query = exchange.to(low) @ auxiliary
    probability = _similarity(query, target).softmax(2)
    distance = _distances(expected.to(probability.dtype), axis.to(probability.dtype), power)
    cost = (probability * distance).sum(2, keepdim=True)
    if not wanted:
        return cost.sum(), ()
    slope = distance.sub_(cost).mul_(probability).to(low)
    grad_target = slope.mT @ query
    grad_query = slope @ target
    if auxiliary is None:
        return cost.sum(), (grad_query, None, grad_target)
    # Back through query = softmax(source auxiliary^T) auxiliary.
    grad_auxiliary = exchange.to(low).mT @ grad_query
    slope = (grad_query @ auxiliary.mT).to(exchange.dtype)
    inner = (slope * exchange).sum(2, keepdim=True)
    slope = slope.sub_(inner).mul_(exchange).to(low)
    grad_auxiliary += slope.mT @ source
    return cost.sum(), (slope @ auxiliary, grad_auxiliary, grad_target)


def _similarity(query: Tensor, key: Tensor) -> Tensor:
    """Dot products [b,rows,HW], in float32 or better."""
    return _precise(query) @ _precise(key).mT


def _precise(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _distances(expected: Tensor, axis: Tensor, power: float) -> Tensor:
    """Distances [b,rows,HW] of positions [b,rows,2] to all lattice pixels, raised to ``power``."""
    dx, dy = (expected[..., None] - axis).square().unbind(2)  # [b,rows,W], [b,rows,H]
    squared = (dy[..., :, None] + dx[..., None, :]).flatten(2)
    # Two square roots are several times faster than a general power.
    return squared.sqrt_().sqrt_() if power == 0.5 else squared.pow_(power / 2)
