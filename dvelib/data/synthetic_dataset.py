"""The synthetic faces as a dataset: one picture per identity, no identity in both splits.

The generator and PyTorch are imported only for drawing, so that planning a study needs neither.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.common.progress import progress_bar
from dvelib.data.cache import cache_folder, fill_once, is_full
from dvelib.data.dataset import FaceDataset

if TYPE_CHECKING:
    from dvelib.data.synthetic import SyntheticFaces

__all__ = ["open_synthetic", "render_split", "synthetic_digest"]

FIRST_IDENTITY = {"train": 0, "test": 10_000_000}
DEFAULT_COUNT = {"train": 5_000, "test": 1_000}
BATCH = 256
GENERATOR_VERSION = 1  # raised when the drawn faces change; a part of every digest of them


def synthetic_digest(
    split: str, points: int, limit: int | None, version: int | str | None = None
) -> str:
    """Digest of the generator's version, the split, the numbers of landmarks and of faces.

    ``version``: instead of the present one.
    """
    version = GENERATOR_VERSION if version is None else version
    parts = f"{version} {split} {_count(split, limit)} {points}"
    return hashlib.sha256(parts.encode()).hexdigest()


def open_synthetic(
    split: str, points: int, *, size: int, crop: int, limit: int | None
) -> FaceDataset:
    """Synthetic faces with 5 or 68 landmarks; ``limit``: their number (5,000 train, 1,000 test)."""
    count = _count(split, limit)
    folder = _drawn(split, count, size)
    landmarks = np.load(folder / "landmarks.npy")[:count]
    if points == 5:
        import torch

        from dvelib.data.synthetic import five_landmarks

        landmarks = five_landmarks(torch.from_numpy(landmarks)).numpy()
    names = tuple(f"{split}-{i:05d}" for i in range(count))
    return FaceDataset(
        name="synthetic" if points == 5 else f"synthetic-{points}",
        title="synthetic faces" if points == 5 else f"synthetic faces with {points} landmarks",
        split=split,
        size=size,
        crop=crop,
        files=names,
        images=np.load(folder / "images.npy", mmap_mode="r")[:count],
        full_landmarks=landmarks,
        eyes=(0, 1) if points == 5 else (36, 45),  # outer corners, as on 300-W
        digest=synthetic_digest(split, points, limit),
        identities=names,
    )


def _drawn(split: str, count: int, size: int) -> Path:
    """A folder of the cache with at least ``count`` faces, which are drawn if there is none.

    A face does not depend on the number of faces, so a larger folder has the same first faces.
    """
    images = cache_folder() / "images"
    stem = f"synthetic-{split}-v{GENERATOR_VERSION}-{size}"
    for folder in sorted(images.glob(f"{stem}-*")):
        if int(folder.name.removeprefix(f"{stem}-")) >= count and is_full(folder):
            return folder
    with fill_once(images / f"{stem}-{count}") as empty:
        if empty:
            _fill(images / f"{stem}-{count}", split, count, size)
    return images / f"{stem}-{count}"


def render_split(split: str, first: int, last: int, *, size: int) -> SyntheticFaces:
    """Faces ``first`` to ``last`` (excluded) of a split, with dense ground truth."""
    import torch

    from dvelib.data.synthetic import render_faces

    identities = torch.arange(first, last) + FIRST_IDENTITY[split]
    return render_faces(identities, torch.zeros_like(identities), size=size)


def _count(split: str, limit: int | None) -> int:
    count = DEFAULT_COUNT[split] if limit is None else limit
    if count < 1:
        raise StudyError(f"the number of synthetic faces (limit) must be at least 1, got {count}")
    return count


def _fill(folder: Path, split: str, count: int, size: int) -> None:
    images = np.empty((count, 3, size, size), np.uint8)
    landmarks = np.empty((count, 68, 2), np.float32)
    with progress_bar(count, "drawing synthetic faces", "faces") as bar:
        for at in range(0, count, BATCH):
            faces = render_split(split, at, min(at + BATCH, count), size=size)
            part = slice(at, at + len(faces.images))
            images[part], landmarks[part] = faces.images.numpy(), faces.landmarks.numpy()
            bar.update(len(faces.images))
    for name, array in (("images", images), ("landmarks", landmarks)):
        with atomic_path(folder / f"{name}.npy") as path:
            np.save(path, array)
