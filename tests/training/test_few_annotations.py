"""Few labelled images, each in many warped copies."""

from dataclasses import replace

import numpy as np
import pytest

from dvelib import StudyError
from dvelib.data import FaceDataset
from dvelib.training import few_annotations
from dvelib.training.few_annotations import pick, warped_copies
from dvelib.warps import WarpDistribution

SIZE, CROP = 48, 6


def dots(count=5, landmarks=2, unset=()):
    """Grey images with a bright blob at each landmark."""
    random = np.random.default_rng(0)
    points = random.uniform(14, SIZE - 14, (count, landmarks, 2)).round().astype(np.float32)
    y, x = np.mgrid[:SIZE, :SIZE]
    images = random.integers(20, 60, (count, 3, SIZE, SIZE)).astype(np.uint8)
    for image, places in zip(images, points, strict=True):
        for channel, (px, py) in enumerate(places):
            image[channel] = 40 + 200 * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8)
    for place in unset:
        points[place] = np.nan
    return FaceDataset(
        name="folder",
        title="dots",
        split="train",
        size=SIZE,
        crop=CROP,
        files=tuple(f"{i}.png" for i in range(count)),
        images=images,
        full_landmarks=points,
        eyes=(0, 1),
        digest="dots",
        published_count=count,
        identities=tuple("abcdefgh"[:count]),
    )


@pytest.fixture
def no_warp(monkeypatch):
    monkeypatch.setattr(few_annotations, "LIMITED_WARP", WarpDistribution(0, 0, 0, 0, 0))


def test_picks_are_nested_and_those_of_numpy():
    published = np.random.RandomState(7).permutation(10122)
    np.testing.assert_array_equal(pick(10122, 3, 7), published[:3])
    np.testing.assert_array_equal(pick(50, 20, 1)[:5], pick(50, 5, 1))
    assert sorted(pick(6, 6, 0)) == list(range(6))
    assert not np.array_equal(pick(50, 20, 1), pick(50, 20, 2))


@pytest.mark.parametrize("n", [0, 7])
def test_no_more_can_be_picked_than_there_are(n):
    with pytest.raises(StudyError, match=f"{n} images cannot be picked out of 6"):
        pick(6, n, 0)


def test_under_no_warp_copies_are_the_originals(no_warp):
    faces = dots()
    copied = warped_copies(faces, np.array([3, 1]), 3, 0)
    order = [3, 1, 3, 1, 3, 1]
    np.testing.assert_array_equal(copied.images, faces.images[order])
    np.testing.assert_array_equal(copied.landmarks, faces.landmarks[order])
    assert copied.files == tuple(faces.files[i] for i in order)
    assert copied.identities == ("d", "b") * 3
    assert (len(copied), copied.size, copied.crop) == (6, SIZE, CROP)


def test_landmarks_follow_the_content():
    copied = warped_copies(dots(), np.arange(5), 9, 0)
    y, x = np.mgrid[:SIZE, :SIZE]
    weight = (copied.images[:, :2].astype(float) - 60).clip(0)
    centres = [(weight * axis).sum((2, 3)) / weight.sum((2, 3)) for axis in (x, y)]
    away = np.linalg.norm(np.stack(centres, 2) - copied.full_landmarks, axis=2)
    assert away.max() < 1  # landmarks are whole pixels
    moved = np.linalg.norm(copied.full_landmarks[5:10] - copied.full_landmarks[:5], axis=2)
    assert moved.max() >= 1  # and no two copies are the same


def test_the_seed_decides():
    faces, picks = dots(), np.array([0, 2])
    first, again, other = (warped_copies(faces, picks, 4, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.landmarks, again.landmarks)
    assert first.digest == again.digest
    assert not np.array_equal(first.images, other.images)
    asked = [(picks, 4, 1), (picks, 5, 0), (picks[::-1], 4, 0)]
    assert first.digest not in {faces.digest, *(warped_copies(faces, *a).digest for a in asked)}


def test_landmarks_that_were_not_set_stay_so():
    faces = dots(unset=[(1, 0), (2, slice(None))])
    copied = warped_copies(faces, np.arange(3), 2, 0)
    unset = np.isnan(copied.landmarks).all(2)
    np.testing.assert_array_equal(unset, [[0, 0], [1, 0], [1, 1]] * 2)
    assert np.isnan(copied.landmarks).any(2).sum() == unset.sum()


def test_the_number_of_images_at_a_time_changes_nothing(monkeypatch):
    whole = warped_copies(dots(), np.arange(5), 3, 0)
    monkeypatch.setattr(few_annotations, "BATCH", 4)
    parts = warped_copies(dots(), np.arange(5), 3, 0)
    np.testing.assert_array_equal(whole.images, parts.images)
    np.testing.assert_array_equal(whole.landmarks, parts.landmarks)


def test_copies_are_bytes_and_only_picks_are_read():
    faces = dots()

    class Watched:
        def __getitem__(self, index):
            assert set(np.unique(index)) <= {1, 4} and len(index) <= few_annotations.BATCH
            return faces.images[index]

    watched = replace(faces, images=Watched())
    copied = warped_copies(watched, np.array([4, 1]), 40, 0)
    assert copied.images.dtype == np.uint8 and copied.images.shape == (80, 3, SIZE, SIZE)
    assert copied.landmarks.dtype == np.float32


@pytest.mark.parametrize(("picks", "copies"), [([], 3), ([0], 0)])
def test_nothing_to_copy_is_refused(picks, copies):
    with pytest.raises(StudyError, match="give no image to learn from: give at least one image"):
        warped_copies(dots(), np.array(picks, int), copies, 0)


def test_images_without_landmarks_are_refused():
    bare = replace(dots(), full_landmarks=None)
    with pytest.raises(StudyError, match="has no landmarks, but they are needed"):
        warped_copies(bare, np.array([0]), 2, 0)
