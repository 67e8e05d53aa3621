"""The part of a picture that a network sees, and the labels that lie outside of it.

A picture becomes a square (see `dvelib.data.folder`), and ``crop`` pixels are cut from each side
of the square. With ``--fit central`` the square is the centre of the picture. With ``--fit whole``
it is the whole picture with black bars.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from dvelib.checkpoints.specifications import ARCHITECTURES, EmbeddingSpec, RegressorSpec
from dvelib.common.errors import StudyError
from dvelib.data import FaceDataset, open_dataset
from dvelib.data.folder import CENTRAL, FOLDERS, WHOLE, Folder, folder_name
from dvelib.data.pictures import FORMATS
from dvelib.own.landmark_file import LandmarkFile

__all__ = [
    "FITS",
    "Framing",
    "fit_layout",
    "framing_of",
    "labels_outside",
    "say_outside",
    "upright_size",
]

FITS = {"central": CENTRAL, "whole": WHOLE}
NAMED = 3  # files named in a message
# EXIF orientations that turn the picture by a quarter, and the tag that holds them.
QUARTER_TURNS, ORIENTATION = (5, 6, 7, 8), 274


@dataclass(frozen=True)
class Framing:
    """How pictures become the input of a network.

    ``data``: name of the layout, `CENTRAL` or `WHOLE`; ``size``: side of the square; ``crop``:
    pixels cut from each of its sides.
    """

    data: str
    size: int
    crop: int

    @property
    def layout(self) -> Folder:
        return FOLDERS[self.data]

    @property
    def side(self) -> int:
        """Side of the network's input, pixels."""
        return self.size - 2 * self.crop

    def images(self, pictures: Sequence[Image.Image]) -> Tensor:
        """RGB pictures as the network sees them: ``[N,3,s,s]`` uint8."""
        squares = [np.asarray(self.layout.square(image, self.size, None)) for image in pictures]
        keep = slice(self.crop, self.size - self.crop)
        return torch.from_numpy(np.stack(squares)[:, keep, keep]).movedim(3, 1)

    def to_pictures(self, points: np.ndarray, sources: np.ndarray) -> np.ndarray:
        """Points ``[N,K,2]`` in pixels of the network's input, in pixels of the pictures.

        ``sources [N,2]``: widths and heights of the upright pictures.
        """
        return self.layout.place_back(points + self.crop, sources, self.size).astype(np.float32)

    def outside(self, points: np.ndarray) -> np.ndarray:
        """Which points ``[N,K,2]``, in pixels of the square, the network does not see: ``[N,K]``.

        False for points that are not set.
        """
        low, high = self.crop - 0.5, self.size - self.crop - 0.5
        return ((points < low) | (points > high)).any(axis=2)

    def open(self, folder: Path, split: str) -> FaceDataset:
        """A split of a folder of pictures; pictures that cannot be read are left out."""
        options = {"size": self.size, "crop": self.crop, "skip_bad": True}
        return open_dataset(self.data, folder, split, **options)

    def described(self) -> str:
        """The part that the network sees, in words."""
        part = {CENTRAL: "the central square", WHOLE: "the whole picture"}[self.data]
        return part + (
            f" without {100 * self.crop / self.size:.0f} % on each side" if self.crop else ""
        )


def fit_layout(fit: str | None) -> str | None:
    """The layout of a value of ``--fit``; None stays None. Raises StudyError for other values."""
    if fit is not None and fit not in FITS:
        raise StudyError(f"--fit {fit} is unknown: choose among {', '.join(FITS)}")
    return fit and FITS[fit]


def framing_of(
    embedding: EmbeddingSpec,
    regressor: RegressorSpec | None = None,
    *,
    fit: str | None = None,
    crop: int | None = None,
) -> Framing:
    """The framing of an embedding, changed by a regressor's specification or by options.

    ``fit``: a key of `FITS`. Whole pictures that an embedding of central squares describes lose
    no margin, or the smallest that its network can halve evenly. ``crop``: instead of these.
    Raises StudyError for a crop that the network cannot take.
    """
    own = Framing(folder_name(embedding.data.name), embedding.size, embedding.crop)
    if regressor is not None:
        kept = own.crop if regressor.crop is None else regressor.crop
        return replace(own, data=folder_name(regressor.data.name), crop=kept)
    data = fit_layout(fit) or own.data
    if crop is None:
        crop = own.crop if data == own.data else smallest_crop(embedding.architecture, own.size)
    multiple = ARCHITECTURES[embedding.architecture].side_multiple
    side = own.size - 2 * crop
    if crop < 0 or side < 8 or side % multiple:
        raise StudyError(
            f"--crop {crop} leaves {side} of {own.size} pixels: the {embedding.architecture} "
            f"needs at least 8, and a multiple of {multiple}"
        )
    return Framing(data, own.size, crop)


def smallest_crop(architecture: str, size: int) -> int:
    """The smallest crop of squares of that side that the network can halve evenly."""
    multiple = ARCHITECTURES[architecture].side_multiple
    return next(c for c in range(size) if (size - 2 * c) % multiple == 0)


def labels_outside(file: LandmarkFile, framing: Framing) -> dict[str, np.ndarray]:
    """By annotated picture that can be read: whether each set landmark is outside, bool ``[n]``."""
    found = {}
    for name in file.annotated():
        points = file.points(name)
        try:
            source = upright_size(file.path.parent / name)
        except OSError:
            continue
        placed = framing.layout.place(points[None], np.array([source]), None, framing.size)
        found[name] = framing.outside(placed)[0][~np.isnan(points[:, 0])]
    return found


def upright_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture file turned upright; raises OSError for another file."""
    with Image.open(path, formats=FORMATS) as image:
        width, height = image.size
        turned = image.getexif().get(ORIENTATION) in QUARTER_TURNS
    return (height, width) if turned else (width, height)


def say_outside(
    file: LandmarkFile, framing: Framing, others: Sequence[Framing], say: Callable[[str], None]
) -> None:
    """Say how many labels the network does not see, where, and which options would help.

    ``others``: framings that options would give, the one to prefer first. Nothing is said where
    the network sees all labels.
    """
    found = labels_outside(file, framing)
    count, total = _counts(found)
    if not count:
        return
    files = [name for name, outside in found.items() if outside.any()]
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    say(
        f"{count} of {total} labels ({100 * count / total:.0f} %) are outside what the network "
        f"sees ({framing.described()}) and count as not set: in {', '.join(files[:NAMED])}{more}"
        f"{_advice(file, framing, count, others)}"
    )


def _counts(found: dict[str, np.ndarray]) -> tuple[int, int]:
    return sum(int(o.sum()) for o in found.values()), sum(len(o) for o in found.values())


def _advice(file: LandmarkFile, framing: Framing, count: int, others: Sequence[Framing]) -> str:
    left = {other: _counts(labels_outside(file, other))[0] for other in others if other != framing}
    best = min(left, key=left.get, default=None)
    if best is None or left[best] >= count:
        return ""
    options = [] if best.data == framing.data else ["--fit whole"]
    options += [f"--crop {best.crop}"] if best.data == framing.data else []
    return f"; with {' '.join(options)} it would be {left[best]}"
