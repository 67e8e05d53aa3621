"""Users' pictures of every kind are read as viewers show them; published ones as stored."""

import numpy as np
import pytest
from PIL import Image

from dvelib.data import open_dataset
from dvelib.data.celeba import CelebA
from dvelib.data.pictures import upright_rgb

ORIENTATION = 274
RAMP = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5957  # up to 65,527


def read_back(image, path, **options):
    image.save(path, **options)
    with Image.open(path) as stored:
        return np.asarray(upright_rgb(stored))


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_a_picture_is_turned_as_its_orientation_says(tmp_path, orientation, turns):
    stored = np.random.default_rng(0).integers(0, 255, (5, 8, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    found = read_back(Image.fromarray(stored), tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(found, np.rot90(stored, turns))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_are_scaled_by_their_range(tmp_path, suffix):
    found = read_back(Image.fromarray(RAMP), tmp_path / f"a.{suffix}")
    np.testing.assert_array_equal(found[..., 0], np.round(RAMP / 257))
    assert (found == found[..., :1]).all()


def test_values_without_a_known_range_are_refused():
    for values in (np.ones((2, 2), np.float32), np.ones((2, 2), np.int32)):
        with pytest.raises(ValueError, match="the range of its 32-bit values is not known"):
            upright_rgb(Image.fromarray(values))


def test_cmyk_palette_grey_and_one_bit_become_rgb(tmp_path):
    red = Image.new("RGB", (16, 16), (200, 30, 40))
    for image, name in ((red.convert("CMYK"), "a.jpg"), (red.quantize(4), "a.png")):
        found = read_back(image, tmp_path / name)
        assert np.abs(found.astype(int) - (200, 30, 40)).max() <= 6
    assert (read_back(Image.new("L", (4, 4), 77), tmp_path / "L.png") == 77).all()
    assert (read_back(Image.new("1", (4, 4), 1), tmp_path / "one.png") == 255).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_parts_are_white(tmp_path, mode):
    image = Image.new("RGBA", (4, 4), (10, 10, 10, 255))
    image.putpixel((0, 0), (10, 10, 10, 0))
    found = read_back(image.convert(mode), tmp_path / "a.png")
    assert found[0, 0].tolist() == [255, 255, 255]
    assert np.abs(found[2, 2].astype(int) - 10).max() <= 3


def test_landmarks_refer_to_the_upright_picture(tmp_path):
    """A dot at (30, 10) of the upright picture stays under its landmark."""
    upright = np.full((40, 60, 3), 20, np.uint8)
    upright[9:12, 29:32] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = 6  # stored turned by a quarter
    Image.fromarray(np.rot90(upright).copy()).save(tmp_path / "a.png", exif=exif)
    (tmp_path / "landmarks.csv").write_text("file,x0,y0\na.png,30,10\n")
    for layout in ("folder", "folder-whole"):
        faces = open_dataset(layout, tmp_path, "train", size=60)
        x, y = faces.landmarks[0, 0].round().astype(int)
        assert faces.images[0, :, y, x].min() > 200


def test_published_datasets_are_read_as_stored():
    image = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    image.getexif()[ORIENTATION] = 6
    assert np.asarray(CelebA().read(image))[0, 0].tolist() == [10, 20, 30]
