"""Annotation of landmarks, one click at a time: the state behind the widget.

Every change is saved at once (`dvelib.own.landmark_file`). Suggested pictures come first. They are
evenly spaced through the folder, because pictures with similar names often look alike. Then come
pictures that have landmarks already, then the rest.

Convention: positions (x, y) in pixels of the picture as stored; pixel centres are whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.data.pictures import BadPicture, open_rgb
from dvelib.own.landmark_file import LandmarkFile, Row, read_names, write_names

__all__ = ["Annotator", "as_names"]


class _Change(NamedTuple):
    """State before a change, for undo: picture, landmark and the picture's row."""

    picture: int
    landmark: int | None
    row: Row | None


class Annotator:
    """The current picture and landmark, and the effect of clicks and buttons.

    ``landmarks``: their number or their names; None: as in an existing ``landmarks.csv``.
    ``suggest``: the number of suggested pictures. The attribute ``picture`` is an index into
    ``order``; ``landmark`` is the index of a landmark, or None if all of the picture are set.

    Raises StudyError for a folder without pictures, an error in its landmarks file, and fewer
    landmarks than the file has.
    """

    def __init__(
        self,
        folder: Path | str,
        landmarks: int | str | Sequence[str] | None = None,
        suggest: int = 20,
    ):
        self.folder = Path(folder).expanduser().resolve()
        count, names = as_names(landmarks)
        self.file = LandmarkFile(self.folder, count)
        self.names = read_names(self.folder, self.file.count)
        if names:
            self.names = (*names, *self.names[len(names) :])
            write_names(self.folder, self.names)
        self.suggested = min(max(suggest, 1), len(self.file.files))
        self.order = self._ordered()
        self._undo: list[_Change] = []
        waiting = (i for i, name in enumerate(self.order) if name not in self.file)
        self.show(next(waiting, 0))

    def _ordered(self) -> tuple[str, ...]:
        files, n = self.file.files, self.suggested
        first = [files[i] for i in np.arange(n) * len(files) // n]
        rest = [name for name in files if name not in set(first)]
        return (*first, *sorted(rest, key=lambda name: name not in self.file))

    @property
    def name(self) -> str:
        """The current picture, relative to the folder."""
        return self.order[self.picture]

    @property
    def points(self) -> np.ndarray:
        """Landmarks ``[K,2]`` of the current picture; NaN for unset ones."""
        return self.file.points(self.name)

    @property
    def is_test(self) -> bool:
        return self.file.is_test(self.name)

    def image(self) -> np.ndarray | None:
        """The current picture ``[H,W,3]`` uint8, or None if the file cannot be read."""
        try:
            return np.asarray(open_rgb(self.folder / self.name))
        except (BadPicture, StudyError):
            return None

    def show(self, picture: int) -> None:
        """Go to a picture and its first unset landmark."""
        self.picture = min(max(picture, 0), len(self.order) - 1)
        self.landmark = self._unset_from(0)

    def step(self, pictures: int) -> None:
        """Go forward by a number of pictures, or back if it is negative."""
        self.show(self.picture + pictures)

    def choose(self, landmark: int | None) -> None:
        """Select a landmark; a click sets or moves it."""
        self.landmark = landmark

    def step_landmark(self, landmarks: int) -> None:
        """Select the landmark that many places further in the list, or back if negative."""
        at = self.landmark
        if at is None:
            at = self.file.count if landmarks < 0 else -1
        self.landmark = (at + landmarks) % self.file.count

    def place(self, x: float, y: float) -> None:
        """Set the selected landmark, save, and select the next unset one.

        Raises StudyError if no landmark is selected or another program has changed the file.
        """
        self._set((x, y))

    def hide(self) -> None:
        """Leave the selected landmark empty (it is not visible) and select the next unset one."""
        self._set(None)

    def _set(self, point: tuple[float, float] | None) -> None:
        if self.landmark is None:
            raise StudyError("all landmarks are set: select one to move, or go to the next picture")
        before = _Change(self.picture, self.landmark, self.file.row(self.name))
        self.file.set_point(self.name, self.landmark, point)
        self._undo.append(before)
        self.landmark = self._unset_from(self.landmark + 1)

    def keep_for_test(self, test: bool) -> None:
        """Keep the current picture for testing, or use it for training."""
        before = _Change(self.picture, self.landmark, self.file.row(self.name))
        self.file.set_test(self.name, test)
        self._undo.append(before)

    def undo(self) -> None:
        """Take the last change back and go to its picture; without a change, do nothing."""
        if self._undo:
            change = self._undo[-1]
            self.file.restore(self.order[change.picture], change.row)
            self._undo.pop()
            self.picture, self.landmark = change.picture, change.landmark

    def _unset_from(self, first: int) -> int | None:
        unset = np.isnan(self.points[first:, 0]).nonzero()[0]
        return first + int(unset[0]) if len(unset) else None

    def progress_text(self) -> str:
        """Name and number of the current picture, and the number of annotated pictures."""
        done = sum(name in self.file for name in self.order)
        kind = "suggested" if self.picture < self.suggested else "other"
        number = self.picture + 1 if kind == "suggested" else self.picture + 1 - self.suggested
        total = self.suggested if kind == "suggested" else len(self.order) - self.suggested
        return f"{number} of {total} {kind} pictures, {done} annotated so far: {self.name}"

    def click_text(self) -> str:
        """The effect of the next click."""
        if self.landmark is None:
            return "All landmarks are set. Go to the next picture, or select a landmark to move it."
        set_already = not np.isnan(self.points[self.landmark, 0])
        return f"Click to {'move' if set_already else 'set'} {self.names[self.landmark]}."


def as_names(landmarks: int | str | Sequence[str] | None) -> tuple[int | None, tuple[str, ...]]:
    """Number and names of landmarks from a number, a list of names, or names with commas.

    Raises StudyError for no landmark, an empty name and a repeated name.
    """
    if landmarks is None:
        return None, ()
    if isinstance(landmarks, str) and landmarks.strip().lstrip("-").isdecimal():
        landmarks = int(landmarks)
    if isinstance(landmarks, int):
        if landmarks < 1:
            raise StudyError(f"there must be at least 1 landmark, got {landmarks}")
        return landmarks, ()
    parts = landmarks.split(",") if isinstance(landmarks, str) else landmarks
    names = tuple(str(part).strip() for part in parts)
    if not names or not all(names) or len(set(names)) < len(names):
        raise StudyError(
            f"landmarks must be a number, or different names separated by commas, got {landmarks!r}"
        )
    return len(names), names
