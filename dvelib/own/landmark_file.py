"""Editing of a folder's ``landmarks.csv``; `dvelib.data.folder` reads it as a dataset.

What a regressor finds is in ``predictions.csv`` beside it, in the same columns, so that it cannot
be taken for annotations (see `read_predictions`).

Notable:

- Cells keep their text unless their landmark is moved.
- The file is replaced atomically, and only if no other program has changed it since it was read.
- Optional names of landmarks are in ``landmarks.json`` beside the file, those of predictions in
  ``predictions.json``. The columns are always ``x0, y0, x1, y1, ...``.

Convention: landmarks (x, y) in pixels of the upright picture; NaN for unset ones.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, read_json, write_json
from dvelib.data.folder import ABOUT, CENTRAL, FOLDERS, LANDMARKS_FILE, PERSON, PREDICTED

__all__ = [
    "NAMES_FILE",
    "PREDICTIONS_FILE",
    "LandmarkFile",
    "Predictions",
    "pictures_in",
    "predicted_landmarks",
    "read_names",
    "read_predictions",
    "write_landmarks",
    "write_names",
]

PREDICTIONS_FILE = "predictions.csv"
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
            found.update(FOLDERS[CENTRAL].listing(folder, split).files)
        except StudyError as error:
            problems.append(error)
    if len(problems) == 2:  # one of the splits may be empty; other errors concern both
        raise problems[0]
    return tuple(sorted(found))


class LandmarkFile:
    """The landmarks of a folder's pictures; a missing file is treated as empty.

    ``count``: the number of landmarks of a picture; None: as in the file. Columns are added to
    the file if it has fewer. Lines whose source is ``predicted`` are no annotations; the first
    landmark that a person sets turns a line into one. If the file holds such lines alone and
    ``count`` is another number, it is renamed to ``predictions.csv``.
    Raises StudyError for an error in the file, for a count below that of annotations in the file,
    and for a missing count where there is no file.
    """

    def __init__(self, folder: Path, count: int | None = None):
        self.path = folder / LANDMARKS_FILE
        self.files = pictures_in(folder)
        columns, self._rows = _read(self.path)
        there = _count(columns)
        if count not in (None, there) and not self.annotated() and self._rows:
            self._set_aside()
            columns, self._rows, there = [], {}, 0
        self._held = self._on_disk()
        self.count = there if count is None else count
        if self.count < 1:
            raise StudyError(f"{folder} has no {LANDMARKS_FILE} yet: give the number of landmarks")
        if self.count < there:
            raise StudyError(
                f"{self.path} has {there} landmarks, but {count} were requested: request {there} "
                f"or more, or give no number; if the file holds predictions and no annotations, "
                f"rename it to {PREDICTIONS_FILE}"
            )
        new = [c for k in range(there, self.count) for c in coordinates(k)]
        self._columns = [*(columns or ["file", "split"]), *new]

    def __contains__(self, file: str) -> bool:
        """Whether a person has annotated the picture."""
        return file in self._rows and not _is_predicted(self._rows[file])

    def annotated(self) -> tuple[str, ...]:
        """The pictures that a person has annotated, in the order of the file."""
        return tuple(file for file in self._rows if file in self)

    def points(self, file: str) -> np.ndarray:
        """Landmarks ``[K,2]`` of a picture."""
        return _points(self._rows[file] if file in self else {}, self.count)

    def is_test(self, file: str) -> bool:
        """Whether a picture is kept for testing."""
        return self._rows.get(file, {}).get("split") == "test"

    def row(self, file: str) -> Row | None:
        """A copy of a picture's row, for `restore`; None if it has none."""
        return dict(self._rows[file]) if file in self._rows else None

    def set_point(self, file: str, landmark: int, point: tuple[float, float] | None) -> None:
        """Set or move a landmark, or clear it (None), and save."""
        self.set_points(file, {landmark: point})

    def set_points(self, file: str, points: Mapping[int, tuple[float, float] | None]) -> None:
        """Set, move or clear several landmarks of a picture, and save."""
        cells = {}
        for landmark, point in points.items():
            x, y = coordinates(landmark)
            cells |= {x: "", y: ""} if point is None else {x: _cell(point[0]), y: _cell(point[1])}
        self._change(file, cells)

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
        defaults = {"file": file, "split": "train", "source": PERSON}
        blank = {name: text for name, text in defaults.items() if name in self._columns}
        row = self._rows.get(file, {})
        if _is_predicted(row):  # what was predicted does not become an annotation
            row = {name: row[name] for name in ("split", "identity") if name in row}
        self.restore(file, blank | row | cells)

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

    def _set_aside(self) -> None:
        target = self.path.with_name(PREDICTIONS_FILE)
        if target.exists():
            raise StudyError(
                f"{self.path} and {target} both hold predictions and no annotations: delete one"
            )
        self.path.rename(target)

    def _on_disk(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None


@dataclass(frozen=True)
class Predictions:
    """What a regressor found on a folder's pictures.

    ``points``: landmarks ``[K,2]`` by picture; ``doubt``: how doubtful they are by picture, more
    is more doubtful, empty if it was not measured.
    """

    points: dict[str, np.ndarray] = field(default_factory=dict)
    doubt: dict[str, float] = field(default_factory=dict)


def read_predictions(folder: Path, count: int) -> Predictions:
    """The predictions in ``predictions.csv`` and in ``landmarks.csv``, the former first.

    Predictions of another number of landmarks than ``count`` are ignored.
    """
    found = Predictions()
    for name in (LANDMARKS_FILE, PREDICTIONS_FILE):
        columns, rows = _read(folder / name)
        if _count(columns) != count:
            continue
        for file, row in rows.items():
            if name == LANDMARKS_FILE and not _is_predicted(row):
                continue
            found.points[file] = _points(row, count)
            if not np.isnan(doubt := _number(row.get("doubt") or "")):
                found.doubt[file] = doubt
    return found


def predicted_landmarks(folder: Path) -> tuple[str, ...]:
    """The names of the landmarks in ``predictions.csv``; empty without such a file."""
    path = folder / PREDICTIONS_FILE
    return read_names(path.with_suffix(".json"), _count(_read(path)[0]))


def write_landmarks(
    path: Path,
    files: Sequence[str],
    points: np.ndarray,
    doubt: Sequence[float] | None = None,
) -> None:
    """Write predictions ``points [N,K,2]`` of these pictures as a landmarks file, atomically.

    Their source is ``predicted``. ``doubt [N]``: how doubtful each picture's landmarks are.
    """
    places = [c for k in range(points.shape[1]) for c in coordinates(k)]
    rows = []
    for i, (file, found) in enumerate(zip(files, points, strict=True)):
        row = {"file": file, "source": PREDICTED}
        if doubt is not None:
            row["doubt"] = f"{doubt[i]:.4g}"
        cells = ["" if np.isnan(value) else _cell(value) for value in found.ravel()]
        rows.append(row | dict(zip(places, cells, strict=True)))
    about = ["file", "source"] if doubt is None else ["file", "source", "doubt"]
    _write(path, [*about, *places], rows)


def coordinates(landmark: int) -> tuple[str, str]:
    """The names of a landmark's two columns."""
    return f"x{landmark}", f"y{landmark}"


def _cell(value: float) -> str:
    return f"{value:.2f}"


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan  # a text such as NA, which `dvelib.data.folder` reads as an empty cell


def _points(row: Row, count: int) -> np.ndarray:
    points = np.full((count, 2), np.nan)
    for k in range(count):
        cells = [row.get(c) for c in coordinates(k)]
        if all(cells):
            points[k] = [_number(cell) for cell in cells]
    return points


def _is_predicted(row: Row) -> bool:
    return row.get("source") == PREDICTED


def _count(columns: Sequence[str]) -> int:
    return sum(name not in ABOUT for name in columns) // 2


def _read(path: Path) -> tuple[list[str], dict[str, Row]]:
    """Columns, and rows by picture; empty for a missing file."""
    if not path.exists():
        return [], {}
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.DictReader(stream, skipinitialspace=True, restval="")
        return list(reader.fieldnames or []), {row["file"]: row for row in reader}


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> None:
    with atomic_path(path) as temporary:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def read_names(path: Path, count: int) -> tuple[str, ...]:
    """The names of landmarks in the file `NAMES_FILE` of a folder, or in another such file.

    They are "landmark 0" and so on if they have no names.
    """
    path = path / NAMES_FILE if path.is_dir() else path
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


def write_names(path: Path, names: Sequence[str]) -> None:
    """Write the names of landmarks into the file `NAMES_FILE` of a folder, or into another one."""
    write_json(path / NAMES_FILE if path.is_dir() else path, {"names": list(names)})
