"""Any folder of pictures, with landmarks in an optional ``landmarks.csv``.

Columns of the file: ``file`` (relative to the folder), then optionally ``split`` (train or test),
``identity``, ``source`` and ``doubt``, then ``x0, y0, x1, y1, ...``. A landmark with an empty cell
is not annotated. A line whose source is ``predicted`` holds what a regressor found: it is not an
annotation, and its landmarks count as not set. Pictures without a line are unlabelled and belong
to the training split. Hidden files are ignored.

Convention: (x, y) in pixels of the upright picture, turned as its EXIF orientation says and as
viewers show it; pixel centres are whole numbers. ``folder`` shows the central square of each
picture, ``folder-whole`` the whole picture with black bars.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.data.layout import Layout, Listing, read_table
from dvelib.data.pictures import upright_rgb

__all__ = [
    "ABOUT",
    "CENTRAL",
    "FOLDERS",
    "LANDMARKS_FILE",
    "PERSON",
    "PREDICTED",
    "SUFFIXES",
    "WHOLE",
    "Folder",
    "folder_name",
]

LANDMARKS_FILE = "landmarks.csv"
SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}
ABOUT = ("file", "split", "identity", "source", "doubt")  # columns that hold no coordinates
HEADER = "file, split, identity, x0, y0, x1, y1, ... (split and identity may be left out)"
PERSON, PREDICTED = "person", "predicted"  # who set the landmarks of a line
CENTRAL, WHOLE = "folder", "folder-whole"  # names of the two layouts


class Folder(Layout):
    """A folder of pictures, each shown by its central square (`CENTRAL`) or whole (`WHOLE`)."""

    reading = 2

    def __init__(self, name: str = CENTRAL):
        self.name, self.whole = name, name == WHOLE
        self.title = "a folder of images" + (", whole pictures" if self.whole else "")

    def read(self, image: Image.Image) -> Image.Image:
        return upright_rgb(image)

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

    def sides(self, sources: np.ndarray) -> np.ndarray:
        """Sides ``[N]`` of the squares in pictures of these widths and heights ``[N,2]``."""
        return sources.max(axis=1) if self.whole else sources.min(axis=1)

    def square(self, image: Image.Image, size: int, box: np.ndarray | None) -> Image.Image:
        sources = np.array([image.size])
        side, (left, top) = int(self.sides(sources)[0]), self._corners(sources)[0].tolist()
        # Pixels outside the image are black.
        return super().square(image.crop((left, top, left + side, top + side)), size, box)

    def place(
        self, points: np.ndarray, sources: np.ndarray, boxes: np.ndarray | None, size: int
    ) -> np.ndarray:
        # Pixel centres are whole numbers in both images, so the fixed point of the scale is -1/2.
        scale = (size / self.sides(sources))[:, None, None]
        return (points - self._corners(sources)[:, None] + 0.5) * scale - 0.5

    def place_back(self, points: np.ndarray, sources: np.ndarray, size: int) -> np.ndarray:
        """Points ``[N,K,2]`` on squares of side ``size``, in pixels of the pictures: the inverse
        of `place`."""
        scale = (self.sides(sources) / size)[:, None, None]
        return (points + 0.5) * scale - 0.5 + self._corners(sources)[:, None]

    def _corners(self, sources: np.ndarray) -> np.ndarray:
        """The first pixel ``[N,2]`` of each square; negative where bars are added."""
        return (sources - self.sides(sources)[:, None]) // 2


FOLDERS = {name: Folder(name) for name in (CENTRAL, WHOLE)}


def folder_name(data: str) -> str:
    """The layout for a user's pictures of a network trained on the dataset of this name."""
    return data if data in FOLDERS else CENTRAL


def _shown(path: Path, root: Path) -> bool:
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return path.suffix.lower() in SUFFIXES and not hidden and path.is_file()


def _labelled(chosen: list[str], labels: pd.DataFrame) -> Listing:
    labels = labels.reindex(chosen)
    points = labels[_coordinate_columns(labels)].to_numpy(np.float64).reshape(len(chosen), -1, 2)
    points[np.isnan(points).any(axis=2)] = np.nan
    if "source" in labels:
        points[(labels["source"] == PREDICTED).to_numpy()] = np.nan
    identities = tuple(labels["identity"].fillna("")) if "identity" in labels else None
    return Listing(tuple(chosen), points, identities)


def _coordinate_columns(table: pd.DataFrame) -> list[str]:
    return [c for c in table.columns if c not in ABOUT]


def _read_labels(path: Path, files: set[str]) -> pd.DataFrame | None:
    if not path.exists():
        return None
    table = read_table(path, f"its columns are {HEADER}", dtype=str, skipinitialspace=True)
    _check_columns(table, path)
    _check_names(table["file"], files, path)
    table = table.set_index("file")
    if "split" not in table:
        table["split"] = "train"
    _check_words(table, "split", ("train", "test"), path)
    if "source" in table:
        _check_words(table, "source", (PERSON, PREDICTED), path)
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


def _check_words(table: pd.DataFrame, column: str, words: tuple[str, str], path: Path) -> None:
    wrong = table.index[~table[column].isin(words)]
    if len(wrong):
        found = table.at[wrong[0], column]
        found = "nothing" if pd.isna(found) else repr(found)
        raise StudyError(
            f"{path}: the {column} of {wrong[0]} must be {' or '.join(words)}, found {found}"
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
