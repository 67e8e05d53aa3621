"""Figures of landmark regression draw each point at its position, and check their arguments."""

import matplotlib
import numpy as np
import pytest
import torch

from dvelib import plots
from dvelib.plots.landmark_pictures import HALO
from tests.plots.test_plots import drawn

matplotlib.use("Agg")
SIDE, VIRTUAL = 20, 7
COUNTS = pytest.mark.parametrize("count", [5, 68])


@pytest.fixture(autouse=True)
def no_style_leaks():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


def faces(count=3):
    return torch.randint(0, 256, (count, 3, SIDE, SIDE), dtype=torch.uint8)


def points(*shape):
    """Points at least a pixel inside a face."""
    return 1 + torch.rand(*shape, 2) * (SIDE - 3)


def marks(axis):
    """What is drawn on a picture, without the white lines that set marks off."""
    return [part for part in axis.collections if part.get_gid() != HALO]


def offsets(collection):
    return np.ma.getdata(collection.get_offsets())


def texts(axis):
    return [text.get_text() for text in axis.texts]


def legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


class TestPredictedLandmarks:
    def arguments(self, count=5):
        truth = points(3, count)
        return {
            "images": faces(),
            "truth": truth,
            "predicted": truth + 0.5,
            "titles": ["2.1 %", "4.1 %", "9.0 %"],
            "rows": {"best": 1, "worst": 2},
        }

    @COUNTS
    def test_faces_fill_the_labelled_rows(self, count):
        figure = plots.predicted_landmarks(**self.arguments(count))
        axes = drawn(figure)
        assert [axis.get_title() for axis in axes] == ["2.1 %", "", "4.1 %", "9.0 %"]
        assert not axes[1].images and not marks(axes[1])
        assert [texts(axis) for axis in axes] == [["best"], [], ["worst"], []]
        assert legend(figure) == ["true", "predicted"]

    @COUNTS
    def test_rings_dots_and_lines_are_at_the_points(self, count):
        arguments = self.arguments(count)
        lines, rings, dots = marks(drawn(plots.predicted_landmarks(**arguments))[2])
        truth, predicted = arguments["truth"][1], arguments["predicted"][1]
        np.testing.assert_allclose(offsets(rings), truth)
        np.testing.assert_allclose(offsets(dots), predicted)
        np.testing.assert_allclose(lines.get_segments(), torch.stack([truth, predicted], 1))
        assert len(rings.get_facecolor()) == 0 and len(dots.get_facecolor()) == 1

    def test_marks_of_many_landmarks_are_smaller(self):
        few, many = (
            marks(drawn(plots.predicted_landmarks(**self.arguments(count)))[0])[1]
            for count in (5, 68)
        )
        assert many.get_sizes()[0] < few.get_sizes()[0]

    def test_missing_points_are_not_drawn(self):
        arguments = self.arguments()
        arguments["truth"][0, 1] = torch.nan
        arguments["predicted"][0, 2, 0] = torch.nan
        lines, rings, dots = marks(drawn(plots.predicted_landmarks(**arguments))[0])
        assert [len(lines.get_segments()), len(offsets(rings)), len(offsets(dots))] == [3, 4, 4]

    def test_a_face_without_any_point(self):
        arguments = self.arguments()
        arguments["truth"][:] = arguments["predicted"][:] = torch.nan
        lines, rings, dots = marks(drawn(plots.predicted_landmarks(**arguments))[0])
        assert [len(lines.get_segments()), len(offsets(rings)), len(offsets(dots))] == [0, 0, 0]

    def test_a_prediction_outside_the_picture_is_counted_not_drawn(self):
        arguments = self.arguments()
        arguments["predicted"][0, 3] = torch.tensor([3.0 * SIDE, 4.0])
        axis = drawn(plots.predicted_landmarks(**arguments))[0]
        assert len(offsets(marks(axis)[2])) == 4
        assert "dots outside: 1" in texts(axis)
        assert axis.get_xlim() == (-0.5, SIDE - 0.5)

    def test_there_is_room_for_a_landmark_below_the_picture(self):
        arguments = self.arguments()
        arguments["truth"][2, 3] = arguments["predicted"][2, 3] = torch.tensor([4.0, SIDE + 1])
        axes = drawn(plots.predicted_landmarks(**arguments))
        assert len(offsets(marks(axes[3])[1])) == 5
        bottom, top = axes[0].get_ylim()  # the same for all faces
        assert bottom > SIDE + 1 and top == -0.5

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"images": torch.zeros(3, SIDE, SIDE)}, r"images must be \[N,3,S,S\]"),
            ({"truth": torch.zeros(2, 5, 2)}, r"truth must be \[3,K,2\]"),
            ({"predicted": torch.zeros(3, 4, 2)}, r"predicted must be \[3,5,2\]"),
            ({"titles": ["one"]}, "titles must have one entry per 3 images, got 1"),
            ({"rows": {"best": 1, "worst": 1}}, "rows must be counts that add up to 3"),
            ({"rows": {"best": 3, "worst": 0}}, "rows must be counts that add up to 3"),
            ({"rows": {}}, "rows must be counts that add up to 3"),
        ],
    )
    def test_wrong_shapes_are_refused(self, changed, message):
        with pytest.raises(ValueError, match=message):
            plots.predicted_landmarks(**(self.arguments() | changed))


class TestErrorPerLandmark:
    def test_few_landmarks_are_rows_with_a_mark_for_each_label(self):
        errors = {"3-d": torch.tensor([3.0, 4.0, 5.0]), "64-d": [2.0, 2.5, 3.0]}
        figure = plots.error_per_landmark(errors, ["eye", "nose", "mouth"])
        (axis,) = drawn(figure)
        assert [label.get_text() for label in axis.get_yticklabels()] == ["eye", "nose", "mouth"]
        for line, (label, values) in zip(axis.lines, errors.items(), strict=True):
            np.testing.assert_allclose(line.get_xdata(), values)
            np.testing.assert_array_equal(np.round(line.get_ydata()), [0, 1, 2])
            assert line.get_label() == label
        assert len({line.get_marker() for line in axis.lines}) == 2
        assert legend(figure) == ["3-d", "64-d"]
        assert axis.get_xlim()[0] == 0 and axis.get_xlim()[1] > 5 and axis.yaxis_inverted()

    def test_a_reference_is_hollow(self):
        (axis,) = drawn(plots.error_per_landmark({"3-d": [3.0, 4.0]}, reference={"paper": [2, 3]}))
        ours, paper = axis.lines
        assert paper.get_markerfacecolor() == "white" != ours.get_markerfacecolor()

    def test_many_landmarks_are_drawn_on_a_face_for_each_label(self):
        errors = {f"{d}-d": np.linspace(d, 2 * d, 68) for d in (3, 16, 32)}
        shape = points(68)
        reference = {"mean face": np.full(68, 70.0), "paper": np.full(68, 5.0)}
        figure = plots.error_per_landmark(errors, None, shape, reference)
        *panels, bar = drawn(figure)
        assert len(panels) == 8  # two rows of four
        assert [len(axis.collections) for axis in panels] == [1, 1, 1, 1, 1, 0, 0, 0]
        assert panels[0].get_title() == "3-d\nmean 4.5 %, largest 6.0 %"
        assert panels[0].get_aspect() == 1 and panels[0].yaxis_inverted()
        assert bar.get_xlim() == (0, 70) and "inter-ocular" in bar.get_xlabel()

    def test_area_and_position_of_a_dot_are_those_of_its_landmark(self):
        errors, shape = np.arange(1, 13.0), points(12)
        panel = drawn(plots.error_per_landmark({"3-d": errors}, None, shape))[0]
        (dots,) = panel.collections
        np.testing.assert_allclose(offsets(dots), shape.flip(0))  # the largest lies lowest
        np.testing.assert_allclose(dots.get_sizes() / dots.get_sizes()[0], errors[::-1] / 12)

    def test_the_landmark_with_the_largest_error_is_named(self):
        errors, names = np.ones(12), [f"point {k}" for k in range(12)]
        errors[7] = 12
        panel = drawn(plots.error_per_landmark({"3-d": errors}, names, points(12)))[0]
        assert panel.get_title() == "3-d\nmean 1.9 %\nlargest 12.0 % (point 7)"

    @pytest.mark.parametrize("count", [5, 12])
    def test_missing_errors_are_not_drawn(self, count):
        errors = np.ones(count)
        errors[[1, 3]] = np.nan
        nothing = np.full(count, np.nan)
        axes = drawn(plots.error_per_landmark({"a": errors, "b": nothing}, None, points(count)))
        if count == 5:
            assert np.isnan(axes[0].lines[0].get_xdata()).sum() == 2
        else:
            assert [len(offsets(axis.collections[0])) for axis in axes[:2]] == [10, 0]
            assert axes[1].get_title() == "b"

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"errors": {}}, r"errors must hold an array \[K\]"),
            ({"errors": {"a": []}}, r"errors\['a'\] must be \[K\], K > 0"),
            ({"errors": {"a": np.ones((3, 4))}}, r"errors\['a'\] must be \[12\], got \[3, 4\]"),
            ({"errors": {"a": np.ones(12), "b": [1]}}, r"errors\['b'\] must be \[12\], got \[1\]"),
            ({"reference": {"a": np.ones(5)}}, r"reference\['a'\] must be \[12\]"),
            ({"names": ["nose"]}, "names must have one entry per 12 landmarks"),
            ({"shape": None}, r"shape must be \[12,2\] for 12 landmarks, got None"),
            ({"shape": np.ones((2, 12))}, r"shape must be \[12,2\] for 12 landmarks"),
        ],
    )
    def test_wrong_shapes_are_refused(self, changed, message):
        arguments = {"errors": {"a": np.ones(12)}, "shape": points(12)}
        with pytest.raises(ValueError, match=message):
            plots.error_per_landmark(**(arguments | changed))


class TestVirtualKeypoints:
    def arguments(self, count=5):
        return {
            "images": faces(2),
            "virtual": points(2, count, VIRTUAL),
            "predicted": points(2, count),
            "truth": points(2, count),
        }

    def test_each_face_is_a_row_and_each_landmark_a_panel(self):
        names = ["left eye", "right eye", "nose", "mouth, left", "mouth, right"]
        figure = plots.virtual_keypoints(**self.arguments(), names=names)
        axes = drawn(figure)
        assert len(axes) == 2 * 6
        assert [axis.get_title() for axis in axes[:6]] == ["predicted", *names]
        assert texts(axes[0]) == ["1", "2", "3", "4", "5"]
        assert legend(figure) == ["virtual keypoints (7 per landmark)", "predicted", "true"]

    def test_some_of_68(self):
        chosen, every = [30, 36, 45], self.arguments(68)
        some = {name: every[name][:, chosen] for name in ("virtual", "predicted", "truth")}
        assert len(drawn(plots.virtual_keypoints(every["images"], **some))) == 2 * 4

    def test_dots_are_at_the_points(self):
        arguments = self.arguments()
        axes = drawn(plots.virtual_keypoints(**arguments))
        cloud, ring, dot = marks(axes[6 + 1 + 3])  # the second face, the fourth landmark
        np.testing.assert_allclose(offsets(cloud), arguments["virtual"][1, 3])
        np.testing.assert_allclose(offsets(ring), arguments["truth"][1, 3:4])
        np.testing.assert_allclose(offsets(dot), arguments["predicted"][1, 3:4])
        assert cloud.get_alpha() < 1
        assert dot.get_sizes()[0] > cloud.get_sizes()[0]

    def test_without_truth(self):
        arguments = self.arguments() | {"truth": None}
        figure = plots.virtual_keypoints(**arguments)
        axes = drawn(figure)
        assert "true" not in legend(figure)
        assert len(offsets(marks(axes[1])[1])) == 0

    def test_missing_points_are_not_drawn(self):
        arguments = self.arguments()
        arguments["virtual"][0, 0, 2] = torch.nan
        arguments["predicted"][0, 0] = arguments["truth"][0, 1] = torch.nan
        axes = drawn(plots.virtual_keypoints(**arguments))
        assert texts(axes[0]) == ["2", "3", "4", "5"]
        assert [len(offsets(found)) for found in marks(axes[1])] == [VIRTUAL - 1, 1, 0]
        assert [len(offsets(found)) for found in marks(axes[2])] == [VIRTUAL, 0, 1]

    def test_a_prediction_outside_the_picture_is_counted_not_drawn(self):
        arguments = self.arguments()
        arguments["predicted"][0, 0] = torch.tensor([-2.0 * SIDE, 4.0])
        axes = drawn(plots.virtual_keypoints(**arguments))
        assert texts(axes[0]) == ["2", "3", "4", "5"]
        assert texts(axes[1]) == ["dots outside: 1"]

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"images": torch.zeros(2, 1, SIDE, SIDE)}, r"images must be \[N,3,S,S\]"),
            ({"predicted": torch.zeros(3, 5, 2)}, r"predicted must be \[2,K,2\]"),
            ({"virtual": torch.zeros(2, 4, VIRTUAL, 2)}, r"virtual must be \[2,5,V,2\]"),
            ({"virtual": torch.zeros(2, 5, 2)}, r"virtual must be \[2,5,V,2\]"),
            ({"truth": torch.zeros(2, 4, 2)}, r"truth must be \[2,5,2\]"),
            ({"names": ["nose"]}, "names must have one entry per 5 landmarks"),
        ],
    )
    def test_wrong_shapes_are_refused(self, changed, message):
        with pytest.raises(ValueError, match=message):
            plots.virtual_keypoints(**(self.arguments() | changed))

    def test_more_than_ten_landmarks_are_too_many(self):
        with pytest.raises(ValueError, match=r"predicted must be \[N,K,2\] with K from 1 to 10"):
            plots.virtual_keypoints(**self.arguments(11))
