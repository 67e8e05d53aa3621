"""CelebA and MAFL on a tiny tree in their layout, against what the published loaders returned."""

import shutil

import numpy as np
import pytest
from PIL import Image

from dvelib.data import celeba, open_dataset
from tests.data import common
from tests.data.common import BOTH_SIZES, BOTH_SPLITS
from tests.golden_data import GOLDEN

TREE = GOLDEN / "celeba"
HQ = "Img/img_align_celeba_hq"
LANDMARKS = "Anno/list_landmarks_align_celeba.txt"
PARTITIONS = "Eval/list_eval_partition.txt"
BOTH_NAMES = pytest.mark.parametrize("name", ["celeba", "mafl"])


@pytest.fixture
def tree(tmp_path):
    return shutil.copytree(TREE, tmp_path / "celeba")


def opened(name, root, split="train", size=100, crop=15, **options):
    return open_dataset(name, root, split, size=size, crop=crop, **options)


def numbers(dataset):
    """The numbers of a split's images, which are their names."""
    return [int(f[-10:-4]) for f in dataset.files]


def refusal(name, root, split="train", **options):
    return common.refusal(name, root, split, **options)


def replace(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@BOTH_NAMES
@BOTH_SPLITS
@BOTH_SIZES
def test_files_and_landmarks_are_the_published_ones(name, split, size, crop):
    common.check_labels(opened(name, TREE, split, size, crop), f"{HQ}/")


@BOTH_NAMES
@BOTH_SPLITS
def test_images_are_the_published_ones(name, split):
    common.check_images(opened(name, TREE, split))


def test_a_landmark_stays_on_what_it_marks(tree):
    picture = np.zeros((218, 178, 3), np.uint8)
    picture[115, 70] = 255  # the left eye of the first image
    Image.fromarray(picture).save(tree / HQ / "000001.jpg", "PNG")
    dataset = opened("celeba", tree, size=178, crop=20)
    np.testing.assert_array_equal(dataset.landmarks[0, 0], [50, 65])
    brightest = np.unravel_index(dataset.image(0).mean(0).argmax().item(), (138, 138))
    assert brightest[::-1] == (50, 65)


def test_the_high_quality_images_are_preferred(tree):
    shutil.copytree(tree / HQ, tree / "Img/img_align_celeba")
    assert all(f.startswith(HQ + "/") for f in opened("mafl", tree).files)


def test_the_standard_images_do_as_well(tree):
    before = opened("celeba", tree)
    (tree / HQ).rename(tree / "Img/img_align_celeba")
    (tree / HQ).mkdir()  # an empty folder is passed over
    (tree / HQ / ".keep").touch()
    after = opened("celeba", tree)
    assert after.files[0] == "Img/img_align_celeba/000001.jpg"
    np.testing.assert_array_equal(before.images, after.images)


@BOTH_NAMES
@BOTH_SPLITS
def test_what_torchvision_unpacked_is_accepted(tree, name, split):
    before = opened(name, tree, split)
    for path in (LANDMARKS, PARTITIONS):
        (tree / path).rename(tree / path.split("/")[1])
    (tree / HQ).rename(tree / "img_align_celeba")
    for folder in ("Anno", "Eval", "Img"):
        (tree / folder).rmdir()
    (tree / "identity_CelebA.txt").write_text("000001.jpg 7\n000005.jpg 8\n")
    after = opened(name, tree, split)
    assert numbers(after) == numbers(before)
    assert after.files[0].startswith("img_align_celeba/")
    np.testing.assert_array_equal(before.landmarks, after.landmarks)
    np.testing.assert_array_equal(before.images, after.images)
    assert after.identities[0] == {"000001": "7", "000005": "8"}.get(after.files[0][-10:-4], "")


def test_identities_are_known_where_their_list_is(tree):
    assert opened("celeba", tree).identities is None
    (tree / "Anno/identity_CelebA.txt").write_text("000001.jpg 2880\n000003.jpg 12\n")
    assert opened("celeba", tree).identities == ("2880", "", "12", "")


def test_validation_is_the_first_of_partition_two_that_are_not_mafl(tree, monkeypatch):
    monkeypatch.setattr(celeba, "VALIDATION", 2)
    assert numbers(opened("celeba", tree, "test")) == [7, 8]
    replace(tree / "MAFL/testing.txt", "000011.jpg", "000007.jpg")
    assert numbers(opened("celeba", tree, "test")) == [8, 12]


def test_mafl_is_no_part_of_training(tree):
    with open(tree / "MAFL/training.txt", "a") as file:
        file.write("000002.jpg\n")
    # 5 and 9 to 11 are MAFL's, 11 no more.
    replace(tree / "MAFL/testing.txt", "000011.jpg\n", "")
    assert numbers(opened("celeba", tree)) == [1, 3, 4, 11]
    assert numbers(opened("mafl", tree)) == [2, 9, 10]


@BOTH_NAMES
@BOTH_SPLITS
def test_a_missing_list_of_mafl_is_named(tree, name, split):
    path = tree / "MAFL" / f"{split}ing.txt"
    path.unlink()
    assert refusal(name, tree, split).endswith(
        f"there is no {path}; put MAFL's training.txt and testing.txt, "
        f"the lists of its images, there"
    )


@pytest.mark.parametrize("path", [LANDMARKS, PARTITIONS])
def test_a_missing_list_of_celeba_is_named(tree, path):
    (tree / path).unlink()
    assert refusal("celeba", tree) == (
        f"CelebA's list {path.split('/')[1]} is missing: there is no {tree / path}; "
        f"unpack CelebA there, or point data_root at the folder that holds it"
    )


def test_mafl_opens_without_partitions(tree):
    (tree / PARTITIONS).unlink()
    assert numbers(opened("mafl", tree, "test")) == [5, 11]


@BOTH_NAMES
def test_missing_images_are_named_with_both_folders(tree, name):
    shutil.rmtree(tree / "Img")
    message = refusal(name, tree)
    assert f"there are none in {tree / HQ} nor in {tree / 'Img/img_align_celeba'}; " in message


@pytest.mark.parametrize("value", ["nan", "inf", "x"])
def test_a_landmark_that_is_no_number_is_named(tree, value):
    replace(tree / LANDMARKS, "000002.jpg   70", f"000002.jpg   {value}")
    assert refusal("celeba", tree) == (
        f"{tree / LANDMARKS}: 000002.jpg has a coordinate that is not a number: "
        f"get CelebA's file again"
    )
    assert len(opened("mafl", tree)) == 2  # which has nothing to do with that image


def test_a_partition_that_is_no_number_is_named(tree):
    replace(tree / PARTITIONS, "000002.jpg 0", "000002.jpg train")
    assert "000002.jpg has a partition that is not a number" in refusal("celeba", tree)


def test_an_image_without_landmarks_is_named(tree):
    path = tree / LANDMARKS
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    assert refusal("celeba", tree, "test").startswith(f"{path} does not name 000012.jpg: ")
    assert refusal("mafl", tree, "test").startswith(f"{path} does not name 000011.jpg: ")


@pytest.mark.parametrize("path", [LANDMARKS, PARTITIONS])
def test_an_image_with_two_lines_is_named(tree, path):
    lines = (tree / path).read_text().splitlines(keepends=True)
    (tree / path).write_text("".join([*lines, lines[-1]]))
    assert refusal("celeba", tree).startswith(f"{tree / path}: 000012.jpg has two lines: ")


@pytest.mark.parametrize(("path", "columns"), [(LANDMARKS, 11), (PARTITIONS, 2)])
def test_a_list_with_other_columns_is_refused(tree, path, columns):
    lines = (tree / path).read_text().splitlines()
    (tree / path).write_text("".join(f"{line} 7\n" for line in lines))
    assert refusal("celeba", tree).startswith(
        f"{tree / path}: expected {columns} columns, the file name first, found {columns + 1}: "
    )


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00"], ids=["empty", "bytes"])
@pytest.mark.parametrize("path", [LANDMARKS, PARTITIONS])
def test_a_list_that_is_no_table_is_named(tree, path, content):
    (tree / path).write_bytes(content)
    assert refusal("celeba", tree).startswith(f"{tree / path} cannot be read as a table (")


def test_a_list_of_mafl_that_is_no_text_is_named(tree):
    path = tree / "MAFL/training.txt"
    path.write_bytes(b"\xff\xfe\x00")
    assert refusal("mafl", tree).startswith(f"{path} cannot be read as text (")


def test_an_empty_split_is_refused(tree):
    (tree / "MAFL/testing.txt").write_text("\n")
    assert "the test split of mafl is empty" in refusal("mafl", tree, "test")
    path = tree / PARTITIONS
    path.write_text(path.read_text().replace(" 2\n", " 1\n"))
    assert "the test split of celeba is empty" in refusal("celeba", tree, "test")


@BOTH_SPLITS
def test_one_list_for_both_splits_is_refused(tree, split):
    train, test = tree / "MAFL/training.txt", tree / "MAFL/testing.txt"
    test.write_text(train.read_text())
    assert refusal("mafl", tree, split) == (
        f"{tree}: every test image of mafl is also a training image: give each split its own list"
    )
    test.write_text(train.read_text() + "000005.jpg\n")  # some is for the audit to say
    assert len(opened("mafl", tree, split)) == {"train": 2, "test": 3}[split]


def test_images_of_another_size_are_refused_by_their_size(tree):
    Image.new("RGB", (256, 256)).save(tree / HQ / "000003.jpg")
    assert refusal("celeba", tree).startswith(
        f"{tree / HQ / '000003.jpg'} cannot be read as an image (it has 256 x 256 pixels, "
        f"but aligned images of CelebA have 178 x 218): "
    )
    dataset = opened("celeba", tree, skip_bad=True)
    assert numbers(dataset) == [1, 2, 4]
    assert dataset.skipped == (f"{HQ}/000003.jpg",)


def test_a_missing_image_is_named_or_left_out(tree):
    (tree / HQ / "000005.jpg").unlink()
    assert refusal("mafl", tree, "test").startswith(f"{tree / HQ / '000005.jpg'} is missing")
    assert numbers(opened("mafl", tree, "test", skip_bad=True)) == [11]
