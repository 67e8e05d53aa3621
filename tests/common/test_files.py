import json
import os
from pathlib import Path

import pytest

from dvelib.common.errors import StudyError
from dvelib.common.files import (
    FAILURE,
    atomic_path,
    read_file,
    read_json,
    record_failure,
    remove_leftovers,
    temporary_path,
    write_json,
)


def test_a_file_appears_when_the_block_ends_without_error(tmp_path):
    path = tmp_path / "new" / "folder" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert temporary.parent == path.parent and temporary.suffix == path.suffix
        assert not path.exists()
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_block_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_value_that_json_cannot_hold_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_readable(tmp_path):
    write_json(tmp_path / "a.json", {"name": "Müller", "values": [1, None]})
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "Müller" in text and text.count("\n") > 3 and text.endswith("\n")
    assert json.loads(text) == {"name": "Müller", "values": [1, None]}


def test_a_failure_is_recorded(tmp_path):
    record_failure(tmp_path / "embedding", "embedding a", "the loss is not finite")
    found = read_json(tmp_path / "embedding" / FAILURE)
    assert (found["what"], found["message"]) == ("embedding a", "the loss is not finite")
    assert found["when"].endswith("+00:00")


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    """Recorded in order: the bytes are synced, the file is renamed, its folder is synced."""
    calls, (sync, replace) = [], (os.fsync, os.replace)

    def recorded_sync(number):
        calls.append(("sync", Path(os.readlink(f"/proc/self/fd/{number}")).name))
        sync(number)

    def recorded_replace(source, target):
        calls.append(("rename", Path(source).name, Path(target).name))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", recorded_sync)
    monkeypatch.setattr(os, "replace", recorded_replace)
    write_json(tmp_path / "a.json", {"a": 1})
    temporary = temporary_path(tmp_path / "a.json").name
    assert calls == [
        ("sync", temporary),
        ("rename", temporary, "a.json"),
        ("sync", tmp_path.name),
    ]


def test_what_a_dead_process_left_is_removed_and_what_a_living_one_writes_stays(tmp_path):
    own = temporary_path(tmp_path / "a.json")
    dead = own.with_name(own.name.replace(str(os.getpid()), "99999999"))
    elsewhere = tmp_path / ".a.othermachine-99999999.json"
    for path in (own, dead, elsewhere, tmp_path / ".lock"):
        path.touch()
    remove_leftovers(tmp_path)
    assert not dead.exists()
    assert own.exists() and elsewhere.exists() and (tmp_path / ".lock").exists()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "is damaged \\(it is empty\\): delete it"),
        (b"\0" * 40, "is damaged \\(it is empty\\)"),
        (b'{"a": 1', "is damaged \\(Expecting"),
        (b"[" * 100_000, "is damaged"),
        (b"[1]", "is damaged \\(it holds no object\\)"),
        (b'{"a": "\xff"}', "is damaged"),
        (b'{"a": ' + b"1" * 5000 + b"}", "is damaged"),
    ],
    ids=range(7),
)
def test_damaged_json_is_named(tmp_path, text, said):
    (tmp_path / "a.json").write_bytes(text)
    with pytest.raises(StudyError, match=f"^{tmp_path}/a.json {said}"):
        read_json(tmp_path / "a.json")


def test_what_is_no_file_is_named_and_nobody_waits(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(bytes(11))
    for name, said in (
        ("pipe", "is no regular file"),
        ("folder", "is a"),
        ("large", "has more than"),
        ("none", "there is no file"),
        ("a\0b", "cannot be read"),
    ):
        with pytest.raises(StudyError, match=f"{said}.*: put it back"):
            read_file(tmp_path / name, "put it back", 10)


def test_a_message_is_one_printable_line_of_bounded_length():
    error = StudyError("a\nb\x1b[2J\u202e" + "x" * 9_000_000 + "\udcff")
    assert str(error).startswith("a\\nb\\x1b[2J\\u202ex")
    assert len(str(error)) < 2_100 and str(error).isprintable()
    str(error).encode()
