"""What the explorer's panels share: a canvas to click on, controls, and what pages show instead.

A page runs no Python. There, each panel is a row of choices with a picture drawn beforehand for
each, which the keyboard's arrows walk through like a slider.
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
    "Still",
    "canvas_for",
    "control",
    "picture_html",
    "picture_of",
    "row",
    "slider",
    "status",
]

WIDTH = 9.6  # inches: the width of a page
STILL_SCALE = 1.5  # dots per CSS pixel of pictures that are drawn beforehand
_numbers = itertools.count()


@dataclass(frozen=True)
class Still:
    """One of a panel's pictures drawn beforehand; ``figure``: PNG in base64, width in pixels."""

    label: str
    figure: tuple[str, int]
    alt: str
    caption: str


class Panel(widgets.VBox):
    """Controls above a picture. Where nothing is alive to answer them, `still` is shown."""

    @abstractmethod
    def stills(self) -> list[Still]:
        """Pictures that show without Python what the panel is for."""

    @property
    @abstractmethod
    def asks(self) -> str:
        """What the choice between `stills` is about."""

    @property
    def shown(self) -> int:
        """Which of the stills is seen first."""
        return 0

    def still(self) -> Markup:
        choices = [
            {
                "label": s.label,
                "png": s.figure[0],
                "width": s.figure[1],
                "alt": s.alt,
                "caption": s.caption,
                "checked": k == self.shown,
            }
            for k, s in enumerate(self.stills())
        ]
        name = f"choice-{next(_numbers)}"
        return fill("choices", legend=self.asks, name=name, choices=choices)

    def _repr_mimebundle_(self, **options):
        return super()._repr_mimebundle_(**options) | {"text/html": str(self.still())}


class Message(Panel):
    """What is said where there is nothing to show."""

    asks = ""

    def __init__(self, text: str):
        self.text = text
        super().__init__([widgets.HTML(str(self.still()))])

    def stills(self) -> list[Still]:
        return []

    def still(self) -> Markup:
        return Markup("<p>{}</p>").format(self.text)


def status(text: str) -> Markup:
    """What is on the screen in words, read out whenever it changes."""
    return Markup('<p role="status">{}</p>').format(text)


def canvas_for(figure: Figure) -> Canvas:
    """A canvas that passes clicks on, and nothing else around it."""
    canvas = Canvas(figure)
    FigureManager(canvas, 0)
    for part in ("header_visible", "footer_visible", "toolbar_visible", "resizable"):
        setattr(canvas, part, False)
    return canvas


def control(kind: type[widgets.Widget], name: str, **options) -> widgets.Widget:
    """A control with its name to the left, as wide as all others."""
    style = {"description_width": "6.5em"}
    return kind(
        description=name,
        style=style,
        layout=widgets.Layout(width="25em", max_width="100%"),
        **options,
    )


def row(parts: list[widgets.Widget]) -> widgets.Widget:
    """Controls side by side, below each other where the page is narrow."""
    return widgets.HBox(parts, layout=widgets.Layout(flex_flow="row wrap"))


def slider(name: str, value: float, low: float, high: float, step: float = 1) -> widgets.Widget:
    """A slider of whole numbers, or of others where the step is none."""
    kind = widgets.IntSlider if isinstance(step, int) else widgets.FloatSlider
    return control(kind, name, value=value, min=low, max=high, step=step)


def picture_of(figure: Figure) -> tuple[str, int]:
    """A figure as a still's picture."""
    return figure_png(figure, STILL_SCALE)


def picture_html(figure: Figure, alt: str) -> str:
    """A figure as what an HTML widget shows, at one dot per CSS pixel: it changes often."""
    png, width = figure_png(figure, 1)
    return str(fill("figure", png=png, width=width, alt=alt, caption=None))
