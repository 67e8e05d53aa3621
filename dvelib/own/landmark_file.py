"""Editing of a folder's ``landmarks.csv``; `dvelib.data.folder` reads it as a dataset.

Notable:

- Cells keep their text unless their landmark is moved.
- The file is replaced atomically, and only if no other program has changed it since it was read.
- Optional names of landmarks are in ``landmarks.json`` beside the file. The columns are always
  ``x0, y0, x1, y1, ...``.

Convention: landmarks (x, y) in pixels of the picture as stored; NaN for unset ones.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, read_json, write_json
from dvelib.data.folder import LANDMARKS_FILE, Folder

__all__ = ["LandmarkFile", "pictures_in", "read_names", "write_landmarks", "write_names"]

NAMES_FILE = "landmarks.json"
Row = dict[str, str]


def pictures_in(folder: Path) -> tuple[str, ...]:
    """All pictures below a folder, relative to it, sorted by name.

    Raises StudyError for a missing folder, a folder without pictures and an error in its
    landmarks file.
    """
    if not folder.is_dir():
        raise StudyError(f"there is no folder {folder}: name the folder that holds the pictures")
    found: set[str] = set()
    problems = []
    for split in ("train", "test"):
        try:
            found.update(Folder().listing(folder, split).files)
        except StudyError as error:
            problems.append(error)
    if len(problems) == 2:  # one of the splits may be empty; other errors concern both
        raise problems[0]
    return tuple(sorted(found))


class LandmarkFile:
    """The landmarks of a folder's pictures; a missing file is treated as empty.

    ``count``: the number of landmarks of a picture; None: as in the file. Columns are added to
    the file if it has fewer. Raises StudyError for an error in the file, for a count below that
    of the file, and for a missing count where there is no file.
    """

    def __init__(self, folder: Path, count: int | None = None):
        self.path = folder / LANDMARKS_FILE
        self.files = pictures_in(folder)
        self._held = self._on_disk()
        columns, self._rows = _read(self.path) if self._held is not None else ([], {})
        there = sum(name not in ("file", "split", "identity") for name in columns) // 2
        self.count = there if count is None else count
        if self.count < 1:
            raise StudyError(f"{folder} has no {LANDMARKS_FILE} yet: give the number of landmarks")
        if self.count < there:
            raise StudyError(
                f"{self.path} has {there} landmarks, but {count} were requested: request {there} "
                f"or more, or give no number"
            )
        new = [c for k in range(there, self.count) for c in coordinates(k)]
        self._columns = [*(columns or ["file", "split"]), *new]

    def __contains__(self, file: str) -> bool:
        return file in self._rows

    def points(self, file: str) -> np.ndarray:
        """Landmarks ``[K,2]`` of a picture."""
        row = self._rows.get(file, {})
        points = np.full((self.count, 2), np.nan)
        for k in range(self.count):
            cells = [row.get(c) for c in coordinates(k)]
            if all(cells):
                points[k] = [_number(cell) for cell in cells]
        return points

    def is_test(self, file: str) -> bool:
        """Whether a picture is kept for testing."""
        return self._rows.get(file, {}).get("split") == "test"

    def row(self, file: str) -> Row | None:
        """A copy of a picture's row, for `restore`; None if it has none."""
        return dict(self._rows[file]) if file in self else None

    def set_point(self, file: str, landmark: int, point: tuple[float, float] | None) -> None:
        """Set or move a landmark, or clear it (None), and save."""
        x, y = coordinates(landmark)
        cells = ["", ""] if point is None else [f"{value:.2f}" for value in point]
        self._change(file, {x: cells[0], y: cells[1]})

    def set_test(self, file: str, test: bool) -> None:
        """Keep a picture for testing, or for training, and save."""
        if "split" not in self._columns:
            self._columns.insert(1, "split")
            for row in self._rows.values():
                row["split"] = "train"
        self._change(file, {"split": "test" if test else "train"})

    def restore(self, file: str, row: Row | None) -> None:
        """Replace a picture's row by one that `row` returned earlier, and save."""
        before = self.row(file)
        self._put(file, row)
        self._save(file, before)

    def _change(self, file: str, cells: Row) -> None:
        blank = {"split": "train"} if "split" in self._columns else {}
        self.restore(file, blank | {"file": file} | self._rows.get(file, {}) | cells)

    def _put(self, file: str, row: Row | None) -> None:
        self._rows.pop(file, None) if row is None else self._rows.update({file: row})

    def _save(self, file: str, before: Row | None) -> None:
        if self._on_disk() != self._held:
            self._put(file, before)
            raise StudyError(
                f"another program has changed {self.path}, so nothing was saved: open the folder "
                f"again to continue with the changed file"
            )
        _write(self.path, self._columns, self._rows.values())
        self._held = self._on_disk()

    def _on_disk(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None


def write_landmarks(path: Path, files: Sequence[str], points: np.ndarray) -> None:
    """Write a landmarks file of these pictures, atomically; ``points [N,K,2]``."""
    columns = [c for k in range(points.shape[1]) for c in coordinates(k)]
    rows = []
    for file, places in zip(files, points, strict=True):
        cells = ["" if np.isnan(value) else f"{value:.2f}" for value in places.ravel()]
        rows.append({"file": file} | dict(zip(columns, cells, strict=True)))
    _write(path, ["file", *columns], rows)


def coordinates(landmark: int) -> tuple[str, str]:
    """The names of a landmark's two columns."""
    return f"x{landmark}", f"y{landmark}"


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan  # a text such as NA, which `dvelib.data.folder` reads as an empty cell


def _read(path: Path) -> tuple[list[str], dict[str, Row]]:
    """Columns, and rows by picture, of a file that `dvelib.data.folder` has checked."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, skipinitialspace=True, restval="")
        return list(reader.fieldnames or []), {row["file"]: row for row in reader}


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with atomic_path(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def read_names(folder: Path, count: int) -> tuple[str, ...]:
    """The names of a folder's landmarks; "landmark 0" and so on if they have no names."""
    path = folder / NAMES_FILE
    named = []
    if path.exists():
        try:
            named = [str(name) for name in read_json(path)["names"]]
        except (StudyError, KeyError, TypeError):
            raise StudyError(
                f'{path} must be {{"names": [...]}} with the names of the landmarks: '
                f"correct or delete it"
            ) from None
    return tuple([*named, *(f"landmark {k}" for k in range(len(named), count))][:count])


def write_names(folder: Path, names: Sequence[str]) -> None:
    """Write the names of a folder's landmarks."""
    write_json(folder / NAMES_FILE, {"names": list(names)})
