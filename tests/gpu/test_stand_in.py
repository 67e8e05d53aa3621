"""The stand-in for a GPU refuses what a GPU refuses, and lists where the host would wait."""

import pytest
import torch

from tests.gpu.stand_in import GPU, GpuTensor, gpu


@pytest.fixture
def waits():
    with gpu() as stand_in:
        yield stand_in.waits


def test_it_computes_what_the_cpu_computes(waits):
    x = torch.arange(6.0).view(2, 3).to(GPU, non_blocking=True).requires_grad_()
    y = (x.sin() @ x.T).sum()
    y.backward()
    assert isinstance(x.grad, GpuTensor) and y.device == GPU and not waits
    on_cpu = x.detach().cpu().requires_grad_()
    (on_cpu.sin() @ on_cpu.T).sum().backward()
    assert torch.equal(x.grad.cpu(), on_cpu.grad)


def test_operands_on_two_devices_are_refused(waits):
    with pytest.raises(RuntimeError, match="at least two devices"):
        torch.ones(2, device=GPU) + torch.ones(2)
    with pytest.raises(RuntimeError, match="at least two devices"):
        torch.nn.Linear(2, 2).to(GPU)(torch.ones(1, 2))
    assert (torch.ones(2, device=GPU) + torch.tensor(1.0)).device == GPU  # a number


def test_a_tensor_on_the_gpu_has_no_array(waits):
    with pytest.raises(TypeError, match="cuda:0"):
        torch.ones(2, device=GPU).numpy()


def test_a_generator_belongs_to_one_device(waits):
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator"):
        torch.rand(2, generator=torch.Generator(), device=GPU)
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator"):
        torch.rand(2, generator=torch.Generator(GPU))


@pytest.mark.parametrize(
    "work",
    [
        lambda x: x.sum().item(),
        lambda x: float(x[0]),
        lambda x: bool(x.isfinite().all()),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x.nonzero(),
        lambda x: x[x > 0],
        lambda x: x[torch.tensor([0])],
        lambda x: torch.tensor([1.0, 2.0], device=x.device),
        lambda x: torch.ones(2).to(x.device),
    ],
    ids=["item", "float", "bool", "tolist", "cpu", "nonzero", "mask", "index", "tensor", "to"],
)
def test_waiting_is_listed(waits, work):
    work(torch.ones(2, device=GPU))
    assert len(waits) >= 1


def test_what_stays_on_the_gpu_waits_for_nothing(waits):
    x = torch.ones(3, 4, device=GPU)
    x[:, 0] += torch.zeros_like(x)[:, 1]
    torch.where(x > 0, x, 0.0).softmax(1).argmax(1)
    torch.arange(3, device=x.device), x.new_zeros(2), torch.full((2,), 1.0, device=GPU)
    assert waits == []
