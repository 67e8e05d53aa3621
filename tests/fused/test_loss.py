"""The fused loss is correct when interpreted and is not used if it fails."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

pytest.importorskip("triton", reason="triton is not installed")

from dvelib.fused import loss as fused_loss  # noqa: E402
from dvelib.losses import _ExpectedDistance, exchange_loss  # noqa: E402
from tests.golden_data import relative  # noqa: E402


def test_kernels_agree_with_tiles_where_they_are_interpreted():
    tests = Path(__file__).with_name("interpreted.py")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tests)],
        capture_output=True,
        text=True,
        env=os.environ | {"TRITON_INTERPRET": "1"},
        cwd=tests.parents[2],
    )
    assert result.returncode == 0, result.stdout[-3000:]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no GPU")
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 1e-2)])
@pytest.mark.parametrize("dimension", [3, 64])
def test_a_gpu_agrees_with_double_precision(dtype, tolerance, dimension):
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 4, dimension, 35, 35, generator=generator).mul(0.5).to(dtype)
    grid = torch.rand(4, 70, 70, 2, generator=generator) * 2 - 1
    results = []
    for device, precision in (("cuda", dtype), ("cpu", torch.float64)):
        first, second = (m.to(device, precision).requires_grad_() for m in maps)
        positions = grid.to(device, torch.promote_types(precision, torch.float32))
        value = exchange_loss(first, second, positions)
        results.append((value, *torch.autograd.grad(value, (first, second))))
    assert fused_loss.is_supported(maps.cuda(), _ExpectedDistance)
    for fused, exact in zip(*results, strict=True):
        assert relative(fused.double().cpu(), exact) < tolerance


def test_a_cpu_uses_the_tiled_form():
    assert not fused_loss.is_supported(torch.zeros(1), _ExpectedDistance)


def test_kernels_that_fail_are_not_used_and_give_a_warning():
    """On a CPU the kernels cannot be launched, so the check fails."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert not fused_loss._agrees.__wrapped__(
            torch.device("cpu"), torch.float32, 16, _ExpectedDistance
        )
    assert "the tiled loss is used instead" in str(caught[0].message)
