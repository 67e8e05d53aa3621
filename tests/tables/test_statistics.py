"""Statistics over arrays: numbers, references and errors by unit, without any study."""

import numpy as np
import pandas as pd
import pytest

from dvelib.evaluation.matching_errors import COSINE, METHODS, PROTOCOLS, SETTINGS
from dvelib.tables.landmark_statistics import LandmarkStatistics
from dvelib.tables.landmark_views import chosen_examples, evenly_spread
from dvelib.tables.matching_statistics import MatchingStatistics, split_errors
from dvelib.tables.measures import FEW_LANDMARK_ERROR, matching_measure, matching_measures
from dvelib.tables.statistics import mean_number

NAN = np.nan
TWO_SEEDS = [np.array([[1.0, 3.0], [5.0, NAN]]), np.array([[3.0, 5.0], [7.0, NAN]])]


@pytest.fixture
def landmarks():
    """Two test faces with two landmarks, one of them not annotated; two rows, two seeds."""
    errors = {"good": TWO_SEEDS, "bad": [e + 1 for e in TWO_SEEDS]}
    return LandmarkStatistics(errors, np.array([[8.0, 10.0], [12.0, NAN]]))


class TestMeanNumber:
    def test_one_seed_has_no_spread(self):
        found = mean_number([2.0], pd.Series([1.0, 3.0]))
        assert found.mean == 2 and found.spread is None and found.seeds == 1
        assert 1 <= found.low <= 2 <= found.high <= 3

    @pytest.mark.parametrize(("ddof", "spread"), [(0, 1.0), (1, np.sqrt(2))])
    def test_spread_over_seeds(self, ddof, spread):
        found = mean_number([1.0, 3.0], pd.DataFrame({0: [1.0], 1: [3.0]}), ddof=ddof)
        assert found.spread == pytest.approx(spread) and found.mean == 2


class TestLandmarks:
    def test_the_mean_is_over_annotated_landmarks_and_then_seeds(self, landmarks):
        assert landmarks.number("good").mean == pytest.approx((3 + 5) / 2)
        assert landmarks.number("good").seeds == 2
        assert landmarks.best == "good"

    def test_errors_of_images(self, landmarks):
        assert landmarks.unit_errors("good").to_numpy().tolist() == [[2, 4], [5, 7]]
        assert landmarks.image_errors("good").tolist() == [3, 6]
        assert landmarks.baseline_errors("good").to_numpy().tolist() == [[9, 9], [12, 12]]

    def test_errors_of_landmarks(self, landmarks):
        assert landmarks.by_landmark()["good"].tolist() == [4, 4]
        assert landmarks.single_errors()["good"].tolist() == [1, 3, 5]
        assert landmarks.reference_single_errors() == {
            "mean training shape": pytest.approx([8, 10, 12])
        }

    def test_the_reference_has_the_measure_of_the_table(self, landmarks):
        few = LandmarkStatistics(landmarks.errors, landmarks.mean_shape, FEW_LANDMARK_ERROR, 0)
        (reference,) = few.references()
        assert (reference.name, reference.measure) == ("mean training shape", "mean_iod")
        assert reference.mean == few.mean_shape_number().mean == 10
        assert few.number("good").spread == 1
        assert [m.name for m in few.measures] == ["mean_iod"]


@pytest.fixture
def matching():
    """Three protocols, two settings, three methods; two pairs of two points; two seeds."""
    lines = [
        (protocol, setting, method, pair, point, 10 * p + 4 * s + 2 * m + pair + 0.5 * point)
        for p, protocol in enumerate((*PROTOCOLS, COSINE))
        for s, setting in enumerate(SETTINGS)
        for m, method in enumerate(METHODS)
        for pair in (0, 1)
        for point in (0, 1)
    ]
    columns = ["protocol", "setting", "method", "pair", "point", "error"]
    frame = pd.DataFrame(lines, columns=columns)
    seeds = [split_errors(frame), split_errors(frame.assign(error=frame.error + 1))]
    return MatchingStatistics({"row": seeds})


class TestMatching:
    def test_measures_are_named_by_setting_and_protocol(self):
        names = [m.name for m in matching_measures()]
        assert names == [*SETTINGS, *(f"{s}, full resolution" for s in SETTINGS)]
        measure = matching_measure(SETTINGS[0], COSINE)
        assert measure.name == "same-identity, published, by cosine"
        assert measure.title == "Same identity, published, by cosine"
        assert (measure.setting, measure.protocol) == (SETTINGS[0], COSINE)

    def test_the_mean_is_over_points_pairs_and_seeds(self, matching):
        # Points 0, 0.5, 1 and 1.5, and the second seed one more.
        assert matching.mean("row", *(PROTOCOLS[0], SETTINGS[0])) == pytest.approx(1.25)
        found = matching.number("row", f"{SETTINGS[1]}, full resolution")
        assert found.mean == pytest.approx(1.25 + 10 + 4)
        assert found.seeds == 2 and found.spread == pytest.approx(np.sqrt(0.5))

    def test_errors_of_pairs(self, matching):
        assert matching.unit_errors("row", SETTINGS[0]).to_numpy().tolist() == [
            [0.25, 1.25],
            [1.25, 2.25],
        ]
        assert matching.pair_errors("row", SETTINGS[0]).tolist() == [0.75, 1.75]
        # "same place" is the third method.
        assert matching.baseline_errors("row", SETTINGS[0]).to_numpy().tolist() == [
            [4.25, 5.25],
            [5.25, 6.25],
        ]

    def test_references_have_the_measures_of_the_table(self, matching):
        found = {(r.name, r.measure): r.mean for r in matching.references()}
        assert {measure for _, measure in found} == {m.name for m in matching.measures}
        assert found["perfect features", SETTINGS[0]] == pytest.approx(1.25 + 2)
        assert found["same place", f"{SETTINGS[1]}, full resolution"] == pytest.approx(19.25)

    def test_single_errors_are_those_of_the_first_seed(self, matching):
        errors = matching.single_errors(PROTOCOLS[0], SETTINGS[0])
        assert errors["row"].tolist() == [0, 0.5, 1, 1.5]
        references = matching.reference_single_errors(PROTOCOLS[0], SETTINGS[0])
        assert list(references) == ["perfect features", "same place"]


class TestExamples:
    def test_the_smallest_the_middle_and_the_largest(self):
        chosen, each = chosen_examples(pd.Series([5.0, 1, 4, 2, 3, 0, 6]), 2)
        assert each == 2 and chosen.tolist() == [5, 1, 3, 4, 0, 6]

    def test_few_faces(self):
        chosen, each = chosen_examples(pd.Series([1.0, 0.0]), 6)
        assert each == 1 and len(chosen) == 3

    @pytest.mark.parametrize(("count", "shown"), [(5, range(5)), (68, (0, 13, 27, 40, 54))])
    def test_landmarks_are_spread_evenly(self, count, shown):
        assert evenly_spread(count, 5).tolist() == list(shown)
