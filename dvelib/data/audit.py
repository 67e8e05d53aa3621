"""Audit of a split: what was found, what was published, and what splits have in common.

An audit raises no errors: a value that cannot be determined is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.data.cache import file_hashes
from dvelib.data.celeba import mafl_deviation, mafl_names
from dvelib.data.known import LAYOUTS
from dvelib.data.layout import Listing

if TYPE_CHECKING:
    from dvelib.data.dataset import FaceDataset

__all__ = ["shared_images", "split_audit"]

CELEBA_FAMILY = {"celeba", "mafl"}


def split_audit(dataset: FaceDataset) -> dict[str, object]:
    """Facts about a split, as values for JSON.

    - ``images``, ``published``: counts; ``parts``: counts by part, if the split has parts.
    - ``complete``: whether all published images seem to be there.
    - ``stand_in``: a description of images that are not the published ones, or None.
    - ``skipped``: listed files left out; ``missing``: skipped files that do not exist.
    - ``duplicates``: the number of images whose file equals another of the split byte for byte.
    - ``outside``: the number of ``landmarks`` outside the cropped image and of ``images`` with
      such landmarks. Inside is from the centre of the first pixel to that of the last.
    - ``shared_with_other_split``: the number of ``images`` that are also in the other split, by
      path or byte for byte, and of ``identities`` in both splits.
    - ``mafl_images`` (CelebA's training split): the number of MAFL's images, by name.
    """
    stand_in = dataset.stand_in or _deviation(dataset)
    audit = {
        "dataset": dataset.title,
        "split": dataset.split,
        "images": len(dataset),
        "published": dataset.published_count,
        "complete": dataset.published_count in (None, len(dataset)) and stand_in is None,
        "stand_in": stand_in,
        "parts": _parts(dataset),
        "skipped": list(dataset.skipped),
        "missing": [f for f in dataset.skipped if not (dataset.root / f).is_file()],
        "duplicates": _duplicates(dataset),
        "outside": _outside(dataset),
        "shared_with_other_split": _shared_with_other(dataset),
        "digest": dataset.digest,
    }
    if (dataset.name, dataset.split) == ("celeba", "train"):
        audit["mafl_images"] = _mafl_images(dataset)
    return audit


def shared_images(a: FaceDataset, b: FaceDataset) -> int:
    """The number of images of ``b`` that are also in ``a``, to check that none was trained on.

    Images are equal if their files are equal byte for byte; between CelebA and MAFL also if the
    names of their files are. Copies at another size or compression are not recognised.
    Raises StudyError if a file is missing.
    """
    if a.root is None and b.root is None:  # synthetic faces: equal names are equal faces
        return len(set(a.files) & set(b.files))
    if a.root is None or b.root is None:
        return 0
    known = np.isin(file_hashes(b.root, b.files), file_hashes(a.root, a.files))
    if {a.name, b.name} <= CELEBA_FAMILY:
        names = {Path(f).name for f in a.files}
        known |= np.array([Path(f).name in names for f in b.files])
    return int(known.sum())


def _deviation(dataset: FaceDataset) -> str | None:
    if dataset.name != "mafl":
        return None
    try:
        return mafl_deviation(dataset.root, dataset.split)
    except StudyError:
        return "possibly not the published list (CelebA's partitions cannot be read)"


def _parts(dataset: FaceDataset) -> dict[str, dict[str, int]]:
    layout = LAYOUTS.get(dataset.name)
    parts = layout.parts.get(dataset.split, {}) if layout else {}
    return {
        part: {
            "found": sum(f.startswith(f"{part}/") for f in dataset.files),
            "published": published,
        }
        for part, published in parts.items()
    }


def _duplicates(dataset: FaceDataset) -> int | None:
    if dataset.root is None:
        return 0
    hashes = _hashes(dataset.root, dataset.files)
    if hashes is None:
        return None
    _, counts = np.unique(hashes, return_counts=True)
    return int(counts[counts > 1].sum())


def _outside(dataset: FaceDataset) -> dict[str, int] | None:
    if dataset.full_landmarks is None:
        return None
    points = dataset.landmarks
    outside = ((points < 0) | (points > dataset.cropped_size - 1)).any(axis=2)  # NaN: False
    return {"landmarks": int(outside.sum()), "images": int(outside.any(axis=1).sum())}


def _shared_with_other(dataset: FaceDataset) -> dict[str, int | None]:
    if dataset.root is None:  # synthetic splits have separate identities
        return {"images": 0, "identities": 0}
    other = _other_split(dataset)
    if other is None:
        return {"images": None, "identities": None}
    return {
        "images": _shared_files(dataset, other),
        "identities": _shared_labels(dataset.identities, other.identities),
    }


def _other_split(dataset: FaceDataset) -> Listing | None:
    other = "test" if dataset.split == "train" else "train"
    try:
        return LAYOUTS[dataset.name].listing(dataset.root, other)
    except StudyError:
        return None


def _shared_files(dataset: FaceDataset, other: Listing) -> int | None:
    there = [f for f in other.files if (dataset.root / f).is_file()]
    mine, others = _hashes(dataset.root, dataset.files), _hashes(dataset.root, there)
    if mine is None or others is None:
        return None
    paths = set(other.files)
    return int((np.isin(mine, others) | [f in paths for f in dataset.files]).sum())


def _shared_labels(mine: Sequence[str] | None, others: Sequence[str] | None) -> int | None:
    mine, others = (set(labels or ()) - {""} for labels in (mine, others))
    return len(mine & others) if mine and others else None


def _mafl_images(dataset: FaceDataset) -> int | None:
    try:
        mafl = {*mafl_names(dataset.root, "train"), *mafl_names(dataset.root, "test")}
    except StudyError:
        return None
    return sum(Path(f).name in mafl for f in dataset.files)


def _hashes(root: Path, files: Sequence[str]) -> np.ndarray | None:
    try:
        return file_hashes(root, files)
    except (OSError, StudyError):
        return None
