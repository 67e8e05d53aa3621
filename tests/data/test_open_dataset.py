"""What holds for every dataset: bad files, limits, crops, and the synthetic one."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from dvelib import StudyError
from dvelib.augment import denormalise
from dvelib.data import dataset_digest, open_dataset


@pytest.fixture
def folder(tmp_path):
    """Seven grey pictures and the landmark (i, i) in picture i."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for i in range(7):
        Image.new("RGB", (16, 16), (30 * i, 30 * i, 30 * i)).save(folder / f"{i}.png")
    lines = [f"{i}.png,{i},{i}" for i in range(7)]
    (folder / "landmarks.csv").write_text("\n".join(["file,x0,y0", *lines]))
    return folder


def opened(folder, split="train", **options):
    return open_dataset("folder", folder, split, **{"size": 16} | options)


def synthetic(split="train", size=32, limit=6, **options):
    return open_dataset("synthetic", None, split, size=size, limit=limit, **options)


def truncated_jpeg():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    return buffer.getvalue()[: len(buffer.getvalue()) // 2]


BAD = {"truncated": truncated_jpeg(), "text": b"this is no picture", "empty": b""}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD)
def test_a_bad_image_is_named(folder, content):
    (folder / "3.png").write_bytes(content)
    with pytest.raises(StudyError) as caught:
        opened(folder)
    message = str(caught.value)
    assert message.startswith(f"{folder / '3.png'} cannot be read as an image (")
    assert message.endswith("or set skip_bad to true to skip such files")
    assert message.count(str(folder)) == 1


def test_bad_images_can_be_left_out(folder):
    for name, content in zip(("1.png", "2.png", "6.png"), BAD.values(), strict=True):
        (folder / name).write_bytes(content)
    dataset = opened(folder, skip_bad=True)
    assert dataset.skipped == ("1.png", "2.png", "6.png")
    assert dataset.split_audit()["skipped"] == ["1.png", "2.png", "6.png"]
    assert dataset.files == ("0.png", "3.png", "4.png", "5.png")
    assert dataset.images[:, 0, 0, 0].tolist() == [0, 90, 120, 150]
    np.testing.assert_array_equal(dataset.landmarks[:, 0, 0], [0, 3, 4, 5])


def test_nothing_but_bad_images_is_an_error(folder):
    for path in folder.glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(StudyError, match="none of the 7 files of the train split can be read"):
        opened(folder, skip_bad=True)


def test_skipping_changes_nothing_where_all_is_well(folder):
    assert opened(folder, skip_bad=True).skipped == opened(folder).skipped == ()


@pytest.mark.parametrize(
    ("limit", "chosen"),
    [(1, [0]), (2, [0, 3]), (3, [0, 2, 4]), (6, [0, 1, 2, 3, 4, 5]), (7, range(7)), (99, range(7))],
)
def test_a_limit_chooses_evenly(folder, limit, chosen):
    dataset = opened(folder, limit=limit)
    assert dataset.files == tuple(f"{i}.png" for i in chosen)
    assert len(dataset) == len(dataset.images) == len(chosen)
    np.testing.assert_array_equal(dataset.landmarks[:, 0, 0], chosen)


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_below_one_is_refused(folder, limit):
    with pytest.raises(StudyError, match=rf"limit\) must be at least 1, got {limit}"):
        opened(folder, limit=limit)
    with pytest.raises(StudyError, match=rf"limit\) must be at least 1, got {limit}"):
        synthetic(limit=limit)


def test_a_limit_changes_the_digest(folder):
    digests = {dataset_digest("folder", folder, "train", limit) for limit in (None, 3, 6)}
    assert len(digests) == 3
    assert dataset_digest("folder", folder, "train", 99) in digests


def test_cropping_shifts_landmarks_and_cuts_every_side(tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    picture = np.random.default_rng(1).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    Image.fromarray(picture).save(folder / "a.png")
    (folder / "landmarks.csv").write_text("file,x0,y0\na.png,5,9\n")
    dataset = opened(folder, crop=4)
    assert dataset.cropped_size == 8
    np.testing.assert_array_equal(dataset.landmarks, [[[1, 5]]])
    seen = denormalise(dataset.image(0)).round().permute(1, 2, 0)
    np.testing.assert_array_equal(seen, picture[4:12, 4:12])
    np.testing.assert_array_equal(dataset.images_uint8()[0].permute(1, 2, 0), picture)


@pytest.mark.parametrize("crop", [8, 9, -1])
@pytest.mark.parametrize("name", ["folder", "synthetic"])
def test_a_crop_must_leave_something(folder, name, crop):
    with pytest.raises(StudyError, match=rf"crop of {crop} .* between 0 and 7"):
        open_dataset(name, folder, "train", size=16, crop=crop)


def test_a_side_of_nothing_is_refused(folder):
    with pytest.raises(StudyError, match=r"\(size\) must be at least 2 pixels, got 0"):
        opened(folder, size=0)


def test_unknown_names_are_answered_with_the_known_ones(folder):
    with pytest.raises(StudyError, match="no dataset 'celebb': choose among synthetic, .*folder"):
        open_dataset("celebb", folder, "train", size=16)
    for name in ("folder", "synthetic"):
        with pytest.raises(StudyError, match="the split must be train or test, got 'val'"):
            open_dataset(name, folder, "val", size=16)


@pytest.mark.parametrize("name", ["folder", "aflw-mtfl"])
def test_a_missing_folder_is_named(tmp_path, name):
    with pytest.raises(StudyError, match=f"the dataset {name} needs the folder .*: set data_root"):
        open_dataset(name, None, "train", size=16)
    with pytest.raises(StudyError, match=f"no folder {tmp_path}/none; unpack the data there, or"):
        open_dataset(name, tmp_path / "none", "train", size=16)


def test_no_synthetic_identity_is_in_both_splits():
    train, test = synthetic("train"), synthetic("test")
    assert len(set(train.identities) | set(test.identities)) == 12
    together = np.concatenate([train.images, test.images]).reshape(12, -1)
    assert len(np.unique(together, axis=0)) == 12


def test_synthetic_faces_are_the_same_every_time(tmp_path, monkeypatch):
    first = synthetic()
    monkeypatch.setenv("DVE_CACHE", str(tmp_path / "other"))
    again = synthetic()
    np.testing.assert_array_equal(first.images, again.images)
    np.testing.assert_array_equal(first.landmarks, again.landmarks)
    assert first.digest == again.digest == dataset_digest("synthetic", None, "train", 6)


def test_synthetic_faces_are_drawn_once(monkeypatch):
    first = synthetic()
    monkeypatch.setattr("dvelib.data.synthetic.render_faces", None)
    np.testing.assert_array_equal(first.images, synthetic(crop=4).images)


def test_fewer_synthetic_faces_are_the_first_of_more():
    few, more = synthetic(limit=2), synthetic(limit=6)
    assert few.files == more.files[:2]
    np.testing.assert_array_equal(few.images, more.images[:2])
    assert few.digest != more.digest


def test_an_interrupted_drawing_is_done_again(monkeypatch):
    def dies(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("dvelib.data.synthetic.render_faces", dies)
        with pytest.raises(KeyboardInterrupt):
            synthetic()
    assert len(synthetic()) == 6


@pytest.mark.parametrize("crop", [0, 4])
def test_synthetic_faces_have_five_landmarks_on_the_face(crop):
    dataset = synthetic("test", limit=24, crop=crop)
    points = dataset.landmarks
    assert points.shape == (24, 5, 2)
    assert np.isfinite(points).all()
    inside = (points >= 0) & (points <= dataset.cropped_size - 1)
    assert inside.all(axis=2).mean() > 0.9
    # Turned and tilted as they are, on average the eyes are above the mouth, left of right.
    left_eye, right_eye, _, left_mouth, right_mouth = points.mean(axis=0)
    assert left_eye[0] < right_eye[0] and left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < min(left_mouth[1], right_mouth[1])


def test_images_are_normalised_for_the_networks():
    dataset = synthetic(limit=2, crop=2)
    image = dataset.image(1)
    assert image.shape == (3, 28, 28) and image.dtype == torch.float32
    mean = torch.tensor([0.5084, 0.4224, 0.3769])[:, None, None]
    std = torch.tensor([0.2599, 0.2371, 0.2323])[:, None, None]
    stored = dataset.images_uint8()[1, :, 2:30, 2:30]
    torch.testing.assert_close((image * std + mean) * 255, stored.float(), atol=1e-3, rtol=0)
