"""Charts for a phone: the same chart, narrow, with its panels one below the other."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from dvelib.plots.parts import legend_below

__all__ = ["NARROW", "can_be_narrow", "make_narrow"]

NARROW = 3.9  # inches: little more than the width of a phone
LONG = 14  # letters of a label that is broken into two lines


def can_be_narrow(figure: Figure) -> bool:
    """Whether the figure is a chart that is wide: without pictures and without a colour bar."""
    pictures = any(
        axis.images or any(isinstance(part, QuadMesh) for part in axis.collections)
        for axis in figure.axes
    )
    return bool(figure.axes) and not pictures and figure.get_figwidth() > 1.3 * NARROW


def make_narrow(figure: Figure) -> None:
    """Lay the chart out anew, `NARROW` wide. Panels that were side by side stand in a column."""
    panels = figure.axes
    height = figure.get_figheight() + 0.2
    grid = figure.add_gridspec(len(panels), 1)
    for panel, place in zip(panels, grid, strict=True):
        panel.set_subplotspec(place)
        panel.tick_params(axis="y", labelleft=True)
        _break_labels(panel)
    figure.set_size_inches(NARROW, height * len(panels))
    _legend_below(figure)


def _break_labels(axis: Axes) -> None:
    labels = [label.get_text() for label in axis.get_yticklabels()]
    broken = [_in_two_lines(label) for label in labels]
    if broken != labels:
        axis.set_yticks(axis.get_yticks(), broken, fontsize=9)


def _in_two_lines(label: str) -> str:
    """A long label, broken at the space nearest to its middle."""
    spaces = [i for i, letter in enumerate(label) if letter == " "]
    if len(label) <= LONG or not spaces or "\n" in label:
        return label
    at = min(spaces, key=lambda i: abs(i - len(label) / 2))
    return f"{label[:at]}\n{label[at + 1 :]}"


def _legend_below(figure: Figure) -> None:
    """Move the legend, wherever it is, below the panels."""
    own = (axis.get_legend() for axis in figure.axes)
    legends = [legend for legend in (*figure.legends, *own) if legend is not None]
    for legend in legends:
        legend.remove()
    # Panels may show other lines: each label stands once.
    pairs = (zip(*axis.get_legend_handles_labels(), strict=True) for axis in figure.axes)
    handles = {label: handle for panel in pairs for handle, label in panel}
    if legends and handles:
        legend_below(figure, list(handles.values()))
