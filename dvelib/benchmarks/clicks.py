"""A click in the explorer: two embeddings matched, both pictures drawn and encoded."""

from __future__ import annotations

import itertools
from collections.abc import Callable

__all__ = ["FACES", "clicks"]

FACES = 8


def clicks(describe_anew: bool) -> Callable[[], object]:
    """A function that makes one click on synthetic faces, with pretrained embeddings.

    The explorer keeps descriptors between clicks; ``describe_anew`` computes them for each click.
    """
    from dvelib.explore import Explorer

    panel = Explorer(drawn=FACES).matches(FACES)
    spots = itertools.cycle(range(panel.scene.side))

    def work() -> None:
        if describe_anew:
            panel.scene = panel.gallery.scene(FACES)
        spot = next(spots)
        panel.ask(spot % FACES, (spot, spot))
        panel.canvas.draw()
        panel.canvas.get_diff_image()

    return work
