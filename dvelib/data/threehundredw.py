"""300-W: faces with 68 landmarks, cut out around their ground-truth boxes.

Layout: images with ``.pts`` files beside them in ``afw``, ``helen/trainset``, ``lfpw/trainset``
(train), ``helen/testset``, ``lfpw/testset``, ``ibug`` (test), and a list of boxes for each in
``Bounding Boxes/bounding_boxes_*.mat``. A part without images is left out. An image is scaled so
that the face's box is 52 px wide. The face is the 100 x 100 px square around the box's centre,
moved up by 2 px. All coordinates count pixels from one, as Matlab does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.data.layout import Layout, Listing, require
from dvelib.data.matlab import Cells, Structure
from dvelib.data.reading import check_finite, check_names, read_mat, read_text

__all__ = ["ThreeHundredW"]

POINTS = 68
BOX_WIDTH = 52
FRAME = 100
MOST_PIXELS = 2**26  # of the scaled image
NARROWEST, LARGEST = 4, 100_000  # sides and coordinates of a box in pixels; the published: 20 up
# Offset from the first pixel of the frame, counted from one, to the centre, moved up by 2 px.
CORNER = (49, 51)
IF_MISSING = "unpack the 300-W archive there, or point data_root at the folder that holds it"
IF_DAMAGED = "unpack the 300-W archive again"


class ThreeHundredW(Layout):
    """The layout of 300-W. ``resampling``: the filter for scaling whole images.

    The published study used Pillow's default, which was nearest neighbour then and is bicubic now.
    """

    eyes = (36, 45)  # outer corners
    parts = {
        "train": {"afw": 337, "helen/trainset": 2_000, "lfpw/trainset": 811},
        "test": {"helen/testset": 330, "lfpw/testset": 224, "ibug": 135},
    }
    published = {split: sum(parts.values()) for split, parts in parts.items()}

    def __init__(
        self,
        name: str = "300w",
        title: str = "300-W",
        resampling: Image.Resampling = Image.Resampling.NEAREST,
    ) -> None:
        self.name, self.title, self.resampling = name, title, resampling

    def listing(self, root: Path, split: str) -> Listing:
        found = [_part(root, part) for part in self.parts[split]]
        found = [part for part in found if part is not None]
        if not found:
            raise StudyError(
                f"300-W's {split} images are missing: there are none in "
                f"{', '.join(self.parts[split])} of {root}; {IF_MISSING}"
            )
        return Listing(
            tuple(f for part in found for f in part.files),
            np.concatenate([part.landmarks for part in found]),
            boxes=np.concatenate([part.boxes for part in found]),
        )

    def square(self, image: Image.Image, size: int, box: np.ndarray | None) -> Image.Image:
        factor, corner = _frame(box)
        sides = int(factor * image.width), int(factor * image.height)
        if sides[0] * sides[1] > MOST_PIXELS:
            raise ValueError(f"its box would enlarge it to {sides[0]:,} x {sides[1]:,} pixels")
        left, top = (int(c) - 1 for c in corner)
        # Pixels outside the image are black.
        face = image.resize(sides, self.resampling).crop((left, top, left + FRAME, top + FRAME))
        return super().square(face, size, box)

    def place(
        self, points: np.ndarray, sources: np.ndarray, boxes: np.ndarray | None, size: int
    ) -> np.ndarray:
        factor, corner = _frame(boxes)
        return (factor[:, None, None] * points - corner[:, None]) * (size / FRAME)


def _frame(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale and first pixel (x, y) of the frame in the scaled image, for boxes ``[...,4]``."""
    low, sides = boxes[..., :2], boxes[..., 2:] - boxes[..., :2] + 1
    factor = BOX_WIDTH / sides[..., 0]
    centre = np.floor(factor[..., None] * (low + (sides + 1) / 2))
    return factor, centre - CORNER


def _part(root: Path, part: str) -> Listing | None:
    """The images of one part in the order of its list; None if it has none."""
    folder = root / part
    there = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    there = {name for name in there if name.lower().endswith((".jpg", ".png"))}
    if not there:
        return None
    names, boxes = _boxes(root, part)
    # iBUG's list also names faces of other sets.
    keep = [i for i, name in enumerate(names) if part != "ibug" or name.startswith("image")]
    names = [_stored(names[i], there) for i in keep]
    points = np.empty((len(names), POINTS, 2))
    for i, name in enumerate(names):
        path = (folder / name).with_suffix(".pts")
        # If the image is missing, too, the error about the image is raised later.
        points[i] = np.nan if name not in there and not path.exists() else _read_points(path)
    return Listing(tuple(f"{part}/{name}" for name in names), points, boxes=boxes[keep])


def _stored(name: str, there: set[str]) -> str:
    """The name of a listed image's file: as listed, or with the suffix of the other format."""
    stem, dot, suffix = name.rpartition(".")
    other = stem + dot + {"jpg": "png", "png": "jpg"}.get(suffix, suffix)
    return other if name not in there and other in there else name


def _boxes(root: Path, part: str) -> tuple[list[str], np.ndarray]:
    path = require(
        root / "Bounding Boxes" / f"bounding_boxes_{part.replace('/', '_')}.mat",
        f"the list of face boxes for {root / part}",
        IF_MISSING,
    )
    (entries,) = read_mat(path, ("bounding_boxes",), IF_DAMAGED)
    if not isinstance(entries, Cells):
        raise StudyError(f"{path}: bounding_boxes must be a cell array: {IF_DAMAGED}")
    names, boxes = [], np.empty((len(entries.values), 4))
    for i, entry in enumerate(entries.values):
        name, box = _field(entry, "imgName", path, i), _field(entry, "bb_ground_truth", path, i)
        if not isinstance(name, str) or not name:
            raise StudyError(
                f"{path}: entry {i + 1} of bounding_boxes names no image: {IF_DAMAGED}"
            )
        names.append(name)
        if not isinstance(box, np.ndarray) or box.shape != (1, 4) or not _is_box(box[0]):
            raise StudyError(
                f"{path}: the bb_ground_truth of {name[:80]} must be left, top, right, bottom, "
                f"found {_shown(box)}: {IF_DAMAGED}"
            )
        boxes[i] = box
    check_names(names, path, IF_DAMAGED)
    check_finite(boxes, names, path, "box", IF_DAMAGED)
    return names, boxes


def _is_box(box: np.ndarray) -> bool:
    """Whether the sides of a box are at least `NARROWEST`: the image is scaled by its width."""
    return bool(np.all(box[2:] - box[:2] >= NARROWEST) and np.all(np.abs(box) < LARGEST))


def _shown(box: object) -> str:
    if isinstance(box, np.ndarray) and box.size <= 8:
        return np.array2string(box.ravel(), separator=", ")
    return "something else"


def _field(entry: object, field: str, path: Path, index: int) -> object:
    held = entry.elements[0] if isinstance(entry, Structure) and len(entry.elements) == 1 else {}
    if field not in held:
        found = ", ".join(held) or "nothing"
        raise StudyError(
            f"{path}: entry {index + 1} of bounding_boxes has no field {field}, "
            f"it holds {found}: {IF_DAMAGED}"
        )
    return held[field]


def _read_points(path: Path) -> np.ndarray:
    """``[68,2]`` (x, y) counted from one, between the braces of a ``.pts`` file."""
    text = read_text(require(path, "a file of landmarks", IF_DAMAGED), IF_DAMAGED)
    body = text.partition("{")[2].rpartition("}")[0]
    try:
        points = np.array(body.split(), np.float64)
    except ValueError as error:
        reason = str(error)[:200]
        raise StudyError(f"{path} cannot be read as landmarks ({reason}): {IF_DAMAGED}") from None
    if points.size != 2 * POINTS:
        raise StudyError(
            f"{path}: expected {POINTS} landmarks between braces, "
            f"found {points.size / 2:g}: {IF_DAMAGED}"
        )
    if not np.isfinite(points).all():
        raise StudyError(f"{path} has a coordinate that is not a number: {IF_DAMAGED}")
    return points.reshape(POINTS, 2)
