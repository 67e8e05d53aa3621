"""Matlab files: the same values as SciPy's reader gives, and an answer to every damaged file."""

import struct

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from dvelib.data import matlab
from dvelib.data.matlab import Cells, Structure, parse_mat
from tests.golden_data import GOLDEN

TYPES = "f8 f4 i1 u1 i2 u2 i4 u4 i8 u8".split()
BOXES = GOLDEN / "300w" / "Bounding Boxes" / "bounding_boxes_helen_trainset.mat"


def saved(path, values, **how):
    savemat(path, values, **how)
    return parse_mat(path.read_bytes())


@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_of_every_type_are_those_of_scipy(tmp_path, compressed):
    random = np.random.default_rng(0)
    values = {f"v{t}": (random.uniform(0, 99, (3, 4, 2))).astype(t) for t in TYPES}
    values |= {
        "one": np.array([[7.5]]),
        "none": np.empty((0, 3)),
        "small": np.array([[1, 2]], "i2"),
    }
    found = saved(tmp_path / "a.mat", values, do_compression=compressed)
    stored = loadmat(tmp_path / "a.mat")
    for name, value in values.items():
        assert found[name].dtype == stored[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], stored[name])


@pytest.mark.parametrize("compressed", [False, True])
def test_cells_structures_and_text(tmp_path, compressed):
    cells = np.empty((1, 2), object)
    cells[0] = [{"name": "bär.png", "box": np.array([[1.0, 2.0]])}, {"name": "", "box": 3}]
    found = saved(tmp_path / "a.mat", {"boxes": cells}, do_compression=compressed)["boxes"]
    assert isinstance(found, Cells) and found.shape == (1, 2)
    first, second = found.values
    assert isinstance(first, Structure) and first.elements[0]["name"] == "bär.png"
    np.testing.assert_array_equal(first.elements[0]["box"], [[1.0, 2.0]])
    assert second.elements[0]["box"] == 3


def test_files_of_the_other_byte_order_are_read():
    numbers = struct.pack(">2I2d", 9, 16, 1.5, -2.0)
    flags, shape = struct.pack(">4I", 6, 8, 6, 0), struct.pack(">2I2i", 5, 8, 1, 2)
    body = flags + shape + struct.pack(">HH4s", 1, 1, b"a\0\0\0") + numbers
    data = bytes(124) + b"\x01\x00MI" + struct.pack(">2I", 14, len(body)) + body
    np.testing.assert_array_equal(parse_mat(data)["a"], [[1.5, -2.0]])


@pytest.mark.parametrize("value", [0, 1, 14, 255])
def test_every_byte_may_be_wrong(value):
    """Such files made SciPy's reader end the whole process."""
    data = BOXES.read_bytes()
    answers = set()
    for place in range(len(data)):
        try:
            parse_mat(data[:place] + bytes([value]) + data[place + 1 :])
            answers.add("read")
        except ValueError:
            answers.add("refused")
    assert answers == {"read", "refused"}


def test_a_file_cut_anywhere_is_an_error_or_shorter():
    data = BOXES.read_bytes()
    for length in range(0, len(data) - 1, 7):
        try:
            assert parse_mat(data[:length]) == {}
        except ValueError:
            pass


def test_a_compressed_part_may_not_grow_without_end(tmp_path, monkeypatch):
    savemat(tmp_path / "a.mat", {"a": np.zeros((1000, 100))}, do_compression=True)
    data = (tmp_path / "a.mat").read_bytes()
    assert len(data) < 2_000
    monkeypatch.setattr(matlab, "MOST", 100_000)
    with pytest.raises(ValueError, match="cut off or too large"):
        parse_mat(data)


@pytest.mark.parametrize("data", [b"", bytes(200), b"MATLAB 7.3" + bytes(114) + b"\0\x02IM"])
def test_other_files_are_refused(data):
    with pytest.raises(ValueError, match="Matlab file"):
        parse_mat(data)
