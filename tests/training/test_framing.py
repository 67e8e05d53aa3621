"""Squares cut out of pictures, and faces in deviating frames."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from dvelib import StudyError
from dvelib.checkpoints.specifications import Jitter
from dvelib.data import open_dataset
from dvelib.training.framing import (
    cut,
    deviating,
    frames_around,
    jittered_copies,
    to_frame,
    to_picture,
)

UNIT = np.array([[[1.0, 0, 0], [0, 1, 0]]])


def some_frames(count, seed=0):
    draw = np.random.default_rng(seed)
    frames = np.repeat(UNIT * 0.8 + [[0, 0, 9.0], [0, 0, 5.0]], count, 0)
    return deviating(
        frames,
        40,
        draw.uniform(0.6, 1.5, count),
        draw.uniform(-30, 30, count),
        draw.uniform(-0.1, 0.1, (count, 2)),
    )


def test_points_go_there_and_back():
    frames, points = some_frames(6), np.random.default_rng(1).uniform(-5, 50, (6, 7, 2))
    np.testing.assert_allclose(to_frame(to_picture(points, frames), frames), points, atol=1e-9)


def test_a_frame_without_deviation_cuts_the_picture_itself():
    image = torch.randint(0, 256, (1, 3, 30, 40), dtype=torch.uint8)
    assert torch.equal(cut(image, UNIT, 30), image[..., :30])
    moved = UNIT + [[0, 0, 7], [0, 0, 0]]
    assert torch.equal(cut(image, moved, 20), image[..., :20, 7:27])


def test_beyond_the_border_the_picture_is_continued():
    image = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    outside = cut(image, UNIT - [[0, 0, 20], [0, 0, 20]], 8)
    assert torch.equal(outside, image[..., :1, :1].expand(1, 3, 8, 8))


def test_shrinking_averages_pixels():
    stripes = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    stripes[..., ::2] = 200
    shrunk = cut(stripes, UNIT * 4 + [[0, 0, 1.5], [0, 0, 1.5]], 12)
    assert (shrunk.float() - 100).abs().max() < 30


def test_frames_bring_points_to_the_template():
    template = np.array([(10.0, 12), (30, 12), (20, 25), (12, 30), (28, 30)])
    frames = some_frames(5)
    points = to_picture(np.repeat(template[None], 5, 0), frames)
    np.testing.assert_allclose(frames_around(points, template), frames, atol=1e-9)
    points[:, 1] = np.nan  # a landmark that is not set is left out
    np.testing.assert_allclose(frames_around(points, template), frames, atol=1e-9)


def test_a_frame_needs_two_places():
    template = np.array([(0.0, 0), (1, 0)])
    for points in (np.full((1, 2, 2), np.nan), np.ones((1, 2, 2))):
        with pytest.raises(StudyError, match="needs two landmarks at different places"):
            frames_around(points, template)


def test_deviations_are_what_they_are_called():
    frames = deviating(UNIT, 41, np.array([2.0]), np.array([90.0]), np.array([[0.1, 0]]))
    centre, right = to_picture(np.array([[[20.0, 20], [21, 20]]]), frames)[0]
    np.testing.assert_allclose(centre, [24.1, 20])  # a tenth of 41 pixels to the right
    np.testing.assert_allclose(right - centre, [0, 2], atol=1e-9)  # down, twice as far


def test_landmarks_move_with_the_faces():
    """A white dot at each landmark is found where the copies say the landmark is."""
    faces = open_dataset("synthetic", None, "train", size=48, crop=0, limit=4)
    images = np.zeros_like(np.asarray(faces.images))
    points = np.full((4, 1, 2), 24.0) + np.arange(4)[:, None, None] * 2
    for image, ((x, y),) in zip(images, points.astype(int), strict=True):
        image[:, y - 1 : y + 2, x - 1 : x + 2] = 255
    dotted = replace(faces, images=images, full_landmarks=points)
    jitter = Jitter(copies=3)
    frames = np.repeat(UNIT + [[0, 0, 4], [0, 0, 4]], 4, 0)
    copies = jittered_copies(dotted, frames, 40, jitter, 0)
    assert copies.images.shape == (12, 3, 40, 40) and copies.cropped_size == 40
    weight = copies.images[:, 0].astype(float)
    y, x = np.mgrid[:40, :40]
    total = weight.sum((1, 2))
    found = np.stack([(weight * x).sum((1, 2)), (weight * y).sum((1, 2))], 1) / total[:, None]
    np.testing.assert_allclose(copies.landmarks[:, 0], found, atol=0.3)
    assert np.ptp(copies.landmarks[::4, 0], axis=0).max() > 0.5  # copies of one face differ
    again = jittered_copies(dotted, frames, 40, jitter, 0)
    np.testing.assert_array_equal(again.images, copies.images)
    assert again.digest == copies.digest
    assert jittered_copies(dotted, frames, 40, jitter, 1).digest != copies.digest
