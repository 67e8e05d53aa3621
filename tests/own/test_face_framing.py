"""Framing of faces: shapes, boxes and mirror images."""

import numpy as np
import pytest

from dvelib import StudyError
from dvelib.data.synthetic import canonical_landmarks
from dvelib.own.face_framing import FIVE_SHAPE, FaceFraming, box_frames, face_frames, five_of
from dvelib.own.face_landmarks import mirror_order, mirrored
from dvelib.training.framing import to_frame, to_picture

FRAMING = FaceFraming(size=0.25, lower=0.0)


def turned(shape, size, degrees, place):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return size * shape @ turn.T + place


def test_the_mean_shape_is_centred_and_nearly_of_size_one():
    np.testing.assert_allclose(FIVE_SHAPE.mean(axis=0), 0, atol=2e-3)
    assert np.sqrt((FIVE_SHAPE**2).sum(axis=1).mean()) == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("degrees", [0, 20, -35])
def test_faces_of_any_place_size_and_rotation_look_the_same(degrees):
    five = turned(FIVE_SHAPE, 33, degrees, (120, 90))[None]
    placed = to_frame(five, face_frames(five, FRAMING, 70))[0]
    np.testing.assert_allclose(placed, FRAMING.template(70), atol=1e-6)


@pytest.mark.parametrize("degrees", [0, 20])
def test_a_box_gives_about_the_same_frame(degrees):
    five = turned(FIVE_SHAPE, 30, degrees, (200, 150))
    upward = turned(np.array([[0, -0.27]]), 30, degrees, five.mean(axis=0))[0]
    half = 3.85 * 30 / 2
    box = np.array([[*(upward - half), *(upward + half)]])
    frame = box_frames(box, np.array([float(degrees)]), FRAMING, 70)
    np.testing.assert_allclose(to_frame(five[None], frame)[0], FRAMING.template(70), atol=0.5)


def test_five_of_68_are_those_of_the_drawn_faces():
    points = np.random.default_rng(0).uniform(0, 50, (2, 68, 2))
    assert five_of(points[:, :5]).shape == five_of(points).shape == (2, 5, 2)
    np.testing.assert_allclose(five_of(points)[:, 0], points[:, 36:42].mean(axis=1))
    with pytest.raises(StudyError, match="faces have 5 or 68 landmarks, got 7"):
        five_of(points[:, :7])


@pytest.mark.parametrize("count", [5, 68])
def test_mirroring_twice_changes_nothing(count):
    order = mirror_order(count)
    np.testing.assert_array_equal(order[order], np.arange(count))
    frames = face_frames(FIVE_SHAPE[None] * 20, FRAMING, 70)
    np.testing.assert_allclose(mirrored(mirrored(frames, 70), 70), frames)


def test_the_mirror_swaps_left_and_right_of_a_symmetric_face():
    face = canonical_landmarks().double().numpy()
    frame = np.array([[[1.0, 0, 0], [0, 1, 0]]])
    seen = to_frame(face[None], mirrored(frame, 1))[0]  # x becomes -x
    np.testing.assert_allclose(seen, face[mirror_order(68)], atol=1e-6)
    np.testing.assert_allclose(to_picture(seen[None], mirrored(frame, 1))[0], face)
