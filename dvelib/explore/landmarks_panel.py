"""Panels of regressed landmarks: virtual keypoints, and errors by face."""

from __future__ import annotations

from functools import cached_property

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backend_bases import MouseEvent
from matplotlib.figure import Figure

from dvelib.explore.gallery import Gallery
from dvelib.explore.mosaic import Mosaic
from dvelib.explore.panel import (
    WIDTH,
    PicturePanel,
    Still,
    canvas_for,
    control,
    picture_html,
    picture_of,
    row,
    slider,
    status,
)
from dvelib.matching import inter_ocular_error
from dvelib.plots.parts import draw
from dvelib.training.regressors import predict

__all__ = ["ErrorPanel", "KeypointPanel"]

TRUE, FOUND, VIRTUAL = "#0173b2", "#ffb000", "#de8f05"
STILLS = 5  # landmarks shown on a page
MOST_FACES = 500  # in the chart of errors
BATCH = 50
ALL = -1  # the mean over all landmarks
RANKS = {
    "smallest": 0.0,
    "lower quartile": 0.25,
    "median": 0.5,
    "upper quartile": 0.75,
    "largest": 1.0,
}


class _Predictions:
    """Predictions of each regressor on the first faces of a gallery, computed when needed."""

    def __init__(self, gallery: Gallery, count: int):
        self.gallery, self.count = gallery, min(count, len(gallery.faces))
        self._found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def images(self) -> torch.Tensor:
        return self.gallery.faces.cropped(slice(self.count))

    @cached_property
    def truth(self) -> np.ndarray | None:
        """True landmarks ``[N,A,2]``; None if the faces have none."""
        faces = self.gallery.faces
        return None if faces.full_landmarks is None else faces.landmarks[: self.count]

    def of(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks ``[N,A,2]`` and virtual keypoints ``[N,A,V,2]``."""
        if label not in self._found:
            embedding = self.gallery.embeddings[label]
            regressor, side = self.gallery.regressors[label], self.gallery.faces.cropped_size
            parts = [
                predict(regressor, embedding(images), side) for images in self.images.split(BATCH)
            ]
            landmarks, virtual = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
            self._found[label] = landmarks, virtual
        return self._found[label]


class KeypointPanel(PicturePanel):
    """The virtual keypoints of a landmark; the landmark is their weighted sum."""

    legend = "Virtual keypoints of the landmark"

    def __init__(self, gallery: Gallery, count: int = 8):
        self.found = _Predictions(gallery, count)
        self.mosaic = Mosaic(self.found.images.numpy())
        self.names = gallery.regressed_names
        labels = list(gallery.regressors)
        self.label = control(widgets.Dropdown, "embedding", options=labels, value=labels[-1])
        options = [(name, k) for k, name in enumerate(self.names)]
        self.landmark = control(widgets.Dropdown, "landmark", options=options)
        self.picture, self.status_line = widgets.HTML(), widgets.HTML()
        for part in (self.label, self.landmark):
            part.observe(lambda _: self.refresh(), "value")
        super().__init__([row([self.label, self.landmark]), self.picture, self.status_line])
        self.refresh()

    def drawn(self, label: str, landmark: int) -> tuple[Figure, str]:
        """The faces with the virtual keypoints, and a description of the figure."""
        found, virtual = (part[:, landmark] for part in self.found.of(label))
        height, width = self.mosaic.shape
        figure = Figure((wide := 0.85 * WIDTH, wide * height / width))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set_axis_off()
        pale = self.mosaic.assembled(0.4 + 0.6 * self.mosaic.faces)
        axis.imshow(pale, interpolation="nearest")  # a small picture for a page
        cloud = self.mosaic.inside(virtual)
        axis.scatter(*self._placed(cloud), s=22, color=VIRTUAL, edgecolor="black", linewidth=0.4)
        if self.found.truth is not None:
            truth = self.mosaic.inside(self.found.truth[:, landmark])
            style = {"facecolor": "none", "edgecolor": TRUE, "linewidth": 2.2}
            axis.scatter(*self._placed(truth), s=190, **style)
        inside = self.mosaic.inside(found)
        axis.scatter(*self._placed(inside), s=75, color=FOUND, edgecolor="black")
        outside = int(np.isnan(cloud[..., 0]).sum())
        text = f"{virtual.shape[1]} virtual keypoints per face for the {self.names[landmark]}"
        total = cloud[..., 0].size
        return figure, text + (f"; {outside} of {total} lie outside the faces" if outside else "")

    def _placed(self, points: np.ndarray) -> np.ndarray:
        """Points ``[N,2]`` or ``[N,V,2]`` on the faces as x and y in the whole picture."""
        return self.mosaic.placed(points).reshape(-1, 2).T

    def refresh(self) -> None:
        figure, text = self.drawn(self.label.value, self.landmark.value)
        self.picture.value = picture_html(figure, f"Faces with {text}.")
        self.status_line.value = status(f"{text}. {self._key()}")

    def _key(self) -> str:
        rings = "" if self.found.truth is None else " Blue rings: true landmark."
        return f"Small dots: virtual keypoints. Large dots: predicted landmark.{rings}"

    def stills(self) -> list[Still]:
        stills = []
        for k, name in enumerate(self.names[:STILLS]):
            figure, text = self.drawn(self.label.value, k)
            alt, caption = f"Faces with {text}.", f"{self.label.value}. {self._key()}"
            stills.append(Still(name, picture_of(figure), alt, caption))
        return stills


class ErrorPanel(PicturePanel):
    """One dot per face, sorted by the error of a landmark; a click on a dot shows the face."""

    legend = "Face, by its error"

    def __init__(self, gallery: Gallery):
        self.gallery, self.found = gallery, _Predictions(gallery, MOST_FACES)
        labels = list(gallery.regressors)
        self.label = control(widgets.Dropdown, "embedding", options=labels, value=labels[-1])
        names = [("mean of all", ALL), *((n, k) for k, n in enumerate(gallery.landmark_names))]
        self.landmark = control(widgets.Dropdown, "landmark", options=names)
        self.rank = slider("face by error", self.found.count // 2, 0, self.found.count - 1)
        self.status_line = widgets.HTML()
        self._build_figure()
        for part in (self.label, self.landmark, self.rank):
            part.observe(lambda _: self.refresh(), "value")
        controls = [row([self.label, self.landmark]), row([self.rank])]
        super().__init__([*controls, self.canvas, self.status_line])
        self.refresh()

    def _build_figure(self) -> None:
        self.figure = Figure((WIDTH, 3.6))
        self.chart = self.figure.add_axes((0.08, 0.15, 0.5, 0.8))
        self.chart.set(xlabel="faces, by error", ylabel="error, % of inter-ocular distance")
        self.chart.spines[["top", "right"]].set_visible(False)
        self.dots = self.chart.scatter([], [], s=12, color=TRUE)
        self.chosen = self.chart.scatter([], [], s=80, color=FOUND, edgecolor="black", zorder=3)
        self.picture = self.figure.add_axes((0.63, 0.02, 0.37, 0.96))
        self.canvas = canvas_for(self.figure)
        self.canvas.mpl_connect("button_press_event", self._clicked)

    def _clicked(self, event: MouseEvent) -> None:
        if event.inaxes is self.chart and event.xdata is not None:
            self.rank.value = int(np.clip(round(event.xdata), 0, self.rank.max))

    def errors(self, label: str, landmark: int) -> np.ndarray:
        """Errors ``[N]`` in percent of the inter-ocular distance; NaN without annotation."""
        found, truth = (torch.from_numpy(p) for p in (self.found.of(label)[0], self.found.truth))
        errors = inter_ocular_error(found, truth, self.gallery.faces.eyes)
        return (errors.nanmean(1) if landmark == ALL else errors[:, landmark]).numpy()

    def refresh(self) -> None:
        label, landmark = self.label.value, self.landmark.value
        errors = self.errors(label, landmark)
        order = errors.argsort()[: (~np.isnan(errors)).sum()]  # NaN is sorted last
        if not len(order):
            self.status_line.value = status("This landmark is not annotated on any face.")
            return
        self.rank.max = len(order) - 1
        face = order[self.rank.value]
        self.dots.set_offsets(np.stack([np.arange(len(order)), errors[order]], 1))
        self.chosen.set_offsets([[self.rank.value, errors[face]]])
        top = 1.05 * errors[order].max()
        self.chart.set(xlim=(-0.02 * len(order), 1.02 * len(order)), ylim=(0, top))
        self._show_face(label, face, landmark)
        name = self.gallery.faces.files[face]
        self.description = (
            f"{name}: error {errors[face]:.1f} %, rank {self.rank.value + 1} of {len(order)} faces "
            f"(mean {np.nanmean(errors):.1f} %). Rings: true landmarks. Dots: predictions."
        )
        self.status_line.value = status(self.description)
        self.canvas.draw_idle()

    def _show_face(self, label: str, face: int, landmark: int) -> None:
        axis: Axes = self.picture
        axis.clear()
        axis.set_axis_off()
        draw(axis, self.found.images[face].permute(1, 2, 0).numpy())
        shown = slice(None) if landmark == ALL else slice(landmark, landmark + 1)
        truth, found = self.found.truth[face][shown], self.found.of(label)[0][face][shown]
        axis.plot(*np.stack([truth, found]).transpose(2, 0, 1), color="white", linewidth=1.5)
        axis.scatter(*truth.T, s=130, facecolor="none", edgecolor=TRUE, linewidth=2.2)
        axis.scatter(*found.T, s=50, color=FOUND, edgecolor="black", zorder=3)

    def stills(self) -> list[Still]:
        before, stills = self.rank.value, []
        for name, share in RANKS.items():
            self.rank.value = round(share * self.rank.max)
            alt = f"Sorted errors of all faces, and the face with the {name} error."
            caption = f"{self.label.value}. {self.description}"
            stills.append(Still(name, picture_of(self.figure), alt, caption))
        self.rank.value = before
        return stills
