"""The expected distance on a GPU, without writing similarities to memory.

The exchange step, softmax_k(<f1_i, fa_k>) fa_k, is scaled dot-product attention with scale 1 and
uses PyTorch's fused attention. The matching step uses the kernels of `dvelib.fused.kernels`,
because its softmax weights distances that depend on both positions. Products take descriptors in
their given precision and are summed in float32.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from importlib.util import find_spec

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["ExpectedDistance", "FormedForward", "disabled", "is_supported"]

BLOCK = 64  # rows and columns of a block of similarities in registers
SMALLEST_DIMENSION = 16  # of the GPU's matrix units


class FormedForward(torch.autograd.Function):
    """A mean whose gradients are computed in the forward pass.

    ``ctx.grads`` are the gradients of the sum, ``ctx.count`` is its number of terms, and
    ``ctx.dtype`` the type of the descriptors. The first three arguments may have gradients; the
    other three have none.
    """

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        factor = grad_output / ctx.count
        grads = (g if g is None else (factor * g).to(ctx.dtype) for g in ctx.grads)
        return *grads, None, None, None


class ExpectedDistance(FormedForward):
    """mean_i sum_j p(j|i) |e_i - x_j|^power; same arguments as the tiled form in `losses`.

    Shapes: source, auxiliary (or None) and target ``[B,N,D]``, expected ``[B,N,2]``. The N
    positions are a square lattice whose pixels are ``stride`` apart.
    """

    @staticmethod
    def forward(ctx, source, auxiliary, target, expected, stride, power):
        wanted = any(ctx.needs_input_grad[:3])
        query = source if auxiliary is None else _exchange(source, auxiliary)
        problem = _Problem(query, target, expected, stride, power)
        ctx.count, ctx.dtype = query.shape[0] * query.shape[1], source.dtype
        if wanted:
            grad_query, grad_target = problem.gradients()
            grads = grad_query, None
            if auxiliary is not None:
                grads = _exchange_gradients(source, auxiliary, grad_query)
            ctx.grads = *grads, grad_target
        return problem.cost.sum() / ctx.count


def _exchange(source: Tensor, auxiliary: Tensor) -> Tensor:
    key = _padded(auxiliary)[:, None]
    rebuilt = F.scaled_dot_product_attention(_padded(source)[:, None], key, key, scale=1.0)
    return rebuilt[:, 0, :, : source.shape[2]]


def _exchange_gradients(source: Tensor, auxiliary: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
    with torch.enable_grad():
        inputs = [x.detach().requires_grad_() for x in (source, auxiliary)]
        rebuilt = _exchange(*inputs)
    return torch.autograd.grad(rebuilt, inputs, gradient.to(rebuilt.dtype))


def _padded(vectors: Tensor) -> Tensor:
    """Vectors padded with zeros to a dimension that the kernels support."""
    dimension = vectors.shape[2]
    wide = max(SMALLEST_DIMENSION, 1 << (dimension - 1).bit_length())
    return F.pad(vectors, (0, wide - dimension)).contiguous()


class _Problem:
    """Queries, targets and positions of a batch, with cost and log-sum-exp of each row."""

    def __init__(self, query: Tensor, target: Tensor, expected: Tensor, stride: int, power: float):
        from dvelib.fused import kernels as fused_kernels

        self.kernels = fused_kernels
        self.dimension = query.shape[2]
        self.query, self.target = _padded(query), _padded(target)
        self.expected = expected.float().contiguous()
        self.cost, self.log_total = self.expected.new_empty(2, *query.shape[:2])
        pixels = query.shape[1]
        self.lattice = pixels, math.isqrt(pixels), stride, power
        self._launch(self.kernels.match)

    def gradients(self) -> tuple[Tensor, Tensor]:
        """Gradients of the summed cost by query and target, each ``[B,N,D]`` float32."""
        found = []
        for kernel in (self.kernels.query_gradient, self.kernels.target_gradient):
            found.append(torch.empty_like(self.query, dtype=torch.float32))
            self._launch(kernel, found[-1])
        return tuple(gradient[..., : self.dimension] for gradient in found)

    def _launch(self, kernel, *outputs: Tensor) -> None:
        batch, pixels, dimension = self.query.shape
        tensors = self.query, self.target, self.expected, self.cost, self.log_total
        kernel[-(-pixels // BLOCK), batch](
            *tensors,
            *outputs,
            *self.lattice,
            DIMENSION=dimension,
            ROWS=BLOCK,
            COLUMNS=BLOCK,
            PRECISION="ieee",
        )


_disabled = ContextVar("disabled", default=False)


@contextmanager
def disabled() -> Iterator[None]:
    """Inside this block the tiled form is used everywhere, to be measured beside the fused one."""
    token = _disabled.set(True)
    try:
        yield
    finally:
        _disabled.reset(token)


def is_supported(descriptors: Tensor, tiled: type[torch.autograd.Function]) -> bool:
    """Whether to use the fused form: on a GPU where its results agree with the tiled form."""
    return (
        descriptors.is_cuda
        and not _disabled.get()
        and descriptors.dtype in (torch.float32, torch.bfloat16, torch.float16)
        and find_spec("triton") is not None
        and _agrees(descriptors.device, descriptors.dtype, descriptors.shape[2], tiled)
    )


@cache
def _agrees(
    device: torch.device,
    dtype: torch.dtype,
    dimension: int,
    tiled: type[torch.autograd.Function],
) -> bool:
    """Whether both forms agree on a small problem; warns where not. Runs once per process.

    Type and dimension are those of the descriptors, because the shared memory that the kernels
    need grows with both.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = [
        torch.randn(2, 81, dimension, generator=generator)
        .mul((4 / dimension) ** 0.25)
        .to(device, dtype)
        .requires_grad_()
        for _ in range(3)
    ]
    expected = 18 * torch.rand(2, 81, 2, generator=generator).to(device)
    try:
        with torch.enable_grad():
            costs = [form.apply(*inputs, expected, 2, 0.5) for form in (ExpectedDistance, tiled)]
            found = [(cost, *torch.autograd.grad(cost, inputs)) for cost in costs]
        for fused, reference in zip(*found, strict=True):
            pair = fused.detach().float(), reference.detach().float()
            _check_close(*pair, 1e-3 if dtype.itemsize > 2 else 3e-2)
    except Exception as error:  # whatever a compiler or driver may raise
        first = str(error).strip().splitlines()[:1]
        warnings.warn(
            f"the fused loss fails on {device} for {dimension} dimensions in "
            f"{str(dtype).removeprefix('torch.')} ({' '.join(first)}); the tiled loss is used "
            f"instead",
            stacklevel=2,
        )
        return False
    return True


def _check_close(found: Tensor, wanted: Tensor, tolerance: float) -> None:
    """Raises ArithmeticError where the relative error of the whole tensor is larger."""
    error = float((found - wanted).norm() / wanted.norm().clamp(min=1e-12))
    if not error <= tolerance:
        raise ArithmeticError(f"a relative error of {error:.2g}")
