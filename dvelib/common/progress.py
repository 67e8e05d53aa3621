"""Progress with rate and time left: a bar on a terminal or in a notebook, otherwise lines."""

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
    """A stream for logs: each redraw of the bar is written as a new line."""

    def write(self, text: str) -> None:
        if text := text.strip("\r\n "):
            sys.stderr.write(text + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress_bar(
    total: int, what: str, unit: str, initial: int = 0, *, silent: bool = False
) -> tqdm:
    """A tqdm bar; without a terminal or a live notebook, one line every 15 s.

    The environment variable named by `LINES_ONLY` forces lines. It is set where several jobs
    share a terminal and where a notebook runs in batch.
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
    """Processes started inside this block show progress as lines."""
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
    """Whether the code runs in a Jupyter kernel with widgets."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") and find_spec("ipywidgets") is not None


def track(items: Iterable[T], total: int, what: str, unit: str) -> Iterator[T]:
    """Yield the items and show how many of ``total`` are done."""
    with progress_bar(total, what, unit) as bar:
        for item in items:
            yield item
            bar.update()
