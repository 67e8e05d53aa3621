"""AFLW_M on a tiny tree in its layout, against what the published loader returned."""

import shutil

import numpy as np
import pytest

from dvelib.data import dataset_digest, open_dataset
from tests.data import common
from tests.data.common import BOTH_SIZES, BOTH_SPLITS
from tests.golden_data import GOLDEN

TREE = GOLDEN / "aflw-mtfl"
LISTS = {"train": "aflw_cropped/facedata_cropped.csv", "test": "MTFL/testing.txt"}
SEPARATOR = {"train": ",", "test": " "}


@pytest.fixture
def tree(tmp_path):
    return shutil.copytree(TREE, tmp_path / "aflw-mtfl")


def opened(root, split, size=100, crop=15, **options):
    return open_dataset("aflw-mtfl", root, split, size=size, crop=crop, **options)


def rewrite(tree, split, change):
    """Pass the lines of a split's list through ``change``; returns the file."""
    path = tree / LISTS[split]
    lines = [line.split(SEPARATOR[split]) for line in path.read_text().splitlines()]
    path.write_text("".join(SEPARATOR[split].join(line) + "\n" for line in change(lines)))
    return path


def refusal(root, split, **options):
    return common.refusal("aflw-mtfl", root, split, **options)


@BOTH_SPLITS
@BOTH_SIZES
def test_files_and_landmarks_are_the_published_ones(split, size, crop):
    # The published names are relative to the lists' folders.
    common.check_labels(opened(TREE, split, size, crop), LISTS[split].split("/")[0] + "/")


@BOTH_SPLITS
def test_images_are_the_published_ones(split):
    common.check_images(opened(TREE, split))


def test_the_audit_says_how_far_a_split_is_from_the_published_one():
    audit = opened(TREE, "test").split_audit()
    assert (audit["images"], audit["published"], audit["complete"]) == (3, 2_995, False)
    assert audit["dataset"] == "AFLW_M"


def test_only_rows_of_set_one_are_training_images(tree):
    def change(lines):
        lines[2][2] = "2"
        lines[2][4] = "unknown"  # nobody reads the coordinates of other sets
        return lines

    rewrite(tree, "train", change)
    assert [f[-8:] for f in opened(tree, "train").files] == ["0000.jpg", "0002.jpg", "0003.jpg"]


def test_backslashes_separate_folders_too(tree):
    path = tree / LISTS["test"]
    path.write_text(path.read_text().replace("AFLW/", "AFLW\\"))
    assert opened(tree, "test").files[0] == "MTFL/AFLW/0000-image40000.jpg"


@BOTH_SPLITS
def test_a_missing_list_is_named(tree, split):
    (tree / LISTS[split]).unlink()
    assert refusal(tree, split).endswith(
        f"there is no {tree / LISTS[split]}; unpack the AFLW_M archive there, "
        f"or point data_root at the folder that holds it"
    )


@BOTH_SPLITS
def test_missing_columns_are_named(tree, split):
    path = rewrite(tree, split, lambda lines: [line[:10] for line in lines])
    message = refusal(tree, split)
    assert message.startswith(f"{path}: expected ")
    assert message.endswith("unpack the AFLW_M archive again")


def test_a_renamed_column_is_named(tree):
    rewrite(tree, "train", lambda lines: [["image_file", "crop", *lines[0][2:]], *lines[1:]])
    assert "expected image_file, crop_file, set" in refusal(tree, "train")


@pytest.mark.parametrize(
    ("split", "value"),
    [("train", "x"), ("train", ""), ("train", "inf"), ("test", "x"), ("test", "1,5")],
)
def test_a_coordinate_that_is_no_number_is_found(tree, split, value):
    def change(lines):
        lines[2][6] = value
        return lines

    path = rewrite(tree, split, change)
    name = {"train": "output/0001.jpg", "test": "AFLW/0002-image40002.jpg"}[split]
    assert f"{path}: {name} has a coordinate that is not a number" in refusal(tree, split)


def test_a_set_that_is_no_number_is_found(tree):
    rewrite(tree, "train", lambda lines: [*lines[:2], [*lines[2][:2], "one", *lines[2][3:]]])
    assert "output/0001.jpg has a set that is not a number" in refusal(tree, "train")


def test_an_entry_without_a_name_is_found(tree):
    rewrite(tree, "train", lambda lines: [*lines[:2], [lines[2][0], "", *lines[2][2:]]])
    assert "entry 2 names no image" in refusal(tree, "train")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe\x00", b"a,b\n1,2\n1,2,3\n"], ids=["empty", "bytes", "ragged"]
)
@BOTH_SPLITS
def test_a_list_that_is_no_table_is_named(tree, split, content):
    path = tree / LISTS[split]
    path.write_bytes(content.replace(b",", SEPARATOR[split].encode()))
    assert refusal(tree, split).startswith(f"{path} cannot be read as a table (")


def test_lines_longer_than_the_header_do_not_shift_the_columns(tree):
    path = rewrite(tree, "train", lambda lines: [lines[0], *([*line, "7"] for line in lines[1:])])
    assert refusal(tree, "train").startswith(f"{path}: its lines hold more cells")


def test_a_list_without_training_rows_is_an_empty_split(tree):
    rewrite(tree, "train", lambda lines: lines[:1])
    assert "the train split of aflw-mtfl is empty" in refusal(tree, "train")


@BOTH_SPLITS
def test_a_missing_image_is_named(tree, split):
    image = tree / opened(tree, split).files[1]
    image.unlink()
    message = refusal(tree, split)
    assert message.startswith(f"{image} is missing, and the dataset's list names it: put it back")


@BOTH_SPLITS
def test_missing_images_can_be_left_out(tree, split):
    whole = opened(tree, split)
    (tree / whole.files[1]).unlink()
    dataset = opened(tree, split, skip_bad=True)
    assert dataset.skipped == (whole.files[1],)
    assert dataset.files == (whole.files[0], *whole.files[2:])
    np.testing.assert_array_equal(dataset.landmarks, np.delete(whole.landmarks, 1, axis=0))
    np.testing.assert_array_equal(dataset.images, np.delete(whole.images, 1, axis=0))
    digest = dataset_digest("aflw-mtfl", tree, split, None, skip_bad=True)
    assert dataset.digest == digest != whole.digest


@BOTH_SPLITS
def test_nothing_but_missing_images_is_an_error(tree, split):
    files = opened(tree, split).files
    for name in files:
        (tree / name).unlink()
    assert refusal(tree, split, skip_bad=True) == (
        f"{tree}: none of the {len(files)} files of the {split} split exists"
    )


def test_a_folder_in_place_of_an_image_is_named(tree):
    image = tree / opened(tree, "train").files[1]
    image.unlink()
    image.mkdir()
    assert refusal(tree, "train").startswith(f"{image} is missing")
