"""Figures have the expected panels, and refuse arguments of wrong shapes."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from dvelib import plots
from dvelib.plots.images import descriptor_colours

matplotlib.use("Agg")
SIDE = 20


@pytest.fixture
def faces():
    return torch.randint(0, 256, (3, 3, SIDE, SIDE), dtype=torch.uint8)


@pytest.fixture(autouse=True)
def no_style_leaks():
    before = dict(matplotlib.rcParams)
    yield
    assert dict(matplotlib.rcParams) == before


def drawn(figure):
    """Draws the figure, which raises errors of its artists; returns its axes."""
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    return figure.axes


def points(images, count=5):
    return torch.rand(images, count, 2) * SIDE


class TestFacesGrid:
    def test_each_image_is_a_panel(self, faces):
        axes = drawn(plots.faces_grid(faces, ["a", "b", "c"], columns=2, landmarks=points(3)))
        assert len(axes) == 4
        assert [axis.get_title() for axis in axes] == ["a", "b", "c", ""]

    def test_pixels_keep_their_values(self, faces):
        axis = drawn(plots.faces_grid(faces.float()))[0]
        shown = axis.images[0].get_array()
        np.testing.assert_array_equal(shown, faces[0].permute(1, 2, 0).numpy())

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"images": torch.zeros(3, SIDE, SIDE)}, "images must be"),
            ({"images": torch.zeros(0, 3, SIDE, SIDE)}, "N > 0"),
            ({"titles": ["one"]}, "titles must have one entry per 3"),
            ({"landmarks": torch.zeros(2, 5, 2)}, r"landmarks must be \[3,K,2\]"),
        ],
    )
    def test_wrong_shapes_are_refused(self, faces, arguments, message):
        with pytest.raises(ValueError, match=message):
            plots.faces_grid(**({"images": faces} | arguments))


class TestWarpExamples:
    def test_each_pair_has_three_panels(self, faces):
        axes = drawn(plots.warp_examples(faces, faces.float(), torch.ones(3, SIDE, SIDE, 2)))
        titles = [axis.get_title() for axis in axes]
        assert titles == ["first view", "second view", "first to second", *[""] * 6]

    def test_dots_of_the_second_view_are_moved_by_the_flow(self, faces):
        flow = torch.zeros(3, SIDE, SIDE, 2)
        flow[..., 0], flow[..., 1] = 3, -2
        first, second = drawn(plots.warp_examples(faces, faces, flow))[:2]
        moved = second.collections[0].get_offsets() - first.collections[0].get_offsets()
        np.testing.assert_allclose(moved, np.tile([3.0, -2.0], (len(moved), 1)))

    def test_wrong_shapes_are_refused(self, faces):
        with pytest.raises(ValueError, match="second must have the shape of first"):
            plots.warp_examples(faces, faces[:2], torch.zeros(3, SIDE, SIDE, 2))
        with pytest.raises(ValueError, match=r"flow must be \[3, 20, 20, 2\]"):
            plots.warp_examples(faces, faces, torch.zeros(3, 2, SIDE, SIDE))


class TestDescriptorMaps:
    def test_a_row_of_faces_then_one_per_embedding(self, faces):
        features = {"wide": torch.randn(3, 16, 10, 10), "3-d": torch.randn(3, 3, 10, 10)}
        axes = drawn(plots.descriptor_maps(faces, features))
        assert [axis.texts[0].get_text() for axis in axes[::3]] == ["faces", "wide", "3-d"]
        shown = axes[8].images[0].get_array()
        np.testing.assert_allclose(shown, descriptor_colours(features["3-d"].numpy())[2])

    def test_equal_descriptors_have_equal_colours_on_every_face(self):
        maps = np.random.default_rng(0).normal(size=(1, 16, 8, 8))
        # Length does not matter: descriptors are compared as unit vectors.
        colours = descriptor_colours(np.concatenate([maps, 7 * maps]))
        np.testing.assert_allclose(colours[0], colours[1])
        assert colours.min() >= 0 and colours.max() <= 1

    def test_three_dimensions_are_the_colour_itself(self):
        maps = np.zeros((1, 3, 1, 1))
        maps[0, :, 0, 0] = [0, 5, 0]
        np.testing.assert_allclose(descriptor_colours(maps)[0, 0, 0], [0.5, 1, 0.5])

    @pytest.mark.parametrize("dimension", [1, 2])
    def test_fewer_than_three_dimensions_use_fewer_colours(self, dimension):
        maps = np.random.default_rng(0).normal(size=(1, dimension, 8, 8))
        colours = descriptor_colours(maps)
        assert colours.shape == (1, 8, 8, 3)
        assert (colours.std(axis=(0, 1, 2)) > 0).tolist() == [k < dimension for k in range(3)]

    def test_wrong_shapes_are_refused(self, faces):
        with pytest.raises(ValueError, match=r"features\['wide'\] must be \[3,D,H,W\]"):
            plots.descriptor_maps(faces, {"wide": torch.randn(2, 16, 10, 10)})


class TestMatches:
    def test_source_and_targets_for_each_embedding(self, faces):
        found = {"with": points(3), "without": points(3)}
        axes = drawn(plots.matches(faces[0], faces, points(1)[0], found, points(3)))
        assert len(axes) == 2 * 4
        assert [text.get_text() for text in axes[0].texts[:5]] == ["1", "2", "3", "4", "5"]

    def test_many_points_are_not_numbered(self, faces):
        axes = drawn(
            plots.matches(faces[0], faces, points(1, 68)[0], {"x": points(3, 68)}, points(3, 68))
        )
        assert [text.get_text() for text in axes[0].texts] == ["x"]

    def test_a_line_joins_match_and_truth(self, faces):
        found, truth = points(3), points(3)
        axes = drawn(plots.matches(faces[0], faces, points(1)[0], {"x": found}, truth))
        line = axes[1].lines[4].get_xydata()
        np.testing.assert_allclose(line, torch.stack([found[0, 4], truth[0, 4]]), rtol=1e-6)

    def test_wrong_shapes_are_refused(self, faces):
        with pytest.raises(ValueError, match=r"truth must be \[3,5,2\]"):
            plots.matches(faces[0], faces, points(1)[0], {"x": points(3)}, points(3, 4))
        with pytest.raises(ValueError, match=r"matched\['x'\] must be \[3,5,2\]"):
            plots.matches(faces[0], faces, points(1)[0], {"x": points(2)}, points(3))


class TestCharts:
    def test_loss_curves(self):
        history = pd.DataFrame({"step": range(50), "loss": np.linspace(3, 1, 50)})
        (axis,) = drawn(plots.loss_curves({"with": history, "without": history}))
        assert len(axis.lines) == 4
        assert axis.get_xlabel() == "step" and axis.get_ylabel() == "loss"
        with pytest.raises(ValueError, match=r"histories\['with'\] lacks the columns loss"):
            plots.loss_curves({"with": history[["step"]]})

    def test_error_bars_have_a_panel_for_each_setting(self):
        frame = bars()
        references = {"same place": 3.0, "perfect features": {"near": 1.2}}
        figure = plots.error_bars(frame, references, xlabel="px")
        near, far = drawn(figure)
        assert [near.get_title(), far.get_title()] == ["near", "far"]
        assert len(near.lines) - len(far.lines) == 1  # its own reference

    def test_error_bars_without_intervals_or_ours(self):
        frame = bars()
        frame[["low", "high"]] = np.nan
        figure = plots.error_bars(frame)
        drawn(figure)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["paper", "ours"]
        figure = plots.error_bars(frame[frame["kind"] == "paper"])
        drawn(figure)
        assert [text.get_text() for text in figure.legends[0].get_texts()] == ["paper"]

    def test_error_bars_refuse_wrong_arguments(self):
        with pytest.raises(ValueError, match="lacks the columns high"):
            plots.error_bars(bars().drop(columns="high"))
        with pytest.raises(ValueError, match="kind must be 'paper' or 'ours', got 'theirs'"):
            plots.error_bars(bars().replace("paper", "theirs"))

    def test_cumulative_error_rises_from_none_to_all(self):
        errors = {"with": torch.tensor([1.0, 3.0, 2.0])}
        (axis,) = drawn(plots.cumulative_error(errors, {"same place": [5.0, 9.0]}, limit=10))
        x, y = axis.lines[0].get_data()
        np.testing.assert_allclose(x, [0, 1, 2, 3, 10])
        np.testing.assert_allclose(y, [0, 1 / 3, 2 / 3, 1, 1])
        assert len(axis.lines) == 2

    def test_cumulative_error_refuses_wrong_shapes(self):
        with pytest.raises(ValueError, match="errors of 'with'"):
            plots.cumulative_error({"with": np.zeros((2, 2))})


def bars():
    rows = [
        (label, setting, error, error - 0.1, error + 0.1, kind)
        for label in ("3-d", "64-d")
        for setting, error in (("near", 1.3), ("far", 2.8))
        for kind in ("paper", "ours")
    ]
    return pd.DataFrame(rows, columns=["label", "setting", "error", "low", "high", "kind"])


def test_learning_curves_have_a_panel_for_each_measure_and_a_line_for_each_embedding():
    lines = [
        (dimension, exchange, measure, pairs, 10 - i + exchange, 9 - i, 11 - i)
        for dimension in (3, 64)
        for exchange in (False, True)
        for measure in ("across", "within")
        for i, pairs in enumerate((500, 1000, 2000))
    ]
    columns = ["dimension", "exchange", "measure", "pairs", "error", "low", "high"]
    frame = pd.DataFrame(lines, columns=columns)
    printed = pd.DataFrame([(64, True, "across", 2.8)], columns=columns[:3] + ["error"])
    across, within = drawn(plots.learning_curves(frame, printed))[:2]
    assert [axis.get_title() for axis in (across, within)] == ["across", "within"]
    assert (len(across.lines), len(within.lines)) == (5, 4)
    assert across.get_xscale() == "log"
    assert [label.get_text() for label in across.get_xticklabels()] == ["500", "1k", "2k"]
    with pytest.raises(ValueError, match="frame lacks the columns low"):
        plots.learning_curves(frame.drop(columns="low"))
