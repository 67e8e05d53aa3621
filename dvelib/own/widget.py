"""The annotator in a notebook: a picture to click on, the list of landmarks, and buttons.

The widget shows the state of `dvelib.own.annotator.Annotator` and passes clicks on to it. Buttons
and lists can be used from the keyboard; only clicks on the picture need a pointer. The toolbar on
the left of the picture zooms and pans. While one of its tools is active, clicks set no landmarks.
Filled marks are labels, hollow marks are predictions. The dashed square is what the network sees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import ipywidgets as widgets
import numpy as np
from ipympl.backend_nbagg import Canvas, FigureManager
from matplotlib.backend_bases import MouseButton, MouseEvent
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.data.folder import CENTRAL
from dvelib.own.annotator import Annotator
from dvelib.own.framing import Framing
from dvelib.own.sitting import Sitting
from dvelib.plots.parts import FEW, point_colours

__all__ = ["AnnotatorWidget", "annotate"]

LEARN = "learn and predict"  # the button
SIDE = 6.2  # inches of the area for a picture
TOOLBAR = 0.45  # inches on its left for the toolbar, which covers part of the figure
SHOWN = 1200  # pixels: larger pictures are shown reduced; clicks keep full precision
_HALO = [withStroke(linewidth=2.5, foreground="black")]
_RIM = [withStroke(linewidth=4, foreground="white")]  # of hollow marks


def annotate(
    folder: Path | str,
    landmarks: int | str | Sequence[str] | None = None,
    pictures: int = 20,
    embedding: Path | str | None = None,
    fit: str | None = None,
    epochs: int | None = None,
) -> widgets.Widget:
    """A widget for annotating the pictures of a folder; make it the last line of a cell.

    Arguments and errors as in `dvelib.own.annotator.Annotator` and `dvelib.own.sitting.Sitting`.
    """
    annotator = Annotator(folder, landmarks, pictures)
    sitting = Sitting(annotator.folder, embedding, fit, pictures, epochs)
    return AnnotatorWidget(annotator, sitting).view


class AnnotatorWidget:
    """The controls (all inside ``view``), connected to the annotator.

    ``sitting``: what the button that learns does; None leaves the button out.
    """

    def __init__(self, annotator: Annotator, sitting: Sitting | None = None):
        self.annotator, self.sitting = annotator, sitting
        self.framing = sitting.framing() if sitting else Framing(CENTRAL, 1, 0)
        width = TOOLBAR + SIDE
        self.figure = Figure((width, SIDE))
        self.axis = self.figure.add_axes((TOOLBAR / width, 0, SIDE / width, 1))
        self.canvas = Canvas(self.figure)
        FigureManager(self.canvas, 0)
        self.canvas.header_visible = self.canvas.footer_visible = self.canvas.resizable = False
        self.canvas.toolbar_visible = "visible"
        self.canvas.mpl_connect("button_press_event", self._clicked)
        self._shown: int | None = None
        self._marks: list = []
        self._following = False
        self.view = self._build()
        self._refresh()

    def _build(self) -> widgets.Widget:
        wide = {"layout": widgets.Layout(width="16em")}
        self.where, self.what = widgets.Label(), widgets.Label()
        rows = min(self.annotator.file.count, 14)
        self.list = widgets.Select(description="", rows=rows, **wide)
        self.list.observe(self._chosen, "value")
        self.test = widgets.Checkbox(description="keep for testing", indent=False, **wide)
        self.test.observe(self._kept, "value")
        a = self.annotator
        self.buttons = {
            "next picture": self._button("next picture", lambda: a.step(1), "primary"),
            "previous picture": self._button("previous picture", lambda: a.step(-1)),
            "next landmark": self._button("next landmark", lambda: a.step_landmark(1)),
            "previous landmark": self._button("previous landmark", lambda: a.step_landmark(-1)),
            "not visible": self._button("not visible", a.hide),
            "accept predictions": self._button("accept predictions", a.accept),
            "undo": self._button("undo", a.undo),
        }
        if self.sitting:
            self.buttons[LEARN] = self._button(LEARN, self._learn, "success")
        self.output = widgets.Output()
        side = widgets.VBox([self.list, *self.buttons.values(), self.test])
        picture = widgets.HBox([self.canvas, side])
        return widgets.VBox([self.where, self.what, picture, self.output])

    def _learn(self) -> None:
        """Learn, predict and suggest, with progress below the picture; then the next picture."""
        self.buttons[LEARN].disabled = True
        self.what.value = "Learning from the labels. The progress is below the picture."
        self.output.clear_output()
        try:
            with self.output:
                self.sitting.learn()
        finally:
            self.buttons[LEARN].disabled = False
        self.annotator.reload()

    def _button(self, text: str, act: Callable[[], None], style: str = "") -> widgets.Button:
        layout = widgets.Layout(width="16em")
        button = widgets.Button(description=text, button_style=style, layout=layout)
        button.on_click(lambda _: self._do(act))
        return button

    def _do(self, act: Callable[[], None]) -> None:
        """Act and refresh the view; show a StudyError above the picture."""
        try:
            act()
        except StudyError as error:
            self._refresh()
            self.what.value = str(error)
        else:
            self._refresh()

    def _clicked(self, event: MouseEvent) -> None:
        busy = self.canvas.toolbar is not None and self.canvas.toolbar.mode
        if event.inaxes is self.axis and event.button is MouseButton.LEFT and not busy:
            if self._size is not None and self._inside(event.xdata, event.ydata):
                self._do(lambda: self.annotator.place(event.xdata, event.ydata))

    def _inside(self, x: float, y: float) -> bool:
        width, height = self._size
        return -0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5

    def _chosen(self, change: dict) -> None:
        if not self._following:
            self._do(lambda: self.annotator.choose(change["new"]))

    def _kept(self, change: dict) -> None:
        if not self._following:
            self._do(lambda: self.annotator.keep_for_test(change["new"]))

    def _refresh(self) -> None:
        annotator = self.annotator
        if self._shown != annotator.picture:
            self._show_picture()
        self._show_points()
        self.where.value = annotator.progress_text()
        readable = self._size is not None
        self.what.value = (
            annotator.click_text() if readable else "This file cannot be read as a picture."
        )
        self._following = True
        points = annotator.points
        self.list.options = [
            (f"{'○' if np.isnan(points[k, 0]) else '●'} {name}", k)
            for k, name in enumerate(annotator.names)
        ]
        self.list.value, self.test.value = annotator.landmark, annotator.is_test
        self._following = False
        self.canvas.draw_idle()

    def _show_picture(self) -> None:
        self._shown, self._marks = self.annotator.picture, []
        self.axis.clear()
        self.axis.set_axis_off()
        image = self.annotator.image()
        self._size = None if image is None else (image.shape[1], image.shape[0])
        if image is None:
            return
        width, height = self._size
        extent = (-0.5, width - 0.5, height - 0.5, -0.5)
        self.axis.imshow(_smaller(image), extent=extent, interpolation="nearest")
        ends = np.array([[[-0.5, -0.5], [self.framing.side - 0.5] * 2]])
        first, last = self.framing.to_pictures(ends, np.array([self._size]))[0].tolist()
        sides = last[0] - first[0], last[1] - first[1]
        seen = Rectangle(first, *sides, fill=False, edgecolor="white", linestyle="--")
        self.axis.add_patch(seen)
        self.axis.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
        if self.canvas.toolbar is not None:
            self.canvas.toolbar.update()  # "home" means this picture

    def _show_points(self) -> None:
        for mark in self._marks:
            mark.remove()
        labels, guesses = self.annotator.points, self.annotator.guesses
        names = self.annotator.names
        points = np.where(np.isnan(labels), guesses, labels)
        colours = point_colours(len(points))
        self._marks = []
        for k in (~np.isnan(points[:, 0])).nonzero()[0]:
            is_guess = np.isnan(labels[k, 0])
            at_hand = k == self.annotator.landmark
            dot = self.axis.scatter(
                *points[k],
                s=90 if at_hand else 40,
                facecolor="none" if is_guess else [colours[k]],
                edgecolor=[colours[k]] if is_guess else "white",
                linewidth=2 if at_hand or is_guess else 1,
                path_effects=_RIM if is_guess else None,
                zorder=3,
            )
            label = self.axis.annotate(
                names[k] if len(points) <= FEW else str(k),
                points[k],
                (6, 4),
                textcoords="offset points",
                color="white",
                fontsize=8,
                path_effects=_HALO,
            )
            self._marks += [dot, label]


def _smaller(image: np.ndarray) -> np.ndarray:
    """The picture with its longer side at most `SHOWN` pixels."""
    scale = max(image.shape[:2]) / SHOWN
    if scale <= 1:
        return image
    size = [max(1, round(n / scale)) for n in image.shape[1::-1]]
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
