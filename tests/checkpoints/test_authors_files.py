import builtins
import importlib
import importlib.util
import logging
import os
import random
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch

from dvelib.checkpoints import load_published
from dvelib.common.errors import StudyError
from dvelib.networks import SmallNet
from tests.published_writer import (
    FORMS,
    Named,
    Tensor,
    foreign_classes,
    pickled,
    stream,
    trainer_state,
    write,
    write_checkpoint,
    zipped,
)

FLOATS = ("storage", torch.FloatStorage, "7", "cuda:0", 2)
TWO = np.array([1, 2], "<f4").tobytes()


def state_dict():
    return OrderedDict(a=torch.tensor([[1.0, 2.0, 3.0]]), b=torch.tensor(4))


def small(path, form="stream", **changes):
    content = {"arch": "SmallNet", "epoch": 3, "state_dict": state_dict()} | changes
    return write(path / "a.pth", form, content)


def refused(path, *parts):
    with pytest.raises(StudyError) as error:
        load_published(path)
    message = str(error.value)
    assert message.startswith(f"{path} ") and "\n" not in message
    assert all(part in message for part in parts), message


DAMAGED = "is damaged or truncated: download it again"


@pytest.fixture
def tensors():
    torch.manual_seed(0)
    network = SmallNet(3)
    for value in network.parameters():
        value.data.normal_()
    network.state_dict()["conv1.1.num_batches_tracked"].fill_(2**40)
    return network.state_dict()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_value_comes_back(tmp_path, tensors, form, prefix):
    saved = OrderedDict((prefix + key, value) for key, value in tensors.items())
    saved._metadata = OrderedDict(version=1)
    path = write_checkpoint(tmp_path / "a.pth", form, "SmallNet", 100, saved)
    assert b"cuda:0" in path.read_bytes() and b"ConfigParser" in path.read_bytes()
    assert all(importlib.util.find_spec(name) is None for name in ("parse_config", "logger"))
    held = load_published(path)
    assert (held["arch"], held["epoch"]) == ("SmallNet", 100)
    assert set(held) == {"arch", "epoch", "state_dict"}
    assert list(held["state_dict"]) == list(tensors)
    for key, value in held["state_dict"].items():
        assert value.device.type == "cpu" and value.dtype == tensors[key].dtype
        assert value.equal(tensors[key])
    assert not {"parse_config", "logger"} & set(sys.modules)


@pytest.mark.parametrize("form", FORMS)
def test_the_state_of_the_optimizer_is_skipped(tmp_path, form):
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters(), amsgrad=True)
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    path = write_checkpoint(
        tmp_path / "a.pth",
        form,
        "Linear",
        1,
        network.state_dict(),
        optimizer=optimizer.state_dict(),
    )
    assert load_published(path)["state_dict"]["weight"].equal(network.weight)


@pytest.mark.parametrize("form", FORMS)
def test_views_of_every_type_and_shape_come_back(tmp_path, form):
    base = torch.arange(24)
    types = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool".split()
    saved = {name: (base % 2).to(getattr(torch, name)) for name in types} | {
        "view": base.view(4, 6)[1:3, ::2],
        "transposed": base.view(4, 6).T,
        "base": base,
        "scalar": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "none of it": base[5:5],
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    found = load_published(small(tmp_path, form, state_dict=saved))["state_dict"]
    for name, value in saved.items():
        assert found[name].dtype == value.dtype and found[name].equal(value)
    assert found["view"].data_ptr() == found["base"][6:].data_ptr()


def test_files_of_the_first_trainings_are_read(tmp_path):
    """A dict for a configuration, text as Python 2 wrote it, and tensors of the first form."""

    class First(Tensor):
        def __reduce__(self):
            return torch._utils._rebuild_tensor, self.parts[:4]

    content = {
        "arch": "SmallNet",
        "epoch": 1,
        "config": {},
        "logger": logging.getLogger("a"),
        "state_dict": {"a": First(Named(*FLOATS, None))},
    }
    data = pickled(content).replace(b"X\x08\x00\x00\x00SmallNet", b"U\x08SmallNet")
    (tmp_path / "a.pth").write_bytes(stream(data, {"7": (2, TWO)}))
    held = load_published(tmp_path / "a.pth")
    assert held["arch"] == "SmallNet" and held["state_dict"]["a"].tolist() == [1, 2]


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def hostile(marker):
    touch = f"open({str(marker)!r}, 'w')"
    return {
        "os.system": (Call(os.system, f"touch {marker}"), f"{os.system.__module__}.system"),
        "eval": (Call(eval, touch), "builtins.eval"),
        "exec": (Call(exec, touch), "builtins.exec"),
        "open": (Call(open, str(marker), "w"), "io.open"),
        "Popen": (Call(subprocess.Popen, ["touch", str(marker)]), "subprocess.Popen"),
        "getattr": (Call(getattr, "a", "b"), "builtins.getattr"),
        "import": (Call(builtins.__import__, "os"), "__import__"),
        "torch.load": (Call(torch.load, str(marker)), "load"),
        "module": (Call(importlib.import_module, "os"), "importlib.import_module"),
    }


@pytest.mark.parametrize("name", hostile(""))
@pytest.mark.parametrize("form", [*FORMS, "pickle"])
@pytest.mark.parametrize("place", ["config", "state_dict", "epoch", "whole"])
def test_hostile_files_are_refused_by_name_and_nothing_runs(tmp_path, name, form, place):
    marker = tmp_path / "marker"
    call, named = hostile(marker)[name]
    content = {"arch": "SmallNet", "epoch": 1, "state_dict": {}}
    content = call if place == "whole" else content | {place: call}
    if form == "pickle":
        path = tmp_path / "a.pth"
        path.write_bytes(pickled(content, protocol=4))
    else:
        path = write(tmp_path / "a.pth", form, content)
    refused(path, named, "nothing in it was executed")
    assert not marker.exists()


@pytest.mark.parametrize("place", range(5))
def test_each_part_of_a_stream_is_read_without_running_it(tmp_path, place):
    """The magic number, version, facts, content and storages' names are all pickles."""
    marker, path = tmp_path / "marker", tmp_path / "a.pth"
    evil = pickled(Call(os.system, f"touch {marker}"))
    parts = [
        pickled(0x1950A86A20F9469CFC6C),
        pickled(1001),
        pickled({"little_endian": True}),
        pickled({}),
        pickled([]),
    ]
    path.write_bytes(b"".join(parts[:place] + [evil] + parts[place + 1 :]))
    refused(path, "system", "nothing in it was executed")
    assert not marker.exists()


def test_dotted_names_and_old_instructions_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    for data, said in (
        (b"\x8c\x07pathlib\x8c\x09os.system\x93\x8c\x01a\x85R.", "pathlib.os.system"),
        (b"(S'true'\nios\nsystem\n.", "instruction INST"),
        (b"\x82\x01.", "instruction EXT1"),
    ):
        path.write_bytes(stream(data))
        refused(path, said)


@pytest.mark.parametrize("form", FORMS)
def test_the_methods_of_skipped_classes_never_run(tmp_path, form):
    ran = []
    methods = {
        "__new__": lambda cls: ran.append("new") or object.__new__(cls),
        "__setstate__": lambda self, state: ran.append("setstate"),
        "__getstate__": lambda self: {"state": 1},
    }
    with foreign_classes(**methods):
        content = trainer_state("SmallNet", 2, state_dict())
        path = write(tmp_path / "a.pth", form, content)
        ran.clear()
        assert load_published(path)["epoch"] == 2
        assert ran == []


def test_a_file_cannot_change_what_it_names(tmp_path):
    """The second half of a BUILD's state sets attributes, of classes too."""

    class Set:
        def __reduce__(self):
            return OrderedDict, (), (None, {"dtype": 1, "load": 2})

    data = pickled([Set(), torch.FloatStorage])
    (tmp_path / "a.pth").write_bytes(stream(data))
    before = dict(vars(torch.FloatStorage))
    refused(tmp_path / "a.pth", "is not a checkpoint of the published study")
    assert vars(torch.FloatStorage) == before and not hasattr(OrderedDict, "load")


@pytest.mark.parametrize("form", FORMS)
def test_a_file_cut_anywhere_is_refused(tmp_path, form):
    with foreign_classes():
        whole = write(tmp_path / "a.pth", form, trainer_state("SmallNet", 2, state_dict()))
    data = whole.read_bytes()
    for length in range(0, len(data), 7 if form == "stream" else 31):
        whole.write_bytes(data[:length])
        refused(whole, DAMAGED if length > 40 else "")
    whole.write_bytes(data[:-1])
    refused(whole, DAMAGED)


@pytest.mark.parametrize("form", FORMS)
def test_changed_bytes_raise_one_sentence_or_nothing(tmp_path, form):
    path = small(tmp_path, form)
    data, chance = path.read_bytes(), random.Random(0)
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(chance.choice([1, 3, 10])):
            changed[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(changed)
        try:
            load_published(path)
        except StudyError as error:
            assert str(error).startswith(f"{path} ") and "\n" not in str(error)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a PyTorch checkpoint: it begins with b''"),
        (b"<!DOCTYPE html><html>", "is not a PyTorch checkpoint: it begins with b'<!DOCTYPE html>"),
        (bytes(range(255, -1, -1)), "is not a PyTorch checkpoint"),
        (pickled({"arch": 1}), "is not a PyTorch checkpoint"),
        (pickled(5) + pickled(1001), "is not a PyTorch checkpoint"),
        (b"PK\x03\x04" + bytes(100), DAMAGED),
        (stream(b"}."), "it has no 'arch'"),
        (stream(pickled([1])), "is not a checkpoint of the published study: it has no 'arch'"),
        (stream(pickled({"arch": "a", "epoch": True})), "it has no 'epoch'"),
        (stream(pickled({"arch": "a", "epoch": 1, "state_dict": []})), "it has no 'state_dict'"),
        (stream(pickled({"arch": "a", "epoch": 1, "state_dict": {"b": 1}})), "'b' is not a tensor"),
        (stream(b"K\x01").replace(b"little_endian\x88", b""), DAMAGED),
    ],
    ids=range(12),
)
def test_other_files_are_refused(tmp_path, data, said):
    path = tmp_path / "a.pth"
    path.write_bytes(data)
    refused(path, said)


def test_a_zip_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    refused(path, "is a zip file without data.pkl")


def test_files_of_big_endian_machines_are_refused(tmp_path):
    path = tmp_path / "a.pth"
    path.write_bytes(stream(pickled({})).replace(b"\x88", b"\x89", 1))
    refused(path, "big-endian")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled({}))
        archive.writestr("archive/byteorder", "big")
    refused(path, "big-endian")


def test_a_file_that_is_missing_is_named(tmp_path):
    for path in (tmp_path / "none.pth", tmp_path):
        with pytest.raises(StudyError, match=f"^there is no file {path}$"):
            load_published(path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def forbid(*_):
        raise PermissionError

    path = small(tmp_path)
    monkeypatch.setattr(type(path), "open", forbid)
    refused(path, "cannot be read: permission denied")


def test_keys_that_become_one_are_refused(tmp_path):
    one = torch.ones(1)
    refused(small(tmp_path, state_dict={"a": one, "module.a": one}), "'a' occurs twice")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "tensor",
    [
        {"size": (3,)},
        {"offset": 1},
        {"offset": -1},
        {"stride": (2,)},
        {"stride": (-1,)},
        {"size": (10**6, 10**6), "stride": (0, 0)},
        {"size": (3,), "stride": (0,)},
        {"size": (2, 1)},
        {"size": (1,) * 9, "stride": (1,) * 9},
        {"size": (1.0,)},
        {"size": (0, 2**70), "stride": (1, 1)},
        {"size": None},
        {"size": "ab"},
        {"stride": (10**30,)},
    ],
)
def test_tensors_that_leave_their_storage_are_refused(tmp_path, form, tensor):
    write_parts(tmp_path / "a.pth", form, FLOATS, tensor)
    refused(tmp_path / "a.pth", DAMAGED)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "changed",
    [
        {4: 10**15},
        {4: 2**70},
        {4: 3},
        {4: 1},
        {4: -1},
        {4: 2.0},
        {4: None},
        {2: 7},
        {2: "8"},
        {2: "../7"},
        {1: "torch.FloatStorage"},
        {1: torch.DoubleStorage},
        {0: "module"},
    ],
)
def test_storages_that_are_not_as_announced_are_refused(tmp_path, form, changed):
    identity = [changed.get(i, part) for i, part in enumerate(FLOATS)]
    write_parts(tmp_path / "a.pth", form, identity, {})
    refused(tmp_path / "a.pth", DAMAGED)


def write_parts(path, form, identity, tensor):
    more = [None] if form == "stream" else []
    described = Tensor(Named(*identity, *more), **tensor)
    content = {"arch": "A", "epoch": 1, "state_dict": {"a": described}}
    parts = {"7": (2, TWO)} if form == "stream" else {"7": TWO}
    path.write_bytes((stream if form == "stream" else zipped)(pickled(content), parts))


@pytest.mark.parametrize("form", FORMS)
def test_parts_as_the_tests_write_them_are_read(tmp_path, form):
    write_parts(tmp_path / "a.pth", form, FLOATS, {"offset": 1, "size": (1,)})
    assert load_published(tmp_path / "a.pth")["state_dict"]["a"].tolist() == [2]


def test_a_stream_with_a_wrong_length_is_refused(tmp_path):
    content = {"arch": "A", "epoch": 1, "state_dict": {"a": Tensor(Named(*FLOATS, None))}}
    for numel in (1, 3, 2**62, -2):
        (tmp_path / "a.pth").write_bytes(stream(pickled(content), {"7": (numel, TWO)}))
        refused(tmp_path / "a.pth", DAMAGED)


def test_one_storage_of_two_sizes_is_refused(tmp_path):
    both = {"a": Tensor(Named(*FLOATS)), "b": Tensor(Named(*FLOATS[:4], 1), size=(1,))}
    content = pickled({"arch": "A", "epoch": 1, "state_dict": both})
    (tmp_path / "a.pth").write_bytes(zipped(content, {"7": TWO}))
    refused(tmp_path / "a.pth", DAMAGED)


def test_a_compressed_zip_or_one_with_changed_numbers_is_refused(tmp_path):
    content = pickled({"arch": "A", "epoch": 1, "state_dict": {"a": Tensor(Named(*FLOATS))}})
    path = tmp_path / "a.pth"
    path.write_bytes(zipped(content, {"7": TWO}, zipfile.ZIP_DEFLATED))
    refused(path, DAMAGED)
    path.write_bytes(zipped(content, {"7": TWO}).replace(TWO, struct.pack("<2f", 1, 3)))
    refused(path, DAMAGED)
