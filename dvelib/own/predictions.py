"""Prediction of landmarks for a folder of pictures (``dve predict``): a file and a sheet.

The file is ``predictions.csv``, with the columns that `dvelib.data.folder` reads. ``dve annotate``
shows predictions as starting points. They are never used for training; a corrected landmark is an
annotation. The sheet is a picture of some of the predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.common.progress import progress_bar
from dvelib.own.embedding_training import absolute
from dvelib.own.landmark_file import (
    PREDICTIONS_FILE,
    pictures_in,
    write_landmarks,
    write_names,
)
from dvelib.own.predictor import BATCH, Predictor, read_picture

__all__ = ["Predicted", "predict_folder", "sheet_path"]

SHOWN = 48  # pictures on the sheet
TILE = 200  # pixels of the side of each
TITLE = 18  # letters of a file's name above it


@dataclass(frozen=True)
class Predicted:
    """Predictions of a folder.

    ``landmarks [N,A,2]`` of ``files``, in pixels of the upright pictures; ``unreadable``: files
    that could not be read; ``path`` of the written file; ``sheet``: its path, or None if the
    drawing package is not installed.
    """

    files: tuple[str, ...]
    landmarks: np.ndarray
    unreadable: tuple[str, ...]
    path: Path
    sheet: Path | None


def predict_folder(
    predictor: Predictor,
    images: Path | str,
    out: Path | str | None = None,
    *,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Predicted:
    """Predict the landmarks of every picture of a folder and write them.

    ``out``: by default ``predictions.csv`` in the folder. A sheet shows up to 48 of the pictures,
    evenly spaced, with their landmarks (see `sheet_path`). Pictures that cannot be read are left
    out, and their names are printed.
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
    run = _Run(predictor, images, {files[i] for i in tiles})
    run.over(files)
    if not run.files:
        raise StudyError(f"{images}: none of its {len(files)} pictures can be read")
    landmarks = np.concatenate(run.landmarks)
    write_landmarks(path, run.files, landmarks)
    if path == images / PREDICTIONS_FILE:
        write_names(path.with_suffix(".json"), predictor.names)
    say(f"{len(predictor.names)} landmarks on each of {len(run.files)} pictures, in {path}")
    if run.unreadable:
        say(f"left out because they cannot be read: {', '.join(run.unreadable)}")
    drawn = run.tiles and _draw(run.tiles, sheet, say)
    return Predicted(tuple(run.files), landmarks, tuple(run.unreadable), path, drawn or None)


def sheet_path(path: Path, images: Path) -> Path:
    """Path of the sheet: ``predictions.png`` beside ``predictions.csv``.

    If this is inside the folder of the pictures, the path is ``<folder>-predictions.png`` beside
    the folder instead, so that the sheet is not taken for one of the pictures.
    """
    if path.is_relative_to(images):
        return images.with_name(f"{images.name}-{path.stem}.png")
    return path.with_suffix(".png")


class _Run:
    """Predictions so far, and the pictures for the sheet."""

    def __init__(self, predictor: Predictor, images: Path, wanted: set[str]):
        self.predictor, self.images, self.wanted = predictor, images, wanted
        self.files: list[str] = []
        self.landmarks: list[np.ndarray] = []
        self.unreadable: list[str] = []
        self.tiles: list[tuple[str, np.ndarray, np.ndarray]] = []

    def over(self, files: Sequence[str]) -> None:
        with progress_bar(len(files), "finding landmarks", "pictures") as bar:
            for at in range(0, len(files), BATCH):
                part = files[at : at + BATCH]
                self._batch(list(self._readable(part)))
                bar.update(len(part))

    def _readable(self, files: Sequence[str]) -> Iterator[tuple[str, Image.Image]]:
        for file in files:
            try:
                yield file, read_picture(self.images / file)
            except StudyError:
                self.unreadable.append(file)

    def _batch(self, pictures: list[tuple[str, Image.Image]]) -> None:
        if not pictures:
            return
        found = self.predictor.landmarks_of([image for _, image in pictures])
        self.landmarks.append(found)
        for (file, image), points in zip(pictures, found, strict=True):
            self.files.append(file)
            if file in self.wanted:
                layout = self.predictor.framing.layout
                square = np.asarray(layout.square(image, TILE, None)).transpose(2, 0, 1)
                placed = layout.place(points[None], np.array([image.size]), None, TILE)[0]
                self.tiles.append((file, square, placed))


def _draw(tiles: list[tuple], path: Path, say: Callable[[str], None]) -> Path | None:
    """Write the sheet; None, with a message, if the drawing package is not installed."""
    try:
        from dvelib.plots import faces_grid
    except ImportError as error:
        say(f"no sheet was drawn: {error.name} is not installed; pip install 'dvelib[study]'")
        return None
    files, squares, points = zip(*tiles, strict=True)
    titles = [_short(Path(file).name) for file in files]
    figure = faces_grid(np.stack(squares), titles, landmarks=np.stack(points))
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=160, facecolor="white")
    say(f"{len(files)} pictures with their landmarks, in {path}")
    return path


def _short(name: str) -> str:
    return name if len(name) <= TITLE else f"{name[: TITLE - 1]}…"
