"""Matches of a clicked point on the other faces, by two embeddings side by side.

Sliders select the point from the keyboard, and a status line describes the result as text.
"""

from __future__ import annotations

import ipywidgets as widgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import MouseEvent
from matplotlib.figure import Figure

from dvelib.explore.gallery import Gallery
from dvelib.explore.mosaic import Mosaic
from dvelib.explore.panel import (
    WIDTH,
    Panel,
    Still,
    canvas_for,
    control,
    picture_of,
    row,
    slider,
    status,
)
from dvelib.explore.scene import Look
from dvelib.matching import ERROR_SIDE

__all__ = ["MatchPanel"]

SIMILARITY, COLOURS, FACES = "similarity", "descriptors as colours", "faces alone"
ANY = -1  # no landmark: the clicked point
TITLE = 0.3  # inches above each side
STILLS = 5  # points shown on a page
KEY = (
    "White cross: selected point. Red dots: most similar pixel of each other face. Blue diamonds: "
    "most similar pixel for the descriptor rebuilt from the auxiliary face."
)
RINGS = " White rings: true landmark."


class MatchPanel(Panel):
    """Two embeddings side by side on the same faces, with the same selected point.

    ``gallery``: the faces and embeddings; ``count``: the number of faces shown at a time.
    """

    legend = "Selected point"

    def __init__(self, gallery: Gallery, count: int = 8):
        self.gallery = gallery
        self.scene = gallery.scene(count)
        self.mosaic = Mosaic(self.scene.images.numpy())
        self._moving = False
        self._build_figure()
        super().__init__(self._controls())
        gallery.watch(self.offer)
        self._start()

    def _build_figure(self) -> None:
        height, width = self.mosaic.shape
        each = (WIDTH - 0.1) / 2
        tall = each * height / width + TITLE
        self.figure = Figure((WIDTH, tall))
        share, top = each / WIDTH, 1 - TITLE / tall
        axes = [self.figure.add_axes((left, 0, share, top)) for left in (0, 1 - share)]
        self.canvas = canvas_for(self.figure)
        self.canvas.mpl_connect("button_press_event", self._clicked)
        self.sides = [_Side(axis, self.mosaic) for axis in axes]

    def _controls(self) -> list[widgets.Widget]:
        count, end = len(self.scene.images), self.scene.side - 1
        labels = list(self.gallery.embeddings)
        self.labels = [
            control(widgets.Dropdown, name, options=labels, value=value)
            for name, value in zip(("left", "right"), self.gallery.pair(), strict=True)
        ]
        self.show = control(widgets.Dropdown, "show", options=(SIMILARITY, COLOURS, FACES))
        names = [("any point", ANY), *((n, k) for k, n in enumerate(self.gallery.landmark_names))]
        self.landmark = control(widgets.Dropdown, "landmark", options=names)
        self.face = slider("face", 0, 0, count - 1)
        self.auxiliary = slider("auxiliary face", min(2, count - 1), 0, count - 1)
        self.x, self.y = (slider(name, end // 2, 0, end) for name in ("across", "down"))
        self.first = slider("faces from", 0, 0, len(self.scene.faces) - count, count)
        self.status_line = widgets.HTML()
        for part in (*self.labels, self.show, self.face, self.auxiliary, self.x, self.y):
            part.observe(self._changed, "value")
        self.landmark.observe(self._landmark_chosen, "value")
        self.first.observe(self._other_faces, "value")
        question = [self.landmark, self.face, self.x, self.y]
        rows = [[*self.labels, self.show], [*question, self.auxiliary, self.first]]
        return [*map(row, rows), self.canvas, self.status_line]

    def _start(self) -> None:
        """Select a typical landmark, or the middle of the first face if there are no landmarks."""
        labels = (chosen.value for chosen in self.labels)
        question = self.scene.typical_question(*labels) if self.gallery.landmark_names else None
        if question is None:
            self.refresh()
        else:
            self._ask_landmark(*question)

    def offer(self, label: str) -> None:
        """Add an embedding to the lists and select it on the right."""
        kept = self.labels[0].value
        self._moving = True
        for chosen, value in zip(self.labels, (kept, label), strict=True):
            chosen.options = list(self.gallery.embeddings)  # resets the selection
            chosen.value = value
        self._moving = False
        self.refresh()

    def ask(self, face: int, point: tuple[float, float], landmark: int = ANY) -> None:
        """Select a point of a face, as a click does."""
        self._moving = True
        self.face.value, self.x.value, self.y.value = face, *(round(float(v)) for v in point)
        self.landmark.value = landmark
        self._moving = False
        self.refresh()

    def _clicked(self, event: MouseEvent) -> None:
        if event.inaxes is not None and event.xdata is not None:
            if found := self.mosaic.locate(event.xdata, event.ydata):
                self.ask(found[0], found[1:])

    def _changed(self, change: dict) -> None:
        if self._moving:
            return
        if change["owner"] in (self.x, self.y):
            self.ask(self.face.value, (self.x.value, self.y.value))
        elif change["owner"] is self.face and self.landmark.value != ANY:
            self._ask_landmark(self.face.value, self.landmark.value)
        else:
            self.refresh()

    def _landmark_chosen(self, _: dict) -> None:
        if not self._moving and self.landmark.value != ANY:
            self._ask_landmark(self.face.value, self.landmark.value)
        elif not self._moving:
            self.refresh()

    def _ask_landmark(self, face: int, landmark: int) -> None:
        """Select a landmark of a face; keep the current point if it is not annotated there."""
        point = self.scene.landmarks[face, landmark]
        if np.isnan(point).any():
            self.ask(face, (self.x.value, self.y.value))
        else:
            self.ask(face, np.clip(point, 0, self.scene.side - 1), landmark)

    def _other_faces(self, _: dict) -> None:
        self.scene = self.gallery.scene(len(self.scene.images), self.first.value)
        self.mosaic = Mosaic(self.scene.images.numpy())
        self._landmark_chosen({})

    def refresh(self) -> None:
        """Draw the matches and update the status line."""
        face, point = self.face.value, np.array([self.x.value, self.y.value])
        answers = []
        for side, chosen in zip(self.sides, self.labels, strict=True):
            look = self.scene.look(chosen.value, face, tuple(point), self.auxiliary.value)
            picture = self._picture(chosen.value, look)
            others = np.arange(len(look.best)) != face
            side.show(self.mosaic, picture, look, others, (face, point), self._truth())
            side.axis.set_title(title := chosen.value + self._error(look, others), fontsize=9)
            answers.append((title, look.best[others], others.nonzero()[0]))
        self.status_line.value = self._in_words(answers)
        self.canvas.draw_idle()

    def _picture(self, label: str, look: Look) -> np.ndarray:
        if self.show.value == SIMILARITY:
            return self.mosaic.picture(look.similarity)
        if self.show.value == COLOURS:
            return self.mosaic.assembled(self.scene.colours(label))
        return self.mosaic.picture()

    def _truth(self) -> np.ndarray:
        """The selected landmark ``[N,2]`` on each face; NaN for an arbitrary point."""
        if self.landmark.value == ANY:
            return np.full((len(self.scene.images), 2), np.nan)
        return self.scene.landmarks[:, self.landmark.value]

    def _error(self, look: Look, others: np.ndarray) -> str:
        """Text with the mean error of the matches in pixels of a 70-px face."""
        miss = np.linalg.norm(look.best - self._truth(), axis=1)[others]
        if np.isnan(miss).all():
            return ""
        return f": mean error {np.nanmean(miss) * ERROR_SIDE / self.scene.side:.1f} px"

    def _in_words(self, answers: list[tuple[str, np.ndarray, np.ndarray]]) -> str:
        at = f"Face {self.face.value}, ({self.x.value}, {self.y.value})"
        titles = "; ".join(title for title, _, _ in answers)
        places = "".join(
            f"<dt>{title}</dt><dd>"
            + ", ".join(f"face {i} at ({x}, {y})" for i, (x, y) in zip(others, best, strict=True))
            + "</dd>"
            for title, best, others in answers
        )
        key = KEY + (RINGS if self.landmark.value != ANY else "")
        return (
            f"{status(f'{at}. {titles}.')}<p>{key}</p>"
            f"<details><summary>Matches as text</summary><dl>{places}</dl></details>"
        )

    @property
    def first_shown(self) -> int:
        labels = [name for name, _, _ in self._questions()]
        asked = dict(map(reversed, self.landmark.options))[self.landmark.value]
        return labels.index(asked) if asked in labels else 0

    def stills(self) -> list[Still]:
        """One picture per landmark, or per point of a cross if there are no landmarks."""
        before = (self.face.value, (self.x.value, self.y.value), self.landmark.value)
        pictures = [self._still(*question) for question in self._questions()]
        self.ask(*before)
        return pictures

    def _questions(self) -> list[tuple[str, tuple[float, float], int]]:
        """Name, point and index of the first landmarks of the current face, or of a cross."""
        names = self.gallery.landmark_names[:STILLS]
        points = self.scene.landmarks[self.face.value] if names else ()
        landmarks = zip(names, points, range(STILLS), strict=False)
        if known := [(n, tuple(at), k) for n, at, k in landmarks if not np.isnan(at).any()]:
            return known
        part = self.scene.side / 4
        cross = {"middle": (2, 2), "left": (1, 2), "right": (3, 2), "top": (2, 1), "bottom": (2, 3)}
        return [(name, (x * part, y * part), ANY) for name, (x, y) in cross.items()]

    def _still(self, name: str, point: tuple[float, float], landmark: int) -> Still:
        self.ask(self.face.value, np.clip(point, 0, self.scene.side - 1), landmark)
        titles = " and ".join(side.axis.get_title() for side in self.sides)
        alt = f"The same faces twice, with similarity to the {name} of one of them: {titles}."
        return Still(name, picture_of(self.figure), alt, KEY + (RINGS if landmark != ANY else ""))


class _Side:
    """The picture of the faces for one embedding, and the marks on it."""

    def __init__(self, axis: Axes, mosaic: Mosaic):
        self.axis = axis
        axis.set_axis_off()
        edge = {"edgecolors": "white", "linewidths": 1.2, "zorder": 3}
        ring = {"facecolors": "none", "edgecolors": "white", "linewidths": 1.6, "zorder": 3}
        self.picture = axis.imshow(mosaic.picture(), interpolation="nearest")
        self.truth = axis.scatter([], [], s=130, **ring)
        self.exchanged = axis.scatter([], [], s=34, marker="D", facecolors="tab:cyan", **edge)
        self.best = axis.scatter([], [], s=46, facecolors="tab:red", **edge)
        cross = {"marker": "+", "color": "white", "linewidths": 2.5, "zorder": 4}
        self.query = axis.scatter([], [], s=130, **cross)

    def show(
        self,
        mosaic: Mosaic,
        picture: np.ndarray,
        look: Look,
        others: np.ndarray,
        asked: tuple[int, np.ndarray],
        truth: np.ndarray,
    ) -> None:
        face, point = asked
        self.picture.set_data(picture)
        self.truth.set_offsets(mosaic.placed(truth)[others])
        self.exchanged.set_offsets(mosaic.placed(look.exchanged)[others])
        self.best.set_offsets(mosaic.placed(look.best)[others])
        self.query.set_offsets([point + mosaic.corners[face]])
