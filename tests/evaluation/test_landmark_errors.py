"""Errors of landmarks in percent of the distance between the eyes, and those of the mean shape."""

import dataclasses

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


def test_errors_under_other_normalisations():
    """One pixel off on every landmark, in percent of lengths that are known."""
    points = np.zeros((1, 68, 2), np.float32)
    points[0, :, 0] = np.linspace(0, 40, 68)  # the box is 40 wide
    points[0, :, 1] = np.linspace(0, 10, 68)  # and 10 high
    points[0, 36], points[0, 45] = (0, 0), (30, 0)
    points[0, 37:42], points[0, 42:45], points[0, 46:48] = (6, 0), (24, 0), (24, 0)
    drawn = dataclasses.replace(faces(points), eyes=(36, 45))
    predicted = points + np.float32([1, 0])
    for normalisation, length in (
        ("inter-ocular", 30),
        ("inter-pupil", (24 * 5 + 30) / 6 - (6 * 5 + 0) / 6),
        ("box", 20),
    ):
        errors = landmark_errors(predicted, drawn, normalisation)
        assert errors == pytest.approx(np.full((1, 68), 100 / length), rel=1e-4)
    with pytest.raises(StudyError, match="normalised by 'face': choose among inter-ocular"):
        landmark_errors(predicted, drawn, "face")
