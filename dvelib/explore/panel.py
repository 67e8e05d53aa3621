"""Shared by the explorer's panels: a clickable canvas, controls, and static pictures for pages.

A page runs no Python. There, most panels are a row of radio buttons with one static picture each;
the arrow keys step through them.
"""

from __future__ import annotations

import itertools
from abc import abstractmethod
from dataclasses import dataclass

import ipywidgets as widgets
from ipympl.backend_nbagg import Canvas, FigureManager
from markupsafe import Markup
from matplotlib.figure import Figure

from dvelib.common.markup import figure_png, fill

__all__ = [
    "WIDTH",
    "Message",
    "Panel",
    "PicturePanel",
    "Still",
    "canvas_for",
    "control",
    "picture_html",
    "picture_of",
    "row",
    "slider",
    "status",
]

WIDTH = 8.4  # inches: the width of an output in JupyterLab on a screen of 1280 pixels
STILL_SCALE = 1.5  # dots per CSS pixel of static pictures
_numbers = itertools.count()


@dataclass(frozen=True)
class Still:
    """A static picture of a panel; ``figure``: base64 PNG and width in CSS pixels."""

    label: str
    figure: tuple[str, int]
    alt: str
    caption: str


class Panel(widgets.VBox):
    """Controls and a picture. A page, which runs no Python, shows `still` instead."""

    @abstractmethod
    def still(self) -> Markup:
        """What a page shows in place of the panel."""

    def _repr_mimebundle_(self, **options):
        return super()._repr_mimebundle_(**options) | {"text/html": str(self.still())}


class PicturePanel(Panel):
    """A panel that is static pictures on a page."""

    @abstractmethod
    def stills(self) -> list[Still]:
        """The pictures."""

    @property
    @abstractmethod
    def legend(self) -> str:
        """Legend above the choice between `stills`."""

    def still(self) -> Markup:
        """The stills as HTML, with radio buttons to choose one; the first is chosen."""
        choices = [
            {
                "label": s.label,
                "png": s.figure[0],
                "width": s.figure[1],
                "alt": s.alt,
                "caption": s.caption,
                "checked": k == 0,
            }
            for k, s in enumerate(self.stills())
        ]
        name = f"choice-{next(_numbers)}"
        return fill("choices", legend=self.legend, name=name, choices=choices)


class Message(Panel):
    """A text in place of a panel that cannot be shown."""

    def __init__(self, text: str):
        self.text = text
        super().__init__([widgets.HTML(str(self.still()))])

    def still(self) -> Markup:
        return Markup("<p>{}</p>").format(self.text)


def status(text: str) -> Markup:
    """A status line, which screen readers read out whenever it changes."""
    return Markup('<p role="status">{}</p>').format(text)


def canvas_for(figure: Figure) -> Canvas:
    """A canvas that receives clicks, without header, footer and toolbar."""
    canvas = Canvas(figure)
    FigureManager(canvas, 0)
    for part in ("header_visible", "footer_visible", "toolbar_visible", "resizable"):
        setattr(canvas, part, False)
    return canvas


def control(kind: type[widgets.Widget], name: str, **options) -> widgets.Widget:
    """A control of the common width with its name on the left."""
    style = {"description_width": "6.5em"}
    return kind(
        description=name,
        style=style,
        layout=widgets.Layout(width="25em", max_width="100%"),
        **options,
    )


def row(parts: list[widgets.Widget]) -> widgets.Widget:
    """Controls side by side, wrapped where the page is narrow."""
    return widgets.HBox(parts, layout=widgets.Layout(flex_flow="row wrap"))


def slider(name: str, value: float, low: float, high: float, step: float = 1) -> widgets.Widget:
    """A slider; of whole numbers if ``step`` is one."""
    kind = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
    return control(kind, name, value=value, min=low, max=high, step=step)


def picture_of(figure: Figure) -> tuple[str, int]:
    """A figure as `Still.figure`."""
    return figure_png(figure, STILL_SCALE)


def picture_html(figure: Figure, alt: str) -> str:
    """A figure as HTML for a widget, at one dot per CSS pixel to keep updates fast."""
    png, width = figure_png(figure, 1)
    return str(fill("figure", png=png, width=width, alt=alt, caption=None))
