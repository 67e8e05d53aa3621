"""Decoding a dataset once, into one uint8 array on disk named by content and size.

The content digest covers names and bytes of all files. It is stored together with a hash of each
file, under a key made of what the file system says of the files: sizes, numbers, and the times of
the last change, which a program cannot set back. An unchanged dataset is thus opened without
reading its files again. The hashes of files show which datasets share images.

A folder of the cache is full once it has a file of that name with the checksums of its files. They
are compared whenever it is opened, and a damaged folder is filled again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from filelock import FileLock

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, file_sha256, read_json, write_json
from dvelib.common.progress import track
from dvelib.data.layout import Layout, Listing
from dvelib.data.pictures import BadPicture, open_rgb

__all__ = [
    "Decoded",
    "cache_folder",
    "content_digest",
    "decode",
    "file_hashes",
    "fill_once",
    "is_full",
]

THREADS = min(8, os.cpu_count() or 1)
FULL = "full"
# A file that changed so shortly ago may change again at the same recorded time.
RECENT = 100_000_000  # nanoseconds


def cache_folder() -> Path:
    """The folder for decoded images, created if missing: DVE_CACHE, or the user's cache folder."""
    folder = Path(os.environ.get("DVE_CACHE") or platformdirs.user_cache_dir("dve")).expanduser()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(
            f"the cache folder {folder} cannot be made ({error.strerror}): "
            f"set DVE_CACHE to a folder that can be written"
        ) from None
    return folder


def content_digest(root: Path, files: Sequence[str]) -> str:
    """Digest of the names and bytes of these files; raises StudyError naming a missing file."""
    return str(_digests(root, files)["content"])


def file_hashes(root: Path, files: Sequence[str]) -> np.ndarray:
    """Hashes ``[N]`` uint64 of the files' bytes."""
    return _digests(root, files)["files"]


def _digests(root: Path, files: Sequence[str]) -> dict[str, np.ndarray]:
    began, latest, listing = time.time_ns(), 0, hashlib.sha256()
    for name in files:
        status = _status(root / name)
        facts = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        listing.update(_bytes(name) + f"\0{facts}\n".encode())
        latest = max(latest, status.st_ctime_ns)
    listing.update(_bytes(str(root.resolve())))
    memo = cache_folder() / "digests" / f"{listing.hexdigest()[:32]}.npz"
    if (found := _remembered(memo, len(files))) is not None:
        return found
    content, hashes = _hash_files(root, files)
    found = {"content": np.array(content), "files": hashes}
    if latest < began - RECENT:
        with _writing(memo), atomic_path(memo) as path:
            np.savez(path, **found, check=_check(found))
    return found


def _remembered(memo: Path, count: int) -> dict[str, np.ndarray] | None:
    """What was stored, or None where nothing is, or something damaged."""
    try:
        with np.load(memo) as stored:
            found = {name: stored[name] for name in ("content", "files")}
            whole = str(stored["check"]) == _check(found) and len(found["files"]) == count
    except Exception:  # numpy raises almost anything on a damaged file
        return None
    return found if whole else None


def _check(found: dict[str, np.ndarray]) -> str:
    return hashlib.sha256(str(found["content"]).encode() + found["files"].tobytes()).hexdigest()


def _bytes(name: str) -> bytes:
    """A file's name as the disk has it, which need not be UTF-8."""
    return name.encode("utf-8", "surrogateescape")


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except OSError:
        status = None
    if status is None or not stat.S_ISREG(status.st_mode):
        raise StudyError(
            f"{path} is missing, and the dataset's list names it: "
            f"put it back, remove it from the list, or set skip_bad to true to skip such files"
        )
    return status


def _hash_files(root: Path, files: Sequence[str]) -> tuple[str, np.ndarray]:
    def one(name: str) -> bytes:
        try:
            return bytes.fromhex(file_sha256(root / name))
        except OSError as error:
            reason = error.strerror
            raise StudyError(f"{root / name} cannot be read ({reason}): run again") from None

    total, hashes = hashlib.sha256(), []
    with ThreadPoolExecutor(THREADS) as pool:
        digests = track(pool.map(one, files), len(files), f"reading {root.name}", "files")
        for name, digest in zip(files, digests, strict=True):
            total.update(_bytes(name) + b"\0" + digest)
            hashes.append(int.from_bytes(digest[:8], "big"))
    return total.hexdigest(), np.array(hashes, dtype=np.uint64)


@contextmanager
def fill_once(folder: Path) -> Iterator[bool]:
    """Whether the block must fill a folder of the cache; other processes wait for it.

    The folder is marked as full, with checksums, when the block ends without error. A folder that
    is full but damaged is emptied, and a sentence on stderr says so.
    Raises StudyError where the folder cannot be written.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):
            empty = not is_full(folder)
            if empty:
                _clear(folder)
            yield empty
            if empty:
                write_json(folder / FULL, {"files": _checksums(folder)})


def is_full(folder: Path) -> bool:
    """Whether a folder of the cache was filled, and its files are still the same."""
    try:
        recorded = read_json(folder / FULL).get("files")
        return recorded == _checksums(folder)
    except (FileNotFoundError, StudyError):
        return False


def _checksums(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.iterdir() if p.name != FULL and not p.name.startswith("."))
    return {p.name: file_sha256(p) if p.is_file() else "" for p in files}


def _clear(folder: Path) -> None:
    """Remove what an interrupted filling or a damage has left, except the lock."""
    if os.path.lexists(folder / FULL):
        print(f"{folder} is damaged: its files are made again", file=sys.stderr, flush=True)
    for path in folder.iterdir():
        if path.name != ".lock":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Turn errors of the disk inside the block into a StudyError that names the cache."""
    try:
        yield
    except OSError as error:
        raise StudyError(
            f"{place} in the cache cannot be written ({error.strerror or error}): free disk space, "
            f"or set DVE_CACHE to a folder that can be written"
        ) from None


@dataclass(frozen=True)
class Decoded:
    """Decoded images of a split.

    ``images [N,3,S,S]`` uint8, mapped from disk; ``sources [N,2]``: widths and heights of the
    files; ``good [M]``: for each of the M files, whether it could be decoded.
    """

    images: np.ndarray
    sources: np.ndarray
    good: np.ndarray


def decode(
    layout: Layout, root: Path, listing: Listing, size: int, digest: str, skip_bad: bool
) -> Decoded:
    """Images of the listed files as squares of side ``size``, decoded or taken from the cache.

    Raises StudyError naming the first unreadable file, unless ``skip_bad``.
    """
    folder = cache_folder() / "images" / _key(layout, listing, size, digest)
    with fill_once(folder) as empty:
        if empty:
            _fill(folder, layout, root, listing, size)
    with np.load(folder / "sources.npz") as stored:
        sources, good, reason = stored["sources"], stored["good"], str(stored["reason"])
    if not good.all() and not skip_bad:
        first = root / listing.files[int(np.argmin(good))]
        raise StudyError(
            f"{first} cannot be read as an image ({reason}): repair or remove it, "
            f"or set skip_bad to true to skip such files"
        )
    return Decoded(np.load(folder / "images.npy", mmap_mode="r"), sources[good], good)


def _key(layout: Layout, listing: Listing, size: int, digest: str) -> str:
    """The name of a folder of the cache: by files, face boxes, layout, way of reading and size."""
    if listing.boxes is not None:
        digest = hashlib.sha256(digest.encode() + listing.boxes.tobytes()).hexdigest()
    reading = f"r{layout.reading}-" if layout.reading > 1 else ""
    return f"{layout.name}-{digest[:24]}-v{layout.version}-{reading}{size}"


def _fill(folder: Path, layout: Layout, root: Path, listing: Listing, size: int) -> None:
    def one(index: int) -> tuple[np.ndarray | str, tuple[int, int]]:
        path = root / listing.files[index]
        box = None if listing.boxes is None else listing.boxes[index]
        try:
            picture = open_rgb(path, layout.read)
            square = layout.square(picture, size, box)
            return np.asarray(square).transpose(2, 0, 1), picture.size
        except StudyError:
            raise
        except MemoryError:
            raise StudyError(f"too little memory is free to resize {path}: free some") from None
        except (BadPicture, ValueError, ArithmeticError) as error:
            return str(error).replace(str(path), "the file"), (0, 0)

    count = len(listing.files)
    with ThreadPoolExecutor(THREADS) as pool:
        results = track(pool.map(one, range(count)), count, f"decoding {root.name}", "images")
        decoded = [(picture, source) for picture, source in results]
    good = np.array([not isinstance(picture, str) for picture, _ in decoded], dtype=bool)
    images = [picture for picture, _ in decoded if not isinstance(picture, str)]
    reason = next((picture for picture, _ in decoded if isinstance(picture, str)), "")
    with atomic_path(folder / "images.npy") as path:
        np.save(path, np.stack(images) if images else np.empty((0, 3, size, size), np.uint8))
    with atomic_path(folder / "sources.npz") as path:
        np.savez(path, sources=[source for _, source in decoded], good=good, reason=reason)
