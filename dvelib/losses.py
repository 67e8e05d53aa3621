"""The two losses of the paper: equivariance, and equivariance through an exchanged descriptor.

Notation, for one pair: ``f1_i`` the descriptor of pixel i of the first view, ``f2_j`` of pixel j
of the second, ``g(i)`` where pixel i of the first view lies in the second, ``d`` a power of the
Euclidean distance in input pixels. With p(j|i) = softmax_j <f1_i, f2_j>

    equivariance:  mean_i sum_j p(j|i) d(g(i), j)                                   (paper, eq. 2)

and exchange first rebuilds the query from the pixels of a third, auxiliary image:

    r_i = sum_k softmax_k(<f1_i, fa_k>) fa_k,   p(j|i) = softmax_j <r_i, f2_j>      (paper, eq. 5)

Notable:

- The exchange step is scaled dot-product attention with scale 1 and runs as such.
- The expected distance is a scalar, so its gradient is formed while each tile of the
  similarity matrix is at hand: no HW x HW tensor outlives its tile, forward or backward.
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
    return _expected_distance(source, target, grid, first.shape[-2:], distance_power)


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
    rebuilt = F.scaled_dot_product_attention(
        source[:, None], auxiliary[:, None], auxiliary[:, None], scale=1.0
    )[:, 0]
    return _expected_distance(rebuilt, target, grid, first.shape[-2:], distance_power)


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
    vectors = features.flatten(2).transpose(1, 2).contiguous()  # [B,HW,D]
    return vectors if scale is None else scale * F.normalize(vectors, dim=2)


def _expected_distance(
    query: Tensor, target: Tensor, grid: Tensor, shape: torch.Size, power: float
) -> Tensor:
    side = grid.shape[1]
    stride = side // shape[0]
    with torch.no_grad():
        expected = (grid[:, ::stride, ::stride].flatten(1, 2) + 1) * ((side - 1) / 2)
        expected = expected.to(query.dtype)  # [B,HW,2], pixels of the second view
        axis = torch.arange(0, side, stride, device=query.device, dtype=query.dtype)
    return _ExpectedDistance.apply(query, target, expected, axis, power)


class _ExpectedDistance(torch.autograd.Function):
    """mean_i sum_j softmax_j(<q_i, t_j>) |e_i - x_j|^power, with the gradient formed tile by tile.

    With c_i the inner sum, the gradient of row i with respect to its logits is
    p_ij (d_ij - c_i), which needs nothing but the tile itself.
    """

    @staticmethod
    def forward(ctx, query, target, expected, axis, power):
        batch, pixels, _ = query.shape
        wanted = any(ctx.needs_input_grad[:2])
        grad_query = torch.empty_like(query) if wanted else None
        grad_target = torch.empty_like(target) if wanted else None
        total = query.new_zeros(())
        tile = max(1, _TILE_ELEMENTS.get(query.device.type, 2**28) // pixels**2)
        for at in range(0, batch, tile):
            part = slice(at, at + tile)
            logits = query[part] @ target[part].mT  # [b,HW,HW]
            probability = logits.softmax(2)
            distance = _distances(expected[part], axis, power)
            cost = (probability * distance).sum(2, keepdim=True)
            total += cost.sum()
            if wanted:
                slope = distance.sub_(cost).mul_(probability)
                torch.matmul(slope, target[part], out=grad_query[part])
                torch.matmul(slope.mT, query[part], out=grad_target[part])
        if wanted:
            ctx.save_for_backward(grad_query, grad_target)
            ctx.count = batch * pixels
        return total / (batch * pixels)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        factor = grad_output / ctx.count
        grads = [factor * grad for grad in ctx.saved_tensors]
        return *grads, None, None, None


def _distances(expected: Tensor, axis: Tensor, power: float) -> Tensor:
    """[b,HW,2] positions against the lattice of pixels: [b,HW,HW] distances to that power."""
    dx, dy = (expected[..., None] - axis).square().unbind(2)  # [b,HW,W], [b,HW,H]
    squared = (dy[..., :, None] + dx[..., None, :]).flatten(2)
    # Two square roots are several times faster than a general power.
    return squared.sqrt_().sqrt_() if power == 0.5 else squared.pow_(power / 2)
