import json

import pytest

from dvelib.common.files import FAILURE, atomic_path, read_json, record_failure, write_json


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
