"""An opened dataset: uint8 images, and landmarks in their pixels.

PyTorch is imported only for tensors, so that planning a study does not need it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvelib.common.errors import StudyError

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["FaceDataset", "check_crop"]


@dataclass(frozen=True)
class FaceDataset:
    """A split of a dataset in memory, or mapped from the cache.

    ``images [N,3,S,S]`` uint8, uncropped. Convention: landmarks (x, y) in pixels; pixel centres
    are whole numbers; cropping removes ``crop`` pixels on every side. ``stand_in``: a description
    of images that are not the published ones.
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
    root: Path | None = None
    published_count: int | None = None
    identities: tuple[str, ...] | None = None
    skipped: tuple[str, ...] = field(default=())
    stand_in: str | None = None

    def __len__(self) -> int:
        return len(self.files)

    def chosen(self, index: np.ndarray) -> FaceDataset:
        """The dataset of the images with these indices ``[n]``, which may repeat.

        Its digest is still that of all images, and says nothing about the choice.
        """
        return replace(
            self,
            files=tuple(self.files[i] for i in index),
            images=np.asarray(self.images)[index],
            full_landmarks=None if self.full_landmarks is None else self.full_landmarks[index],
            identities=self.identities and tuple(self.identities[i] for i in index),
            published_count=None,
        )

    @property
    def cropped_size(self) -> int:
        return self.size - 2 * self.crop

    @property
    def landmarks(self) -> np.ndarray:
        """``[N,K,2]`` float32 (x, y) in pixels of the cropped image.

        Raises StudyError if the dataset has no landmarks.
        """
        if self.full_landmarks is None:
            raise StudyError(f"{self.title} ({self.split}) has no landmarks, but they are needed")
        return self.full_landmarks - np.float32(self.crop)

    def cropped(self, part: slice | np.ndarray = slice(None)) -> Tensor:
        """The chosen images, cropped: ``[n,3,s,s]`` uint8 on the CPU."""
        import torch

        keep = slice(self.crop, self.size - self.crop)
        return torch.from_numpy(np.array(self.images[part][:, :, keep, keep]))

    def images_uint8(self) -> Tensor:
        """All images ``[N,3,S,S]`` uint8 on the CPU, uncropped (warps come before the crop)."""
        import torch

        return torch.from_numpy(np.array(self.images))

    def image(self, i: int) -> Tensor:
        """Image i, cropped and normalised for the networks: ``[3,s,s]`` float32."""
        import torch

        from dvelib.augment import normalise

        keep = slice(self.crop, self.size - self.crop)
        return normalise(torch.from_numpy(np.array(self.images[i, :, keep, keep])).float())

    def split_audit(self) -> dict[str, object]:
        """Facts about the split (see `dvelib.data.audit`)."""
        from dvelib.data.audit import split_audit

        return split_audit(self)


def check_crop(size: int, crop: int) -> None:
    """Raises StudyError if less than 2 pixels are left after cropping."""
    if size < 2:
        raise StudyError(f"the side of images (size) must be at least 2 pixels, got {size}")
    if crop < 0 or size - 2 * crop < 2:
        raise StudyError(
            f"a crop of {crop} pixels a side leaves nothing of a {size}-pixel image: "
            f"crop must be between 0 and {(size - 2) // 2}"
        )
