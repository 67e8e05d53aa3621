"""Landmarks learned on descriptors: their virtual keypoints, and their error face by face."""

from __future__ import annotations

from functools import cached_property

import ipywidgets as widgets
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backend_bases import MouseEvent
from matplotlib.figure import Figure

from dvelib.describers.embedding import describe_images
from dvelib.explore.gallery import Gallery
from dvelib.explore.mosaic import Mosaic
from dvelib.explore.panel import (
    WIDTH,
    Panel,
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
STILLS = 5  # landmarks that a page shows
MOST = 500  # faces whose errors are shown
BATCH = 50
ALL = -1  # the mean over all landmarks
RANKS = {
    "best": 0.0,
    "a quarter better": 0.25,
    "median": 0.5,
    "three quarters better": 0.75,
    "worst": 1.0,
}


class _Predictions:
    """What each regressor of a gallery finds on its first faces, computed when asked for."""

    def __init__(self, gallery: Gallery, count: int):
        self.gallery, self.count = gallery, min(count, len(gallery.faces))
        self._found: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    @cached_property
    def images(self) -> torch.Tensor:
        return self.gallery.faces.cropped(slice(self.count))

    @cached_property
    def truth(self) -> np.ndarray | None:
        """``[N,A,2]`` true landmarks, where the faces have any."""
        faces = self.gallery.faces
        return None if faces.full_landmarks is None else faces.landmarks[: self.count]

    def of(self, label: str) -> tuple[np.ndarray, np.ndarray]:
        """Landmarks ``[N,A,2]`` and virtual keypoints ``[N,A,V,2]``."""
        if label not in self._found:
            network = self.gallery.embeddings[label].network
            regressor, side = self.gallery.regressors[label], self.gallery.faces.cropped_size
            parts = [
                predict(regressor, describe_images(network, images), side)
                for images in self.images.split(BATCH)
            ]
            landmarks, virtual = (torch.cat(part).numpy() for part in zip(*parts, strict=True))
            self._found[label] = landmarks, virtual
        return self._found[label]


class KeypointPanel(Panel):
    """Where the virtual keypoints of a landmark fall, whose weighted sum the landmark is."""

    asks = "Which landmark's virtual keypoints are shown"

    def __init__(self, gallery: Gallery, count: int = 8):
        self.found = _Predictions(gallery, count)
        self.mosaic = Mosaic(self.found.images.numpy())
        self.names = gallery.regressed_names
        labels = list(gallery.regressors)
        self.label = control(widgets.Dropdown, "embedding", options=labels, value=labels[-1])
        options = [(name, k) for k, name in enumerate(self.names)]
        self.landmark = control(widgets.Dropdown, "landmark", options=options)
        self.picture, self.said = widgets.HTML(), widgets.HTML()
        for asked in (self.label, self.landmark):
            asked.observe(lambda _: self.refresh(), "value")
        super().__init__([row([self.label, self.landmark]), self.picture, self.said])
        self.refresh()

    def drawn(self, label: str, landmark: int) -> tuple[Figure, str]:
        """The faces with the keypoints on them, and what there is to see, in words."""
        found, virtual = (part[:, landmark] for part in self.found.of(label))
        height, width = self.mosaic.shape
        figure = Figure((wide := 0.75 * WIDTH, wide * height / width))
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set_axis_off()
        grey = self.mosaic.faces.mean(3, keepdims=True).repeat(3, 3)
        axis.imshow(self.mosaic.assembled(0.5 + grey / 2), interpolation="nearest")
        cloud = self.mosaic.inside(virtual)
        axis.scatter(*self._placed(cloud), s=22, color=VIRTUAL, edgecolor="black", linewidth=0.4)
        if self.found.truth is not None:
            truth = self.mosaic.inside(self.found.truth[:, landmark])
            style = {"facecolor": "none", "edgecolor": TRUE, "linewidth": 2.2}
            axis.scatter(*self._placed(truth), s=190, **style)
        inside = self.mosaic.inside(found)
        axis.scatter(*self._placed(inside), s=75, color=FOUND, edgecolor="black")
        outside = int(np.isnan(cloud[..., 0]).sum())
        words = f"{virtual.shape[1]} virtual keypoints a face for the {self.names[landmark]}"
        return figure, words + (f", {outside} of them all outside the pictures" if outside else "")

    def _placed(self, points: np.ndarray) -> np.ndarray:
        """``[N,2]`` or ``[N,V,2]`` on the faces as x and y in the whole picture."""
        return self.mosaic.placed(points).reshape(-1, 2).T

    def refresh(self) -> None:
        figure, words = self.drawn(self.label.value, self.landmark.value)
        self.picture.value = picture_html(figure, f"Faces with {words}.")
        self.said.value = status(f"{words}. {self._key()}")

    def _key(self) -> str:
        rings = "" if self.found.truth is None else " Blue rings: where it is."
        return f"Small dots: virtual keypoints. Large dot: the landmark they give.{rings}"

    def stills(self) -> list[Still]:
        stills = []
        for k, name in enumerate(self.names[:STILLS]):
            figure, words = self.drawn(self.label.value, k)
            alt, caption = f"Faces with {words}.", f"{self.label.value}. {self._key()}"
            stills.append(Still(name, picture_of(figure), alt, caption))
        return stills


class ErrorPanel(Panel):
    """A dot a face, by the error of a landmark; a click on a dot shows its face."""

    asks = "Which face is shown"

    def __init__(self, gallery: Gallery):
        self.gallery, self.found = gallery, _Predictions(gallery, MOST)
        labels = list(gallery.regressors)
        self.label = control(widgets.Dropdown, "embedding", options=labels, value=labels[-1])
        names = [("mean of all", ALL), *((n, k) for k, n in enumerate(gallery.landmark_names))]
        self.landmark = control(widgets.Dropdown, "landmark", options=names)
        self.rank = slider("face by error", self.found.count // 2, 0, self.found.count - 1)
        self.said = widgets.HTML()
        self._build_figure()
        for asked in (self.label, self.landmark, self.rank):
            asked.observe(lambda _: self.refresh(), "value")
        controls = [row([self.label, self.landmark]), row([self.rank])]
        super().__init__([*controls, self.canvas, self.said])
        self.refresh()

    def _build_figure(self) -> None:
        self.figure = Figure((WIDTH, 3.6))
        self.chart = self.figure.add_axes((0.08, 0.15, 0.5, 0.8))
        self.chart.set(xlabel="faces, from the smallest error", ylabel="% of inter-ocular distance")
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
        """``[N]`` percent of the inter-ocular distance; NaN where the landmark is not set."""
        found, truth = (torch.from_numpy(p) for p in (self.found.of(label)[0], self.found.truth))
        errors = inter_ocular_error(found, truth, self.gallery.faces.eyes)
        return (errors.nanmean(1) if landmark == ALL else errors[:, landmark]).numpy()

    def refresh(self) -> None:
        label, landmark = self.label.value, self.landmark.value
        errors = self.errors(label, landmark)
        order = errors.argsort()[: (~np.isnan(errors)).sum()]  # those without one come last
        if not len(order):
            self.said.value = status("This landmark is set on no face.")
            return
        self.rank.max = len(order) - 1
        face = order[self.rank.value]
        self.dots.set_offsets(np.stack([np.arange(len(order)), errors[order]], 1))
        self.chosen.set_offsets([[self.rank.value, errors[face]]])
        top = 1.05 * errors[order].max()
        self.chart.set(xlim=(-0.02 * len(order), 1.02 * len(order)), ylim=(0, top))
        self._show_face(label, face, landmark)
        name = self.gallery.faces.files[face]
        self.words = (
            f"{name}: {errors[face]:.1f} %, number {self.rank.value + 1} of {len(order)}; their "
            f"mean is {np.nanmean(errors):.1f} %. Rings: true landmarks. Dots: found ones."
        )
        self.said.value = status(self.words)
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
            alt = f"Errors of all faces in order, and the {name} of them with its landmarks."
            caption = f"{self.label.value}. {self.words}"
            stills.append(Still(name, picture_of(self.figure), alt, caption))
        self.rank.value = before
        return stills
