"""Summaries of errors and doubt on test pictures."""

import numpy as np
import pandas as pd
import pytest

from dvelib import StudyError
from dvelib.own.scene_errors import errors_by_dataset, labelled_faces, reliability


@pytest.fixture
def errors():
    """Two pictures with two landmarks each, and one whose face was not found."""
    nan = np.nan
    return pd.DataFrame(
        {
            "dataset": "faces",
            "picture": ["a", "a", "b", "b", "c", "c"],
            "error": [5.0, 15.0, 30.0, 10.0, nan, nan],
            "doubt": [0.05, 0.07, 0.95, 0.05, nan, nan],
        }
    )


def test_errors_are_means_over_faces_that_were_found(errors):
    row = errors_by_dataset(errors).loc["faces"]
    assert row["pictures"] == 3 and row["found (%)"] == pytest.approx(200 / 3)
    assert row["error (% of eye distance)"] == 15
    assert row["low"] <= 15 <= row["high"]
    assert row["called good (%)"] == 50 and row["of these good (%)"] == 100


def test_bins_hold_landmarks_of_similar_doubt(errors):
    bins = reliability(errors)
    assert bins.landmarks.tolist() == [3, 1]
    np.testing.assert_allclose(bins.wrong, [0, 1])
    np.testing.assert_allclose(bins.said, [0.17 / 3, 0.95])


def test_faces_have_5_or_68_landmarks():
    with pytest.raises(StudyError, match="labelled faces have 5 or 68 landmarks"):
        labelled_faces(7)
