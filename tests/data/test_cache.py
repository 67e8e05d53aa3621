"""Decoding once: what is opened again is not decoded again, and what changed is."""

import errno
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from dvelib import StudyError
from dvelib.data import dataset_digest, open_dataset
from dvelib.data.cache import cache_folder, fill_once


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DVE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "faces"
    folder.mkdir()
    for i in range(5):
        paint(folder / f"{i}.png", 40 * i)
    return folder


@pytest.fixture
def decoded(monkeypatch):
    """Counts the images that are decoded."""
    calls, real = [], Image.open
    monkeypatch.setattr(
        Image, "open", lambda path, **how: calls.append(path.name) or real(path, **how)
    )
    return calls


def paint(path, grey):
    Image.new("RGB", (24, 24), (grey, grey, grey)).save(path)


def opened(folder, **options):
    return open_dataset("folder", folder, "train", **{"size": 16} | options)


def digest(folder):
    return dataset_digest("folder", folder, "train", None)


def test_a_second_opening_decodes_nothing(folder, decoded):
    first = opened(folder)
    assert sorted(decoded) == list(first.files)
    second = opened(folder, crop=2)
    assert len(decoded) == 5
    np.testing.assert_array_equal(first.images, second.images)
    assert first.digest == second.digest == digest(folder)


def test_every_size_is_decoded_for_itself(folder, decoded):
    assert opened(folder, size=16).images.shape == (5, 3, 16, 16)
    assert opened(folder, size=12).images.shape == (5, 3, 12, 12)
    assert len(decoded) == 10


def test_changed_content_is_decoded_again(folder):
    before = opened(folder)
    paint(folder / "1.png", 250)
    after = opened(folder)
    assert after.digest != before.digest
    assert before.images[1].max() == 40
    assert after.images[1].min() == 250


def test_a_touched_file_is_read_again_and_keeps_the_digest(folder, decoded):
    before = opened(folder)
    os.utime(folder / "1.png", ns=(1, 1))
    assert opened(folder).digest == before.digest
    assert len(decoded) == 5


def test_the_digest_does_not_depend_on_the_folders_place(folder, tmp_path, decoded):
    before = opened(folder)
    other = shutil.copytree(folder, tmp_path / "elsewhere" / "copy")
    assert opened(other).digest == before.digest
    assert len(decoded) == 5


@pytest.mark.parametrize("change", ["renamed", "added", "removed", "swapped"])
def test_the_digest_covers_names_and_which_file_holds_what(folder, change):
    before = digest(folder)
    if change == "renamed":
        (folder / "1.png").rename(folder / "1b.png")
    elif change == "added":
        paint(folder / "5.png", 7)
    elif change == "removed":
        (folder / "1.png").unlink()
    else:
        (folder / "1.png").rename(folder / "swap.png")
        (folder / "2.png").rename(folder / "1.png")
        (folder / "swap.png").rename(folder / "2.png")
    assert digest(folder) != before


def test_the_digest_opens_no_image(folder, monkeypatch):
    monkeypatch.setattr(Image, "open", None)
    assert len(digest(folder)) == 64


@pytest.mark.parametrize("array", ["images.npy", "sources.npz"])
def test_an_interrupted_fill_is_done_again(folder, decoded, monkeypatch, array):
    def dies(name):
        real = getattr(np, name)

        def save(path, *arrays, **named):
            if array.startswith(path.name.split(".")[1]):
                path.write_bytes(b"half")
                raise KeyboardInterrupt
            return real(path, *arrays, **named)

        return save

    with monkeypatch.context() as patch:
        for name in ("save", "savez"):
            patch.setattr(np, name, dies(name))
        with pytest.raises(KeyboardInterrupt):
            opened(folder)
    assert not list(cache_folder().rglob("full"))
    assert not list(cache_folder().rglob(array))
    assert len(opened(folder)) == 5
    assert len(decoded) == 10


def test_fill_once_asks_until_a_fill_ends_well(tmp_path):
    asked = []
    for fails in (True, False, False):
        try:
            with fill_once(tmp_path / "part") as empty:
                asked.append(empty)
                if fails:
                    raise RuntimeError
        except RuntimeError:
            pass
    assert asked == [True, True, False]


def test_bad_files_are_remembered_too(folder, decoded):
    (folder / "2.png").write_text("no picture")
    for _ in range(2):
        with pytest.raises(StudyError, match=r"2\.png cannot be read as an image"):
            opened(folder)
    assert opened(folder, skip_bad=True).skipped == ("2.png",)
    assert len(decoded) == 5


def test_a_cache_that_cannot_be_made_is_named(folder, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("DVE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StudyError, match="cache folder .*/file/cache cannot be made .*: set DVE_C"):
        opened(folder)


@pytest.mark.parametrize("how", ["empty", "changed", "gone", "folder"])
@pytest.mark.parametrize("name", ["images.npy", "sources.npz", "full"])
def test_damaged_pixels_are_decoded_again(folder, decoded, name, how, capsys):
    before = np.array(opened(folder).images)
    (path,) = cache_folder().glob(f"images/*/{name}")
    data = path.read_bytes()
    path.unlink()
    if how == "folder":
        path.mkdir()
    elif how != "gone":
        path.write_bytes(data[:-9] + b"123456789" if how == "changed" else b"")
    np.testing.assert_array_equal(opened(folder).images, before)
    assert len(decoded) == 10
    if name != "full" or how != "gone":
        assert "is damaged: its files are made again" in capsys.readouterr().err
    assert len(opened(folder)) == 5 and len(decoded) == 10


def test_a_changed_file_is_seen_though_its_size_and_time_are_the_old(folder):
    before, status = digest(folder), (folder / "1.png").stat()
    data = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes((folder / "2.png").read_bytes().ljust(len(data))[: len(data)])
    os.utime(folder / "1.png", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (folder / "1.png").stat().st_mtime_ns == status.st_mtime_ns
    assert digest(folder) != before


@pytest.mark.parametrize("error", [MemoryError(), OSError(errno.EIO, "Input/output error")])
def test_short_memory_and_a_failing_disk_do_not_make_a_picture_bad(folder, monkeypatch, error):
    def fails(*_, **__):
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(Image, "open", fails)
        with pytest.raises(StudyError, match="run again"):
            opened(folder, skip_bad=True)
    assert len(opened(folder)) == 5


def test_a_full_disk_is_named(folder, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(StudyError, match="cannot be written .No space left on device.: free disk"):
        opened(folder)
