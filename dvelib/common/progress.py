"""Progress with rate and time left: a bar on a terminal or in a notebook, else lines."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TypeVar

from tqdm import tqdm

__all__ = ["LINES_ONLY", "lines_only", "progress_bar", "track"]

T = TypeVar("T")
LINES_ONLY = "DVE_PROGRESS_LINES"


class _Lines:
    """A stream for logs: each redraw of the bar becomes a line of its own."""

    def write(self, text: str) -> None:
        if text := text.strip("\r\n "):
            sys.stderr.write(text + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress_bar(
    total: int, what: str, unit: str, initial: int = 0, *, silent: bool = False
) -> tqdm:
    """A tqdm bar in this project's form; where nobody sees it move, one line every 15 s.

    Several jobs on one terminal take turns by lines too, and so does a notebook that runs in
    batch: `LINES_ONLY` in the environment says so.
    """
    if LINES_ONLY not in os.environ and _in_notebook():
        from tqdm.notebook import tqdm as bar

        return bar(total=total, initial=initial, desc=what, unit=f" {unit}", disable=silent)
    live = sys.stderr.isatty() and LINES_ONLY not in os.environ
    return tqdm(
        total=total,
        initial=initial,
        desc=what,
        unit=f" {unit}",
        file=sys.stderr if live else _Lines(),
        ascii=not live,
        ncols=None if live else 100,
        mininterval=0.5 if live else 15,
        delay=0.5 if live else 15,
        disable=silent,
    )


@contextmanager
def lines_only() -> Iterator[None]:
    """Within, processes that are started show lines: nobody sees their bars move."""
    before = os.environ.get(LINES_ONLY)
    os.environ[LINES_ONLY] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[LINES_ONLY]
        else:
            os.environ[LINES_ONLY] = before


def _in_notebook() -> bool:
    """Whether someone sits before a notebook with widgets."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") and find_spec("ipywidgets") is not None


def track(items: Iterable[T], total: int, what: str, unit: str) -> Iterator[T]:
    """Pass the items on, showing how many of ``total`` went by."""
    with progress_bar(total, what, unit) as bar:
        for item in items:
            yield item
            bar.update()
