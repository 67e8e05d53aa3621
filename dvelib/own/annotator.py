"""Setting landmarks on pictures one click at a time: the state behind the widget.

Every change is saved at once (`dvelib.own.landmark_file`). The pictures come in an order that asks
for few labels: first some that are evenly spaced through the folder, for neighbours by name are
often neighbours in time, then those that have landmarks already, then the rest.

Convention: positions (x, y) in pixels of the picture as stored; pixel centres are whole numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.own.landmark_file import LandmarkFile, Row, read_names, write_names

__all__ = ["Annotator", "as_names"]


class _Change(NamedTuple):
    """How to take a change back: a picture's row before it, and where the annotator was."""

    picture: int
    landmark: int | None
    row: Row | None


class Annotator:
    """Which picture and which landmark is at hand, and what a click does.

    ``landmarks``: how many, or their names; None leaves it to a ``landmarks.csv`` that is there.
    ``suggest``: how many pictures to show first. ``picture``, ``landmark``: what is at hand, as a
    place in ``order`` and the number of a landmark, None where all of a picture are set.

    Raises StudyError, one sentence, for a folder without pictures, a mistake in its landmarks file
    and fewer landmarks than that has.
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
        """The picture at hand, relative to the folder."""
        return self.order[self.picture]

    @property
    def points(self) -> np.ndarray:
        """``[K,2]`` landmarks of the picture at hand, NaN where one is not set."""
        return self.file.points(self.name)

    @property
    def is_test(self) -> bool:
        return self.file.is_test(self.name)

    def image(self) -> np.ndarray | None:
        """The picture at hand ``[H,W,3]`` uint8, or None where the file cannot be read."""
        try:
            with Image.open(self.folder / self.name) as image:
                return np.asarray(image.convert("RGB"))
        except Exception:  # Pillow's decoders raise almost anything on a broken file
            return None

    def show(self, picture: int) -> None:
        """Go to a picture, and to its first landmark that is not set."""
        self.picture = min(max(picture, 0), len(self.order) - 1)
        self.landmark = self._unset_from(0)

    def step(self, pictures: int) -> None:
        """Go so many pictures on, or back."""
        self.show(self.picture + pictures)

    def choose(self, landmark: int | None) -> None:
        """Take a landmark in hand; one that is set can be moved."""
        self.landmark = landmark

    def step_landmark(self, landmarks: int) -> None:
        """Go so many landmarks on, or back, and leave the ones between as they are."""
        at = self.landmark
        if at is None:
            at = self.file.count if landmarks < 0 else -1
        self.landmark = (at + landmarks) % self.file.count

    def place(self, x: float, y: float) -> None:
        """Set the landmark at hand there, save, and go on to the next one that is not set.

        Raises StudyError where no landmark is at hand or the file was changed meanwhile.
        """
        self._set((x, y))

    def hide(self) -> None:
        """The landmark at hand is not to be seen: it stays empty; go on to the next."""
        self._set(None)

    def _set(self, point: tuple[float, float] | None) -> None:
        if self.landmark is None:
            raise StudyError("every landmark is set: choose one to move, or go to the next picture")
        before = _Change(self.picture, self.landmark, self.file.row(self.name))
        self.file.set_point(self.name, self.landmark, point)
        self._undo.append(before)
        self.landmark = self._unset_from(self.landmark + 1)

    def keep_for_test(self, test: bool) -> None:
        """Keep the picture at hand for measuring errors, or use it for learning."""
        before = _Change(self.picture, self.landmark, self.file.row(self.name))
        self.file.set_test(self.name, test)
        self._undo.append(before)

    def undo(self) -> None:
        """Take the last change back and go to where it was made; nothing where there is none."""
        if self._undo:
            change = self._undo[-1]
            self.file.restore(self.order[change.picture], change.row)
            self._undo.pop()
            self.picture, self.landmark = change.picture, change.landmark

    def _unset_from(self, first: int) -> int | None:
        unset = np.isnan(self.points[first:, 0]).nonzero()[0]
        return first + int(unset[0]) if len(unset) else None

    def where(self) -> str:
        """Which picture is at hand, for people."""
        done = sum(name in self.file for name in self.order)
        kind = "suggested" if self.picture < self.suggested else "more"
        here = self.picture + 1 if kind == "suggested" else self.picture + 1 - self.suggested
        total = self.suggested if kind == "suggested" else len(self.order) - self.suggested
        return f"{here} of {total} {kind} pictures, {done} labelled so far: {self.name}"

    def what(self) -> str:
        """What the next click does, for people."""
        if self.landmark is None:
            return "All set. Go to the next picture, or choose a landmark to move it."
        set_already = not np.isnan(self.points[self.landmark, 0])
        return f"Click to {'move' if set_already else 'set'} {self.names[self.landmark]}."


def as_names(landmarks: int | str | Sequence[str] | None) -> tuple[int | None, tuple[str, ...]]:
    """How many landmarks, and their names, from a number, names, or names between commas.

    Raises StudyError for no landmark, an empty name and a name that is given twice.
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
            f"the landmarks are a number, or different names between commas, got {landmarks!r}"
        )
    return len(names), names
