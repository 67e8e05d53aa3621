"""Where the project's files lie; files that are whole or not there; reading damaged files.

In a checkout, the notebooks, the parameter files and the Snakefile lie at its top. An installed
wheel holds copies of them inside the package.

A file written by `atomic_path` appears under its name only once it is complete and on the disk: its
bytes are synced before it is renamed, and its folder after that, so a power cut leaves the old file
or the new one. `read_file` refuses what is not a regular file, and files of unlikely size.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psutil

from dvelib.common.errors import StudyError

__all__ = [
    "FAILURE",
    "IN_CHECKOUT",
    "ROOT",
    "atomic_path",
    "file_sha256",
    "outputs_folder",
    "read_file",
    "read_json",
    "record_failure",
    "remove_leftovers",
    "sync",
    "temporary_path",
    "work_folder",
    "write_json",
]

_PACKAGE = Path(__file__).resolve().parents[1]
_IN_WHEEL = _PACKAGE / "resources"  # pyproject.toml puts the copies there
IN_CHECKOUT = not _IN_WHEEL.is_dir()
ROOT = _PACKAGE.parent if IN_CHECKOUT else _IN_WHEEL  # holds notebooks, params and the Snakefile
FAILURE = "failure.json"
MIB = 2**20
MOST_TEXT = 256 * MIB  # bytes of a list, a table or a JSON file
# A name that no two processes share, also on different machines of one network folder.
_HOST = re.sub(r"[^A-Za-z0-9]", "", platform.node()) or "host"
_TEMPORARY = re.compile(rf"\..*\.{_HOST}-(\d+)(\.[^.]*)?")
# Some file systems cannot sync a folder.
_CANNOT_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EACCES)


def work_folder() -> Path:
    """The folder that a user works in: the checkout, or else the current folder.

    From a folder named ``notebooks``, where JupyterLab runs a notebook, it is the folder above.
    """
    if IN_CHECKOUT:
        return ROOT
    here = Path.cwd()
    return here.parent if here.name == "notebooks" else here


def outputs_folder() -> Path:
    """Where results go unless the user says otherwise: ``outputs`` in the work folder."""
    return work_folder() / "outputs"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path``; renamed to ``path`` when the block ends without error.

    The file and its folder are synced to the disk.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        yield temporary
        sync(temporary)
        os.replace(temporary, path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """A hidden name beside a path that belongs to this process alone."""
    return path.with_name(f".{path.stem}.{_HOST}-{os.getpid()}{path.suffix}")


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files in a folder that processes of this machine left when they died."""
    for path in folder.glob(".*") if folder.is_dir() else ():
        found = _TEMPORARY.fullmatch(path.name)
        if found and not psutil.pid_exists(int(found[1])):
            with suppress(OSError):
                path.unlink()


def sync(path: Path) -> None:
    """Wait until a file's bytes, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(number)


def write_json(path: Path, value: object) -> None:
    """Write readable JSON atomically."""
    with atomic_path(path) as temporary:
        text = json.dumps(value, indent=1, ensure_ascii=False) + "\n"
        # A name of a file that is not UTF-8 holds half characters; they are written as escapes.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def record_failure(folder: Path, what: str, message: str) -> None:
    """Write ``failure.json``, shown on the site's index: what failed, the message and the time."""
    when = datetime.now(UTC).isoformat(timespec="seconds")
    write_json(folder / FAILURE, {"what": what, "message": message, "when": when})


def read_file(path: Path, remedy: str, most: int = MOST_TEXT) -> bytes:
    """The bytes of a regular file of at most ``most`` bytes.

    Raises StudyError ending in ``remedy`` where it is missing, unreadable or larger, and where it
    is a folder, a pipe or a device, from which reading might never end.
    """
    try:
        # Opening a pipe must not wait for a writer.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(number, "rb") as file:
            status = os.fstat(number)
            if not stat.S_ISREG(status.st_mode):
                raise StudyError(f"{path} is no regular file: {remedy}")
            if status.st_size > most:
                raise StudyError(f"{path} has more than {most / MIB:.0f} MiB: {remedy}")
            return file.read(status.st_size)
    except FileNotFoundError:
        raise StudyError(f"there is no file {path}: {remedy}") from None
    except IsADirectoryError:
        raise StudyError(f"{path} is a folder and not a file: {remedy}") from None
    except StudyError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the name
        reason = getattr(error, "strerror", None) or str(error)
        raise StudyError(f"{path} cannot be read ({reason}): {remedy}") from None


def read_json(path: Path, remedy: str = "delete it and run again") -> dict:
    """A JSON file that holds an object; raises StudyError ending in ``remedy`` where it does not.

    A missing file raises FileNotFoundError, which callers take for "not made yet".
    """
    if not os.path.lexists(path):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    data = read_file(path, remedy)
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError, MemoryError) as error:
        reason = "it is empty" if not data.strip(b"\0 \n") else str(error)
        raise StudyError(f"{path} is damaged ({reason}): {remedy}") from None
    if not isinstance(value, dict):
        raise StudyError(f"{path} is damaged (it holds no object): {remedy}")
    return value


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's bytes, as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
