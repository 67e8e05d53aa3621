"""Buttons that train a small embedding on the explored kind of faces, and stop the training."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import ipywidgets as widgets
from markupsafe import Markup

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.checkpoints.storage import Embedding
from dvelib.common.errors import StudyError
from dvelib.common.markup import duration
from dvelib.data import FaceDataset, open_dataset
from dvelib.data.folder import FOLDERS
from dvelib.explore.gallery import Gallery
from dvelib.explore.panel import Panel, control, row, status
from dvelib.own.embedding_training import learning_rate
from dvelib.training.embeddings import train

__all__ = ["TrainingPanel"]

BATCH, DIMENSION = 8, 16
LENGTHS = {"200 steps (a short test)": 200, "1,500 steps (exchange starts to help)": 1500}
LOSSES = {"with exchange": True, "without exchange": False}
TRAINING_FACES = 500  # synthetic faces to train on
SHOW_SECONDS = 0.5  # between two changes of the bar
IN_LAB = "In JupyterLab, a button here trains a small embedding on these faces."


class TrainingPanel(Panel):
    """Trains an embedding, saves it among the gallery's outputs and adds it to the other panels.

    An embedding that is already trained is loaded; a stopped training goes on. The training runs in
    a thread of its own, so the other panels answer meanwhile.
    """

    def __init__(self, gallery: Gallery):
        self.gallery, self.folder = gallery, gallery.outputs / "explore"
        self.loss = control(widgets.Dropdown, "loss", options=LOSSES)
        self.steps = control(widgets.Dropdown, "length", options=LENGTHS)
        self.button = widgets.Button(description="train", button_style="primary")
        self.button.on_click(lambda _: self.start())
        self.stop_button = widgets.Button(description="stop", disabled=True)
        self.stop_button.on_click(lambda _: self._stop.set())
        self.bar = widgets.IntProgress(layout=widgets.Layout(width="25em", visibility="hidden"))
        self.status_line = widgets.HTML()
        self._stop, self._thread = threading.Event(), None
        buttons = row([self.button, self.stop_button, self.bar])
        super().__init__([row([self.loss, self.steps]), buttons, self.status_line])

    def start(self) -> None:
        """Begin to train the chosen embedding; the status line reports the end or an error."""
        self._stop.clear()
        self.button.disabled, self.stop_button.disabled = True, False
        self.status_line.value = status("Opening the training images.")
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Return after the training has ended."""
        if self._thread:
            self._thread.join()

    def _run(self) -> None:
        try:
            label = self.gallery.offer(self._trained())
            self.status_line.value = status(
                f"{label} is now selected on the right above the faces."
            )
        except StudyError as error:
            self.status_line.value = status(str(error))
        finally:
            self.bar.layout.visibility = "hidden"
            self.button.disabled, self.stop_button.disabled = False, True

    def _trained(self) -> Embedding:
        faces, data = self._faces()
        spec = EmbeddingSpec(
            dimension=DIMENSION,
            exchange=self.loss.value,
            data=data,
            size=self.gallery.size,
            crop=self.gallery.crop,
            batch=BATCH,
            steps=self.steps.value,
            lower_rate_from=(self.steps.value * 4 // 5 + 1,),
            learning_rate=learning_rate(BATCH),
        )
        folder = self.folder / f"{spec.slug}-{spec.digest(faces.digest)}"
        self.bar.max, self.bar.value, self.bar.layout.visibility = spec.steps, 0, "visible"
        return train(spec, faces, folder, device="cpu", proceed=self._progress(spec.steps))

    def _progress(self, steps: int) -> Callable[[int], bool]:
        """The function that a training asks after each step: it moves the bar, or stops."""
        began, first, shown = time.monotonic(), None, 0.0

        def proceed(step: int) -> bool:
            nonlocal first, shown
            first = step - 1 if first is None else first
            passed = time.monotonic() - began
            if passed - shown >= SHOW_SECONDS:
                shown, self.bar.value = passed, step
                left = duration(passed / (step - first) * (steps - step))
                self.status_line.value = status(f"Step {step:,} of {steps:,}; {left} left.")
            return not self._stop.is_set()

        return proceed

    def _faces(self) -> tuple[FaceDataset, DataSpec]:
        """Training images of the explored kind of faces, and their specification."""
        gallery, shown = self.gallery, self.gallery.faces
        if shown.name in FOLDERS and shown.split == "train":
            return shown, DataSpec(name=shown.name, folder=shown.root.name, skip_bad=True)
        if gallery.study:
            spec = next(iter(gallery.study.embeddings.values()))
            return gallery.study.training_data(spec), spec.data
        size = {"size": gallery.size, "crop": gallery.crop}
        drawn = DataSpec(name="synthetic", limit=TRAINING_FACES)
        return open_dataset("synthetic", None, "train", limit=TRAINING_FACES, **size), drawn

    def still(self) -> Markup:
        return Markup(f"<p>{IN_LAB}</p>")
