"""What every dataset is once opened: uint8 images, landmarks in their pixels, and an audit.

A `Layout` knows one dataset on disk: which files a split holds, where its landmarks are, how an
image becomes a square. `dvelib.data.open_dataset` turns it into a `FaceDataset`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import Tensor

from dvelib.augment import normalise
from dvelib.errors import StudyError

__all__ = ["FaceDataset", "Layout", "Listing", "check_crop", "read_table", "require"]


@dataclass(frozen=True)
class Listing:
    """A split as its files say it: paths relative to the root, landmarks in the source's units.

    ``landmarks`` ``[N,K,2]`` or None, NaN where an image has none; ``identities`` one label an
    image ("" where it is not known) or None.
    """

    files: tuple[str, ...]
    landmarks: np.ndarray | None = None
    identities: tuple[str, ...] | None = None


class Layout:
    """One dataset's place on disk. Subclasses state the facts and read the lists."""

    name: str
    title: str
    eyes: tuple[int, int] = (0, 1)
    published: Mapping[str, int] = {}

    def listing(self, root: Path, split: str) -> Listing:
        """The files and landmarks of a split; raises StudyError naming file and remedy."""
        raise NotImplementedError

    def square(self, image: Image.Image, size: int) -> Image.Image:
        """An RGB image as a square of that side."""
        return image.resize((size, size), Image.Resampling.BILINEAR)

    def place(self, points: np.ndarray, sources: np.ndarray, size: int) -> np.ndarray:
        """Landmarks ``[N,K,2]`` in pixels of the square; ``sources [N,2]`` widths and heights."""
        return points * (size / sources[:, None])


@dataclass(frozen=True)
class FaceDataset:
    """A split in memory (or mapped from the cache), ready for the method.

    ``images [N,3,S,S]`` uint8, uncropped. Convention: landmarks (x, y) in pixels; pixel centres
    are whole numbers; cropping takes ``crop`` pixels off every side.
    """

    name: str
    title: str
    split: str
    size: int
    crop: int
    files: tuple[str, ...]
    images: np.ndarray
    full_landmarks: np.ndarray | None
    eyes: tuple[int, int]
    digest: str
    published_count: int | None = None
    identities: tuple[str, ...] | None = None
    skipped: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.files)

    @property
    def cropped_size(self) -> int:
        return self.size - 2 * self.crop

    @property
    def landmarks(self) -> np.ndarray:
        """``[N,K,2]`` float32 (x, y) in pixels of the cropped image.

        Raises StudyError where the dataset has no landmarks.
        """
        if self.full_landmarks is None:
            raise StudyError(f"{self.title} ({self.split}) has no landmarks, and they are needed")
        return self.full_landmarks - np.float32(self.crop)

    def images_uint8(self) -> Tensor:
        """All images ``[N,3,S,S]`` uint8 on the CPU, uncropped (warps come before the crop)."""
        return torch.from_numpy(np.array(self.images))

    def image(self, i: int) -> Tensor:
        """Image i, cropped and normalised for the networks: ``[3,s,s]`` float32."""
        keep = slice(self.crop, self.size - self.crop)
        return normalise(torch.from_numpy(np.array(self.images[i, :, keep, keep])).float())

    def split_audit(self) -> dict[str, object]:
        """What was found beside what the published split holds."""
        return {
            "dataset": self.title,
            "split": self.split,
            "images": len(self),
            "published": self.published_count,
            "complete": self.published_count in (None, len(self)),
            "skipped": list(self.skipped),
            "digest": self.digest,
        }


def require(path: Path, what: str, remedy: str) -> Path:
    """The path, or one sentence saying what is missing and how to mend it."""
    if not path.exists():
        raise StudyError(f"{what} is missing: there is no {path}; {remedy}")
    return path


def read_table(path: Path, remedy: str, **options) -> pd.DataFrame:
    """A list as pandas reads it with these options; raises StudyError where it is no table."""
    try:
        table = pd.read_csv(path, **options)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).replace(str(path), "the file")
        raise StudyError(f"{path} cannot be read as a table ({reason}): {remedy}") from None
    # pandas takes cells that the header does not name for labels of the lines.
    if not isinstance(table.index, pd.RangeIndex):
        raise StudyError(f"{path}: its lines hold more cells than its header names: {remedy}")
    return table


def check_crop(size: int, crop: int) -> None:
    """Raises StudyError where a crop of the square leaves nothing."""
    if size < 2:
        raise StudyError(f"the side of images (size) must be at least 2 pixels, got {size}")
    if crop < 0 or size - 2 * crop < 2:
        raise StudyError(
            f"a crop of {crop} pixels a side leaves nothing of a {size}-pixel image: "
            f"crop must be between 0 and {(size - 2) // 2}"
        )
