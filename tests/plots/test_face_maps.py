"""Maps over the canonical face: one scale of colours, unknown places left out."""

import numpy as np
import pytest

from dvelib.plots import face_maps


def test_all_maps_share_one_scale():
    maps = {"good": np.full((4, 4), 1.0), "bad": np.full((4, 4), 9.0)}
    figure = face_maps(maps, label="error (px)", limit=10, aspect=4 / 3)
    drawn = [axis.images[0] for axis in figure.axes if axis.images]
    assert [image.get_clim() for image in drawn[:2]] == [(0, 10), (0, 10)]
    assert [axis.get_title() for axis in figure.axes[:2]] == ["good", "bad"]


def test_the_end_of_the_scale_is_a_quantile_of_what_is_known():
    values = np.array([[1.0, np.nan], [2.0, 3.0]])
    figure = face_maps({"one": values}, label="error")
    assert figure.axes[0].images[0].get_clim()[1] == pytest.approx(2.9)


@pytest.mark.parametrize("maps", [{}, {"flat": np.zeros(3)}])
def test_what_is_no_map_is_refused(maps):
    with pytest.raises(ValueError, match="two-dimensional arrays by title"):
        face_maps(maps, label="error")
