"""Names of the landmarks that the datasets of this project annotate.

MAFL, AFLW_R, AFLW_M and the synthetic faces annotate the five of `FIVE_LANDMARKS`, in that order.
300-W and the synthetic faces with 68 landmarks annotate 68 points, which have numbers but no names
of their own.
"""

from __future__ import annotations

__all__ = ["FIVE_LANDMARKS", "landmark_names"]

# Left and right are those of the picture, not of the person.
FIVE_LANDMARKS = ("left eye", "right eye", "nose", "left mouth corner", "right mouth corner")


def landmark_names(count: int) -> tuple[str, ...] | None:
    """The names of a dataset's ``count`` landmarks, None where they have no names."""
    return FIVE_LANDMARKS if count == len(FIVE_LANDMARKS) else None
