"""AFLW_M: the AFLW part of the MTFL benchmark, 150 x 150 crops with five landmarks.

Layout: ``aflw_cropped/facedata_cropped.csv`` (training rows have set 1) with the crops it names,
and ``MTFL/testing.txt`` with the test crops it names. Coordinates are in the 150-px frame,
counted from one, whatever the stored resolution.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from dvelib.common.errors import StudyError
from dvelib.data.layout import Layout, Listing, read_table, require
from dvelib.data.reading import check_names, numbers

FRAME = 150
IF_MISSING = "unpack the AFLW_M archive there, or point data_root at the folder that holds it"
IF_DAMAGED = "unpack the AFLW_M archive again"


class AflwMtfl(Layout):
    name = "aflw-mtfl"
    title = "AFLW_M"
    published = {"train": 10_122, "test": 2_995}

    def listing(self, root: Path, split: str) -> Listing:
        return _train(root) if split == "train" else _test(root)

    def place(
        self, points: np.ndarray, sources: np.ndarray, boxes: np.ndarray | None, size: int
    ) -> np.ndarray:
        return (points - 1) * (size / FRAME)


def _train(root: Path) -> Listing:
    path = require(
        root / "aflw_cropped" / "facedata_cropped.csv", "AFLW_M's training list", IF_MISSING
    )
    table = read_table(path, IF_DAMAGED)
    missing = {"crop_file", "set"} - set(table.columns)
    if missing or table.shape[1] < 14:
        raise StudyError(
            f"{path}: expected image_file, crop_file, set, face_id and ten coordinates, "
            f"found the columns {', '.join(map(str, table.columns))}: {IF_DAMAGED}"
        )
    files = _files(table["crop_file"], path)
    chosen = numbers(table[["set"]], files, path, "set", IF_DAMAGED)[:, 0] == 1
    table, files = table[chosen], files[chosen]
    points = numbers(table.iloc[:, 4:14], files, path, "coordinate", IF_DAMAGED).reshape(-1, 5, 2)
    return Listing(tuple("aflw_cropped/" + f for f in files), points)


def _test(root: Path) -> Listing:
    path = require(root / "MTFL" / "testing.txt", "AFLW_M's test list", IF_MISSING)
    table = read_table(path, IF_DAMAGED, sep=r"\s+", header=None, dtype={0: str})
    if table.shape[1] < 11:
        raise StudyError(
            f"{path}: expected a file name, five x, five y and attributes a line, "
            f"found {table.shape[1]} columns: {IF_DAMAGED}"
        )
    files = _files(table[0], path)
    values = numbers(table.iloc[:, 1:11], files, path, "coordinate", IF_DAMAGED)
    points = np.stack([values[:, :5], values[:, 5:]], 2)
    return Listing(tuple("MTFL/" + f for f in files), points)


def _files(names: pd.Series, path: Path) -> pd.Series:
    if names.isna().any():
        raise StudyError(f"{path}: entry {names.isna().argmax() + 1} names no image: {IF_DAMAGED}")
    names = names.astype(str).str.replace("\\", "/", regex=False)
    check_names(names, path, IF_DAMAGED)
    return names
