import numpy as np
import pytest

from dvelib.plots import reliability_diagram


def test_a_bin_is_a_dot_with_its_count():
    figure = reliability_diagram([0.1, 0.6], [0.2, 0.5], [30, 4])
    (axis,) = figure.axes
    np.testing.assert_allclose(axis.collections[0].get_offsets(), [(0.1, 0.2), (0.6, 0.5)])
    assert [text.get_text() for text in axis.texts] == ["30", "4"]
    large, small = axis.collections[0].get_sizes()
    assert large > small


def test_other_lengths_are_refused():
    with pytest.raises(ValueError, match="wrong must have one entry per 2 bins, got 1"):
        reliability_diagram([0.1, 0.6], [0.2], [30, 4])
