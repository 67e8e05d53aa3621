"""Datasets: from their published layouts, or any folder, to uint8 images and landmarks."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from dvelib.data.aflw_mtfl import AflwMtfl
from dvelib.data.base import FaceDataset, Layout, Listing, check_crop
from dvelib.data.cache import content_digest, decode
from dvelib.data.folder import Folder
from dvelib.errors import StudyError

__all__ = ["DATASETS", "FaceDataset", "dataset_digest", "open_dataset"]

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (AflwMtfl(), Folder())}

DATASETS = ("synthetic", *LAYOUTS)
SPLITS = ("train", "test")


def open_dataset(
    name: str,
    root: Path | str | None,
    split: str,
    *,
    size: int,
    crop: int = 0,
    limit: int | None = None,
    skip_bad: bool = False,
) -> FaceDataset:
    """Open one split of a dataset as squares of side ``size``, of which ``crop`` will be cut.

    ``name``: one of `DATASETS`. ``root``: the folder that directly holds the dataset's layout
    (none for ``synthetic``). ``limit``: at most so many images, evenly spaced through the split.
    ``skip_bad``: leave out files that are no image rather than stop.
    Convention: landmarks (x, y) in pixels of the cropped square.
    Raises StudyError, one sentence naming file and remedy, for anything that is not as it
    should be.
    """
    check_crop(size, crop)
    if name == "synthetic":
        from dvelib.data.synthetic_dataset import open_synthetic

        return open_synthetic(_split(split), size=size, crop=crop, limit=limit)
    layout, root, listing = _listing(name, root, split, limit)
    digest = content_digest(root, listing.files)
    decoded = decode(layout, root, listing.files, size, digest, skip_bad)
    if not decoded.good.any():
        raise StudyError(
            f"{root}: none of the {len(listing.files)} files of the {split} split can be read as "
            f"an image: repair or replace them"
        )
    labelled = _with_labels(digest, listing)
    listing, skipped = _drop_bad(listing, decoded.good)
    landmarks = listing.landmarks
    if landmarks is not None:
        landmarks = layout.place(landmarks, decoded.sources, size).astype(np.float32)
    return FaceDataset(
        name=layout.name,
        title=layout.title if name != "folder" else f"folder {root.name}",
        split=split,
        size=size,
        crop=crop,
        files=listing.files,
        images=decoded.images,
        full_landmarks=landmarks,
        eyes=layout.eyes,
        digest=labelled,
        published_count=layout.published.get(split),
        identities=listing.identities,
        skipped=skipped,
    )


def dataset_digest(name: str, root: Path | str | None, split: str, limit: int | None) -> str:
    """What changes whenever the split's images or landmarks change; opens no image."""
    if name == "synthetic":
        from dvelib.data.synthetic_dataset import synthetic_digest

        return synthetic_digest(_split(split), limit)
    _, root, listing = _listing(name, root, split, limit)
    return _with_labels(content_digest(root, listing.files), listing)


def _with_labels(digest: str, listing: Listing) -> str:
    """The images' digest, and that of what the lists say about them where they say anything."""
    if listing.landmarks is None:
        return digest
    total = hashlib.sha256(digest.encode() + listing.landmarks.tobytes())
    total.update("\0".join(listing.identities or ()).encode())
    return total.hexdigest()


def _split(split: str) -> str:
    if split not in SPLITS:
        raise StudyError(f"the split must be train or test, got {split!r}")
    return split


def _listing(
    name: str, root: Path | str | None, split: str, limit: int | None
) -> tuple[Layout, Path, Listing]:
    if name not in LAYOUTS:
        raise StudyError(f"there is no dataset {name!r}: choose among {', '.join(DATASETS)}")
    if root is None:
        raise StudyError(f"the dataset {name} needs the folder that holds it: set data_root")
    root = Path(root)
    if not root.is_dir():
        raise StudyError(
            f"the folder of the dataset {name} is missing: there is no folder {root}; unpack the "
            f"data there, or point data_root (DATA=... on the command line) at what holds it"
        )
    listing = LAYOUTS[name].listing(root, _split(split))
    if not listing.files:
        raise StudyError(
            f"{root}: the {split} split of {name} is empty, for its list names no image: "
            f"unpack the data again"
        )
    return LAYOUTS[name], root, _limit(listing, limit)


def _limit(listing: Listing, limit: int | None) -> Listing:
    count = len(listing.files)
    if limit is not None and limit < 1:
        raise StudyError(f"the number of images (limit) must be at least 1, got {limit}")
    if limit is None or limit >= count:
        return listing
    return _choose(listing, np.arange(limit) * count // limit)


def _drop_bad(listing: Listing, good: np.ndarray) -> tuple[Listing, tuple[str, ...]]:
    skipped = tuple(f for f, ok in zip(listing.files, good, strict=True) if not ok)
    return (_choose(listing, good.nonzero()[0]) if skipped else listing), skipped


def _choose(listing: Listing, index: np.ndarray) -> Listing:
    return dataclasses.replace(
        listing,
        files=tuple(listing.files[i] for i in index),
        landmarks=None if listing.landmarks is None else listing.landmarks[index],
        identities=listing.identities and tuple(listing.identities[i] for i in index),
    )
