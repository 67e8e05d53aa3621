"""Prediction of landmarks for a folder of pictures (``dve predict``): a file and a sheet.

The file is ``predictions.csv``, with the columns that `dvelib.data.folder` reads. ``dve annotate``
shows predictions as starting points. They are never used for training; a corrected landmark is an
annotation. A predictor of faces writes one line a face, the largest first, with the face's box and
the doubt in the face and in each landmark; a picture without a face has a line without landmarks.
The sheet (`dvelib.own.sheet`) is a picture of some of the predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.common.progress import progress_bar
from dvelib.own.embedding_training import absolute
from dvelib.own.landmark_file import (
    PREDICTIONS_FILE,
    pictures_in,
    write_landmarks,
    write_names,
)
from dvelib.own.predictor import BATCH, Face, Predictor, read_picture
from dvelib.own.sheet import Tile, draw_sheet, face_tile, framed_tile, sheet_path

__all__ = ["Predicted", "predict_folder"]

SHOWN = 48  # pictures on the sheet
NAMED = 5  # pictures without a face that the last line names


@dataclass(frozen=True)
class Predicted:
    """Predictions of a folder.

    ``landmarks [N,A,2]`` of ``files``, in pixels of the upright pictures: one entry a face, so a
    file may occur several times. ``faces``: the same as `Face` objects, empty for predictors of
    other things. ``without_face``: files in which no face was found; ``unreadable``: files that
    could not be read; ``path`` of the written file; ``sheet``: its path, or None if the drawing
    package is not installed.
    """

    files: tuple[str, ...]
    landmarks: np.ndarray
    unreadable: tuple[str, ...]
    path: Path
    sheet: Path | None
    faces: tuple[Face, ...] = ()
    without_face: tuple[str, ...] = ()


def predict_folder(
    predictor: Predictor,
    images: Path | str,
    out: Path | str | None = None,
    *,
    framed: bool = False,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Predicted:
    """Predict the landmarks of every picture of a folder and write them.

    ``out``: by default ``predictions.csv`` in the folder. ``framed``: every picture is cut around
    one face already, so that no face is searched. A sheet shows up to 48 of the pictures, evenly
    spaced, with their landmarks (see `dvelib.own.sheet.sheet_path`). Pictures that cannot be read
    are left out, and their names are printed.
    Raises StudyError for a folder without readable pictures, and where a file would be overwritten
    without ``force``.
    """
    images = absolute(images)
    files = pictures_in(images)
    path = absolute(out) if out else images / PREDICTIONS_FILE
    sheet = sheet_path(path, images)
    for there in (path, sheet):
        if there.is_dir() or (there.exists() and not force):
            raise StudyError(
                f"{there} exists already: choose another --out, or overwrite it with --force"
            )
    tiles = set(np.arange(min(SHOWN, len(files))) * len(files) // min(SHOWN, len(files)))
    run = _Run(predictor, images, framed, {files[i] for i in tiles})
    run.over(files)
    if not run.lines:
        raise StudyError(f"{images}: none of its {len(files)} pictures can be read")
    landmarks = np.stack([line.points for line in run.lines])
    _write(path, run.lines, landmarks, predictor.finds_faces)
    if path == images / PREDICTIONS_FILE:
        write_names(path.with_suffix(".json"), predictor.names)
    shown = len({line.file for line in run.lines if not line.is_empty})
    what = "face of" if predictor.finds_faces and not framed else "of"
    say(f"{len(predictor.names)} landmarks on each {what} {shown} pictures, in {path}")
    if run.unreadable:
        say(f"left out because they cannot be read: {', '.join(run.unreadable)}")
    drawn = run.tiles and draw_sheet(run.tiles, sheet, say)
    if predictor.finds_faces:
        say(run.summary())
    found = [line for line in run.lines if not line.is_empty]
    return Predicted(
        tuple(line.file for line in found),
        np.stack([line.points for line in found]) if found else landmarks[:0],
        tuple(run.unreadable),
        path,
        drawn or None,
        tuple(line.face for line in found if line.face),
        tuple(line.file for line in run.lines if line.is_empty),
    )


@dataclass(frozen=True)
class _Line:
    """One line of the file; ``number``: of the face in its picture, from 1; 0: no face."""

    file: str
    points: np.ndarray
    number: int = 0
    face: Face | None = None

    @property
    def is_empty(self) -> bool:
        return bool(np.isnan(self.points).all())


def _write(path: Path, lines: Sequence[_Line], points: np.ndarray, faces: bool) -> None:
    files = [line.file for line in lines]
    if not faces:
        write_landmarks(path, files, points)
        return
    doubt = [1.0 if line.face is None else float(line.face.doubt.mean()) for line in lines]
    more = [_cells(line, points.shape[1]) for line in lines]
    write_landmarks(path, files, points, doubt, more)


def _cells(line: _Line, landmarks: int) -> dict[str, str]:
    """Number, confidence and box of the line's face, and the doubt in each landmark."""
    columns = ["face", "confidence", "left", "top", "right", "bottom"]
    columns += [f"doubt{k}" for k in range(landmarks)]
    cells = dict.fromkeys(columns, "") | {"face": str(line.number)}
    if line.face is None:
        return cells
    if line.face.confidence is not None:
        cells["confidence"] = f"{line.face.confidence:.3f}"
    numbers = [f"{side:.1f}" for side in line.face.box] + [f"{d:.3f}" for d in line.face.doubt]
    return cells | dict(zip(columns[2:], numbers, strict=True))


@dataclass
class _Run:
    """Predictions so far, and the pictures for the sheet."""

    predictor: Predictor
    images: Path
    framed: bool
    wanted: set[str]
    lines: list[_Line] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    tiles: list[Tile] = field(default_factory=list)

    def over(self, files: Sequence[str]) -> None:
        with progress_bar(len(files), "finding landmarks", "pictures") as bar:
            for at in range(0, len(files), BATCH):
                part = files[at : at + BATCH]
                pictures = list(self._readable(part))
                if self.predictor.finds_faces:
                    self._faces(pictures)
                elif pictures:
                    self._batch(pictures)
                bar.update(len(part))

    def summary(self) -> str:
        """How many faces there are and how many are doubtful, in one line."""
        faces = [line.face for line in self.lines if line.face]
        empty = [line.file for line in self.lines if line.is_empty]
        doubtful = sum(face.is_doubtful for face in faces)
        points = sum(int(face.doubtful.sum()) for face in faces)
        missing = f"; no face: {', '.join(empty[:NAMED])}" if empty else ""
        missing += f" and {len(empty) - NAMED} more" if len(empty) > NAMED else ""
        return (
            f"doubtful: {doubtful} of {len(faces)} faces, {points} of "
            f"{len(faces) * len(self.predictor.names)} landmarks{missing}"
        )

    def _readable(self, files: Sequence[str]) -> Iterator[tuple[str, Image.Image]]:
        for file in files:
            try:
                yield file, read_picture(self.images / file)
            except StudyError:
                self.unreadable.append(file)

    def _faces(self, pictures: list[tuple[str, Image.Image]]) -> None:
        nothing = np.full((len(self.predictor.names), 2), np.nan, np.float32)
        for file, image in pictures:
            faces = self.predictor.faces_of(image, framed=self.framed)
            for number, face in enumerate(faces, 1):
                self.lines.append(_Line(file, face.landmarks, number, face))
            if not faces:
                self.lines.append(_Line(file, nothing))
            if file in self.wanted:
                self.tiles += [face_tile(file, image, face) for face in faces or [None]]

    def _batch(self, pictures: list[tuple[str, Image.Image]]) -> None:
        found = self.predictor.landmarks_of([image for _, image in pictures])
        for (file, image), points in zip(pictures, found, strict=True):
            self.lines.append(_Line(file, points))
            if file in self.wanted:
                self.tiles.append(framed_tile(file, image, points, self.predictor.framing.layout))
