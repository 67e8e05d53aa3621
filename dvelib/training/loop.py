"""The loop that every training shares: it counts, times, logs and saves steps, and resumes.

A checkpoint holds the state of every part, the number of steps done, the seconds that they took
and the history. The caller makes the batches of a step depend on the seed and the step alone, so
a resumed training repeats the numbers of an uninterrupted one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR

from dvelib.checkpoints import resuming
from dvelib.common.errors import StudyError
from dvelib.common.progress import progress_bar
from dvelib.training import distributed
from dvelib.training.schedule import Schedule

__all__ = ["Loop", "Stateful"]

CHECKPOINT_SECONDS = 60
FINITE_CHECK_STEPS = {"cpu": 1, "cuda": 25}  # reading a loss back waits for the GPU
T = TypeVar("T")


class Stateful(Protocol):
    """A part of a training that a checkpoint keeps: a network, an optimizer, a scheduler."""

    def state_dict(self) -> dict: ...

    def load_state_dict(self, state: dict) -> object: ...


class Loop:
    """One training in its folder, from its first or its last saved step to its end.

    ``parts``: what a checkpoint keeps, by name, besides the optimizer and its learning rates.
    ``log_every``: after so many steps their mean loss is logged, and a checkpoint may be written.
    ``title`` names the training in errors, ``bar`` at the progress bar, which counts ``unit``,
    ``batch`` of them a step. ``proceed``: asked after each step with the number of steps done;
    after a False the loop saves a checkpoint and stops at the next logged step. No bar is shown
    then, since the caller sees every step.

    Attributes: ``step``, how many steps are done; ``seconds``, how long they took; ``history``,
    rows (step, mean loss since the row before, learning rate of the first parameter group).
    """

    def __init__(
        self,
        folder: Path,
        parts: dict[str, Stateful],
        optimizer: torch.optim.Optimizer,
        schedule: Schedule,
        *,
        device: torch.device,
        batch: int,
        log_every: int,
        title: str,
        bar: str,
        unit: str,
        proceed: Callable[[int], bool] | None = None,
    ):
        self.folder, self.optimizer, self.schedule = folder, optimizer, schedule
        self.rates = LambdaLR(optimizer, schedule.factor)
        self.parts = parts | {"optimizer": optimizer, "rates": self.rates}
        self.device, self.batch, self.log_every = device, batch, log_every
        self.title, self.bar, self.unit, self.proceed = title, bar, unit, proceed
        self.step, self.seconds, self.history = 0, 0.0, []
        self._losses: list[Tensor] = []  # since the last row of the history
        self._checked = 0  # so many of them are known to be finite
        self._restore()

    def run(self, batches: Iterable[T], learn: Callable[[T], Tensor]) -> None:
        """Learn from the batches of the steps that are left, one each.

        ``learn`` returns the loss, a scalar on the device.
        Raises StudyError where a loss is not finite; the last checkpoint stays. Also where
        ``proceed`` stops the loop; the same training goes on from the checkpoint.
        """
        stopped = False
        began = saved = time.monotonic()
        with self._progress_bar() as bar:
            for batch in batches:
                self._losses.append(learn(batch))
                self.step += 1
                self._check_losses()
                if self._is_due():
                    bar.set_postfix_str(f"loss {self._log():.3f}", refresh=False)
                bar.update(self.batch)
                self.rates.step()
                stopped = stopped or not (self.proceed is None or self.proceed(self.step))
                now = time.monotonic()
                if (stopped or now - saved > CHECKPOINT_SECONDS) and not self._losses:
                    self.seconds, began, saved = self.seconds + now - began, now, now
                    self.save()
                    if stopped and self.step < self.schedule.steps:
                        self._report_stop()
        self.seconds += time.monotonic() - began

    def _report_stop(self) -> None:
        raise StudyError(
            f"the training of {self.title} was stopped after {self.step} of {self.schedule.steps} "
            f"steps; train it again to go on from there"
        )

    def _is_due(self) -> bool:
        return self.step % self.log_every == 0 or self.step == self.schedule.steps

    def _check_losses(self) -> None:
        if not self._is_due() and self.step % FINITE_CHECK_STEPS.get(self.device.type, 25):
            return
        if not torch.stack(self._losses[self._checked :]).isfinite().all():
            raise StudyError(
                f"the loss of {self.title} is not finite by step {self.step}: lower the learning "
                f"rate, or use float32 if it is bfloat16; the last checkpoint with finite losses "
                f"stays in {self.folder}"
            )
        self._checked = len(self._losses)

    def _log(self) -> float:
        """Add a row to the history; returns its loss."""
        loss = distributed.mean(torch.stack(self._losses).mean()).item()
        self.history.append((self.step, loss, self.optimizer.param_groups[0]["lr"]))
        self._losses.clear()
        self._checked = 0
        return loss

    def _progress_bar(self):
        done, total = (n * self.batch for n in (self.step, self.schedule.steps))
        silent = distributed.rank() > 0 or self.proceed is not None
        return progress_bar(total, self.bar, self.unit, done, silent=silent)

    def save(self) -> None:
        """Write a checkpoint; every loss so far must be in the history."""
        state = {
            "parts": {name: part.state_dict() for name, part in self.parts.items()},
            "step": self.step,
            "seconds": self.seconds,
            "history": self.history,
        }
        distributed.on_first_rank(resuming.save_checkpoint, self.folder, state)

    def _restore(self) -> None:
        """Take over the last whole checkpoint; raises StudyError where it does not fit."""
        state = resuming.load_checkpoint(self.folder, self.device)
        if state is None:
            return
        try:
            for name, part in self.parts.items():
                part.load_state_dict(state["parts"][name])
            self.step, self.seconds = int(state["step"]), float(state["seconds"])
            self.history = [tuple(row) for row in state["history"]]
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise StudyError(
                f"the checkpoint in {self.folder} does not fit {self.title} ({reason}): delete it "
                f"to start from the first step"
            ) from None
