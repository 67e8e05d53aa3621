"""300-W on a tiny tree in its layout, against what the published loader returned."""

import shutil

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from dvelib.data import dataset_digest, open_dataset
from dvelib.data.known import LAYOUTS
from tests.data import common
from tests.data.common import BOTH_SIZES, BOTH_SPLITS
from tests.golden_data import GOLDEN

TREE = GOLDEN / "300w"
BOTH_NAMES = pytest.mark.parametrize("name", ["300w", "300w-bicubic"])


@pytest.fixture
def tree(tmp_path):
    return shutil.copytree(TREE, tmp_path / "300w")


def opened(root, split="train", size=100, crop=15, name="300w", **options):
    return open_dataset(name, root, split, size=size, crop=crop, **options)


def refusal(root, split="train", **options):
    return common.refusal("300w", root, split, **options)


def boxes_file(tree, part="afw"):
    return tree / "Bounding Boxes" / f"bounding_boxes_{part.replace('/', '_')}.mat"


def write_boxes(tree, boxes, part="afw"):
    """Write a part's list of boxes: left, top, right, bottom by image."""
    entries = np.empty((1, len(boxes)), object)
    for i, (name, box) in enumerate(boxes.items()):
        entries[0, i] = {"imgName": name, "bb_ground_truth": np.array([box], float)}
    savemat(boxes_file(tree, part), {"bounding_boxes": entries})


def write_points(path, points):
    lines = "".join(f"{x} {y}\n" for x, y in points)
    path.write_text(f"version: 1\nn_points:  {len(points)}\n{{\n{lines}}}\n")


@pytest.fixture
def one(tmp_path):
    """One black image of 200 x 150 with a bright pixel at its first landmark, box 52 px wide."""
    root = tmp_path / "one"
    (root / "afw").mkdir(parents=True)
    (root / "Bounding Boxes").mkdir()
    picture = np.zeros((150, 200, 3), np.uint8)
    picture[70 - 1, 90 - 1] = 255
    Image.fromarray(picture).save(root / "afw/a.png")
    write_points(root / "afw/a.pts", [(90, 70)] * 68)
    write_boxes(root, {"a.png": (70, 50, 121, 101)})
    return root


@BOTH_SPLITS
@BOTH_SIZES
def test_files_and_landmarks_are_the_published_ones(split, size, crop):
    common.check_labels(opened(TREE, split, size, crop), "")


@BOTH_SPLITS
def test_images_are_the_published_ones(split):
    common.check_images(opened(TREE, split))


@BOTH_SPLITS
def test_the_bicubic_variant_differs_in_pixels_alone(split):
    nearest, bicubic = opened(TREE, split), opened(TREE, split, name="300w-bicubic")
    assert nearest.files == bicubic.files
    np.testing.assert_array_equal(nearest.landmarks, bicubic.landmarks)
    assert (nearest.images != bicubic.images).mean() > 0.1
    assert nearest.digest != bicubic.digest
    assert bicubic.digest == dataset_digest("300w-bicubic", TREE, split, None)


@BOTH_NAMES
def test_a_landmark_stays_on_what_it_marks(one, name):
    dataset = opened(one, crop=10, name=name)
    brightest = np.unravel_index(dataset.image(0).mean(0).argmax().item(), (80, 80))
    np.testing.assert_array_equal(dataset.landmarks[0, 0], brightest[::-1])


@pytest.mark.parametrize("factor", [0.5, 2, 3])
def test_a_face_looks_the_same_whatever_its_size(one, factor):
    before = opened(one).landmarks
    write_points(one / "afw/a.pts", [(90 * factor, 70 * factor)] * 68)
    low, high = np.array([70, 50]) * factor, np.array([70, 50]) * factor + 52 * factor - 1
    write_boxes(one, {"a.png": (*low, *high)})
    assert np.abs(opened(one).landmarks - before).max() <= 1  # the centre is a whole pixel


def test_what_lies_outside_the_image_is_black(one):
    Image.new("RGB", (60, 60), (200, 200, 200)).save(one / "afw/a.png")
    write_boxes(one, {"a.png": (5, 5, 56, 56)})
    face = opened(one, crop=0).images[0].mean(axis=0)
    # The box's centre is (31, 31), so the frame starts at (-18, -20), counted from one: 19 columns
    # and 21 rows of it come before the image.
    assert (face[21:81, 19:79] == 200).all()
    face[21:81, 19:79] = 0
    assert (face == 0).all()


@pytest.mark.parametrize("keep", [True, False])
def test_a_part_without_images_is_left_out(tree, keep):
    shutil.rmtree(tree / "ibug")
    if keep:
        (tree / "ibug").mkdir()
        (tree / "ibug/.keep").touch()
    boxes_file(tree, "ibug").unlink()
    dataset = opened(tree, "test")
    assert dataset.files == opened(TREE, "test").files[:3]


def test_images_without_their_boxes_are_refused(tree):
    boxes_file(tree, "ibug").unlink()
    assert refusal(tree, "test") == (
        f"the list of face boxes for {tree / 'ibug'} is missing: there is no "
        f"{boxes_file(tree, 'ibug')}; unpack the 300-W archive there, "
        f"or point data_root at the folder that holds it"
    )


@BOTH_SPLITS
def test_no_image_at_all_is_refused(tmp_path, split):
    parts = {"train": "afw, helen/trainset, lfpw/trainset", "test": "helen/testset, lfpw/testset"}
    message = refusal(tmp_path, split)
    assert f"300-W's {split} images are missing: there are none in {parts[split]}" in message
    assert f" of {tmp_path}; unpack the 300-W archive there" in message


def test_an_empty_list_is_an_empty_split(one):
    write_boxes(one, {})
    assert "the train split of 300w is empty" in refusal(one)


def test_images_may_be_stored_in_the_other_format(tree):
    before = opened(tree).files
    for name in before[:2]:
        (tree / name).rename((tree / name).with_suffix(".jpg"))
    assert opened(tree).files == tuple(f[:-3] + "jpg" for f in before[:2]) + before[2:]


def test_the_order_is_that_of_the_boxes(tree):
    layout = LAYOUTS["300w"]
    boxes = layout.listing(tree, "train").boxes[:2]
    write_boxes(tree, {"im_0001.png": boxes[1], "im_0000.png": boxes[0]})
    listing = layout.listing(tree, "train")
    assert listing.files[:2] == ("afw/im_0001.png", "afw/im_0000.png")
    np.testing.assert_array_equal(listing.boxes[:2], boxes[::-1])


@pytest.mark.parametrize("count", [0, 5, 67, 69])
def test_another_number_of_landmarks_is_refused(tree, count):
    path = tree / "afw/im_0001.pts"
    write_points(path, [(1, 2)] * count)
    assert refusal(tree) == (
        f"{path}: expected 68 landmarks between braces, found {count}: "
        f"unpack the 300-W archive again"
    )


@pytest.mark.parametrize("content", [b"", b"version: 1\nn_points: 68\n", b"{1 2"])
def test_landmarks_without_braces_are_refused(tree, content):
    path = tree / "afw/im_0001.pts"
    path.write_bytes(content)
    assert refusal(tree).startswith(f"{path}: expected 68 landmarks between braces, found 0: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{1 x}", "cannot be read as landmarks ("),
        (b"\xff\xfe\x00{}", "cannot be read as text ("),
        (b"{" + b"nan 2 " * 68 + b"}", "has a coordinate that is not a number: "),
        (b"{" + b"1 -inf " * 68 + b"}", "has a coordinate that is not a number: "),
    ],
    ids=["word", "bytes", "nan", "inf"],
)
def test_landmarks_that_are_no_numbers_are_refused(tree, content, said):
    path = tree / "afw/im_0001.pts"
    path.write_bytes(content)
    assert refusal(tree).startswith(f"{path} {said}")


def test_missing_landmarks_are_named(tree):
    path = tree / "helen/trainset/im_0000.pts"
    path.unlink()
    assert refusal(tree).startswith(f"a file of landmarks is missing: there is no {path}; ")


@pytest.mark.parametrize("with_points", [True, False])
def test_a_missing_image_is_named_or_left_out(tree, with_points):
    whole = opened(tree)
    image = tree / whole.files[1]
    image.unlink()
    if not with_points:
        image.with_suffix(".pts").unlink()
    assert refusal(tree).startswith(f"{image} is missing")
    dataset = opened(tree, skip_bad=True)
    assert dataset.skipped == (whole.files[1],)
    np.testing.assert_array_equal(dataset.landmarks, np.delete(whole.landmarks, 1, axis=0))
    np.testing.assert_array_equal(dataset.images, np.delete(whole.images, 1, axis=0))


def test_a_file_of_boxes_of_another_kind_is_named(tree):
    boxes_file(tree).write_bytes(b"this is no Matlab file" * 20)
    said = f"{boxes_file(tree)} cannot be read as a Matlab file ("
    assert refusal(tree).startswith(said)


def test_missing_fields_of_boxes_are_named(tree):
    path = boxes_file(tree)
    savemat(path, {"boxes": [1.0]})
    assert refusal(tree).startswith(f"{path} has no field bounding_boxes, it holds boxes: ")
    entries = np.empty((1, 1), object)
    entries[0, 0] = {"imgName": "im_0000.png", "bb": [1.0, 2.0, 3.0, 4.0]}
    savemat(path, {"bounding_boxes": entries})
    assert refusal(tree).startswith(
        f"{path}: entry 1 of bounding_boxes has no field bb_ground_truth, it holds imgName, bb: "
    )
    entries[0, 0] = np.ones((1, 4))
    savemat(path, {"bounding_boxes": entries})
    assert "entry 1 of bounding_boxes has no field imgName, it holds nothing" in refusal(tree)


@pytest.mark.parametrize(
    "box", [(9, 9, 9, 30), (30, 9, 9, 30), (np.nan, 9, 30, 30), (9, 9, 30), (9, 9, np.inf, 30)]
)
def test_a_box_that_is_none_is_named(tree, box):
    write_boxes(tree, {"im_0000.png": (9, 9, 30, 30), "im_0001.png": box})
    message = refusal(tree)
    assert message.startswith(f"{boxes_file(tree)}: ")
    assert "im_0001.png" in message


def test_the_parts_add_up_to_what_was_published():
    assert LAYOUTS["300w"].published == {"train": 3_148, "test": 689}
