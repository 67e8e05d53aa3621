"""The names of five landmarks fit their places."""

import numpy as np

from dvelib.data import open_dataset
from dvelib.data.landmark_names import FIVE_LANDMARKS, landmark_names


def test_left_and_right_are_those_of_the_picture():
    faces = open_dataset("synthetic", None, "test", size=70, crop=10, limit=8)
    places = np.nanmean(faces.landmarks, axis=0)
    x, y = (dict(zip(FIVE_LANDMARKS, places[:, axis], strict=True)) for axis in (0, 1))
    assert x["left eye"] < x["nose"] < x["right eye"]
    assert x["left mouth corner"] < x["right mouth corner"]
    assert y["left eye"] < y["nose"] < y["left mouth corner"]


def test_only_five_landmarks_have_names():
    assert landmark_names(5) == FIVE_LANDMARKS
    assert landmark_names(68) is None
