"""Display results in a notebook: figures with text alternatives, tables, sentences and facts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dvelib.common.markup import facts_html, fill, plain_text, table_html

if TYPE_CHECKING:
    from markupsafe import Markup
    from matplotlib.figure import Figure
    from pandas import DataFrame

__all__ = ["definition_list", "say", "show", "show_made", "show_table"]


def show(figure: Figure, alt: str, caption: str | None = None) -> None:
    """Display a matplotlib figure as an HTML figure with a text alternative, and close it.

    ``alt`` describes the figure for readers who cannot see it. It is SVG, sharp at
    every size; a chart also has a narrow form for phones.
    Raises ValueError where ``alt`` is empty.
    """
    if not alt or not alt.strip():
        raise ValueError("a figure needs a text alternative: describe it in `alt`")
    from matplotlib import pyplot

    from dvelib.plots.svg import figure_html

    page = figure_html(figure, alt, caption)
    pyplot.close(figure)
    _display(page, f"[figure] {caption or alt}")


def show_table(
    frame: DataFrame,
    caption: str,
    *,
    highlight: DataFrame | None = None,
    decimals: int = 2,
    folded: Sequence[str] = (),
) -> None:
    """Display a frame as an HTML table with a caption. A wide table scrolls inside itself.

    The row headers are the index, or the first column where the index is 0, 1, 2... Two levels of
    columns become grouped headers. None and NaN appear as a dash.
    ``highlight``: booleans in the shape of the frame, True for a cell in bold; ``decimals``: digits
    after the point of numbers that are not whole; ``folded``: labels of rows without measurements,
    which stand in a closed part below the table.
    Raises ValueError where the shape of ``highlight`` differs from the frame's.
    """
    measured = frame.drop(index=list(folded)) if folded else frame
    page = table_html(measured, caption, highlight, decimals)
    if folded:
        page += _folded(frame.loc[list(folded)], decimals)
    _display(page, frame.to_string())


def _folded(frame: DataFrame, decimals: int) -> Markup:
    """Rows that were not measured, as a table in a closed part; only columns with a value."""
    filled = frame.columns[frame.notna().any()]
    rows = "row" if len(frame) == 1 else "rows"
    title = f"{len(frame)} {rows} that this profile does not run"
    table = table_html(frame[filled if len(filled) else frame.columns[:1]], title, None, decimals)
    return fill("folded", title=title, table=table)


def say(markdown: str) -> None:
    """Display markdown text, for sentences whose numbers come from results."""
    from IPython.display import display

    display({"text/markdown": markdown, "text/plain": markdown}, raw=True)


def show_made(facts: Mapping[str, Any], trainings: DataFrame) -> None:
    """Display what made a table: its facts, and how the embeddings of each row were trained.

    ``facts`` and ``trainings``: as `dvelib.tables.recording` returns them.
    """
    definition_list(facts)
    show_table(
        trainings,
        caption="Training of each row's embeddings. Pairs: of one embedding, without those before "
        "fine-tuning. Hours: of processor threads, or of GPUs, for all seeds.",
    )


def definition_list(mapping: Mapping[str, Any]) -> None:
    """Display facts as a list of names and values, such as the data, the steps and the hours."""
    lines = "\n".join(f"{name}: {plain_text(value)}" for name, value in mapping.items())
    _display(facts_html(mapping), lines)


def _display(page: str, text: str) -> None:
    from IPython.display import display

    display({"text/html": str(page), "text/plain": text}, raw=True)
