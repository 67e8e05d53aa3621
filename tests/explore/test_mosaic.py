import numpy as np
import pytest

from dvelib.explore.mosaic import GAP, Mosaic


@pytest.fixture
def mosaic():
    faces = np.arange(5, dtype=np.uint8)[:, None, None, None] * 50
    return Mosaic(np.broadcast_to(faces, (5, 3, 10, 10)), columns=3)


def test_faces_fill_rows_with_gaps_between(mosaic):
    assert mosaic.shape == (20 + GAP, 30 + 2 * GAP)
    picture = mosaic.picture()
    assert picture.shape == (*mosaic.shape, 3)
    assert picture[9, 9, 0] == 0 and picture[9, 10, 0] == 1  # the first face, then the gap
    assert picture[-1, 0, 0] == pytest.approx(150 / 255)  # the fourth begins the second row
    assert picture[-1, -1, 0] == 1  # no sixth face


def test_a_point_is_found_on_its_face_and_placed_back(mosaic):
    for face in range(5):
        x, y = mosaic.corners[face] + (7.25, 3)
        assert mosaic.locate(x, y) == (face, 7.25, 3)
    assert (mosaic.placed(np.full((5, 2), 2)) == mosaic.corners + 2).all()


@pytest.mark.parametrize("x, y", [(-1, 3), (10.5, 3), (3, 11), (35, 20), (100, 3), (3, 100)])
def test_points_beside_the_faces_are_on_no_face(mosaic, x, y):
    assert mosaic.locate(x, y) is None


def test_pixel_borders_belong_to_their_pixels(mosaic):
    assert mosaic.locate(-0.5, -0.5) == (0, -0.5, -0.5)
    assert mosaic.locate(9.49, 9.49)[0] == 0


def test_heat_colours_only_large_values(mosaic):
    heat = np.zeros((5, 10, 10))
    heat[:, 4, 6] = 1
    picture = mosaic.picture(heat)
    assert np.ptp(picture[4, 6]) > 0.1  # a colour
    np.testing.assert_allclose(picture[0, 0], mosaic.faces[0, 0, 0])  # as it was


def test_points_beside_their_face_become_nan(mosaic):
    points = np.array([[0, 0], [-0.6, 3], [9.4, 9.4], [3, 9.6], [np.nan, 1]])
    assert np.isnan(mosaic.inside(points)).any(1).tolist() == [False, True, False, True, True]
