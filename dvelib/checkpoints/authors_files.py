"""Reading the files of weights that the DVE authors published (``checkpoint-epoch100.pth``).

PyTorch 1.1 wrote them as a sequence of pickles: a magic number, a version, facts of the system, the
object without the contents of its storages, and the storages' names. The bytes of each storage
follow. Since PyTorch 1.6 the same parts are members of a zip file. Both forms are read. GPU
storages become CPU tensors. The authors' configuration and logger objects in the files are
skipped. Nothing in a file is ever executed, and all that a file announces is bounded before it is
done (see `inert_pickle`).
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import torch
from torch import Tensor

from dvelib.checkpoints.inert_pickle import ForbiddenPickle, Global, InertPickle, Limits
from dvelib.common.errors import StudyError

__all__ = ["load_published"]

MOST_STORAGES = 2**30  # bytes of the weights; the largest published file has 0.2 GiB
MOST_MEMBERS = 2**22  # bytes of a zip's list of members
MOST_NAME = 80  # characters of a name in a message
MAGIC, PROTOCOL, ZIP_MAGIC = 0x1950A86A20F9469CFC6C, 1001, b"PK\x03\x04"
ELSEWHERE = 2**32 - 1  # written for a number that another record holds
ZIP_END = 2**16 + 98  # bytes at the end of a zip, in which its last record begins
DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

ORDERED_DICT = Global("collections", "OrderedDict")
PARAMETER = Global("torch._utils", "_rebuild_parameter")
TENSORS = {Global("torch._utils", f"_rebuild_tensor{version}") for version in ("", "_v2")}
# Modules of other objects that the authors' trainer may have saved: its configuration with parsed
# arguments and paths, its log and the best score. Their instances are read as empty objects.
SKIPPED_MODULES = {
    "parse_config",
    "logger",
    "logger.logger",
    "argparse",
    "collections",
    "datetime",
    "logging",
    "pathlib",
}
SKIPPED = {
    "builtins": {
        "bool",
        "bytearray",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "list",
        "object",
        "set",
        "str",
        "tuple",
    },
    "_codecs": {"encode"},
    "numpy": {"dtype", "ndarray"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "torch": {"Size", "device", *DTYPES, *(str(t).removeprefix("torch.") for t in DTYPES.values())},
    "torch.cuda": set(DTYPES),
}

# Errors that Python and torch raise on damaged bytes.
DAMAGE = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    AssertionError,
    OverflowError,
    MemoryError,
    RuntimeError,
    EOFError,
    OSError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: torch.dtype
    numel: int

    @property
    def bytes(self) -> int:
        return self.numel * self.dtype.itemsize


@dataclass(frozen=True)
class _View:
    """A tensor as described by the file, not yet checked."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class _Pickle(InertPickle):
    """Reader for the pickles in a file: ordered dicts, tensors as `_View`, and their storages."""

    def __init__(self, stream: BinaryIO, limits: Limits):
        super().__init__(stream, limits)
        self.storages: dict[str, _Storage] = {}

    def allowed(self, named: Global) -> bool:
        if "." in named.name:
            return False
        if named == PARAMETER or named in TENSORS or named.module in SKIPPED_MODULES:
            return True
        return named.name in SKIPPED.get(named.module, ())

    def made(self, function: Global, arguments: tuple) -> object:
        if function == ORDERED_DICT:
            return {k: v for k, v in (arguments or ([],))[0] if isinstance(k, str)}
        if function in TENSORS:
            return _View(*arguments[:4])
        if function == PARAMETER:
            return arguments[0]
        return function

    def persistent(self, identity: object) -> object:
        kind, storage_type, key, _, numel, *views = identity
        if kind != "storage" or any(views):
            raise ValueError("an object outside the pickle that is not a storage")
        if not isinstance(key, str) or type(numel) is not int or numel < 0:
            raise ValueError("a storage without a name or a size")
        storage = _Storage(key, DTYPES[storage_type.name], numel)
        if self.storages.setdefault(key, storage) != storage:
            raise ValueError("a storage of two sizes")
        return storage


Opened = tuple[object, dict[str, _Storage], Callable[[_Storage], bytearray]]


def load_published(path: Path | str) -> dict:
    """Read a published file of weights; nothing in it is executed.

    Returns ``arch`` (the authors' class name: SmallNet, HourglassNet, or Sequential for a landmark
    regressor), ``epoch`` (from one) and ``state_dict``: tensors on the CPU by their key, without
    the ``module.`` that training on several GPUs adds. Tensors that shared a storage still do.
    Raises StudyError naming the file if it is missing, is not a published checkpoint, is damaged
    or truncated, or names code that no published checkpoint contains.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError(f"there is no file {path}")
    with _named(path), path.open("rb") as file:
        length = path.stat().st_size
        begins = file.read(len(ZIP_MAGIC))
        file.seek(0)
        content, storages, read = (_open_zip if begins == ZIP_MAGIC else _open_stream)(file, length)
        held = _content(content)
        if sum(storage.bytes for storage in storages.values()) > min(length, MOST_STORAGES):
            raise ValueError("storages larger than the file, or than those of any published file")
        held["state_dict"] = _tensors(held["state_dict"], read)
    return held


class _Foreign(Exception):
    """A file of another kind; the message is a sentence without its subject, the path."""


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn every error inside the block into a StudyError that names the file."""
    try:
        yield
    except _Foreign as error:
        raise StudyError(f"{path} {error}") from None
    except ForbiddenPickle as error:
        raise StudyError(
            f"{path} {error}, which no published checkpoint does: do not trust this file; nothing "
            f"in it was executed"
        ) from None
    except PermissionError:
        raise StudyError(f"{path} cannot be read: permission denied") from None
    except DAMAGE as error:
        raise StudyError(f"{path} is damaged or truncated: download it again") from error


def _open_stream(file: BinaryIO, length: int) -> Opened:
    """The form of PyTorch before 1.6: pickles and storages one after the other."""
    limits = Limits()
    if not _begins_as_checkpoint(file, limits):
        file.seek(0)
        raise _Foreign(f"is not a PyTorch checkpoint: it begins with {file.read(16)!r}")
    if _Pickle(file, limits).load().get("little_endian") is not True:
        raise _Foreign("was written on a big-endian machine, which is not supported")
    pickle = _Pickle(file, limits)
    content = pickle.load()
    places = {}
    for key in _Pickle(file, limits).load():
        if not isinstance(key, str):  # of a deep tuple, Python cannot even compute the hash
            raise ValueError("a storage without a name")
        storage = pickle.storages[key]
        numel = int.from_bytes(file.read(8), "little", signed=True)
        places[key] = file.tell()
        if numel != storage.numel or places[key] + storage.bytes > length:
            raise ValueError("a storage of another size than announced")
        file.seek(storage.bytes, io.SEEK_CUR)

    def read(storage: _Storage) -> bytearray:
        file.seek(places[storage.key])
        return _exactly(file, storage.bytes)

    return content, pickle.storages, read


def _begins_as_checkpoint(file: BinaryIO, limits: Limits) -> bool:
    try:
        first, second = (_Pickle(file, limits).load() for _ in range(2))
        return type(first) is type(second) is int and (first, second) == (MAGIC, PROTOCOL)
    except DAMAGE:
        return False


def _open_zip(file: BinaryIO, length: int) -> Opened:
    """The form of PyTorch since 1.6: ``<name>/data.pkl`` and ``<name>/data/<storage>``, stored."""
    archive = _archive(file)
    roots = [name.split("/")[0] for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(roots) != 1:
        raise _Foreign("is a zip file without data.pkl, so it is not a PyTorch checkpoint")

    def member(name: str, size: int | None = None) -> bytearray:
        info = archive.getinfo(f"{roots[0]}/{name}")
        if info.compress_type != zipfile.ZIP_STORED or info.file_size > length:
            raise ValueError("a compressed or oversized member")
        if size not in (None, info.file_size):
            raise ValueError("a storage of another size than announced")
        with archive.open(info) as stream:
            return _exactly(stream, info.file_size)

    order = f"{roots[0]}/byteorder"
    if order in archive.namelist() and (
        archive.getinfo(order).file_size > len("little") or member("byteorder") != b"little"
    ):
        raise _Foreign("was written on a big-endian machine, which is not supported")
    limits = Limits()
    if archive.getinfo(f"{roots[0]}/data.pkl").file_size > limits.size:
        raise ValueError("a pickle larger than that of any published file")
    pickle = _Pickle(io.BytesIO(member("data.pkl")), limits)
    content = pickle.load()
    return content, pickle.storages, lambda s: member(f"data/{s.key}", s.bytes)


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    """The zip file, unless its list of members is longer than that of any published file."""
    file.seek(0, io.SEEK_END)
    start = max(0, file.tell() - ZIP_END)
    file.seek(start)
    end = file.read(ZIP_END)
    for record, size in ((b"PK\x05\x06", slice(12, 16)), (b"PK\x06\x06", slice(40, 48))):
        for found in re.finditer(re.escape(record), end):
            announced = int.from_bytes(end[found.start() :][size], "little")
            if MOST_MEMBERS < announced != ELSEWHERE:
                raise ValueError("more members than any published file has")
    return zipfile.ZipFile(file)


def _exactly(stream: BinaryIO, size: int) -> bytearray:
    buffer = bytearray(size)
    if stream.readinto(buffer) != size:
        raise EOFError
    return buffer


def _content(content: object) -> dict:
    """The three entries that are used; tensors are not checked yet."""
    kinds = {"arch": str, "epoch": int, "state_dict": dict}
    for key, kind in kinds.items():
        if not isinstance(content, dict) or type(content.get(key)) is not kind:
            raise _Foreign(f"is not a checkpoint of the published study: it has no {key!r}")
    return {key: content[key] for key in kinds}


def _tensors(views: dict[str, object], read: Callable[[_Storage], bytearray]) -> dict[str, Tensor]:
    """The tensors of a state dict, each storage read once."""
    flat: dict[str, Tensor] = {}
    tensors: dict[str, Tensor] = {}
    for name, view in views.items():
        bare = ".".join(part for part in name.split(".") if part != "module")
        if not isinstance(view, _View) or bare in tensors:
            problem = "occurs twice" if bare in tensors else "is not a tensor"
            bare = bare[:MOST_NAME]
            raise _Foreign(f"is not a checkpoint of the published study: its {bare!r} {problem}")
        key = view.storage.key
        if key not in flat:
            flat[key] = _numbers(read(view.storage), view.storage.dtype)
        tensors[bare] = _tensor(view, flat[key])
    return tensors


def _numbers(buffer: bytearray, dtype: torch.dtype) -> Tensor:
    return torch.frombuffer(buffer, dtype=dtype) if buffer else torch.empty(0, dtype=dtype)


def _tensor(view: _View, numbers: Tensor) -> Tensor:
    """The tensor that views part of a storage; raises ValueError if it exceeds the storage."""
    size, stride = view.size, view.stride
    if not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise ValueError("an invalid shape")
    if len(size) != len(stride) or len(size) > 8:
        raise ValueError("an invalid shape")
    if not all(type(n) is int and 0 <= n < 2**62 for n in (view.offset, *size, *stride)):
        raise ValueError("an invalid shape")
    last = view.offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = math.prod(size)
    if count > len(numbers) or (count and last >= len(numbers)):
        raise ValueError("a tensor beyond its storage")
    return numbers.as_strided(size, stride, view.offset)
