"""How many steps a training takes, and from which step on its learning rates are lower."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Schedule", "published_drops"]

# The published regressors: the first epoch at a tenth of the rate, and at a hundredth, of 300.
PUBLISHED_DROPS, PUBLISHED_EPOCHS = (102, 252), 300


@dataclass(frozen=True)
class Schedule:
    """A training's length in steps. The rates are divided by ten at each step of ``drops``.

    Steps count from zero.
    """

    steps: int
    steps_per_epoch: int
    drops: tuple[int, ...]

    @classmethod
    def in_epochs(
        cls, epochs: int, steps_per_epoch: int, lower_rate_from: tuple[int, ...]
    ) -> Schedule:
        """The schedule of so many epochs; ``lower_rate_from``: epochs, counted from one."""
        drops = tuple((at - 1) * steps_per_epoch for at in lower_rate_from)
        return cls(epochs * steps_per_epoch, steps_per_epoch, drops)

    @classmethod
    def in_steps(
        cls, steps: int, steps_per_epoch: int, lower_rate_from: tuple[int, ...]
    ) -> Schedule:
        """The schedule of so many steps; ``lower_rate_from``: steps, counted from one."""
        return cls(steps, steps_per_epoch, tuple(at - 1 for at in lower_rate_from))

    def factor(self, step: int) -> float:
        """What the learning rates are multiplied by at a step."""
        return 0.1 ** sum(step >= at for at in self.drops)


def published_drops(epochs: int) -> tuple[int, ...]:
    """The published drops of a regressor's learning rate, scaled to another number of epochs.

    Epochs count from one. 300 epochs give 102 and 252: after 101/300 and 251/300 of the training,
    rounded half up. The first epoch always has the full rate.
    """
    parts = (at - 1 for at in PUBLISHED_DROPS)
    done = ((2 * part * epochs + PUBLISHED_EPOCHS) // (2 * PUBLISHED_EPOCHS) for part in parts)
    return tuple(sorted({max(2, 1 + n) for n in done}))
