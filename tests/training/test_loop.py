"""The loop: it counts, logs, saves and resumes whatever it is given."""

import pytest
import torch

from dvelib.checkpoints import resuming
from dvelib.common.errors import StudyError
from dvelib.training import loop as loop_module
from dvelib.training.loop import Loop
from dvelib.training.schedule import Schedule

CPU = torch.device("cpu")


class Counter:
    """A part that is no network: any object with a state will do."""

    def __init__(self):
        self.calls = 0

    def state_dict(self):
        return {"calls": self.calls}

    def load_state_dict(self, state):
        self.calls = state["calls"]


def make(folder, steps=6, log_every=2):
    """A loop over one weight, and a function that makes a step and returns the loss given to it."""
    weight = torch.nn.Parameter(torch.ones(1))
    optimizer, counter = torch.optim.Adam([weight], lr=0.3), Counter()
    loop = Loop(
        folder,
        {"counter": counter, "weight": torch.nn.ParameterList([weight])},
        optimizer,
        Schedule(steps, 2, (4,)),
        device=CPU,
        batch=5,
        log_every=log_every,
        title="a weight",
        bar="weight",
        unit="things",
    )

    def learn(value):
        counter.calls += 1
        optimizer.zero_grad()
        (weight - value).square().sum().backward()
        optimizer.step()
        return torch.tensor(value)

    return loop, learn, counter


def weight_of(loop):
    return loop.optimizer.param_groups[0]["params"][0]


def test_rows_of_the_history_are_means_since_the_one_before(tmp_path):
    loop, learn, _ = make(tmp_path)
    loop.run([0.0, 1.0, 2.0, 3.0, 4.0, 5.0], learn)
    steps, losses, rates = zip(*loop.history, strict=True)
    assert (steps, losses) == ((2, 4, 6), (0.5, 2.5, 4.5))
    assert rates == (0.3, 0.3, 0.3 * 0.1)
    assert loop.step == 6 and loop.seconds > 0


def test_the_last_step_is_always_logged(tmp_path):
    loop, learn, _ = make(tmp_path, steps=5)
    loop.run([0.0, 1.0, 2.0, 3.0, 4.0], learn)
    assert [row[:2] for row in loop.history] == [(2, 0.5), (4, 2.5), (5, 4.0)]


@pytest.mark.filterwarnings("error")
def test_it_goes_on_with_every_part_where_a_checkpoint_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(loop_module, "CHECKPOINT_SECONDS", 0)
    values = [0.1, -0.4, 0.3, 0.9, 0.2, -0.7]
    (tmp_path / "whole").mkdir()
    (tmp_path / "cut").mkdir()
    whole, learn, counter = make(tmp_path / "whole")
    whole.run(values, learn)
    cut, learn, _ = make(tmp_path / "cut")
    cut.run(values[:5], learn)  # the last checkpoint is of step 4
    resumed, learn, again = make(tmp_path / "cut")
    assert (resumed.step, again.calls) == (4, 4)
    resumed.run(values[4:], learn)
    assert resumed.history == whole.history
    assert torch.equal(weight_of(resumed), weight_of(whole))
    assert again.calls == counter.calls == 6


def test_a_loss_that_is_not_finite_is_found_at_once_on_a_cpu(tmp_path, monkeypatch):
    monkeypatch.setattr(loop_module, "CHECKPOINT_SECONDS", 0)
    loop, learn, _ = make(tmp_path)
    losses = [1.0, 2.0, float("inf"), 3.0]
    with pytest.raises(StudyError, match="the loss of a weight is not finite by step 3: lower the"):
        loop.run(losses, learn)
    assert resuming.load_checkpoint(tmp_path, CPU)["step"] == 2
