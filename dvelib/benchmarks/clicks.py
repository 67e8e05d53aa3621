"""A click in the explorer: two embeddings asked, both pictures drawn and packed for the browser."""

from __future__ import annotations

import itertools
from collections.abc import Callable

__all__ = ["FACES", "clicks"]

FACES = 8


def clicks(describe_anew: bool) -> Callable[[], object]:
    """One click after the other on drawn faces, under the embeddings that come along.

    The explorer keeps descriptors from click to click; with ``describe_anew`` nothing does.
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
