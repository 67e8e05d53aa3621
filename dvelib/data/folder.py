"""Any folder of roughly square pictures, with landmarks in an optional ``landmarks.csv``.

Columns of the file: ``file`` (relative to the folder), then optionally ``split`` (train or test)
and ``identity``, then ``x0, y0, x1, y1, ...`` in pixels of the picture as stored; an empty cell
is a landmark that was not set. Pictures that the file does not name are unlabelled and belong to
the training split. The central square of each picture is used.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dvelib.data.base import Layout, Listing, require
from dvelib.errors import StudyError

LANDMARKS_FILE = "landmarks.csv"
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


class Folder(Layout):
    name = "folder"
    title = "a folder of images"

    def listing(self, root: Path, split: str) -> Listing:
        require(root, "the image folder", "make it, or correct data_root or the folder's name")
        files = sorted(
            p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix.lower() in SUFFIXES
        )
        labels = _read_labels(root / LANDMARKS_FILE, set(files))
        if labels is None:
            return Listing(tuple(files) if split == "train" else ())
        other = set(labels.index[labels["split"] != split])
        chosen = [f for f in files if f not in other and (split == "train" or f in labels.index)]
        labels = labels.reindex(chosen)
        points = labels[_coordinate_columns(labels)].to_numpy(np.float64)
        identities = labels["identity"].astype(str) if "identity" in labels else None
        return Listing(
            tuple(chosen),
            points.reshape(len(chosen), -1, 2),
            None if identities is None else tuple(identities),
        )

    def square(self, image: Image.Image, size: int) -> Image.Image:
        return super().square(image.crop(_central_square(*image.size)), size)

    def place(self, points: np.ndarray, sources: np.ndarray, size: int) -> np.ndarray:
        side = sources.min(axis=1)
        offset = (sources - side[:, None]) // 2
        # Pixel centres are whole numbers on both sides, so the scale acts around -1/2.
        scale = (size / side)[:, None, None]
        return (points - offset[:, None] + 0.5) * scale - 0.5


def _central_square(width: int, height: int) -> tuple[int, int, int, int]:
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def _coordinate_columns(table: pd.DataFrame) -> list[str]:
    return [c for c in table.columns if c not in ("split", "identity")]


def _read_labels(path: Path, files: set[str]) -> pd.DataFrame | None:
    if not path.exists():
        return None
    table = pd.read_csv(path, dtype={"file": str, "split": str, "identity": str})
    _check_columns(table, path)
    table = table.set_index("file")
    if table.index.has_duplicates:
        twice = table.index[table.index.duplicated()][0]
        raise StudyError(f"{path}: {twice} has two lines; keep one")
    if unknown := [f for f in table.index if f not in files]:
        raise StudyError(f"{path}: names {unknown[0]}, and the folder has no such image")
    if "split" not in table:
        table["split"] = "train"
    if wrong := set(table["split"]) - {"train", "test"}:
        raise StudyError(f"{path}: split must be train or test, found {sorted(map(str, wrong))[0]}")
    return table


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    points = [c for c in table.columns if c not in ("file", "split", "identity")]
    expected = [f"{axis}{k}" for k in range(len(points) // 2) for axis in "xy"]
    if "file" not in table or not points or points != expected:
        raise StudyError(
            f"{path}: expected the columns file, split, identity, x0, y0, x1, y1, ... "
            f"(split and identity may be left out), found {', '.join(map(str, table.columns))}"
        )
    for column in points:
        if not pd.api.types.is_numeric_dtype(table[column]):
            raise StudyError(f"{path}: column {column} holds something that is not a number")
