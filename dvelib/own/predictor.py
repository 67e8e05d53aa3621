"""Prediction of landmarks on pictures of any size, from the folder of a regressor.

    from dvelib.own.predictor import load_predictor

    predictor = load_predictor("cats-regressor")
    landmarks = predictor("cat.jpg")        # [A,2] in pixels of that picture

Convention: landmarks (x, y) in pixels of the upright picture, turned as its EXIF orientation says;
pixel centres are whole numbers. The part of a picture that is used is that of the training.
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
from dvelib.own.embedding_training import absolute, need_kind
from dvelib.own.framing import Framing, framing_of
from dvelib.own.landmark_file import read_names
from dvelib.regressor import LandmarkRegressor
from dvelib.training.regressors import predict

__all__ = ["EMBEDDING", "Predictor", "load_predictor", "read_picture"]

EMBEDDING = "embedding"  # subfolder of a regressor: a copy of the embedding it was trained on
BATCH = 32  # pictures at a time
Picture = Path | str | Image.Image | np.ndarray


@dataclass(frozen=True)
class Predictor:
    """An embedding and a landmark regressor on it; ``names``: the A names of its landmarks;
    ``framing``: the part of a picture that they see.

    Called with a picture, it returns landmarks ``[A,2]`` float32; called with a list of N
    pictures, ``[N,A,2]``. A picture is a path, a PIL image, or a uint8 array ``[H,W,3]`` (RGB) or
    ``[H,W]``. Raises StudyError for anything else and for a file that cannot be read.
    """

    embedding: Embedding
    regressor: LandmarkRegressor
    names: tuple[str, ...]
    framing: Framing

    def __call__(self, pictures: Picture | Sequence[Picture]) -> np.ndarray:
        if isinstance(pictures, Picture):
            return self([pictures])[0]
        return np.concatenate([np.empty((0, len(self.names), 2), np.float32), *self._all(pictures)])

    def _all(self, pictures: Sequence[Picture]) -> Iterator[np.ndarray]:
        for at in range(0, len(pictures), BATCH):
            yield self.landmarks_of([read_picture(p) for p in pictures[at : at + BATCH]])

    def landmarks_of(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Landmarks ``[N,A,2]`` of RGB images, in one batch."""
        maps = self.embedding(self.framing.images(images))
        found, _ = predict(self.regressor, maps, self.framing.side)
        return self.framing.to_pictures(found.numpy(), np.array([im.size for im in images]))


def load_predictor(folder: Path | str, device: str = "auto") -> Predictor:
    """The predictor of a regressor's folder, as written by ``dve regress labels``.

    ``folder``: also the name ``five-landmarks`` of the pretrained regressor (see
    `dvelib.checkpoints.pretrained`), or a regressor of a study, whose ``embeddings`` folder must
    exist. Raises StudyError if the regressor or its embedding is missing or their dimensions
    differ.
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
    framing = framing_of(embedding.spec, regressor.spec)
    return Predictor(embedding, regressor.network, names, framing)


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
