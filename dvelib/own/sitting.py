"""From labels to the next labels: learn landmarks, predict them everywhere, suggest pictures.

The annotator's button and ``dve suggest`` call this module. It repeats what ``dve regress labels``,
``dve predict`` and ``dve suggest`` do, with their default folders.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dvelib.checkpoints.pretrained import LANDMARKS_ON, named_folder
from dvelib.checkpoints.specifications import EmbeddingSpec
from dvelib.checkpoints.storage import finished, held_specification, load_embedding
from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.data.folder import LANDMARKS_FILE
from dvelib.own.embedding_training import absolute, beside, need_kind
from dvelib.own.framing import Framing, framing_of
from dvelib.own.landmark_file import LandmarkFile, predicted_landmarks, read_predictions
from dvelib.own.landmark_learning import regress_landmarks
from dvelib.own.predictions import predict_folder
from dvelib.own.predictor import load_predictor
from dvelib.own.suggestions import Suggestion, suggest, write_suggestions

__all__ = ["Sitting", "embedding_folder", "suggest_next"]


def embedding_folder(images: Path, embedding: Path | str | None = None) -> Path:
    """The folder of an embedding, by default ``<images>-embedding`` or a pretrained one.

    Raises StudyError if it holds no finished embedding.
    """
    own = beside(images, "embedding")
    folder = absolute(named_folder(embedding or (own if finished(own) else LANDMARKS_ON)))
    need_kind(folder, "embedding")
    if not finished(folder):
        raise StudyError(f"{folder} holds no finished embedding: name one, or a pretrained one")
    return folder


@dataclass(frozen=True)
class Sitting:
    """Settings of one sitting with a folder of pictures.

    ``embedding``: a folder or a name, None for the default of `embedding_folder`; ``fit``: see
    `dvelib.own.framing`; ``pictures``: how many to suggest; ``epochs`` and ``copies``: of the
    regressor, None for the defaults of `dvelib.own.landmark_learning.regress_landmarks`.
    """

    images: Path
    embedding: Path | str | None = None
    fit: str | None = None
    pictures: int = 20
    epochs: int | None = None
    copies: int | None = None
    device: str = "auto"

    def framing(self) -> Framing:
        """The part of a picture that the network sees."""
        folder = embedding_folder(self.images, self.embedding)
        return framing_of(held_specification(folder, EmbeddingSpec), fit=self.fit)

    def learn(self, say: Callable[[str], None] = print) -> None:
        """Learn from the labels, predict all pictures, and suggest those to label next.

        The regressor and the predictions of an earlier call are replaced. Raises StudyError where
        the labels are too few and where a folder holds something else.
        """
        choices = {"epochs": self.epochs, "copies": self.copies, "fit": self.fit}
        options = {"device": self.device, "force": True, "say": say}
        source = embedding_folder(self.images, self.embedding)
        trained = regress_landmarks(self.images, source, **choices, **options)
        predict_folder(
            load_predictor(trained.folder, self.device), self.images, force=True, say=say
        )
        if _all_labelled(self.images):
            say("all pictures are labelled")
            return
        fit, device = self.fit, self.device
        suggest_next(self.images, self.pictures, source, fit=fit, device=device, say=say)


def _all_labelled(images: Path) -> bool:
    file = LandmarkFile(images)
    return len(file.annotated()) == len(file.files)


def suggest_next(
    images: Path,
    count: int,
    embedding: Path | str | None = None,
    *,
    fit: str | None = None,
    device: str = "auto",
    say: Callable[[str], None] = print,
) -> tuple[Suggestion, ...]:
    """Print which pictures of a folder to label next, and write their names for the annotator.

    Raises StudyError as `dvelib.own.suggestions.suggest` does.
    """
    images = absolute(images)
    opened = load_embedding(embedding_folder(images, embedding), resolve_device(device))
    labelled = (images / LANDMARKS_FILE).exists()
    file = LandmarkFile(images, None if labelled else len(predicted_landmarks(images)) or 1)
    doubt = read_predictions(images, file.count).doubt
    found = suggest(file, opened, framing_of(opened.spec, fit=fit), count, doubt)
    kind = "doubtful pictures" if doubt else "pictures"
    say(f"{len(found)} {kind} to label next, unlike the labelled ones and unlike each other:")
    for picture in found:
        said = f", doubt {picture.doubt:.3g}" if picture.doubt is not None else ""
        say(f"  {picture.file}: distance {picture.distance:.2f}{said}")
    path = write_suggestions(images, [picture.file for picture in found])
    say(f"dve annotate shows them first; their names are in {path}")
    return found
