import collections
import io
import os
import pickle

import pytest

from dvelib.checkpoints.inert_pickle import ForbiddenPickle, Global, InertPickle


class Anything(InertPickle):
    def allowed(self, named):
        return True


def read(data, reader=Anything):
    return reader(io.BytesIO(data)).load()


PLAIN = {
    "numbers": [0, 255, 65_536, -1, 2**40, 2**3000, 1.5, True, False, None],
    "text": ["", "ü", "x" * 300, b"bytes", b"y" * 300],
    "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
    "nested": {"a": {"b": [{}]}, "again": ["x"]},
}


@pytest.mark.parametrize("protocol", [0, 1, 3, 4, 5])
def test_plain_values_come_back(protocol):
    content = PLAIN if protocol > 2 else PLAIN | {"text": ["", "ü", "x" * 300]}
    assert read(pickle.dumps(content, protocol)) == content


def test_shared_values_stay_shared():
    inner = [1]
    first, second = read(pickle.dumps([inner, inner], 4))
    assert first is second


def test_a_list_may_hold_itself():
    content = []
    content.append(content)
    found = read(pickle.dumps(content))
    assert found[0] is found


def test_keys_that_are_no_text_are_left_out():
    assert read(pickle.dumps({1: "a", (2,): "b", "c": 3, None: 4})) == {"c": 3}


@pytest.mark.parametrize("protocol", [2, 4])
def test_globals_and_instances_are_names(protocol):
    assert read(pickle.dumps(collections.Counter, protocol)) == Global("collections", "Counter")
    counter = collections.Counter("aab")
    counter.extra = 1
    assert read(pickle.dumps([counter], protocol)) == [Global("collections", "Counter")]


class Contrary:
    """Every way in which unpickling can run code of a class."""

    ran = []

    def __new__(cls, *args, **kwargs):
        Contrary.ran.append("new")
        return super().__new__(cls)

    def __setstate__(self, state):
        Contrary.ran.append("setstate")

    def __getnewargs_ex__(self):
        return (1,), {"a": 2}

    def __getstate__(self):
        return {"b": 3}


@pytest.mark.parametrize("protocol", [2, 4])
def test_no_method_of_a_class_runs(protocol):
    data = pickle.dumps(Contrary(), protocol)
    Contrary.ran.clear()
    read(data)
    assert Contrary.ran == []
    pickle.loads(data)
    assert Contrary.ran == ["new", "setstate"]


def test_calls_are_not_made(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    assert read(pickle.dumps(Evil())) == Global(os.mkdir.__module__, "mkdir")
    assert list(tmp_path.iterdir()) == []


def test_a_global_that_is_not_allowed_is_refused_by_name():
    with pytest.raises(ForbiddenPickle, match=r"^names collections\.Counter$"):
        read(pickle.dumps(collections.Counter), InertPickle)
    with pytest.raises(ForbiddenPickle, match=r"^names a\\n\\x1b\.b$"):
        read(b"\x8c\x03a\n\x1b\x8c\x01b\x93.", InertPickle)


@pytest.mark.parametrize(
    ("data", "instruction"),
    [
        (b"(S'true'\nios\nsystem\n.", "INST"),
        (b"(cos\nsystem\nS'true'\no.", "OBJ"),
        (b"\x82\x01.", "EXT1"),
        (b"P1\n.", "PERSID"),
        (b"\x97.", "NEXT_BUFFER"),
    ],
)
def test_unneeded_instructions_are_refused(data, instruction):
    with pytest.raises(ForbiddenPickle, match=f"instruction {instruction}$"):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b".",
        b"(",
        b"0.",
        b"t.",
        b"\x86.",
        b"h\x00.",
        b"}(K\x01u.",
        b"K\x01K\x02R.",
        b"\xff.",
        b"]]\x93.",
        b"K\x01K\x02\x93.",
        b"\x8d" + b"\xff" * 7 + b"\x7f.",
        b"\x8e" + b"\x00" * 6 + b"\x10\x00.",
        b"cno newline",
    ],
)
def test_damaged_bytes_raise_errors_of_python(data):
    with pytest.raises((ValueError, LookupError, TypeError, OverflowError, MemoryError)):
        read(data)


def test_deep_nesting_is_read():
    deep = b")" + b"\x85" * 100_000
    assert isinstance(read(deep + b"."), tuple)
    assert read(b"}" + deep + b"K\x01s.") == {}
    with pytest.raises(ValueError):
        read(deep + b"\x8c\x01a\x93.")
