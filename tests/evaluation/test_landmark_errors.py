"""Errors of landmarks in percent of the distance between the eyes, and those of the mean shape."""

import numpy as np
import pytest
import torch

from dvelib import StudyError
from dvelib.data import FaceDataset
from dvelib.evaluation.landmark_errors import landmark_errors, mean_shape, mean_shape_errors


def faces(landmarks, crop=0) -> FaceDataset:
    count = 2 if landmarks is None else len(landmarks)
    return FaceDataset(
        name="test",
        title="test",
        split="test",
        size=40,
        crop=crop,
        files=tuple(map(str, range(count))),
        images=np.zeros((count, 3, 40, 40), np.uint8),
        full_landmarks=None if landmarks is None else np.asarray(landmarks, np.float32),
        eyes=(0, 1),
        digest="test",
    )


TRAIN = faces([[[10, 10], [20, 10], [15, 20]], [[12, 10], [22, 10], [15, np.nan]]])
TEST = faces([[[11, 10], [21, 10], [15, 25]], [[11, 10], [31, 10], [np.nan, np.nan]]])


def test_errors_are_percent_of_the_distance_between_the_eyes():
    away = TEST.landmarks + np.float32([3, 4])
    expected = [[50, 50, 50], [25, 25, np.nan]]
    for predicted in (away, torch.from_numpy(away)):
        np.testing.assert_allclose(landmark_errors(predicted, TEST), expected)


def test_the_mean_shape_leaves_out_landmarks_that_are_not_annotated():
    np.testing.assert_allclose(mean_shape(TRAIN), [[11, 10], [21, 10], [15, 20]])


def test_errors_of_the_mean_shape():
    errors = mean_shape_errors(TRAIN, TEST)
    np.testing.assert_allclose(errors, [[0, 0, 50], [0, 50, np.nan]])


def test_a_crop_changes_no_error():
    cropped = [faces(data.full_landmarks, crop=5) for data in (TRAIN, TEST)]
    np.testing.assert_allclose(mean_shape_errors(*cropped), mean_shape_errors(TRAIN, TEST))


def test_faces_without_landmarks_are_an_error():
    with pytest.raises(StudyError, match="has no landmarks"):
        mean_shape(faces(None))
