"""Writing files of weights as the authors' trainer of 2019 did, for the tests that read them."""

import argparse
import contextlib
import io
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from datetime import datetime
from pathlib import Path, PurePosixPath

import numpy as np
import torch

MAGIC = 0x1950A86A20F9469CFC6C
ON_CPU, ON_GPU = b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0"
FORMS = ("stream", "zip")


@contextlib.contextmanager
def foreign_classes(**methods):
    """The authors' own classes ConfigParser and Logger, importable only inside."""
    modules = {"logger": types.ModuleType("logger")}
    for module, name in (("parse_config", "ConfigParser"), ("logger.logger", "Logger")):
        made = type(name, (), {"__module__": module, **methods})
        modules[module] = types.ModuleType(module)
        setattr(modules[module], name, made)
    sys.modules.update(modules)
    try:
        yield modules["parse_config"].ConfigParser, modules["logger.logger"].Logger
    finally:
        for module in modules:
            del sys.modules[module]


def trainer_state(arch: str, epoch: int, state_dict: dict, optimizer: dict | None = None) -> dict:
    """All that the authors' trainer saved, foreign objects included; inside `foreign_classes`."""
    config = sys.modules["parse_config"].ConfigParser()
    config.resume, config.cfg_fname = None, PurePosixPath("configs/celeba/smallnet.json")
    config._config = OrderedDict(arch=OrderedDict(type=arch), metrics=["a", "b"], n_gpu=1)
    config._args, config.started = argparse.Namespace(device="0"), datetime(2019, 8, 2)
    config.log_levels = {0: 30, 1: 20, 2: 10}
    logger = sys.modules["logger.logger"].Logger()
    logger.entries = {1: {"loss": np.float64(0.5), "seen": {1, 2}}}
    return {
        "arch": arch,
        "epoch": epoch,
        "logger": logger,
        "state_dict": state_dict,
        "optimizer": optimizer or {"state": {}, "param_groups": [{"lr": 1e-3, "amsgrad": True}]},
        "monitor_best": np.float64(1.5),
        "config": config,
    }


def write_checkpoint(
    path: Path, form: str, arch: str, epoch: int, state_dict: dict, **more
) -> Path:
    """A whole published file in either form, with its storages marked as a GPU's."""
    with foreign_classes():
        return write(path, form, trainer_state(arch, epoch, state_dict, **more))


def write(path: Path, form: str, content: object) -> Path:
    """Save with torch in either form, then mark the storages as a GPU's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=form == "zip")
    if form == "stream":
        path.write_bytes(buffer.getvalue().replace(ON_CPU, ON_GPU))
        return path
    with zipfile.ZipFile(buffer) as source, zipfile.ZipFile(path, "w") as target:
        for name in source.namelist():
            data = source.read(name)
            target.writestr(name, data.replace(ON_CPU, ON_GPU) if "data.pkl" in name else data)
    return path


class Named:
    """Something kept outside the pickle, under whatever identity."""

    def __init__(self, *identity):
        self.identity = identity


class Tensor:
    """A tensor described in whatever way."""

    def __init__(self, storage: Named, offset=0, size=(2,), stride=(1,)):
        self.parts = (storage, offset, size, stride, False, OrderedDict())

    def __reduce__(self):
        return torch._utils._rebuild_tensor_v2, self.parts


class _Pickler(pickle.Pickler):
    def persistent_id(self, value):
        return value.identity if isinstance(value, Named) else None


def pickled(content: object, protocol: int = 2) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, protocol).dump(content)
    return buffer.getvalue()


def stream(content: bytes, storages: dict[str, tuple[int, bytes]] | None = None) -> bytes:
    """The form before PyTorch 1.6: announced lengths and bytes of the storages, part by part."""
    storages = storages or {}
    facts = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"long": 8}}
    parts = [pickled(MAGIC), pickled(1001), pickled(facts), content, pickled(sorted(storages))]
    for key in sorted(storages):
        numel, data = storages[key]
        parts.append(struct.pack("<q", numel) + data)
    return b"".join(parts)


def zipped(content: bytes, storages: dict[str, bytes], compression=zipfile.ZIP_STORED) -> bytes:
    """The form since PyTorch 1.6, part by part."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as target:
        target.writestr("archive/data.pkl", content)
        for key, data in storages.items():
            target.writestr(f"archive/data/{key}", data)
    return buffer.getvalue()
