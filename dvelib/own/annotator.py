"""Annotation of landmarks, one click at a time: the state behind the widget.

Every change is saved at once (`dvelib.own.landmark_file`). Suggested pictures come first: those of
``dve suggest``, else the most doubtful predictions, else pictures evenly spaced through the folder,
because pictures with similar names often look alike. Then come pictures that have landmarks
already, then the rest.

Predictions of a picture are shown as starting points. A prediction becomes an annotation only if a
person moves it or accepts it.

Convention: positions (x, y) in pixels of the upright picture; pixel centres are whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.data.folder import LANDMARKS_FILE
from dvelib.data.pictures import BadPicture, open_rgb, upright_rgb
from dvelib.own.landmark_file import (
    LandmarkFile,
    Row,
    predicted_landmarks,
    read_names,
    read_predictions,
    write_names,
)
from dvelib.own.suggestions import read_suggestions

__all__ = ["Annotator", "as_names"]


class _Change(NamedTuple):
    """State before a change, for undo: picture, landmark and the picture's row."""

    picture: int
    landmark: int | None
    row: Row | None


class Annotator:
    """The current picture and landmark, and the effect of clicks and buttons.

    ``landmarks``: their number or their names; None: as in an existing ``landmarks.csv``, or else
    as in ``predictions.csv``.
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
        if count is None and not (self.folder / LANDMARKS_FILE).exists():
            names = predicted_landmarks(self.folder)
            count = len(names) or None
        self.file = LandmarkFile(self.folder, count)
        self.names = read_names(self.folder, self.file.count)
        if names:
            self.names = (*names, *self.names[len(names) :])
        self._named = not names  # names are written with the first change
        self.suggested = min(max(suggest, 1), len(self.file.files))
        self._undo: list[_Change] = []
        self.reload()

    def reload(self) -> None:
        """Read predictions and suggestions again, and go to the first picture to annotate."""
        self.predictions = read_predictions(self.folder, self.file.count)
        self.order = self._ordered()
        self._undo.clear()
        waiting = (i for i, name in enumerate(self.order) if name not in self.file)
        self.show(next(waiting, 0))

    def _ordered(self) -> tuple[str, ...]:
        files, doubt = self.file.files, self.predictions.doubt
        known = set(files)
        first = [f for f in read_suggestions(self.folder) if f in known and f not in self.file]
        if not first and doubt:
            unlabelled = [f for f in files if f in doubt and f not in self.file]
            first = sorted(unlabelled, key=lambda f: -doubt[f])
        n = self.suggested
        first = first[:n] or [files[i] for i in np.arange(n) * len(files) // n]
        self.suggested = len(first)
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
    def guesses(self) -> np.ndarray:
        """Predictions ``[K,2]`` for landmarks of the current picture that no person has set."""
        found = self.predictions.points.get(self.name)
        if found is None:
            return np.full((self.file.count, 2), np.nan)
        return np.where(np.isnan(self.points), found, np.nan)

    @property
    def is_test(self) -> bool:
        return self.file.is_test(self.name)

    def image(self) -> np.ndarray | None:
        """The current picture ``[H,W,3]`` uint8, or None if the file cannot be read."""
        try:
            return np.asarray(open_rgb(self.folder / self.name, upright_rgb))
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

    def accept(self) -> None:
        """Make annotations of all predictions shown on the current picture.

        Raises StudyError if there are none.
        """
        guesses = self.guesses
        shown = (~np.isnan(guesses[:, 0])).nonzero()[0]
        if not len(shown):
            raise StudyError("this picture shows no predictions to accept")
        before = self._before()
        self.file.set_points(self.name, {int(k): tuple(guesses[k]) for k in shown})
        self._undo.append(before)
        self.landmark = self._unset_from(0)

    def _set(self, point: tuple[float, float] | None) -> None:
        if self.landmark is None:
            raise StudyError("all landmarks are set: select one to move, or go to the next picture")
        before = self._before()
        self.file.set_point(self.name, self.landmark, point)
        self._undo.append(before)
        self.landmark = self._unset_from(self.landmark + 1)

    def _before(self) -> _Change:
        """The state to remember before a change; the names are written before the first one."""
        if not self._named:
            write_names(self.folder, self.names)
            self._named = True
        return _Change(self.picture, self.landmark, self.file.row(self.name))

    def keep_for_test(self, test: bool) -> None:
        """Keep the current picture for testing, or use it for training."""
        before = self._before()
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
        name = self.names[self.landmark]
        if not np.isnan(self.guesses[:, 0]).all():
            return f"Hollow marks are predictions, no labels. Click to set {name}, or accept them."
        set_already = not np.isnan(self.points[self.landmark, 0])
        return f"Click to {'move' if set_already else 'set'} {name}."


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
