"""Doubt: from evidence to a calibrated probability."""

import numpy as np
import pytest

from dvelib import StudyError
from dvelib.own.doubt import EVIDENCE, evidence, fit_doubt, load_doubt, save_doubt
from dvelib.own.face_landmarks import FaceReading

CENTRES = np.eye(4)[None, :2].repeat(3, 0)  # [3,2,4]


def reading(spread=0.02, misshapen=0.1, similar=True):
    descriptors = np.eye(4)[[0, 1, 0] if similar else [3, 3, 3]]
    return FaceReading(
        np.zeros((3, 2), np.float32), np.full(3, spread), np.full(3, 0.1), misshapen, descriptors
    )


@pytest.fixture
def data():
    """Evidence of landmarks that are wrong the more often, the larger their first evidence is."""
    draw = np.random.default_rng(0)
    found = draw.normal(size=(4000, len(EVIDENCE)))
    found[::3, -1] = np.nan  # no detector
    truth = 1 / (1 + np.exp(-2 * found[:, 0] - 0.5))
    return found, draw.random(4000) < truth, truth


def test_the_probability_is_calibrated(data):
    found, wrong, truth = data
    doubt = fit_doubt(found, wrong, CENTRES)
    scaled = np.nan_to_num((found - doubt.mean) / doubt.spread)
    said = 1 / (1 + np.exp(-(scaled @ doubt.weights + doubt.bias)))
    assert np.abs(said - truth).mean() < 0.03


def test_it_needs_right_and_wrong_landmarks(data):
    with pytest.raises(StudyError, match="needs landmarks that are right and wrong"):
        fit_doubt(data[0], np.zeros(4000, bool), CENTRES)


def test_evidence_says_what_its_names_say():
    table = evidence(reading(), CENTRES, 0.8)
    assert table.shape == (3, len(EVIDENCE))
    named = dict(zip(EVIDENCE, table[0], strict=True))
    assert named["similarity to training descriptors"] == pytest.approx(1)
    assert named["detector's confidence"] == 0.8
    other = evidence(reading(spread=0.2, misshapen=0.5, similar=False), CENTRES)
    changed = dict(zip(EVIDENCE, other[0], strict=True))
    assert changed["log spread over frames"] > named["log spread over frames"]
    assert changed["lowest similarity"] == 0 and np.isnan(changed["detector's confidence"])


def test_what_is_stored_gives_the_same_doubt(data, tmp_path):
    assert load_doubt(tmp_path) is None
    doubt = fit_doubt(data[0], data[1], CENTRES)
    save_doubt(tmp_path, doubt, np.zeros((3, 5, 2)), {"faces": 7})
    held = load_doubt(tmp_path)
    assert held.facts["faces"] == 7 and held.offsets.shape == (3, 5, 2)
    for confidence in (None, 0.5):
        expected = doubt.of(reading(), confidence)
        np.testing.assert_allclose(held.doubt.of(reading(), confidence), expected, atol=1e-3)
        assert ((expected >= 0) & (expected <= 1)).all()
