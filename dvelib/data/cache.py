"""Decoding a dataset once, into one uint8 array on disk named by content and size.

The content digest covers names and bytes of all files. It is stored together with a hash of each
file, under a key made of the files' sizes and modification times. An unchanged dataset is thus
opened without reading its files again. The hashes of files show which datasets share images.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from filelock import FileLock
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path
from dvelib.common.progress import track
from dvelib.data.layout import Layout, Listing

__all__ = ["Decoded", "cache_folder", "content_digest", "decode", "file_hashes", "fill_once"]

THREADS = min(8, os.cpu_count() or 1)


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
    listing = hashlib.sha256()
    for name in files:
        status = _status(root / name)
        listing.update(f"{name}\0{status.st_size}\0{status.st_mtime_ns}\n".encode())
    listing.update(str(root.resolve()).encode())
    memo = cache_folder() / "digests" / f"{listing.hexdigest()[:32]}.npz"
    if not memo.exists():
        content, hashes = _hash_files(root, files)
        with atomic_path(memo) as path:
            np.savez(path, content=content, files=hashes)
    return np.load(memo)


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
        return hashlib.sha256((root / name).read_bytes()).digest()

    total, hashes = hashlib.sha256(), []
    with ThreadPoolExecutor(THREADS) as pool:
        digests = track(pool.map(one, files), len(files), f"reading {root.name}", "files")
        for name, digest in zip(files, digests, strict=True):
            total.update(name.encode() + b"\0" + digest)
            hashes.append(int.from_bytes(digest[:8], "big"))
    return total.hexdigest(), np.array(hashes, dtype=np.uint64)


@contextmanager
def fill_once(folder: Path) -> Iterator[bool]:
    """Whether the block must fill a folder of the cache; other processes wait for it.

    The folder is marked as full when the block ends without error.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        empty = not (folder / "full").exists()
        yield empty
        if empty:
            (folder / "full").touch()


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
            with Image.open(path) as image:
                picture = layout.read(image)
                square = layout.square(picture, size, box)
                return np.asarray(square).transpose(2, 0, 1), picture.size
        except Exception as error:  # Pillow's decoders raise almost anything on a broken file
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
