"""A button that trains a small embedding on the kind of faces at hand, with its progress."""

from __future__ import annotations

from pathlib import Path

import ipywidgets as widgets
from markupsafe import Markup

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT
from dvelib.data import FaceDataset, open_dataset
from dvelib.explore.gallery import Gallery
from dvelib.explore.panel import Panel, Still, control, row, status
from dvelib.own.embedding_training import learning_rate
from dvelib.training.embeddings import train

__all__ = ["TrainingPanel"]

BATCH, DIMENSION = 8, 16
LENGTHS = {"200 steps, a glimpse": 200, "1,500 steps: exchange begins to pay": 1500}
LOSSES = {"with exchange": True, "without exchange": False}
DRAWN = 1000  # synthetic faces to learn from
IN_LAB = "In JupyterLab, a button here trains a small embedding on these faces."


class TrainingPanel(Panel):
    """Trains, keeps the result in ``outputs/explore``, and offers it to the other panels.

    The same choices never train twice; a training that was interrupted goes on.
    """

    asks = "How an embedding is trained"

    def __init__(self, gallery: Gallery, folder: Path = ROOT / "outputs" / "explore"):
        self.gallery, self.folder = gallery, folder
        self.loss = control(widgets.Dropdown, "loss", options=LOSSES)
        self.steps = control(widgets.Dropdown, "length", options=LENGTHS)
        self.button = widgets.Button(description="train", button_style="primary")
        self.button.on_click(lambda _: self.train())
        self.said, self.output = widgets.HTML(), widgets.Output()
        super().__init__([row([self.loss, self.steps]), self.button, self.output, self.said])

    def train(self) -> None:
        """Train what is chosen and offer it; a mistake that can be mended is said."""
        self.button.disabled = True
        self.output.clear_output()
        self.said.value = status("Training. The bar says how long it takes.")
        try:
            with self.output:
                label = self._trained()
            self.said.value = status(f"{label} can be chosen above, and is on the right there.")
        except StudyError as error:
            self.said.value = status(str(error))
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
        """Training images like the faces that are explored, and what they are."""
        gallery, shown = self.gallery, self.gallery.faces
        if shown.name == "folder" and shown.split == "train":
            return shown, DataSpec(name="folder", folder=shown.root.name, skip_bad=True)
        if gallery.study:
            spec = next(iter(gallery.study.embeddings.values()))
            return gallery.study.training_data(spec), spec.data
        size = {"size": gallery.size, "crop": gallery.crop}
        drawn = DataSpec(name="synthetic", limit=DRAWN)
        return open_dataset("synthetic", None, "train", limit=DRAWN, **size), drawn

    def stills(self) -> list[Still]:
        return []

    def still(self) -> Markup:
        return Markup(f"<p>{IN_LAB}</p>")
