"""Errors of predicted landmarks, in percent of the inter-ocular distance of each face.

The mean shape is the answer that needs no network: on every face it predicts the mean landmarks of
the training faces.
"""

from __future__ import annotations

import numpy as np
import torch

from dvelib.data import FaceDataset
from dvelib.matching import inter_ocular_error

__all__ = ["MEAN_SHAPE", "landmark_errors", "mean_shape", "mean_shape_errors"]

MEAN_SHAPE = "mean training shape"


def landmark_errors(predicted: np.ndarray | torch.Tensor, faces: FaceDataset) -> np.ndarray:
    """Error of each landmark of each face: ``[N,A,2] -> [N,A]``, percent.

    Convention: ``predicted`` is (x, y) in pixels of the cropped image, as ``faces.landmarks`` is.
    NaN where the true landmark is not annotated.
    Raises StudyError where the faces have no landmarks, ValueError where two eyes coincide.
    """
    truth = torch.from_numpy(faces.landmarks)
    return inter_ocular_error(torch.as_tensor(predicted), truth, faces.eyes).numpy()


def mean_shape(faces: FaceDataset) -> np.ndarray:
    """Mean of each landmark over the faces where it is annotated: ``[A,2]``, cropped pixels."""
    return np.nanmean(faces.landmarks, axis=0)


def mean_shape_errors(train: FaceDataset, test: FaceDataset) -> np.ndarray:
    """Error on each test face of the mean shape of the training faces: ``[N,A]``, percent.

    NaN and exceptions as in `landmark_errors`. Both datasets have the same size and crop.
    """
    shape = torch.from_numpy(mean_shape(train))
    return landmark_errors(shape.expand(len(test), -1, -1), test)
