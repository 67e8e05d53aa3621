"""Datasets as uint8 images and landmarks, from their published layouts or from any folder.

Names of the datasets:

- ``synthetic``, ``synthetic-68``: procedural faces with five landmarks, or all 68;
- ``celeba``: CelebA without MAFL, the published training set; its test split is the published
  validation set;
- ``mafl``: the images of CelebA in MAFL's lists (its root is CelebA's folder);
- ``300w``: 300-W with 68 landmarks, resized with nearest neighbours as published;
- ``300w-bicubic``: the same, resized bicubically, the default of current Pillow versions;
- ``aflw``: AFLW_R, the re-cropped AFLW;
- ``aflw-mtfl``: AFLW_M, the AFLW part of MTFL;
- ``folder``: the central squares of any folder of pictures, with landmarks in an optional
  ``landmarks.csv``;
- ``folder-whole``: the same pictures whole, with black bars.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.data.cache import content_digest, decode
from dvelib.data.dataset import FaceDataset, check_crop
from dvelib.data.folder import FOLDERS
from dvelib.data.known import LAYOUTS
from dvelib.data.layout import Layout, Listing

__all__ = ["DATASETS", "SYNTHETIC", "FaceDataset", "dataset_digest", "open_dataset"]

# The procedural faces, with five landmarks or all 68.
SYNTHETIC = {"synthetic": 5, "synthetic-68": 68}
DATASETS = (*SYNTHETIC, *LAYOUTS)
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
    stand_in: str | None = None,
) -> FaceDataset:
    """Open one split of a dataset as squares of side ``size``, to be cropped by ``crop`` pixels.

    ``name``: one of `DATASETS`. ``root``: the folder that directly holds the dataset's layout
    (None for synthetic faces). ``limit``: the largest number of images, evenly spaced through the
    split. ``skip_bad``: leave out missing and unreadable files instead of raising an error.
    ``stand_in``: a description of images that stand in for the published ones.
    Convention: landmarks (x, y) in pixels of the cropped square.
    Raises StudyError naming file and remedy for missing, damaged or inconsistent data.
    """
    check_crop(size, crop)
    if name in SYNTHETIC:
        from dvelib.data.synthetic_dataset import open_synthetic

        faces = open_synthetic(_split(split), SYNTHETIC[name], size=size, crop=crop, limit=limit)
        return replace(faces, stand_in=stand_in)
    layout, root, listing = _listing(name, root, split)
    if name not in FOLDERS:  # its splits have no picture in common by construction
        _refuse_one_list(layout, root, split, listing)
    listing, lost = _chosen(root, split, listing, limit, skip_bad)
    digest = content_digest(root, listing.files)
    decoded = decode(layout, root, listing, size, digest, skip_bad)
    if not decoded.good.any():
        raise StudyError(
            f"{root}: none of the {len(listing.files)} files of the {split} split can be read as "
            f"an image: repair or replace them"
        )
    labelled = _with_labels(digest, layout, listing)
    lost += tuple(f for f, ok in zip(listing.files, decoded.good, strict=True) if not ok)
    listing = listing.choose(decoded.good.nonzero()[0])
    landmarks = listing.landmarks
    if landmarks is not None:
        landmarks = layout.place(landmarks, decoded.sources, listing.boxes, size)
        with np.errstate(over="ignore"):
            landmarks = landmarks.astype(np.float32)
        if (far := np.isinf(landmarks).any(axis=(1, 2))).any():
            raise StudyError(
                f"{root}: a landmark of {listing.files[far.argmax()]} is too far away: correct it"
            )
    return FaceDataset(
        name=layout.name,
        title=f"folder {root.name}" if name in FOLDERS else layout.title,
        split=split,
        size=size,
        crop=crop,
        files=listing.files,
        images=decoded.images,
        full_landmarks=landmarks,
        eyes=layout.eyes,
        digest=labelled,
        root=root,
        published_count=layout.published.get(split),
        identities=listing.identities,
        skipped=lost,
        stand_in=stand_in,
    )


def dataset_digest(
    name: str,
    root: Path | str | None,
    split: str,
    limit: int | None,
    skip_bad: bool = False,
    *,
    version: int | str | None = None,
) -> str:
    """Changes with the images and the landmarks of a split; opens no image.

    ``version``: instead of that of the layout, or of the generator of synthetic faces.
    """
    if name in SYNTHETIC:
        from dvelib.data.synthetic_dataset import synthetic_digest

        return synthetic_digest(_split(split), SYNTHETIC[name], limit, version)
    layout, root, listing = _listing(name, root, split)
    listing, _ = _chosen(root, split, listing, limit, skip_bad)
    return _with_labels(content_digest(root, listing.files), layout, listing, version)


def _with_labels(
    digest: str, layout: Layout, listing: Listing, version: int | str | None = None
) -> str:
    """Digest of the images, the layout's version, landmarks, boxes and identities."""
    version = layout.version if version is None else version
    total = hashlib.sha256(f"{digest} {layout.name} {version}".encode())
    for array in (listing.landmarks, listing.boxes):
        if array is not None:
            total.update(array.tobytes())
    total.update("\0".join(listing.identities or ()).encode())
    return total.hexdigest()


def _split(split: str) -> str:
    if split not in SPLITS:
        raise StudyError(f"the split must be train or test, got {split!r}")
    return split


def _listing(name: str, root: Path | str | None, split: str) -> tuple[Layout, Path, Listing]:
    """The layout, its root and the listing of the whole split."""
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
            f"{root}: the {split} split of {name} is empty, since its list names no image: "
            f"unpack the data again"
        )
    return LAYOUTS[name], root, listing


def _refuse_one_list(layout: Layout, root: Path, split: str, listing: Listing) -> None:
    """Raises StudyError if all test images are also training images."""
    try:
        other = layout.listing(root, "test" if split == "train" else "train")
    except StudyError:
        return  # errors of the other split are raised when it is opened
    train, test = (listing, other) if split == "train" else (other, listing)
    if test.files and set(test.files) <= set(train.files):
        raise StudyError(
            f"{root}: every test image of {layout.name} is also a training image: "
            f"give each split its own list"
        )


def _chosen(
    root: Path, split: str, listing: Listing, limit: int | None, skip_bad: bool
) -> tuple[Listing, tuple[str, ...]]:
    """The images to open, and the missing files that were left out."""
    lost: tuple[str, ...] = ()
    if skip_bad:
        there = np.array([(root / f).is_file() for f in listing.files])
        lost = tuple(f for f, ok in zip(listing.files, there, strict=True) if not ok)
        if not there.any():
            raise StudyError(f"{root}: none of the {len(lost)} files of the {split} split exists")
        listing = listing.choose(there.nonzero()[0])
    return _limit(listing, limit), lost


def _limit(listing: Listing, limit: int | None) -> Listing:
    count = len(listing.files)
    if limit is not None and limit < 1:
        raise StudyError(f"the number of images (limit) must be at least 1, got {limit}")
    if limit is None or limit >= count:
        return listing
    return listing.choose(np.arange(limit) * count // limit)
