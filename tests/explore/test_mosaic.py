import numpy as np
import pytest

from dvelib.explore.mosaic import GAP, Mosaic


@pytest.fixture
def mosaic():
    faces = np.arange(5, dtype=np.uint8)[:, None, None, None] * 50
    return Mosaic(np.broadcast_to(faces, (5, 3, 10, 10)), columns=3)


def test_faces_fill_rows_with_gaps_between(mosaic):
    assert mosaic.shape == (20 + GAP, 30 + 2 * GAP)
    picture = mosaic.assembled(mosaic.faces)
    assert picture.shape == (*mosaic.shape, 3)
    assert picture[9, 9, 0] == 0 and picture[9, 10, 0] == 1  # the first face, then the gap
    assert picture[-1, 0, 0] == pytest.approx(150 / 255)  # the fourth begins the second row
    assert picture[-1, -1, 0] == 1  # no sixth face


def test_points_are_placed_on_their_faces(mosaic):
    assert (mosaic.placed(np.full((5, 2), 2)) == mosaic.corners + 2).all()


def test_points_beside_their_face_become_nan(mosaic):
    points = np.array([[0, 0], [-0.6, 3], [9.4, 9.4], [3, 9.6], [np.nan, 1]])
    assert np.isnan(mosaic.inside(points)).any(1).tolist() == [False, True, False, True, True]
