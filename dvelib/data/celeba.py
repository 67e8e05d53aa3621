"""CelebA's aligned images with five landmarks, and MAFL, which is 20,000 of these images.

Layout: ``Img/img_align_celeba_hq`` or ``Img/img_align_celeba``,
``Anno/list_landmarks_align_celeba.txt``, ``Anno/identity_CelebA.txt`` (may be absent),
``Eval/list_eval_partition.txt``, ``MAFL/training.txt`` and ``MAFL/testing.txt``. All but MAFL's
lists may also lie directly in the root, as torchvision unpacks them. An aligned image is 178 x 218;
rows 30 to 207 of it are used.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.data.layout import Layout, Listing, read_table, require
from dvelib.data.reading import check_names, numbers, read_lines

__all__ = ["CelebA", "Mafl", "mafl_deviation", "mafl_names"]

SOURCE = (178, 218)
TOP = 30
VALIDATION = 2_000
MAFL_SPREAD = {"train": (15_461, 1_810, 1_729), "test": (808, 96, 96)}
MAFL_LISTS = {"train": "training.txt", "test": "testing.txt"}
# The first folder with images is used; the published study used the first.
FOLDERS = ("Img/img_align_celeba_hq", "Img/img_align_celeba", "img_align_celeba")
IF_MISSING = "unpack CelebA there, or point data_root at the folder that holds it"
IF_DAMAGED = "get CelebA's file again"


class _Aligned(Layout):
    """Base of CelebA and MAFL: aligned images and their crop to squares."""

    def square(self, image: Image.Image, size: int, box: np.ndarray | None) -> Image.Image:
        if image.size != SOURCE:
            raise ValueError(
                f"it has {image.width} x {image.height} pixels, "
                f"but aligned images of CelebA have {SOURCE[0]} x {SOURCE[1]}"
            )
        return super().square(image.crop((0, TOP, SOURCE[0], TOP + SOURCE[0])), size, box)

    def place(
        self, points: np.ndarray, sources: np.ndarray, boxes: np.ndarray | None, size: int
    ) -> np.ndarray:
        return (points - [0, TOP]) * (size / SOURCE[0])


class CelebA(_Aligned):
    """Train: partition 0 without MAFL; test: the first 2,000 of partition 2 without MAFL."""

    name = "celeba"
    title = "CelebA"
    published = {"train": 146_501, "test": VALIDATION}

    def listing(self, root: Path, split: str) -> Listing:
        partitions = _partitions(root)
        chosen = partitions.index[partitions == (0 if split == "train" else 2)]
        mafl = mafl_names(root, "train") + mafl_names(root, "test")
        chosen = chosen[~chosen.isin(mafl)]
        return _listing(root, chosen if split == "train" else chosen[:VALIDATION])


class Mafl(_Aligned):
    """The images that MAFL's lists name, in ascending order of their names."""

    name = "mafl"
    title = "MAFL"
    published = {"train": 19_000, "test": 1_000}

    def listing(self, root: Path, split: str) -> Listing:
        return _listing(root, pd.Index(sorted(set(mafl_names(root, split))), dtype=object))


def mafl_names(root: Path, split: str) -> list[str]:
    """The file names of one of MAFL's lists."""
    path = require(
        root / "MAFL" / MAFL_LISTS[split],
        f"MAFL's {split} list",
        "put MAFL's training.txt and testing.txt, the lists of its images, there",
    )
    return [line.split()[0] for line in read_lines(path, "get MAFL's list again")]


def mafl_deviation(root: Path, split: str) -> str | None:
    """A difference between a MAFL list and the published one; None if none is found.

    The check compares the number of images in each of CelebA's partitions with the published
    list. A different list would rarely have the same numbers.
    """
    partitions = _partitions(root).reindex(mafl_names(root, split))
    found = tuple(int((partitions == part).sum()) for part in range(3))
    if found == MAFL_SPREAD[split]:
        return None
    return (
        f"not the published list: it has {_slashes(found)} images in CelebA's partitions, the "
        f"published list {_slashes(MAFL_SPREAD[split])}"
    )


def _slashes(counts: tuple[int, ...]) -> str:
    return "/".join(f"{count:,}" for count in counts)


def _listing(root: Path, names: pd.Index) -> Listing:
    path, table = _table(root, "Anno", "list_landmarks_align_celeba.txt", 11, skiprows=2)
    check_names(names, path, IF_DAMAGED)
    unknown = ~names.isin(table.index)
    if unknown.any():
        raise StudyError(f"{path} does not name {names[unknown.argmax()]}: {IF_DAMAGED}")
    points = numbers(table.loc[names], names, path, "coordinate", IF_DAMAGED).reshape(-1, 5, 2)
    folder = _image_folder(root)
    return Listing(tuple(f"{folder}/{n}" for n in names), points, _identities(root, names))


def _partitions(root: Path) -> pd.Series:
    path, table = _table(root, "Eval", "list_eval_partition.txt", 2)
    part = numbers(table, table.index, path, "partition", IF_DAMAGED)[:, 0]
    return pd.Series(part, index=table.index)


def _identities(root: Path, names: pd.Index) -> tuple[str, ...] | None:
    if not any((root / f / "identity_CelebA.txt").exists() for f in ("Anno", ".")):
        return None
    _, table = _table(root, "Anno", "identity_CelebA.txt", 2, dtype=str)
    return tuple(table[1].reindex(names).fillna(""))


def _table(
    root: Path, folder: str, name: str, columns: int, **options
) -> tuple[Path, pd.DataFrame]:
    """One of CelebA's lists, indexed by file name; columns 1, 2, ... are the values after it."""
    path = root / name
    if not path.exists():
        path = require(root / folder / name, f"CelebA's list {name}", IF_MISSING)
    options = {"dtype": {0: str}} | options
    table = read_table(path, IF_DAMAGED, sep=r"\s+", header=None, **options)
    if table.shape[1] != columns:
        raise StudyError(
            f"{path}: expected {columns} columns, the file name first, "
            f"found {table.shape[1]}: {IF_DAMAGED}"
        )
    if table[0].isna().any():
        raise StudyError(
            f"{path}: entry {table[0].isna().argmax() + 1} names no image: {IF_DAMAGED}"
        )
    table = table.set_index(0)
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()][0]
        raise StudyError(f"{path}: {twice} has two lines: {IF_DAMAGED}")
    return path, table


def _image_folder(root: Path) -> str:
    for folder in FOLDERS:
        if (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                if any(entry.name.endswith(".jpg") for entry in entries):
                    return folder
    raise StudyError(
        f"CelebA's images are missing: there are none in {root / FOLDERS[0]} "
        f"nor in {root / FOLDERS[1]}; {IF_MISSING}"
    )
