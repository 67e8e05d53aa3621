"""The faces, embeddings and landmark regressors of an explorer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from dvelib.checkpoints.pretrained import (
    EMBEDDINGS,
    LANDMARKS,
    LANDMARKS_ON,
    load_pretrained,
    named_folder,
    pretrained_folder,
)
from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.checkpoints.storage import Embedding, finished, load_embedding, load_regressor
from dvelib.common.files import outputs_folder
from dvelib.common.markup import data_text
from dvelib.data import FaceDataset, open_dataset
from dvelib.data.folder import FOLDERS, folder_name
from dvelib.data.landmark_names import FIVE_LANDMARKS
from dvelib.explore.scene import Scene
from dvelib.own.landmark_file import read_names
from dvelib.own.predictor import load_predictor
from dvelib.regressor import LandmarkRegressor
from dvelib.study.plan import Study

__all__ = ["Gallery"]

SYNTHETIC_FACES = 96  # by default; drawn in seconds


class Gallery:
    """Faces, embeddings trained for images of their size, and landmark regressors.

    ``profile``, ``data_root``, ``outputs``: a study, whose trained embeddings and test faces are
    explored. Without a profile: pretrained embeddings and synthetic faces. New embeddings are saved
    in ``outputs/explore``. ``images``: a folder of
    pictures instead of these faces. ``embeddings``: folders or names of pretrained embeddings,
    instead of the study's. ``regressor``: the folder of a user's own regressor; its embedding is
    added. ``drawn``: the number of synthetic faces.

    The attributes ``embeddings`` and ``regressors`` are dictionaries by label; ``notes`` lists
    what was replaced or left out. Raises StudyError where a folder or an embedding is missing.
    """

    def __init__(
        self,
        profile: str | None = None,
        data_root: Path | str | None = None,
        *,
        outputs: Path | str | None = None,
        images: Path | str | None = None,
        embeddings: Sequence[Path | str] = (),
        regressor: Path | str | None = None,
        drawn: int = SYNTHETIC_FACES,
    ):
        self.notes: list[str] = []
        self._watching: list[Callable[[str], None]] = []
        self.embeddings: dict[str, Embedding] = {}
        self.outputs = Path(outputs or outputs_folder()).expanduser()
        self.study = Study.load(profile, data_root, outputs=outputs) if profile else None
        self._own = load_predictor(regressor, "cpu") if regressor else None
        for embedding in self._chosen(embeddings):
            self.add(embedding)
        self._keep_one_size()
        self.faces = self._open_faces(images, drawn)
        self.regressors = self._fitting_regressors()

    def _chosen(self, folders: Sequence[Path | str]) -> list[Embedding]:
        if folders or self._own:
            own = [self._own.embedding] if self._own else []
            return own + [load_embedding(named_folder(folder)) for folder in folders]
        if self.study:
            places = [self.study.embedding_folder(name) for name in self.study.embeddings]
            if trained := [load_embedding(place) for place in places if finished(place)]:
                return trained
            self.notes.append(
                f"The study {self.study.name} has no trained embedding yet, so pretrained ones are "
                f"shown. `make study PROFILE={self.study.name}` trains the study's embeddings; the "
                "button at the end of this notebook trains a small one on these faces."
            )
        return [load_pretrained(name) for name in EMBEDDINGS]

    def add(self, embedding: Embedding) -> str:
        """Add an embedding under a unique label; returns the label."""
        label = plain = _label(embedding.spec)
        number = 2
        while label in self.embeddings:
            label, number = f"{plain} ({number})", number + 1
        self.embeddings[label] = embedding
        return label

    def _keep_one_size(self) -> None:
        """Leave out embeddings for another image size than that of the first embedding."""
        sizes = {label: (e.spec.size, e.spec.crop) for label, e in self.embeddings.items()}
        self.size, self.crop = next(iter(sizes.values()))
        for label, size in sizes.items():
            if size != (self.size, self.crop):
                del self.embeddings[label]
                self.notes.append(f"Left out (trained for another image size): {label}.")

    def _open_faces(self, images: Path | str | None, drawn: int) -> FaceDataset:
        size = {"size": self.size, "crop": self.crop}
        if images:
            folder = Path(images).expanduser()
            layout = folder_name(next(iter(self.embeddings.values())).spec.data.name)
            return open_dataset(layout, folder, "train", **size, skip_bad=True)
        if self.study:
            return self.study.matching_data(next(iter(self.embeddings.values())).spec)
        return open_dataset("synthetic", None, "test", **size, limit=drawn)

    def _fitting_regressors(self) -> dict[str, LandmarkRegressor]:
        """By label, a regressor with these faces' number of landmarks (any, if they have none)."""
        found = {}
        for label, embedding in self.embeddings.items():
            for regressor in self._regressors_on(embedding):
                if self.landmarks in (None, regressor.landmarks):
                    found.setdefault(label, regressor)
        return found

    def _regressors_on(self, embedding: Embedding) -> list[LandmarkRegressor]:
        """Regressors on an embedding that were trained with all annotations of a benchmark."""
        if self._own and embedding is self._own.embedding:
            return [self._own.regressor]
        if embedding.folder == pretrained_folder(LANDMARKS_ON):
            return [load_predictor(LANDMARKS, "cpu").regressor]
        if not self.study:
            return []
        specs = self.study.regressors.items()
        places = [
            self.study.regressor_folder(name)
            for name, spec in specs
            if spec.embedding == embedding.folder.name and spec.annotations is None
        ]
        return [load_regressor(place).network for place in places if finished(place)]

    @property
    def landmarks(self) -> int | None:
        """The number of landmarks of a face; None if the faces have none."""
        points = self.faces.full_landmarks
        return None if points is None else points.shape[1]

    @property
    def landmark_names(self) -> tuple[str, ...]:
        """Names of the faces' landmarks; empty if the faces have none."""
        if self.landmarks is None:
            return ()
        if self.faces.name not in FOLDERS and self.landmarks == len(FIVE_LANDMARKS):
            return FIVE_LANDMARKS
        return read_names(self.faces.root or Path(), self.landmarks)

    @property
    def regressed_names(self) -> tuple[str, ...]:
        """Names of the regressors' landmarks."""
        if self._own:
            return self._own.names
        count = next(iter(self.regressors.values())).landmarks
        return self.landmark_names or (
            FIVE_LANDMARKS if count == len(FIVE_LANDMARKS) else read_names(Path(), count)
        )

    def pair(self) -> tuple[str, str]:
        """The labels first shown: without and with exchange, at the largest common dimension."""
        kinds = {
            (e.spec.dimension, e.spec.exchange): label
            for label, e in reversed(self.embeddings.items())
            if e.spec.parent is None
        }
        for dimension in sorted({dimension for dimension, _ in kinds}, reverse=True):
            if (dimension, False) in kinds and (dimension, True) in kinds:
                return kinds[dimension, False], kinds[dimension, True]
        labels = list(self.embeddings)
        return labels[0], labels[-1]

    def scene(self, count: int = 8, first: int = 0) -> Scene:
        """``count`` successive faces from ``first`` on, with the embeddings."""
        return Scene(self.embeddings, self.faces, count, first)

    def summary(self) -> str:
        """The faces, the embeddings and the notes, in markdown."""
        names = "; ".join(self.embeddings)
        faces = data_text(self.faces.split_audit())
        lines = [f"**Faces**: {faces}.", f"**Embeddings** ({len(self.embeddings)}): {names}."]
        return "\n\n".join([*lines, *self.notes])

    def watch(self, notify: Callable[[str], None]) -> None:
        """Call ``notify`` with the label of each embedding that is offered later."""
        self._watching.append(notify)

    def offer(self, embedding: Embedding) -> str:
        """Add an embedding unless it is here already, and notify all who watch; the label."""
        held = {e.folder: label for label, e in self.embeddings.items()}
        label = held.get(embedding.folder) or self.add(embedding)
        for notify in self._watching:
            notify(label)
        return label


def _label(spec: EmbeddingSpec) -> str:
    on = f" on {spec.data.name}" if spec.parent else ""
    return spec.label + on + (f", seed {spec.seed}" if spec.seed else "")
