"""The rows that `make bench` measures on a GPU are there, and each form runs on the device."""

import pytest
import torch

from dvelib.benchmarks.comparisons import COMPARISONS, OURS, TILED, loss_work
from dvelib.fused.loss import _Problem
from dvelib.losses import exchange_loss
from tests.gpu.stand_in import GPU, gpu

KINDS = ["loss", "pipeline", "step", "regressor", "matching"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_runs_on_a_gpu(kind):
    with gpu():
        rows = [row for row in COMPARISONS[kind](GPU, True) if "Hourglass" not in row.problem]
        assert rows
        for row in rows:
            for prepare in row.forms.values():
                prepare()()


@pytest.mark.parametrize("kind", KINDS)
def test_a_gpu_has_every_row_of_a_cpu(kind):
    on_cpu, on_gpu = (
        {row.problem for row in COMPARISONS[kind](torch.device(name), False)}
        for name in ("cpu", "cuda")
    )
    assert on_cpu and on_cpu <= on_gpu


def test_the_fused_loss_is_measured_beside_the_same_loss_without_kernels():
    on_gpu = list(COMPARISONS["loss"](GPU, False))
    assert all({OURS, TILED} <= set(row.forms) for row in on_gpu)
    assert all(TILED not in row.forms for row in COMPARISONS["loss"](torch.device("cpu"), False))
    shape = 2, 16, 4, "cuda"
    with gpu(fused=True), pytest.MonkeyPatch.context() as patch:
        launched = []
        patch.setattr(_Problem, "_launch", lambda *_: launched.append(1))
        forms = on_gpu[0].forms
        loss_work(forms[TILED].args[0], *shape)()
        assert not launched
        loss_work(exchange_loss, *shape)()
        assert launched
