"""The two losses of the paper: equivariance, and equivariance through an exchanged descriptor.

Notation, for one pair: ``f1_i`` the descriptor of pixel i of the first view, ``f2_j`` of pixel j
of the second, ``g(i)`` where pixel i of the first view lies in the second, ``d`` a power of the
Euclidean distance in input pixels. With p(j|i) = softmax_j <f1_i, f2_j>

    equivariance:  mean_i sum_j p(j|i) d(g(i), j)                                   (paper, eq. 2)

and exchange first rebuilds the query from the pixels of a third, auxiliary image:

    r_i = sum_k softmax_k(<f1_i, fa_k>) fa_k,   p(j|i) = softmax_j <r_i, f2_j>      (paper, eq. 5)

Notable:

- The loss is a scalar, so its gradient is formed on the way forward, while each tile of the
  similarity matrices is at hand: no HW x HW tensor outlives its tile and nothing is recomputed.
- bfloat16 descriptors are compared in float32; only the products that form gradients and
  rebuild descriptors stay in bfloat16.
- There is no visibility mask: a pixel whose match falls outside the crop still counts, as
  published.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["equivariance_loss", "exchange_loss"]

# Similarities held at once: about two 35x35 maps on a CPU (fits its cache), 1 GiB on a GPU.
_TILE_ELEMENTS = {"cpu": 2**20, "cuda": 2**28}


def equivariance_loss(
    first: Tensor,
    second: Tensor,
    grid: Tensor,
    *,
    distance_power: float = 0.5,
    scale: float | None = None,
) -> Tensor:
    """Expected distance between where a pixel matches and where the warp says it went.

    Shapes: ``first``, ``second`` ``[B,D,H,W]``; ``grid`` ``[B,S,S,2]``; returns a scalar, the
    mean over B*H*W pixels of the first view.
    Convention: ``grid[b,i,j]`` is the (x, y) position in the second view of pixel (row i,
    column j) of the first, in [-1,1] with ``align_corners=True``; S is a multiple of H.
    ``distance_power`` acts on the Euclidean distance in input pixels. ``scale=None`` compares
    raw descriptors; a number compares unit vectors times that number (20 in the paper).
    Raises ValueError where the shapes do not fit. Source: paper, equation 2.
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
) -> Tensor:
    """Equivariance loss of descriptors rebuilt from the next sample's first view.

    The auxiliary of sample b is the first view of sample (b+1) mod B. The rebuilt descriptor is
    a convex combination of auxiliary descriptors and is not normalised again. Gradients reach
    the source, the auxiliary and the target. Shapes, convention and errors as in
    `equivariance_loss`. Source: paper, equation 5.
    """
    _check_shapes(first, second, grid)
    source, target = _flatten(first, scale), _flatten(second, scale)
    auxiliary = source.roll(-1, 0)
    return _expected_distance(source, auxiliary, target, grid, first.shape[-2], distance_power)


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
        axis = torch.arange(0, side, stride, device=grid.device, dtype=grid.dtype)
    # The precision of every product is chosen below, not by a caller's autocast.
    with torch.autocast(source.device.type, enabled=False):
        return _ExpectedDistance.apply(source, auxiliary, target, expected, axis, power)


class _ExpectedDistance(torch.autograd.Function):
    """mean_i sum_j p(j|i) |e_i - x_j|^power, its gradient formed tile by tile on the way forward.

    With c_i the inner sum, the gradient with respect to the logits of p is p_ij (d_ij - c_i):
    it needs nothing but the tile itself, and so does the exchange step before it.
    """

    @staticmethod
    def forward(ctx, source, auxiliary, target, expected, axis, power):
        batch, pixels, _ = source.shape
        grads = [
            torch.empty_like(x) if x is not None else None for x in (source, auxiliary, target)
        ]
        wanted = any(ctx.needs_input_grad[:3])
        total = expected.new_zeros(())
        samples = max(1, _TILE_ELEMENTS.get(source.device.type, 2**28) // pixels**2)
        for at in range(0, batch, samples):
            tile = slice(at, at + samples)
            inputs = [x if x is None else x[tile] for x in (source, auxiliary, target)]
            cost, tile_grads = _tile(*inputs, expected[tile], axis, power, wanted)
            total += cost
            for grad, part in zip(grads, tile_grads, strict=False):
                if grad is not None:
                    grad[tile] = part
        ctx.grads = grads if wanted else None
        ctx.count = batch * pixels
        return total / ctx.count

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        factor = grad_output / ctx.count
        grads = (g if g is None else (factor * g).to(g.dtype) for g in ctx.grads)
        return *grads, None, None, None


def _tile(source, auxiliary, target, expected, axis, power, wanted):
    """Summed cost of some samples, and its gradients in (source, auxiliary, target) if wanted."""
    low = source.dtype
    query = source
    if auxiliary is not None:
        exchange = _similarity(source, auxiliary).softmax(2)  # [b,HW,HW]
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
    """Dot products [b,HW,HW], at least in float32 whatever the precision of the descriptors."""
    return _precise(query) @ _precise(key).mT


def _precise(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _distances(expected: Tensor, axis: Tensor, power: float) -> Tensor:
    """[b,HW,2] positions against the lattice of pixels: [b,HW,HW] distances to that power."""
    dx, dy = (expected[..., None] - axis).square().unbind(2)  # [b,HW,W], [b,HW,H]
    squared = (dy[..., :, None] + dx[..., None, :]).flatten(2)
    # Two square roots are several times faster than a general power.
    return squared.sqrt_().sqrt_() if power == 0.5 else squared.pow_(power / 2)
