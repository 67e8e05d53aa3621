"""Unpacking of an untrusted archive, completely or not at all.

An archive is read twice. The first pass checks every member and writes nothing. The second pass
unpacks into a folder beside the target, which is renamed to the target at the end. The second pass
uses Python's own filter for data. The first pass is stricter, because the filter of some Python
versions can be bypassed by links.
"""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import tarfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from dvelib.common.errors import StudyError
from dvelib.common.files import sync
from dvelib.common.progress import progress_bar

__all__ = ["MARKER", "require_space", "unpack", "unpacked_from"]

MARKER = ".unpacked-from"
MIB = 2**20
BLOCK = 4096  # bytes; files occupy whole blocks of the file system
MOST_MEMBERS, MOST_BYTES = 2_000_000, 2**40  # of an archive; the published: 203,000 and 10 GiB
LONGEST_PATH = 1_000  # characters
LONGEST_HEADER = MIB  # bytes of a name or of other facts about a member
# What tarfile raises on damaged numbers and names.
ODD = (ValueError, LookupError, OverflowError, MemoryError, RecursionError, struct.error)

Parts = tuple[str, ...]


def unpack(archive: Path, target: Path, entries: Sequence[str], mark: str) -> int:
    """Unpack the folder that holds ``entries`` in a ``.tar.gz`` as ``target``; number of files.

    ``entries``: names that one folder of the archive must hold; nothing may be outside of it.
    ``mark``: text that `unpacked_from` returns later. Setuid bits and owners are dropped. Raises
    StudyError, and leaves no target, if a member is anything but a file, a folder or a link that
    stays inside, or if the archive is damaged, the disk too small or the target not empty.
    """
    if not hasattr(tarfile, "data_filter"):
        raise StudyError("unpacking needs Python 3.11.4 or newer: install a newer Python")
    temporary = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)  # left by a run that was killed
    try:
        if target.exists() and any(target.iterdir()):
            raise StudyError(f"{target} is not empty: move it away first")
        contents = _survey(archive)
        prefix = _prefix(contents, entries, archive)
        _check(contents, prefix, archive)
        require_space({target: contents.size}, f"the content of {archive.name}")
        temporary.mkdir(parents=True)
        for tar, member in _members(archive, f"unpacking {archive.name}"):
            tar.extract(member, temporary, filter=_below(prefix))
        (temporary / MARKER).write_text(f"{mark}\n")
        os.sync()  # once for all files: a power cut must not leave empty ones under the final name
        os.replace(temporary, target)
        sync(target.parent)
    except StudyError:
        raise
    except (OSError, EOFError, zlib.error, tarfile.TarError, *ODD) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise StudyError(
            f"{archive} cannot be unpacked to {target} ({reason}): "
            f"free disk space, or get the archive again"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return contents.files


def unpacked_from(target: Path) -> str | None:
    """The mark of a folder that `unpack` made; None for other folders."""
    try:
        return (target / MARKER).read_text().strip()
    except (OSError, ValueError):
        return None


def require_space(needs: Mapping[Path, int], what: str) -> None:
    """Raises StudyError if the disks of these folders have too few bytes free."""
    places: dict[int, Path] = {}
    sums: dict[int, int] = defaultdict(int)
    for folder, size in needs.items():
        place = next(p for p in (folder, *folder.absolute().parents) if p.exists())
        device = place.stat().st_dev
        places.setdefault(device, place)
        sums[device] += size
    for device, place in places.items():
        free = shutil.disk_usage(place).free
        if free < sums[device]:
            raise StudyError(
                f"{place} has {free / 2**30:.1f} GiB free, but {what} needs "
                f"{sums[device] / 2**30:.1f} GiB there: free disk space, or choose another folder"
            )


@dataclass
class _Contents:
    """The members of an archive; symbolic links with their destinations."""

    folders: set[Parts] = field(default_factory=set)
    regular: set[Parts] = field(default_factory=set)
    symlinks: dict[Parts, str] = field(default_factory=dict)
    size: int = 0
    files: int = 0
    members: int = 0

    def paths(self) -> Iterator[Parts]:
        yield from self.folders
        yield from self.regular
        yield from self.symlinks


def _members(archive: Path, what: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """Every member in turn; members are not kept, since there may be hundreds of thousands."""
    if archive.exists() and not archive.is_file():
        raise StudyError(f"{archive} is no regular file: get the archive again")
    total = archive.stat().st_size // MIB
    with (
        open(archive, "rb") as packed,
        _ShortReads(packed) as plain,
        tarfile.open(fileobj=plain, mode="r:") as tar,
        progress_bar(total, what, "MiB") as bar,
    ):
        while (member := tar.next()) is not None:
            tar.members.clear()
            if member.size < 0:  # tarfile would go back and read the same members for ever
                raise _refusal(archive, member.name, "has a negative size")
            yield tar, member
            bar.update(packed.tell() // MIB - bar.n)
        while plain.read(MIB):  # to check the checksum at the end
            pass


class _ShortReads(gzip.GzipFile):
    """A gzip file that refuses long reads: tarfile reads headers whole, however long they are."""

    def __init__(self, packed: BinaryIO):
        super().__init__(fileobj=packed, mode="rb")

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LONGEST_HEADER:
            raise tarfile.ReadError(f"a header has more than {LONGEST_HEADER:,} bytes")
        return super().read(size)


def _survey(archive: Path) -> _Contents:
    """List all members; raises StudyError for members that are never allowed."""
    contents = _Contents()
    for _, member in _members(archive, f"reading {archive.name}"):
        parts = _parts(archive, member, member.name)
        if member.isdir():
            contents.folders.add(parts)
        elif member.issym():
            contents.symlinks[parts] = member.linkname
        elif member.islnk():
            if _parts(archive, member, member.linkname) not in contents.regular:
                raise _refusal(archive, member.name, "is a link to a file that is not before it")
            contents.regular.add(parts)
        elif member.isreg():
            contents.regular.add(parts)
            contents.size += -(-member.size // BLOCK) * BLOCK
        else:
            raise _refusal(archive, member.name, "is a device, a pipe or of unknown type")
        contents.files += not member.isdir()
        contents.members += 1
        if contents.members > MOST_MEMBERS or contents.size > MOST_BYTES:
            raise StudyError(
                f"{archive} is refused: it has more than {MOST_MEMBERS:,} members, or more than "
                f"{MOST_BYTES / 2**30:.0f} GiB"
            )
    return contents


def _parts(archive: Path, member: tarfile.TarInfo, name: str) -> Parts:
    if name.startswith(("/", os.sep)) or os.path.isabs(name):
        raise _refusal(archive, member.name, "has an absolute path")
    if "\0" in name or len(name) > LONGEST_PATH:
        raise _refusal(archive, member.name[:80], "has an impossible name")
    parts = _plain(name)
    if ".." in parts:
        raise _refusal(archive, member.name, "leads out of its folder")
    return parts


def _prefix(contents: _Contents, entries: Sequence[str], archive: Path) -> Parts:
    """The outermost folder of the archive that holds all of ``entries``."""
    wanted = frozenset(entries)
    found: dict[Parts, set[str]] = defaultdict(set)
    for parts in contents.paths():
        for depth, part in enumerate(parts):
            if part in wanted:
                found[parts[:depth]].add(part)
    whole = [parts for parts, names in found.items() if names == wanted]
    if not whole:
        raise StudyError(f"{archive} is refused: no folder in it holds {', '.join(entries)}")
    return min(whole, key=len)


def _check(contents: _Contents, prefix: Parts, archive: Path) -> None:
    """Raises StudyError if a member is outside the prefix, or a link leads out of it."""
    for parts in contents.paths():
        name = "/".join(parts)
        above = parts in contents.folders and parts == prefix[: len(parts)]
        if not above and (parts[: len(prefix)] != prefix or parts == prefix):
            raise _refusal(archive, name, f"lies outside of {'/'.join(prefix) or 'the archive'}")
        # Without links inside paths, every member is written to the place of its path.
        if any(parts[:depth] in contents.symlinks for depth in range(1, len(parts))):
            raise _refusal(archive, name, "passes through a link")
    for parts, destination in contents.symlinks.items():
        if parts in contents.regular or parts in contents.folders:
            raise _refusal(archive, "/".join(parts), "occurs twice, once as a link")
        if not _stays_inside(destination, len(parts) - len(prefix) - 1):
            raise _refusal(archive, "/".join(parts), "is a link out of its folder")


def _stays_inside(destination: str, depth: int) -> bool:
    """Whether a link at this depth stays below the top folder.

    ``..`` is allowed only at the start: after a name, which may be a link, it could lead anywhere.
    """
    parts = _plain(destination)
    ups = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    return not os.path.isabs(destination) and ups <= depth and ".." not in parts[ups:]


def _below(prefix: Parts) -> Callable[[tarfile.TarInfo, str], tarfile.TarInfo | None]:
    """A tarfile filter that unpacks the members below the prefix, without the prefix."""

    def place(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
        parts = _plain(member.name)[len(prefix) :]
        if not parts:
            return None
        moved = {"name": "/".join(parts)}
        if member.islnk():
            moved["linkname"] = "/".join(_plain(member.linkname)[len(prefix) :])
        return tarfile.data_filter(member.replace(**moved, deep=False), folder)

    return place


def _plain(name: str) -> Parts:
    return tuple(part for part in name.split("/") if part not in ("", "."))


def _refusal(archive: Path, name: str, why: str) -> StudyError:
    return StudyError(f"{archive} is refused: its member {name!r} {why}")
