"""The GPU kernels, interpreted on the CPU, agree with the tiled form.

Not collected by itself: Triton chooses interpretation when it is imported, so `test_loss` runs
this file in a separate process.
"""

import pytest
import torch

from dvelib.fused import loss as fused_loss
from dvelib.losses import _ExpectedDistance
from tests.golden_data import relative


def problem(side=9, dimension=5, batch=2, dtype=torch.float32):
    """Descriptors in more than one block, and positions; one position is exactly a pixel."""
    generator = torch.Generator().manual_seed(0)
    pixels = side * side
    vectors = torch.randn(3, batch, pixels, dimension, generator=generator).mul(0.7).to(dtype)
    expected = 2 * side * torch.rand(batch, pixels, 2, generator=generator)
    expected[0, 0] = torch.tensor([4.0, 2.0])
    return [x.requires_grad_() for x in vectors], expected


def value_and_gradients(form, vectors, exchange, expected, power):
    source, auxiliary, target = vectors
    used = [source, auxiliary, target] if exchange else [source, target]
    value = form.apply(source, auxiliary if exchange else None, target, expected, 2, power)
    return value, torch.autograd.grad(value, used)


@pytest.mark.parametrize("exchange", [False, True])
@pytest.mark.parametrize(
    ("side", "dimension", "dtype", "tolerance"),
    [
        (9, 5, torch.float32, 1e-5),
        (11, 64, torch.float32, 1e-5),
        (4, 16, torch.float32, 1e-5),
        (9, 64, torch.float16, 1e-2),
    ],
)
@pytest.mark.parametrize("power", [0.5, 1.0])
def test_kernels_agree_with_tiles(side, dimension, dtype, tolerance, exchange, power):
    vectors, expected = problem(side, dimension, dtype=dtype)
    fused, tiled = (
        value_and_gradients(form, vectors, exchange, expected, power)
        for form in (fused_loss.ExpectedDistance, _ExpectedDistance)
    )
    assert fused[0].item() == pytest.approx(tiled[0].item(), rel=tolerance)
    for gradient, reference in zip(fused[1], tiled[1], strict=True):
        assert relative(gradient.float(), reference.float()) < tolerance


def test_value_without_gradients():
    vectors, expected = problem()
    with torch.no_grad():
        value = fused_loss.ExpectedDistance.apply(*vectors, expected, 2, 0.5)
        tiled = _ExpectedDistance.apply(*vectors, expected, 2, 0.5)
    assert value.item() == pytest.approx(tiled.item(), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
@pytest.mark.parametrize("dimension", [3, 64])
def test_the_check_accepts_working_kernels(dtype, dimension):
    assert fused_loss._agrees(torch.device("cpu"), dtype, dimension, _ExpectedDistance)
