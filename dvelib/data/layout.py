"""Base class of the layouts of datasets on disk: files of a split, and the crop of an image.

A `Layout` describes one dataset; `dvelib.data.known` lists all of them.
"""

from __future__ import annotations

import io
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.common.files import read_file
from dvelib.data.pictures import as_stored

__all__ = ["Layout", "Listing", "read_table", "require"]

LONGEST_LINE = 100_000  # bytes: thousands of landmarks


@dataclass(frozen=True)
class Listing:
    """The files of a split, relative to the root, and their annotations in the source's units.

    ``landmarks`` ``[N,K,2]`` or None; NaN for images without landmarks. ``identities``: one label
    per image ("" if unknown), or None. ``boxes`` ``[N,4]``: left, top, right, bottom of the face,
    or None if the layout needs none.
    """

    files: tuple[str, ...]
    landmarks: np.ndarray | None = None
    identities: tuple[str, ...] | None = None
    boxes: np.ndarray | None = None

    def choose(self, index: np.ndarray) -> Listing:
        """The listing of the images with these indices."""
        return replace(
            self,
            files=tuple(self.files[i] for i in index),
            landmarks=None if self.landmarks is None else self.landmarks[index],
            identities=self.identities and tuple(self.identities[i] for i in index),
            boxes=None if self.boxes is None else self.boxes[index],
        )


class Layout(ABC):
    """The layout of one dataset on disk. Subclasses set the attributes and read the lists.

    ``eyes``: the two landmarks whose distance is the inter-ocular distance. ``published``: the
    published number of images by split. ``parts``: the same by part of a split, if it has parts;
    a part is named by the beginning of its files' paths.
    ``version``: raised when the images or landmarks of the same files change; a part of the
    dataset's digest. ``reading``: raised when `read` changes; it names decoded images in the cache.
    """

    name: str
    title: str
    version: int = 1
    reading: int = 1
    eyes: tuple[int, int] = (0, 1)
    published: Mapping[str, int] = {}
    parts: Mapping[str, Mapping[str, int]] = {}

    @abstractmethod
    def listing(self, root: Path, split: str) -> Listing:
        """The files and landmarks of a split; raises StudyError naming file and remedy."""

    def read(self, image: Image.Image) -> Image.Image:
        """An opened image as 8-bit RGB; published datasets keep their pixels as stored."""
        return as_stored(image)

    def square(self, image: Image.Image, size: int, box: np.ndarray | None) -> Image.Image:
        """An RGB image as a square of side ``size``; ``box`` is its face box or None."""
        return image.resize((size, size), Image.Resampling.BILINEAR)

    def place(
        self, points: np.ndarray, sources: np.ndarray, boxes: np.ndarray | None, size: int
    ) -> np.ndarray:
        """Landmarks ``[N,K,2]`` in pixels of the square; ``sources [N,2]`` widths and heights."""
        return points * (size / sources[:, None])


def require(path: Path, what: str, remedy: str) -> Path:
    """The path if it exists; otherwise raises StudyError with ``what`` and the remedy."""
    if not os.path.lexists(path):
        raise StudyError(f"{what} is missing: there is no {path}; {remedy}")
    return path


def read_table(path: Path, remedy: str, **options) -> pd.DataFrame:
    """A list read by pandas with these options; raises StudyError if it is not a table."""
    data = read_file(path, remedy)
    try:
        _check_table(data)
        table = pd.read_csv(io.BytesIO(data), **options)
    except (ValueError, OverflowError, MemoryError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise StudyError(f"{path} cannot be read as a table ({reason}): {remedy}") from None
    # If lines have more cells than the header, pandas uses the first cells as row labels.
    if not isinstance(table.index, pd.RangeIndex):
        raise StudyError(f"{path}: its lines hold more cells than its header names: {remedy}")
    return table


def _check_table(data: bytes) -> None:
    """Raises ValueError for bytes on which pandas fails or takes hours."""
    longest = max(map(len, data.splitlines()), default=0)
    if longest > LONGEST_LINE:
        raise ValueError(f"it has a line of {longest:,} bytes")
    if b"\0" in data:
        raise ValueError("it holds NUL bytes")
