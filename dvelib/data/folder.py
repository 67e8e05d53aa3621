"""Any folder of roughly square pictures, with landmarks in an optional ``landmarks.csv``.

Columns of the file: ``file`` (relative to the folder), then optionally ``split`` (train or test)
and ``identity``, then ``x0, y0, x1, y1, ...`` in pixels of the picture as stored. A landmark with
an empty cell is not annotated. Pictures without a line are unlabelled and belong to the training
split. The central square of each picture is used. Hidden files are ignored.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.data.layout import Layout, Listing, read_table

LANDMARKS_FILE = "landmarks.csv"
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}
HEADER = "file, split, identity, x0, y0, x1, y1, ... (split and identity may be left out)"


class Folder(Layout):
    name = "folder"
    title = "a folder of images"

    def listing(self, root: Path, split: str) -> Listing:
        files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if _shown(p, root))
        if not files:
            raise StudyError(
                f"{root} holds no pictures ({', '.join(sorted(SUFFIXES))}): "
                f"put some there, or correct data_root or the folder's name"
            )
        labels = _read_labels(root / LANDMARKS_FILE, set(files))
        if labels is None:
            chosen = files if split == "train" else []
        else:
            other = set(labels.index[labels["split"] != split])
            chosen = [
                f for f in files if f not in other and (split == "train" or f in labels.index)
            ]
        if not chosen:
            raise StudyError(
                f"{root}: the {split} split is empty: write {split} in the split column of "
                f"{LANDMARKS_FILE} for the pictures that belong to it"
            )
        return Listing(tuple(chosen)) if labels is None else _labelled(chosen, labels)

    def square(self, image: Image.Image, size: int, box: np.ndarray | None) -> Image.Image:
        return super().square(image.crop(_central_square(*image.size)), size, box)

    def place(
        self, points: np.ndarray, sources: np.ndarray, boxes: np.ndarray | None, size: int
    ) -> np.ndarray:
        side = sources.min(axis=1)
        offset = (sources - side[:, None]) // 2
        # Pixel centres are whole numbers in both images, so the fixed point of the scale is -1/2.
        scale = (size / side)[:, None, None]
        return (points - offset[:, None] + 0.5) * scale - 0.5


def _shown(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()


def _central_square(width: int, height: int) -> tuple[int, int, int, int]:
    side = min(width, height)
    left, top = (width - side) // 2, (height - side) // 2
    return left, top, left + side, top + side


def _labelled(chosen: list[str], labels: pd.DataFrame) -> Listing:
    labels = labels.reindex(chosen)
    points = labels[_coordinate_columns(labels)].to_numpy(np.float64).reshape(len(chosen), -1, 2)
    points[np.isnan(points).any(axis=2)] = np.nan
    identities = tuple(labels["identity"].fillna("")) if "identity" in labels else None
    return Listing(tuple(chosen), points, identities)


def _coordinate_columns(table: pd.DataFrame) -> list[str]:
    return [c for c in table.columns if c not in ("file", "split", "identity")]


def _read_labels(path: Path, files: set[str]) -> pd.DataFrame | None:
    if not path.exists():
        return None
    table = read_table(path, f"its columns are {HEADER}", dtype=str, skipinitialspace=True)
    _check_columns(table, path)
    _check_names(table["file"], files, path)
    table = table.set_index("file")
    if "split" not in table:
        table["split"] = "train"
    wrong = table.index[~table["split"].isin(["train", "test"])]
    if len(wrong):
        found = table.at[wrong[0], "split"]
        found = "nothing" if pd.isna(found) else repr(found)
        raise StudyError(f"{path}: the split of {wrong[0]} must be train or test, found {found}")
    for column in _coordinate_columns(table):
        table[column] = _numbers(table[column], path)
    return table


def _check_columns(table: pd.DataFrame, path: Path) -> None:
    points = _coordinate_columns(table)
    expected = [f"{axis}{k}" for k in range(len(points) // 2) for axis in "xy"]
    if "file" not in table or not points or points != expected:
        raise StudyError(
            f"{path}: expected the columns {HEADER}, found {', '.join(map(str, table.columns))}"
        )


def _check_names(names: pd.Series, files: set[str], path: Path) -> None:
    if names.isna().any():
        raise StudyError(f"{path}: entry {names.isna().argmax() + 1} names no file: write its name")
    if names.duplicated().any():
        twice = names[names.duplicated()].iloc[0]
        raise StudyError(f"{path}: {twice} has two lines: keep one")
    if unknown := [f for f in names if f not in files]:
        raise StudyError(
            f"{path}: it names {unknown[0]}, but the folder has no such picture "
            f"({', '.join(sorted(SUFFIXES))}): correct the name, or remove the line"
        )


def _numbers(cells: pd.Series, path: Path) -> pd.Series:
    values = pd.to_numeric(cells, errors="coerce").astype(np.float64)
    wrong = cells.index[cells.notna() & ~np.isfinite(values)]
    if len(wrong):
        raise StudyError(
            f"{path}: {cells.name} of {wrong[0]} is {cells[wrong[0]]!r}, which is not a number: "
            f"correct it, or leave the cell empty"
        )
    return values
