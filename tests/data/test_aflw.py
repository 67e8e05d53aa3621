"""AFLW_R on a tiny tree in its layout, against what the published loader returned."""

import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.io import loadmat, savemat

from dvelib.data import open_dataset
from tests.data import common
from tests.data.common import BOTH_SIZES, BOTH_SPLITS
from tests.golden_data import GOLDEN

TREE = GOLDEN / "aflw"


@pytest.fixture
def tree(tmp_path):
    return shutil.copytree(TREE, tmp_path / "aflw")


def opened(root, split="train", size=100, crop=15, **options):
    return open_dataset("aflw", root, split, size=size, crop=crop, **options)


def refusal(root, split="train", **options):
    return common.refusal("aflw", root, split, **options)


def rewrite(tree, change, split="train"):
    """Pass the fields of a split's landmarks through ``change``; returns the file."""
    path = tree / f"aflw_{split}_keypoints.mat"
    stored = {name: value for name, value in loadmat(path).items() if name in ("gt", "hw")}
    change(stored)
    savemat(path, stored)
    return path


@BOTH_SPLITS
@BOTH_SIZES
def test_files_and_landmarks_are_the_published_ones(split, size, crop):
    common.check_labels(opened(TREE, split, size, crop), "output/")


@BOTH_SPLITS
def test_images_are_the_published_ones(split):
    common.check_images(opened(TREE, split))


def test_heights_and_widths_are_those_of_the_list(tree):
    before = opened(tree)
    path = tree / before.files[0]
    with Image.open(path) as image:
        small = image.resize((image.width // 2, image.height // 3))
    small.save(path)
    np.testing.assert_array_equal(opened(tree).landmarks, before.landmarks)


@BOTH_SPLITS
@pytest.mark.parametrize("what", ["images.txt", "keypoints.mat"])
def test_a_missing_file_is_named(tree, split, what):
    path = tree / f"aflw_{split}_{what}"
    path.unlink()
    assert refusal(tree, split).endswith(
        f"there is no {path}; unpack the AFLW_R archive there, "
        f"or point data_root at the folder that holds it"
    )


@pytest.mark.parametrize("field", ["gt", "hw"])
def test_a_missing_field_is_named_with_those_found(tree, field):
    other = {"gt": "hw", "hw": "gt"}[field]
    path = rewrite(tree, lambda stored: stored.pop(field))
    assert refusal(tree) == (
        f"{path} has no field {field}, it holds {other}: unpack the AFLW_R archive again"
    )


@pytest.mark.parametrize(
    "content", [b"", b"this is no Matlab file" * 20, b"MATLAB 5.0 MAT-file" + bytes(200)]
)
def test_a_file_of_another_kind_is_named(tree, content):
    path = tree / "aflw_train_keypoints.mat"
    path.write_bytes(content)
    message = refusal(tree)
    assert message.startswith(f"{path} cannot be read as a Matlab file (")
    assert message.endswith("): unpack the AFLW_R archive again")


def test_a_matlab_file_cut_short_is_named(tree):
    path = tree / "aflw_train_keypoints.mat"
    path.write_bytes(path.read_bytes()[:300])
    assert refusal(tree).startswith(f"{path} cannot be read as a Matlab file (")


def test_a_list_longer_than_the_landmarks_is_refused(tree):
    names = tree / "aflw_train_images.txt"
    with open(names, "a") as file:
        file.write("train/face00009.jpg\n")
    mat = tree / "aflw_train_keypoints.mat"
    assert refusal(tree) == (
        f"{names} names 6 images, and gt of {mat} holds 5: unpack the AFLW_R archive again"
    )


def test_fewer_sides_than_images_are_refused(tree):
    mat = rewrite(tree, lambda stored: stored.update(hw=stored["hw"][:4]))
    assert f"names 5 images, and hw of {mat} holds 4" in refusal(tree)


def test_landmarks_of_another_shape_are_refused(tree):
    mat = rewrite(tree, lambda stored: stored.update(gt=stored["gt"].reshape(5, 10)))
    assert f"{mat}: expected gt of N x 5 x 2 and hw of N x 2, found 5 x 10 and" in refusal(tree)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_landmark_that_is_no_number_is_named(tree, value):
    def change(stored):
        stored["gt"][2, 3, 0] = value

    path = rewrite(tree, change)
    assert refusal(tree) == (
        f"{path}: train/face00002.jpg has a coordinate that is not a number: "
        f"unpack the AFLW_R archive again"
    )


def test_an_image_without_height_is_named(tree):
    path = rewrite(tree, lambda stored: stored["hw"].__setitem__((1, 0), 0))
    assert f"{path}: train/face00001.jpg has a height or width that is not" in refusal(tree)


def test_an_empty_split_is_refused(tree):
    (tree / "aflw_train_images.txt").write_text("")
    rewrite(tree, lambda stored: stored.update(gt=np.empty((0, 5, 2)), hw=np.empty((0, 2))))
    assert "the train split of aflw is empty" in refusal(tree)


@BOTH_SPLITS
def test_one_list_for_both_splits_is_refused(tree, split):
    for what in ("images.txt", "keypoints.mat"):
        shutil.copy(tree / f"aflw_train_{what}", tree / f"aflw_test_{what}")
    assert "every test image of aflw is also a training image" in refusal(tree, split)


def test_a_broken_list_of_the_other_split_does_not_matter(tree):
    (tree / "aflw_test_keypoints.mat").write_bytes(b"")
    assert len(opened(tree, "train")) == 5


def test_a_missing_image_is_named_or_left_out(tree):
    whole = opened(tree)
    (tree / whole.files[3]).unlink()
    assert refusal(tree).startswith(f"{tree / whole.files[3]} is missing")
    dataset = opened(tree, skip_bad=True)
    assert dataset.skipped == (whole.files[3],)
    np.testing.assert_array_equal(dataset.landmarks, np.delete(whole.landmarks, 3, axis=0))


def test_backslashes_separate_folders_too(tree):
    before = opened(tree).files
    path = tree / "aflw_train_images.txt"
    path.write_text(path.read_text().replace("/", "\\") + "\n\n")
    assert opened(tree).files == before
