"""How a dataset lies on disk: which files a split holds, and how an image becomes a square.

A `Layout` knows one dataset; `dvelib.data.known` lists them all.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dvelib.common.errors import StudyError

__all__ = ["Layout", "Listing", "read_table", "require"]


@dataclass(frozen=True)
class Listing:
    """A split as its files say it: paths relative to the root, landmarks in the source's units.

    ``landmarks`` ``[N,K,2]`` or None, NaN where an image has none; ``identities`` one label an
    image ("" where it is not known) or None; ``boxes`` ``[N,4]`` left, top, right, bottom of the
    face in the source's units, or None where the layout needs none.
    """

    files: tuple[str, ...]
    landmarks: np.ndarray | None = None
    identities: tuple[str, ...] | None = None
    boxes: np.ndarray | None = None

    def choose(self, index: np.ndarray) -> Listing:
        """The images at these places."""
        return replace(
            self,
            files=tuple(self.files[i] for i in index),
            landmarks=None if self.landmarks is None else self.landmarks[index],
            identities=self.identities and tuple(self.identities[i] for i in index),
            boxes=None if self.boxes is None else self.boxes[index],
        )


class Layout(ABC):
    """One dataset's place on disk. Subclasses state the facts and read the lists.

    ``eyes``: the two landmarks whose distance is the inter-ocular distance. ``published``: images
    in each split as published. ``parts``: the same by part of a split, where it has parts, each
    known by how its files' paths start. ``version``: raised when its images or landmarks change
    for the same files; it is a part of the dataset's digest.
    """

    name: str
    title: str
    version: int = 1
    eyes: tuple[int, int] = (0, 1)
    published: Mapping[str, int] = {}
    parts: Mapping[str, Mapping[str, int]] = {}

    @abstractmethod
    def listing(self, root: Path, split: str) -> Listing:
        """The files and landmarks of a split; raises StudyError naming file and remedy."""

    def square(self, image: Image.Image, size: int, box: np.ndarray | None) -> Image.Image:
        """An RGB image as a square of that side."""
        return image.resize((size, size), Image.Resampling.BILINEAR)

    def place(
        self, points: np.ndarray, sources: np.ndarray, boxes: np.ndarray | None, size: int
    ) -> np.ndarray:
        """Landmarks ``[N,K,2]`` in pixels of the square; ``sources [N,2]`` widths and heights."""
        return points * (size / sources[:, None])


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
