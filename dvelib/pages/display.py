"""What a notebook shows: figures with text alternatives, tables, sentences, facts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dvelib.common.markup import facts_html, figure_png, fill, plain_text, table_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

__all__ = ["definition_list", "say", "show", "show_table"]


def show(figure: Figure, alt: str, caption: str | None = None) -> None:
    """Display a matplotlib figure as an HTML figure with its text alternative, and close it.

    Drawn at twice the screen's resolution, shown never wider than the page.
    Raises ValueError without a text alternative.
    """
    if not alt or not alt.strip():
        raise ValueError("a figure needs a text alternative: say in `alt` what it shows")
    from matplotlib import pyplot

    png, width = figure_png(figure)
    pyplot.close(figure)
    page = fill("figure", png=png, width=width, alt=alt, caption=caption)
    _display(page, f"[figure] {caption or alt}")


def show_table(
    frame: DataFrame, caption: str, *, highlight: DataFrame | None = None, decimals: int = 2
) -> None:
    """Display a frame as an HTML table with a caption, scrolling inside itself.

    The index gives the row headers, except a plain 0, 1, 2...: then the first column does. Two
    levels of columns become grouped headers. None and NaN show as a dash.
    ``highlight``: booleans in the frame's shape, True where a cell stands out; ``decimals``:
    digits of numbers that are not whole. Raises ValueError where the shape of ``highlight``
    differs.
    """
    _display(table_html(frame, caption, highlight, decimals), frame.to_string())


def say(markdown: str) -> None:
    """Display markdown: for sentences whose numbers come from results."""
    from IPython.display import display

    display({"text/markdown": markdown, "text/plain": markdown}, raw=True)


def definition_list(mapping: Mapping[str, Any]) -> None:
    """Display facts, name by name: what made this, on which data, how long it took."""
    lines = "\n".join(f"{name}: {plain_text(value)}" for name, value in mapping.items())
    _display(facts_html(mapping), lines)


def _display(page: str, text: str) -> None:
    from IPython.display import display

    display({"text/html": str(page), "text/plain": text}, raw=True)
