"""The fused kernels, as a training launches them, compiled for GPUs that are not here.

Triton compiles without a GPU. Syntax, types and the shared memory of each launch are thus checked
on any machine. `tests/fused` checks their results by interpretation.
"""

import pytest
import torch

from dvelib.fused import loss as fused_loss
from dvelib.losses import equivariance_loss, exchange_loss
from tests.gpu.stand_in import GPU, GpuTensor, gpu

kernels = pytest.importorskip("dvelib.fused.kernels", reason="triton is not installed")
triton = pytest.importorskip("triton")

# Shared memory of a block in bytes, by compute capability (CUDA C++ Programming Guide).
SHARED = {80: 163 * 1024, 90: 227 * 1024, 100: 227 * 1024}
TYPES = {torch.float32: "fp32", torch.bfloat16: "bf16"}


class Launches:
    """In the place of a kernel: keeps the arguments of its launches."""

    def __init__(self, kernel):
        self.kernel, self.made = kernel, []

    def __getitem__(self, grid):
        def launch(*arguments, **constants):
            self.made.append((grid, arguments, constants))
            for output in arguments[3:6]:
                if isinstance(output, GpuTensor):
                    output.zero_()

        return launch

    def compiled(self, capability):
        """Machine code of the first launch."""
        from triton.backends.compiler import GPUTarget
        from triton.compiler import ASTSource

        _, arguments, constants = self.made[0]
        names = self.kernel.arg_names
        types = dict(zip(names, map(_type, arguments), strict=False))
        types |= dict.fromkeys(constants, "constexpr")
        assert list(types) == list(names)
        source = ASTSource(fn=self.kernel, signature=types, constexprs=constants)
        return triton.compile(source, target=GPUTarget("cuda", capability, 32))


def _type(argument):
    if isinstance(argument, GpuTensor):
        return f"*{TYPES[argument.dtype]}"
    return "i32" if isinstance(argument, int) else "fp32"


@pytest.fixture
def launches(monkeypatch):
    """By name, the kernels' launches."""
    found = {name: Launches(getattr(kernels, name)) for name in kernels.__all__}
    for name, launched in found.items():
        monkeypatch.setattr(kernels, name, launched)
    return found


def learn(loss, dimension, dtype, batch=3, side=9):
    maps = torch.randn(2, batch, dimension, side, side, device=GPU).to(dtype)
    first, second = (m.requires_grad_() for m in maps)
    grid = torch.rand(batch, 2 * side, 2 * side, 2, device=GPU)
    return torch.autograd.grad(loss(first, second, grid), (first, second))


@pytest.mark.parametrize("loss", [equivariance_loss, exchange_loss])
@pytest.mark.parametrize(("dimension", "padded"), [(3, 16), (64, 64)])
def test_launches_have_the_shapes_that_the_kernels_state(launches, loss, dimension, padded):
    with gpu(fused=True) as stand_in:
        gradients = learn(loss, dimension, torch.bfloat16)
        assert stand_in.waits == []
        assert [g.dtype for g in gradients] == [torch.bfloat16] * 2
    shapes = {
        "query": (3, 81, padded),
        "target": (3, 81, padded),
        "expected": (3, 81, 2),
        "cost": (3, 81),
        "log_total": (3, 81),
        "gradient": (3, 81, padded),
    }
    for name, launched in launches.items():
        ((grid, arguments, constants),) = launched.made
        assert grid == (2, 3) and constants["DIMENSION"] == padded
        for argument, kept in zip(launched.kernel.arg_names, arguments, strict=False):
            if argument in shapes:
                assert isinstance(kept, GpuTensor), (name, argument)
                assert kept.shape == shapes[argument] and kept.is_contiguous()
                low = argument in ("query", "target")
                assert kept.dtype == (torch.bfloat16 if low else torch.float32)


@pytest.mark.parametrize("capability", SHARED)
@pytest.mark.parametrize("dtype", TYPES)
def test_kernels_compile_for(launches, capability, dtype):
    if dtype == torch.float32 and capability != 80:
        pytest.skip("float32 compiles slowly: once, where shared memory is smallest")
    with gpu(fused=True):
        learn(exchange_loss, 64, dtype)
    for launched in launches.values():
        made = launched.compiled(capability)
        assert len(made.asm["cubin"])
        assert made.metadata.shared <= SHARED[capability]
        # Half precision goes through the matrix units.
        units = "tcgen05.mma" if capability >= 100 else "mma"
        assert (units in made.asm["ptx"]) == (dtype == torch.bfloat16)


def test_a_form_that_fails_is_judged_by_dimension_and_type(monkeypatch):
    """What fits for 16 numbers need not fit for 256."""

    def form(source, *others):
        if source.shape[2] > 64:
            raise RuntimeError("out of resource: shared memory")
        return exact(source, *others)

    from dvelib.losses import _ExpectedDistance

    exact = _ExpectedDistance.apply
    monkeypatch.setattr(fused_loss.ExpectedDistance, "apply", form)
    agrees = fused_loss._agrees.__wrapped__
    cpu = torch.device("cpu")
    assert agrees(cpu, torch.float32, 64, _ExpectedDistance)
    assert agrees(cpu, torch.bfloat16, 64, _ExpectedDistance)
    with pytest.warns(UserWarning, match="256 dimensions .*shared memory.* tiled loss is used"):
        assert not agrees(cpu, torch.float32, 256, _ExpectedDistance)
