"""A user's own pictures, with and without landmarks."""

import numpy as np
import pytest
from PIL import Image

from dvelib import StudyError
from dvelib.data import dataset_digest, open_dataset


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "faces"


def draw(path, width=40, height=40, dot=None):
    """A dark picture, with a bright dot of 3 x 3 pixels around a point."""
    picture = np.full((height, width, 3), 20, np.uint8)
    if dot:
        x, y = dot
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


def label(folder, *lines):
    (folder / "landmarks.csv").write_text("".join(line + "\n" for line in lines))


def opened(folder, split="train", size=20, crop=0, **options):
    return open_dataset("folder", folder, split, size=size, crop=crop, **options)


def refusal(folder, split="train", **options):
    with pytest.raises(StudyError) as caught:
        opened(folder, split, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def labelled(folder):
    for name in "abcd":
        draw(folder / f"{name}.png")
    label(
        folder,
        "file,split,identity,x0,y0,x1,y1",
        "a.png,train,ann,1,2,3,4",
        "b.png,test,bob,5,6,,",
        "d.png,train,,7,8,9,10",
    )
    return folder


def test_without_landmarks_all_pictures_are_for_training(folder):
    for name in ("b.png", "deep/er/a.JPG", "c.jpeg"):
        draw(folder / name)
    dataset = opened(folder)
    assert dataset.files == ("b.png", "c.jpeg", "deep/er/a.JPG")
    assert dataset.images_uint8().shape == (3, 3, 20, 20)
    assert dataset.identities is None
    assert dataset.title == "folder faces"
    with pytest.raises(StudyError, match=r"folder faces \(train\) has no landmarks"):
        _ = dataset.landmarks


def test_only_pictures_count(folder):
    draw(folder / "a.png")
    draw(folder / ".thumbnails" / "a.png")
    (folder / "._a.png").write_text("what another system keeps about a.png")
    (folder / "notes.txt").write_text("not a picture")
    (folder / "album.png").mkdir()
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    assert opened(folder).files == ("a.png",)


def test_splits_and_identities_are_those_of_the_file(labelled):
    train, test = opened(labelled, size=40), opened(labelled, "test", size=40)
    assert train.files == ("a.png", "c.png", "d.png")
    assert test.files == ("b.png",)
    assert train.identities == ("ann", "", "")
    assert test.identities == ("bob",)
    np.testing.assert_array_equal(train.landmarks[[0, 2]].ravel(), [1, 2, 3, 4, 7, 8, 9, 10])
    np.testing.assert_array_equal(test.landmarks[0, 0], [5, 6])


def test_what_was_not_set_is_nan(labelled):
    assert np.isnan(opened(labelled).landmarks).any((1, 2)).tolist() == [False, True, False]
    assert np.isnan(opened(labelled).landmarks[1]).all()
    assert np.isnan(opened(labelled, "test").landmarks[0, 1]).all()


def test_half_a_landmark_is_none(folder):
    draw(folder / "a.png")
    label(folder, "file,x0,y0,x1,y1", "a.png,5,,7,8")
    points = opened(folder).landmarks[0]
    assert np.isnan(points[0]).all()
    assert np.isfinite(points[1]).all()


@pytest.mark.parametrize("header", ["file,x0,y0", "file, x0, y0", "\ufefffile,x0,y0"])
def test_split_and_identity_may_be_left_out(folder, header):
    draw(folder / "a.png")
    label(folder, header, "a.png, 5, 7")
    np.testing.assert_array_equal(opened(folder, size=40).landmarks, [[[5, 7]]])


@pytest.mark.parametrize(("width", "height"), [(60, 60), (90, 60), (60, 101), (33, 80)])
@pytest.mark.parametrize(("size", "crop"), [(48, 0), (120, 10)])
def test_landmarks_stay_on_what_they_mark(folder, width, height, size, crop):
    dot = (width // 2 - 9, height // 2 + 7)
    draw(folder / "a.png", width, height, dot)
    label(folder, "file,x0,y0", f"a.png,{dot[0]},{dot[1]}")
    dataset = opened(folder, size=size, crop=crop)
    bright = dataset.image(0).sum(0).double().numpy()
    bright -= bright.min()
    y, x = np.mgrid[: len(bright), : len(bright)]
    centre = [(bright * x).sum() / bright.sum(), (bright * y).sum() / bright.sum()]
    # The resize and its whole grey levels cost a little; a shift of half a pixel would show.
    np.testing.assert_allclose(dataset.landmarks[0, 0], centre, atol=0.15)


def test_pictures_of_any_mode_become_three_channels(folder):
    draw(folder / "colour.png")
    with Image.open(folder / "colour.png") as picture:
        picture.convert("L").save(folder / "grey.png")
        picture.quantize().save(folder / "palette.png")
        picture.convert("RGBA").save(folder / "alpha.png")
        picture.convert("CMYK").save(folder / "print.jpg")
    images = opened(folder).images_uint8().int()
    assert images.shape == (5, 3, 20, 20)
    assert (images - 20).abs().max() < 5


def test_changed_landmarks_change_the_digest_and_decode_nothing(labelled, monkeypatch):
    before, digest = opened(labelled), dataset_digest("folder", labelled, "train", None)
    assert before.digest == digest
    path = labelled / "landmarks.csv"
    path.write_text(path.read_text().replace("9,10", "9,11"))
    monkeypatch.setattr(Image, "open", None)
    after = opened(labelled)
    assert after.digest == dataset_digest("folder", labelled, "train", None) != digest
    assert after.landmarks[2, 1, 1] - before.landmarks[2, 1, 1] == pytest.approx(0.5)


def test_a_folder_without_pictures_is_named(folder):
    folder.mkdir()
    (folder / "a.gif").write_bytes(b"GIF89a")
    assert refusal(folder).startswith(f"{folder} holds no pictures (.bmp, .jpeg, .jpg, .png")


def test_an_empty_split_says_where_splits_are_written(folder):
    draw(folder / "a.png")
    message = "the test split is empty: write test in the split column of landmarks.csv"
    assert message in refusal(folder, "test")
    label(folder, "file,x0,y0", "a.png,1,2")
    assert message in refusal(folder, "test")
    label(folder, "file,split,x0,y0", "a.png,test,1,2")
    assert "the train split is empty" in refusal(folder, "train")


COLUMNS = "expected the columns file, split, identity, x0, y0, x1, y1, ... "
BAD_FILES = {
    "no file column": (["name,x0,y0", "a.png,1,2"], COLUMNS),
    "odd coordinates": (["file,x0,y0,x1", "a.png,1,2,3"], COLUMNS),
    "y before x": (["file,y0,x0", "a.png,1,2"], COLUMNS),
    "gap in the numbers": (["file,x0,y0,x2,y2", "a.png,1,2,3,4"], COLUMNS),
    "unknown column": (["file,sex,x0,y0", "a.png,f,1,2"], COLUMNS),
    "no coordinates": (["file,split", "a.png,train"], COLUMNS),
    "unknown picture": (["file,x0,y0", "b.png,1,2"], "it names b.png, but the folder has no"),
    "no name": (["file,x0,y0", "a.png,1,2", ",1,2"], "entry 2 names no file"),
    "named twice": (["file,x0,y0", "a.png,1,2", "a.png,1,2"], "a.png has two lines: keep one"),
    "bad split": (
        ["file,split,x0,y0", "a.png,val,1,2"],
        "the split of a.png must be train or test, found 'val'",
    ),
    "no split": (
        ["file,split,x0,y0", "a.png,,1,2"],
        "the split of a.png must be train or test, found nothing",
    ),
    "word": (["file,x0,y0", "a.png,1,two"], "y0 of a.png is 'two', which is not a number"),
    "infinity": (["file,x0,y0", "a.png,inf,2"], "x0 of a.png is 'inf', which is not a number"),
    "truth value": (["file,x0,y0", "a.png,True,2"], "x0 of a.png is 'True', which is not"),
    "long lines": (["file,x0,y0", "a.png,1,2,3,4"], "its lines hold more cells than its header"),
}


@pytest.mark.parametrize(("lines", "message"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_mistake_in_the_landmarks_file_is_named(folder, lines, message):
    draw(folder / "a.png")
    label(folder, *lines)
    assert refusal(folder).startswith(f"{folder / 'landmarks.csv'}: {message}")


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe\x00", b'file,x0,y0\n"a.png,1,2\n', b"file,x0,y0\na.png,1,2\na.png,1,2,3\n"],
    ids=["empty", "bytes", "open quote", "ragged"],
)
def test_a_landmarks_file_that_is_no_table_is_named(folder, content):
    draw(folder / "a.png")
    path = folder / "landmarks.csv"
    path.write_bytes(content)
    message = refusal(folder)
    assert message.startswith(f"{path} cannot be read as a table (")
    assert message.endswith("(split and identity may be left out)")


@pytest.mark.parametrize(("width", "height"), [(60, 60), (90, 60), (60, 101), (33, 80)])
def test_whole_pictures_lose_nothing_and_get_black_bars(folder, width, height):
    for name, dot in (("a.png", (1, 1)), ("b.png", (width - 2, height - 2))):
        draw(folder / name, width, height, dot)
    label(folder, "file,x0,y0", "a.png,1,1", f"b.png,{width - 2},{height - 2}")
    faces = open_dataset("folder-whole", folder, "train", size=max(width, height))
    for image, (x, y) in zip(faces.images, faces.landmarks[:, 0].round().astype(int), strict=True):
        assert (image[:, y, x] == 255).all()
        assert (image == 0).all(axis=0).sum() == max(width, height) ** 2 - width * height


def test_predictions_are_no_annotations(labelled):
    label(labelled, "file,source,doubt,x0,y0", "a.png,predicted,0.5,1,2", "b.png,person,,3,4")
    points = opened(labelled, size=40).landmarks[:2, 0]
    np.testing.assert_array_equal(points, [[np.nan, np.nan], [3, 4]])
    label(labelled, "file,source,x0,y0", "a.png,me,1,2")
    assert "the source of a.png must be person or predicted, found 'me'" in refusal(labelled)
