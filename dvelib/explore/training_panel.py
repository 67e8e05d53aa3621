"""A button that trains a small embedding on the explored kind of faces."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as widgets
from markupsafe import Markup

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT
from dvelib.data import FaceDataset, open_dataset
from dvelib.data.folder import FOLDERS
from dvelib.explore.gallery import Gallery
from dvelib.explore.panel import Panel, Still, control, row, status
from dvelib.own.embedding_training import learning_rate
from dvelib.training.embeddings import train

__all__ = ["TrainingPanel"]

BATCH, DIMENSION = 8, 16
LENGTHS = {"200 steps (a short test)": 200, "1,500 steps (exchange starts to help)": 1500}
LOSSES = {"with exchange": True, "without exchange": False}
TRAINING_FACES = 1000  # synthetic faces to train on
IN_LAB = "In JupyterLab, a button here trains a small embedding on these faces."


class TrainingPanel(Panel):
    """Trains an embedding, saves it in ``outputs/explore`` and adds it to the other panels.

    An embedding that is already trained is loaded; an interrupted training continues.
    """

    legend = "Training of an embedding"

    def __init__(self, gallery: Gallery, folder: Path = ROOT / "outputs" / "explore"):
        self.gallery, self.folder = gallery, folder
        self.loss = control(widgets.Dropdown, "loss", options=LOSSES)
        self.steps = control(widgets.Dropdown, "length", options=LENGTHS)
        self.button = widgets.Button(description="train", button_style="primary")
        self.button.on_click(lambda _: self.train())
        self.status_line, self.output = widgets.HTML(), widgets.Output()
        super().__init__([row([self.loss, self.steps]), self.button, self.output, self.status_line])

    def train(self) -> None:
        """Train the chosen embedding and offer it; show a StudyError as text."""
        self.button.disabled = True
        self.output.clear_output()
        self.status_line.value = status("Training. The bar shows the time left.")
        try:
            with self.output:
                label = self._trained()
            self.status_line.value = status(
                f"{label} is now selected on the right of the first panel."
            )
        except StudyError as error:
            self.status_line.value = status(str(error))
        finally:
            self.button.disabled = False

    def _trained(self) -> str:
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
        return self.gallery.offer(train(spec, faces, folder, device="cpu"))

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

    def stills(self) -> list[Still]:
        return []

    def still(self) -> Markup:
        return Markup(f"<p>{IN_LAB}</p>")
