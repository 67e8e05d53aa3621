"""Errors of predicted landmarks, in percent of a length of each face.

The study uses the inter-ocular distance: between the outer corners of the eyes of 68 landmarks,
between the eyes of five. Other papers use the distance of the pupils, or the size of the face.

The mean shape is the answer that needs no network: on every face it predicts the mean landmarks of
the training faces.
"""

from __future__ import annotations

import numpy as np
import torch

from dvelib.common.errors import StudyError
from dvelib.data import FaceDataset
from dvelib.matching import inter_ocular_error

__all__ = [
    "MEAN_SHAPE",
    "NORMALISATIONS",
    "landmark_errors",
    "mean_shape",
    "mean_shape_errors",
    "normalising_length",
]

NORMALISATIONS = ("inter-ocular", "inter-pupil", "box")
# Landmarks around each eye, of 68; the pupil is their mean.
EYES_OF_68 = (slice(36, 42), slice(42, 48))

MEAN_SHAPE = "mean training shape"


def normalising_length(faces: FaceDataset, normalisation: str) -> np.ndarray:
    """The length that is 100 % on each face: ``[N]``, pixels of the cropped image.

    ``normalisation``: ``inter-ocular``, the distance of ``faces.eyes``; ``inter-pupil``, the
    distance of the means of the landmarks around each eye (of 68; of five the eyes themselves);
    ``box``, the square root of width times height of the box around all landmarks that are set.
    Raises StudyError for another name and where the landmarks do not have such a length.
    """
    truth = faces.landmarks
    if normalisation == "box":
        sides = np.nanmax(truth, axis=1) - np.nanmin(truth, axis=1)
        return np.sqrt(sides.prod(axis=1))
    if normalisation == "inter-pupil" and truth.shape[1] == 68:
        left, right = (truth[:, part].mean(axis=1) for part in EYES_OF_68)
    elif normalisation in ("inter-ocular", "inter-pupil"):
        left, right = (truth[:, eye] for eye in faces.eyes)
    else:
        raise StudyError(
            f"errors cannot be normalised by {normalisation!r}: "
            f"choose among {', '.join(NORMALISATIONS)}"
        )
    return np.linalg.norm(left - right, axis=1)


def landmark_errors(
    predicted: np.ndarray | torch.Tensor,
    faces: FaceDataset,
    normalisation: str = NORMALISATIONS[0],
) -> np.ndarray:
    """Error of each landmark of each face: ``[N,A,2] -> [N,A]``, percent.

    ``normalisation``: percent of what, see `normalising_length`.

    Convention: ``predicted`` is (x, y) in pixels of the cropped image, as ``faces.landmarks`` is.
    NaN where the true landmark is not annotated.
    Raises StudyError where the faces have no landmarks, ValueError where two eyes coincide.
    """
    truth = torch.from_numpy(faces.landmarks)
    if normalisation == NORMALISATIONS[0]:
        return inter_ocular_error(torch.as_tensor(predicted), truth, faces.eyes).numpy()
    distance = (torch.as_tensor(predicted) - truth).norm(dim=2).numpy()
    return 100 * distance / normalising_length(faces, normalisation)[:, None]


def mean_shape(faces: FaceDataset) -> np.ndarray:
    """Mean of each landmark over the faces where it is annotated: ``[A,2]``, cropped pixels."""
    return np.nanmean(faces.landmarks, axis=0)


def mean_shape_errors(
    train: FaceDataset, test: FaceDataset, normalisation: str = NORMALISATIONS[0]
) -> np.ndarray:
    """Error on each test face of the mean shape of the training faces: ``[N,A]``, percent.

    NaN and exceptions as in `landmark_errors`. Both datasets have the same size and crop.
    """
    shape = torch.from_numpy(mean_shape(train))
    return landmark_errors(shape.expand(len(test), -1, -1), test, normalisation)
