"""Prediction of landmarks on pictures of any size, from the folder of a regressor.

    from dvelib.own.predictor import load_predictor

    predictor = load_predictor("five-landmarks")
    for face in predictor("party.jpg"):     # each face of the photograph
        face.landmarks, face.box, face.doubt

    predictor = load_predictor("cats-regressor")
    landmarks = predictor("cat.jpg")        # [A,2]: on the same part of a picture as in training

Convention: (x, y) in pixels of the upright picture, turned as its EXIF orientation says; pixel
centres are whole numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dvelib.checkpoints.pretrained import named_folder
from dvelib.checkpoints.storage import Embedding, finished, load_embedding, load_regressor
from dvelib.common.devices import resolve_device
from dvelib.common.errors import StudyError
from dvelib.data.pictures import BadPicture, open_rgb, upright_rgb
from dvelib.own.doubt import DOUBTFUL, Doubt, load_doubt
from dvelib.own.embedding_training import absolute, need_kind
from dvelib.own.face_detection import DetectedFace, detect_faces
from dvelib.own.face_framing import FaceFraming
from dvelib.own.face_landmarks import FaceReader, central_frame
from dvelib.own.framing import Framing, framing_of
from dvelib.own.landmark_file import read_names
from dvelib.regressor import LandmarkRegressor
from dvelib.training.regressors import predict

__all__ = ["EMBEDDING", "Face", "Predictor", "load_predictor", "read_picture"]

EMBEDDING = "embedding"  # subfolder of a regressor: a copy of the embedding it was trained on
BATCH = 32  # pictures at a time
Picture = Path | str | Image.Image | np.ndarray


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    ``landmarks [A,2]`` and ``box [4]`` (left, top, right, bottom) in pixels of the picture;
    ``doubt [A]``: the probability, from 0 to 1, that a landmark is farther from its true place
    than a fifth of the inter-ocular distance; ``confidence``: the detector's, from 0 to 1, or None
    where the picture's central square was taken for the face.
    """

    landmarks: np.ndarray
    box: np.ndarray
    doubt: np.ndarray
    confidence: float | None

    @property
    def doubtful(self) -> np.ndarray:
        """``[A]``: which landmarks are more probably wrong than right."""
        return self.doubt > DOUBTFUL

    @property
    def is_doubtful(self) -> bool:
        """Whether the mean doubt of the landmarks says that they are probably wrong."""
        return float(self.doubt.mean()) > DOUBTFUL


@dataclass(frozen=True)
class Predictor:
    """An embedding and a landmark regressor on it; ``names``: the A names of its landmarks.

    A predictor of faces (``finds_faces``) is called with a picture and returns a list of `Face`,
    one for each face, the largest first, and an empty list where there is none; called with a list
    of pictures, a list of such lists. With ``framed=True``, and for every other predictor, the
    central square of the picture is the object: a picture gives landmarks ``[A,2]`` float32, a
    list of N pictures ``[N,A,2]``.

    A picture is a path, a PIL image, or a uint8 array ``[H,W,3]`` (RGB) or ``[H,W]``. Raises
    StudyError for anything else, for a file that cannot be read, and where faces are to be found
    and the detector is not installed.
    """

    embedding: Embedding
    regressor: LandmarkRegressor
    names: tuple[str, ...]
    framing: Framing
    reader: FaceReader | None = None
    doubt: Doubt | None = None

    @property
    def finds_faces(self) -> bool:
        """Whether the predictor was trained to find and frame faces by itself."""
        return self.reader is not None

    def __call__(
        self, pictures: Picture | Sequence[Picture], *, framed: bool = False
    ) -> np.ndarray | list[Face] | list[list[Face]]:
        if isinstance(pictures, Picture):
            return self([pictures], framed=framed)[0]
        if self.finds_faces and not framed:
            return [self.faces_of(read_picture(picture)) for picture in pictures]
        return np.concatenate([np.empty((0, len(self.names), 2), np.float32), *self._all(pictures)])

    def faces_of(self, image: Image.Image, *, framed: bool = False) -> list[Face]:
        """The faces of an RGB picture, the largest first.

        ``framed``: the picture is cut around one face already, which nobody has to find.
        Raises StudyError for a predictor of other things than faces.
        """
        if not self.finds_faces:
            raise StudyError("this regressor was not trained to find faces in photographs")
        if framed:
            return [self._face(image, central_frame(image.size, self.embedding))]
        found = detect_faces(image)
        found.sort(key=lambda face: -np.prod(face.box[2:] - face.box[:2]))
        return [self._detected(image, face) for face in found]

    def _detected(self, image: Image.Image, face: DetectedFace) -> Face:
        return self._face(image, self.reader.frame_of(face.box, face.turn), face)

    def _face(
        self, image: Image.Image, frame: np.ndarray, found: DetectedFace | None = None
    ) -> Face:
        reading = self.reader.read(image, frame)
        confidence = None if found is None else found.confidence
        box = central_box(image.size) if found is None else found.box
        doubt = self.doubt.of(reading, confidence)
        return Face(reading.landmarks, box, doubt, confidence)

    def _all(self, pictures: Sequence[Picture]) -> Iterator[np.ndarray]:
        for at in range(0, len(pictures), BATCH):
            yield self.landmarks_of([read_picture(p) for p in pictures[at : at + BATCH]])

    def landmarks_of(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Landmarks ``[N,A,2]`` of the central squares of RGB images, in one batch."""
        if self.finds_faces:
            faces = [self.faces_of(image, framed=True)[0] for image in images]
            return np.stack([face.landmarks for face in faces])
        maps = self.embedding(self.framing.images(images))
        found, _ = predict(self.regressor, maps, self.framing.side)
        return self.framing.to_pictures(found.numpy(), np.array([im.size for im in images]))


def load_predictor(folder: Path | str, device: str = "auto") -> Predictor:
    """The predictor of a regressor's folder, as written by ``dve regress labels``.

    ``folder``: also ``five-landmarks`` or ``68-landmarks``, the pretrained regressors, which find
    faces (see `dvelib.checkpoints.pretrained`), or a regressor of a study, whose ``embeddings``
    folder must exist. Raises StudyError if the regressor or its embedding is missing or their
    dimensions differ.
    """
    folder, where = absolute(named_folder(folder)), resolve_device(device)
    need_kind(folder, "regressor")
    regressor = load_regressor(folder, where)
    places = [folder / EMBEDDING, folder.parent.parent / "embeddings" / regressor.spec.embedding]
    held = next((place for place in places if finished(place)), None)
    if held is None:
        raise StudyError(
            f"the embedding of the regressor in {folder} is missing: put it back into "
            f"{places[0]}, or train the regressor again"
        )
    embedding = load_embedding(held, where)
    dimension = regressor.network.inner_conv.weight.shape[1]
    if embedding.spec.dimension != dimension:
        raise StudyError(
            f"the regressor in {folder} needs {dimension}-dimensional descriptors, but the "
            f"embedding in {held} has {embedding.spec.dimension} dimensions: train the regressor "
            f"again"
        )
    names = read_names(folder, regressor.network.landmarks)
    calibrated = load_doubt(folder)
    framing = framing_of(embedding.spec, regressor.spec)
    if calibrated is None:
        return Predictor(embedding, regressor.network, names, framing)
    faces = FaceFraming(**calibrated.facts["framing"])
    reader = FaceReader(embedding, regressor.network, faces, calibrated.offsets)
    return Predictor(embedding, regressor.network, names, framing, reader, calibrated.doubt)


def central_box(size: tuple[int, int]) -> np.ndarray:
    """Left, top, right, bottom ``[4]`` of the central square of a picture."""
    low = (np.array(size) - min(size)) // 2
    return np.concatenate([low, low + min(size)]).astype(float)


def read_picture(picture: Picture) -> Image.Image:
    """A picture as an RGB image; raises StudyError if it cannot be read."""
    if isinstance(picture, np.ndarray):
        channels = picture.shape[2:]
        if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or channels not in ((), (3,)):
            raise StudyError(
                f"a picture must be uint8 [H,W,3] or [H,W], got {picture.dtype} "
                f"{list(picture.shape)}"
            )
        picture = Image.fromarray(picture)
    if isinstance(picture, Image.Image):
        try:
            return upright_rgb(picture)
        except ValueError as error:
            raise StudyError(f"the picture cannot be used ({error})") from None
    path = Path(picture).expanduser()
    try:
        return open_rgb(path, upright_rgb)
    except BadPicture as error:
        raise StudyError(f"{path} cannot be read as a picture ({error})") from None
