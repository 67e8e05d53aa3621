"""Unpacking: whole archives arrive, hostile ones leave nothing behind anywhere."""

import io
import os
import subprocess
import sys
import tarfile
from collections import namedtuple

import pytest

from dvelib import StudyError
from dvelib.data import unpacking
from dvelib.data.unpacking import MARKER, require_space, unpack, unpacked_from

TARGET = "faces"
GOOD = {"MTFL/testing.txt": b"list", "crops/a/1.jpg": b"one", "crops/a/2.jpg": b"two"}
ENTRIES = ("MTFL", "crops")


def member(name, content=b"", **what):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in what.items():
        setattr(info, key, value)
    return info, content


def link(name, to, kind=tarfile.SYMTYPE):
    return member(name, type=kind, linkname=to)


def packed(folder, *more, prefix="data/faces/", good=GOOD, first=()):
    """An archive of the good files and of other members."""
    path = folder / "faces.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for info, content in (*first, *(member(prefix + n, c) for n, c in good.items()), *more):
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def place(tmp_path):
    """Where a dataset belongs, deep enough for what breaks out to be seen."""
    return tmp_path / "up" / "data" / TARGET


def files_below(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if not p.is_dir()}


def refusal(archive, place):
    """The sentence with which an archive is refused, having left nothing."""
    before = files_below(archive.parent)
    with pytest.raises(StudyError) as caught:
        unpack(archive, place, ENTRIES, "mark")
    assert files_below(archive.parent) == before
    assert not place.exists()
    assert not place.parent.exists() or list(place.parent.iterdir()) == []
    assert unpacked_from(place) is None
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("prefix", ["", "./", "data/faces/", "./a/./b//"])
def test_what_is_unpacked_lies_directly_in_its_place(tmp_path, place, prefix):
    assert unpack(packed(tmp_path, prefix=prefix), place, ENTRIES, "mark") == len(GOOD)
    assert files_below(place) == {*GOOD, MARKER}
    assert {n: (place / n).read_bytes() for n in GOOD} == GOOD
    assert unpacked_from(place) == "mark"
    assert list(place.parent.iterdir()) == [place]


def test_folders_on_the_way_and_empty_ones_are_welcome(tmp_path, place):
    way = [member(name, type=tarfile.DIRTYPE, mode=0o2700) for name in ("data", "data/faces")]
    empty = member("data/faces/crops/none", type=tarfile.DIRTYPE)
    unpack(packed(tmp_path, empty, first=way), place, ENTRIES, "mark")
    assert files_below(place) == {*GOOD, MARKER}
    assert (place / "crops" / "none").is_dir()


def test_an_empty_folder_is_filled_and_a_full_one_left_alone(tmp_path, place):
    archive = packed(tmp_path)
    place.mkdir(parents=True)
    unpack(archive, place, ENTRIES, "mark")
    (place / MARKER).unlink()
    with pytest.raises(StudyError, match="faces is not empty: move it away first"):
        unpack(archive, place, ENTRIES, "mark")
    assert files_below(place) == set(GOOD)


def test_links_inside_are_kept(tmp_path, place):
    inside = "data/faces/crops/"
    archive = packed(
        tmp_path,
        link(inside + "soft.jpg", "a/1.jpg"),
        link(inside + "a/up.txt", "../../MTFL/testing.txt"),
        link(inside + "hard.jpg", inside + "a/2.jpg", tarfile.LNKTYPE),
    )
    unpack(archive, place, ENTRIES, "mark")
    assert (place / "crops/soft.jpg").read_bytes() == b"one"
    assert (place / "crops/a/up.txt").read_bytes() == b"list"
    assert (place / "crops/hard.jpg").read_bytes() == b"two"


def test_setuid_and_the_like_are_dropped(tmp_path, place):
    unpack(packed(tmp_path, member("data/faces/run", b"x", mode=0o6777)), place, ENTRIES, "mark")
    assert (place / "run").stat().st_mode & 0o7777 == 0o755


IN = "data/faces/"
HOSTILE = {
    "up": (member("data/faces/../../../evil", b"x"), "leads out of its folder"),
    "up first": (member("../evil", b"x"), "leads out of its folder"),
    "absolute": (member("/dvelib-evil", b"x"), "has an absolute path"),
    "absolute inside": (member("/data/faces/x", b"x"), "has an absolute path"),
    "soft out": (link(IN + "evil", "../../../evil"), "is a link out of its folder"),
    "soft just out": (link(IN + "evil", "../faces/MTFL"), "is a link out of its folder"),
    "soft absolute": (link(IN + "evil", "/etc"), "is a link out of its folder"),
    "soft winding": (link(IN + "evil", "crops/../../x"), "is a link out of its folder"),
    "hard out": (link(IN + "e", "../../passwd", tarfile.LNKTYPE), "leads out of its folder"),
    "hard absolute": (link(IN + "e", "/etc/passwd", tarfile.LNKTYPE), "has an absolute path"),
    "hard to none": (
        link(IN + "e", IN + "none", tarfile.LNKTYPE),
        "is a link to a file that is not before it",
    ),
    "device": (member(IN + "e", type=tarfile.CHRTYPE), "is a device, a pipe or of unknown type"),
    "disk": (member(IN + "e", type=tarfile.BLKTYPE), "is a device, a pipe or of unknown type"),
    "pipe": (member(IN + "e", type=tarfile.FIFOTYPE), "is a device, a pipe or of unknown type"),
    "unknown": (member(IN + "e", type=b"Z"), "is a device, a pipe or of unknown type"),
    "outside": (member("data/other/x", b"x"), "lies outside of data/faces"),
    "outside, alike": (member("data/faces2/x", b"x"), "lies outside of data/faces"),
    "on top": (member("x", b"x"), "lies outside of data/faces"),
    "other folder": (member("x", type=tarfile.DIRTYPE), "lies outside of data/faces"),
    "the top a link": (link("data", "elsewhere"), "passes through a link"),
}


@pytest.mark.parametrize(("bad", "why"), HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("order", ["first", "last"])
def test_hostile_archives_are_refused(tmp_path, place, bad, why, order):
    archive = packed(tmp_path, first=[bad]) if order == "first" else packed(tmp_path, bad)
    message = refusal(archive, place)
    assert message.startswith(f"{archive} is refused: its member ")
    assert message.endswith(why)
    assert not os.path.exists("/dvelib-evil")


@pytest.mark.parametrize("order", ["first", "last"])
def test_nothing_passes_through_a_link(tmp_path, place, order):
    door, through = link(IN + "door", "crops"), member(IN + "door/x", b"x")
    pair = (door, through) if order == "first" else (through, door)
    assert "'data/faces/door/x' passes through a link" in refusal(packed(tmp_path, *pair), place)


def test_no_link_leads_to_a_link_as_if_it_were_a_file(tmp_path, place):
    soft, hard = link(IN + "soft", "crops"), link(IN + "e", IN + "soft", tarfile.LNKTYPE)
    assert "is a link to a file that is not before it" in refusal(
        packed(tmp_path, soft, hard), place
    )


def test_no_name_is_a_file_and_a_link(tmp_path, place):
    pair = link(IN + "door", "crops/a/1.jpg"), member(IN + "door", b"x")
    assert "occurs twice, once as a link" in refusal(packed(tmp_path, *pair), place)


def test_an_archive_of_something_else_is_refused(tmp_path, place):
    archive = packed(tmp_path, good={"MTFL/testing.txt": b""})
    assert refusal(archive, place).endswith("is refused: no folder in it holds MTFL, crops")


@pytest.mark.parametrize("damage", ["short", "text", "empty", "bits", "missing"])
def test_a_damaged_archive_is_refused(tmp_path, place, damage):
    archive = packed(tmp_path, good=GOOD | {"crops/big": os.urandom(50_000)})
    body = archive.read_bytes()
    flipped = bytes(b ^ 0x55 for b in body[20_000:21_000])
    new = {"short": body[:30_000], "text": b"<html>", "empty": b""}
    archive.write_bytes(new.get(damage, body[:20_000] + flipped + body[21_000:]))
    if damage == "missing":
        archive.unlink()
    assert f"{archive} cannot be unpacked to {place} (" in refusal(archive, place)


def test_a_killed_run_leaves_no_dataset_and_the_next_completes_it(tmp_path, place):
    archive = packed(tmp_path)
    script = """if True:
        import os, sys, tarfile
        from pathlib import Path
        from dvelib.data.unpacking import unpack
        extract, done = tarfile.TarFile.extract, []
        def dying(tar, member, *rest, **more):
            extract(tar, member, *rest, **more)
            done.append(member) or len(done) == 2 and os._exit(9)
        tarfile.TarFile.extract = dying
        unpack(Path(sys.argv[1]), Path(sys.argv[2]), ("MTFL", "crops"), "mark")
    """
    killed = subprocess.run([sys.executable, "-c", script, archive, place], check=False)
    assert killed.returncode == 9
    assert not place.exists()
    [left] = place.parent.iterdir()
    assert len(files_below(left)) == 2 and unpacked_from(left) is None
    assert unpack(archive, place, ENTRIES, "mark") == len(GOOD)
    assert files_below(place) == {*GOOD, MARKER}
    assert list(place.parent.iterdir()) == [place]


def test_an_interrupt_leaves_nothing(tmp_path, place, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    archive = packed(tmp_path)
    monkeypatch.setattr(tarfile.TarFile, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        unpack(archive, place, ENTRIES, "mark")
    assert list(place.parent.iterdir()) == []


def test_a_disk_too_small_is_named_before_anything_is_written(tmp_path, place, monkeypatch):
    usage = namedtuple("usage", "free")(2 * 4096)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: usage)
    message = refusal(packed(tmp_path), place)
    assert message == (
        f"{tmp_path} has 0.0 GiB free, but the content of faces.tar.gz needs 0.0 GiB there: "
        f"free disk space, or choose another folder"
    )


def test_needs_on_one_disk_add_up(tmp_path, monkeypatch):
    usage = namedtuple("usage", "free")(3 * 2**30)
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda _: usage)
    require_space({tmp_path / "a" / "b": 2**30, tmp_path: 2**31}, "it")
    with pytest.raises(StudyError, match=r"has 3.0 GiB free, but it needs 4.0 GiB there"):
        require_space({tmp_path / "a" / "b": 2**31, tmp_path: 2**31}, "it")


def test_an_old_python_is_named(tmp_path, place, monkeypatch):
    monkeypatch.delattr(tarfile, "data_filter")
    assert "needs Python 3.11.4 or newer" in refusal(packed(tmp_path), place)
