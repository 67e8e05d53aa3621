"""Pictures in tar files (shards), read as a stream: for data larger than memory or one disk.

Shards are tar files of pictures, read by WebDataset: from a folder, by a pattern such as
``shards/{000..099}.tar``, or from an address that WebDataset opens (``pipe:curl -s ADDRESS``).

The order of an epoch depends on the seed and the epoch alone:

- The shards are shuffled and dealt to the processes, so that each process reads shards of its own.
- A process reads as many shards at a time as fit into `POOL` bytes once decoded, at least one, and
  shuffles the pictures of this pool. The next pool is decoded meanwhile, so two are in memory.
- A process whose shards hold fewer pictures than others' begins anew with its first shard.

The number of pictures of every shard is counted once and kept in the cache. A training thus finds
the place of any step without reading what lies before it, and a resumed training sees the same
batches as an uninterrupted one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from dvelib.common.errors import StudyError
from dvelib.common.files import read_json, write_json
from dvelib.common.progress import track
from dvelib.data.cache import THREADS, cache_folder
from dvelib.data.dataset import check_crop
from dvelib.data.folder import CENTRAL, FOLDERS, SUFFIXES
from dvelib.data.pictures import decode_rgb

__all__ = ["POOL", "ShardedPictures", "is_sharded", "open_shards"]

POOL = 2**28  # bytes of decoded pictures that are shuffled together


def is_sharded(place: Path | str) -> bool:
    """Whether a place names shards: a tar file, a pattern, an address, or a folder of tar files.

    A folder that also holds pictures is a folder of pictures.
    """
    text = str(place)
    if text.endswith(".tar") or not _is_local(text):
        return True
    folder = Path(text).expanduser()
    if not folder.is_dir() or not any(folder.glob("*.tar")):
        return False
    return not any(_is_picture(str(path.relative_to(folder))) for path in folder.rglob("*"))


def open_shards(
    place: Path | str, *, size: int, crop: int = 0, layout: str = CENTRAL, pool: int = POOL
) -> ShardedPictures:
    """Open the shards of a folder, a pattern or an address as squares of side ``size``.

    Pictures are treated as those of a folder (see `dvelib.data.folder`). ``layout``: `CENTRAL` or
    `WHOLE`. ``pool``: bytes of decoded pictures that are shuffled together.
    Raises StudyError where there is no shard, one cannot be read, or one holds no picture.
    """
    check_crop(size, crop)
    shards = _shards(str(place))
    counts = [_count(s) for s in track(shards, len(shards), "counting pictures", "shards")]
    for shard, count in zip(shards, counts, strict=True):
        if not count:
            raise StudyError(
                f"{shard} holds no pictures ({', '.join(sorted(SUFFIXES))}): remove that shard, or "
                f"make it again"
            )
    held = Path(place) if Path(place).is_dir() else Path(place).parent
    name = held.resolve().name if _is_local(shards[0]) else shards[0].rpartition("/")[2]
    return ShardedPictures(name, tuple(shards), tuple(counts), size, crop, layout, pool)


@dataclass(frozen=True)
class ShardedPictures:
    """Pictures of a training, in shards that are read one after the other.

    ``counts``: how many pictures each shard holds. ``size`` and ``crop`` in pixels, as in
    `dvelib.data.FaceDataset`. ``unreadable``: by shard that was read, how many of its pictures
    could not be; another picture of the shard stood in for each.
    """

    name: str
    shards: tuple[str, ...]
    counts: tuple[int, ...]
    size: int
    crop: int
    layout: str = CENTRAL
    pool: int = POOL
    split: str = "train"
    unreadable: dict[str, int] = field(default_factory=dict, compare=False)

    def __len__(self) -> int:
        return sum(self.counts)

    @property
    def title(self) -> str:
        return f"shards of {self.name}"

    @property
    def digest(self) -> str:
        """Hash of the names, sizes and numbers of pictures of the shards, not of their bytes."""
        total = hashlib.sha256()
        for shard, count in zip(self.shards, self.counts, strict=True):
            total.update(f"{Path(shard).name} {_stamp(shard)[0]} {count}\n".encode())
        return total.hexdigest()

    def split_audit(self) -> dict[str, object]:
        """What a training's provenance says about its pictures."""
        return {
            "dataset": self.title,
            "split": self.split,
            "images": len(self),
            "shards": len(self.shards),
            "digest": self.digest,
            "digest_of": "names, sizes and numbers of pictures",
            "unreadable": sum(self.unreadable.values()),
        }

    def batches(
        self,
        seed: int,
        *,
        steps_per_epoch: int,
        first: int,
        steps: int,
        batch: int,
        rank: int = 0,
        processes: int = 1,
    ) -> Iterator[np.ndarray]:
        """Pictures ``[batch,3,S,S]`` uint8 of each step from ``first`` to ``steps``, of one rank.

        ``batch``: pictures of this rank in a step. Raises StudyError for fewer shards than
        processes and for a shard without a readable picture.
        """
        if len(self.shards) < processes:
            raise StudyError(
                f"{self.title} has {len(self.shards)} shards for {processes} processes: make at "
                f"least one shard for each process"
            )
        plan = self._plan(seed, steps_per_epoch, first, steps, batch, rank, processes)
        pictures = self._one_pool_ahead(plan)
        for _ in range(first, steps):
            yield np.stack(list(islice(pictures, batch)))

    def _plan(
        self,
        seed: int,
        steps_per_epoch: int,
        first: int,
        steps: int,
        batch: int,
        rank: int,
        processes: int,
    ) -> Iterator[tuple[tuple[int, ...], list[int], slice]]:
        """The pools of all steps: the seed of their order, their shards, and the part to use."""
        while first < steps:
            epoch, done = divmod(first, steps_per_epoch)
            last = min(steps, (epoch + 1) * steps_per_epoch)
            wanted = (last - first) * batch
            mine = np.random.default_rng((seed, epoch)).permutation(len(self.shards))
            for pool, skipped in self._pools(mine[rank::processes].tolist(), done * batch):
                part = slice(skipped, skipped + wanted)
                yield (seed, epoch, *pool), pool, part
                wanted -= self._held(pool) - skipped
                if wanted <= 0:
                    break
            first = last

    def _pools(self, mine: Sequence[int], skipped: int) -> Iterator[tuple[list[int], int]]:
        """Endlessly: the shards of a pool, and how many of its pictures are skipped."""
        fitting = max(1, self.pool // (3 * self.size**2))
        pools: list[list[int]] = [[]]
        for shard in mine:
            if pools[-1] and self._held([*pools[-1], shard]) > fitting:
                pools.append([])
            pools[-1].append(shard)
        skipped %= self._held(mine)
        while True:
            for pool in pools:
                if skipped < self._held(pool):
                    yield pool, skipped
                skipped = max(0, skipped - self._held(pool))

    def _held(self, shards: Sequence[int]) -> int:
        return sum(self.counts[i] for i in shards)

    def _one_pool_ahead(self, plan: Iterator[tuple]) -> Iterator[np.ndarray]:
        """The pictures of all pools; a pool is read while the one before it is used."""
        with ThreadPoolExecutor(1) as reader:
            waiting = reader.submit(self._read, *next(plan))
            while waiting is not None:
                ready, following = waiting.result(), next(plan, None)
                waiting = following and reader.submit(self._read, *following)
                yield from ready
                del ready  # before the next pool but one is read

    def _read(self, seed: tuple[int, ...], pool: list[int], part: slice) -> list[np.ndarray]:
        """A part of the decoded pictures of some shards in random order."""
        pictures = [picture for shard in pool for picture in self._decoded(shard)]
        order = np.random.default_rng(seed).permutation(len(pictures))
        return [pictures[i] for i in order[part]]

    def _decoded(self, shard: int) -> list[np.ndarray]:
        """All pictures of a shard; another one stands in for each that cannot be read."""
        where = self.shards[shard]
        with ThreadPoolExecutor(THREADS) as pool:
            found = list(pool.map(self._square, _members(where)))
        if len(found) != self.counts[shard]:
            raise StudyError(
                f"{where} held {self.counts[shard]} pictures when they were counted and now holds "
                f"{len(found)}: leave shards unchanged during a training, or start it anew"
            )
        good = [picture for picture in found if picture is not None]
        if not good:
            raise StudyError(f"{where}: none of its {len(found)} pictures can be read: replace it")
        self.unreadable[where] = len(found) - len(good)
        return [good[i % len(good)] if p is None else p for i, p in enumerate(found)]

    def _square(self, data: bytes) -> np.ndarray | None:
        try:
            layout = FOLDERS[self.layout]
            picture = layout.square(decode_rgb(io.BytesIO(data), layout.read), self.size, None)
            return np.asarray(picture).transpose(2, 0, 1)
        except Exception:  # Pillow's decoders raise almost anything on a broken file
            return None


def _shards(place: str) -> list[str]:
    from webdataset.shardlists import expand_urls

    if Path(place).expanduser().is_dir():
        return [str(path) for path in sorted(Path(place).expanduser().glob("*.tar"))]
    shards = [os.path.expanduser(shard) for shard in expand_urls(place)]
    for shard in shards:
        if _is_local(shard) and not Path(shard).is_file():
            raise StudyError(f"there is no shard {shard}: correct the pattern {place}")
    return shards


def _is_local(shard: str) -> bool:
    return not shard.startswith("pipe:") and "://" not in shard


def _stamp(shard: str) -> tuple[int, int]:
    """Size and time of a local file; zeros for an address."""
    if not _is_local(shard):
        return 0, 0
    status = os.stat(shard)
    return status.st_size, status.st_mtime_ns


def _count(shard: str) -> int:
    """The number of pictures, from the cache or from the names in the tar file."""
    key = json.dumps([str(Path(shard).resolve()) if _is_local(shard) else shard, _stamp(shard)])
    memo = cache_folder() / "shards" / f"{hashlib.sha256(key.encode()).hexdigest()[:32]}.json"
    if memo.exists():
        return read_json(memo)["pictures"]
    try:
        if _is_local(shard):  # only the headers are read
            with tarfile.open(shard, "r:") as archive:
                count = sum(m.isreg() and _is_picture(m.name) for m in archive)
        else:
            count = sum(1 for _ in _members(shard))
    except (OSError, tarfile.TarError) as error:
        raise _unreadable(shard, error) from None
    write_json(memo, {"shard": shard, "pictures": count})
    return count


def _members(shard: str) -> Iterator[bytes]:
    """The bytes of every picture in a shard, in its order, without keeping the others'."""
    from webdataset.gopen import gopen
    from webdataset.tariterators import tar_file_iterator

    try:
        with gopen(_pipe(shard)) as stream:
            for member in tar_file_iterator(stream, skip_meta=None, select_files=_is_picture):
                yield member["data"]
    except (OSError, tarfile.TarError) as error:
        raise _unreadable(shard, error) from None


def _pipe(shard: str) -> str:
    """A shard on the web by way of curl, with few and short retries; others as they are."""
    if not shard.startswith(("http://", "https://")):
        return shard
    return f"pipe:curl -sfL --connect-timeout 20 --retry 3 {shlex.quote(shard)}"


def _unreadable(shard: str, error: Exception) -> StudyError:
    if _is_local(shard):
        return StudyError(f"{shard} cannot be read as a tar file ({error}): make it again")
    return StudyError(f"{shard} cannot be read: check the address, and the network")


def _is_picture(name: str) -> bool:
    hidden = any(part.startswith(".") for part in name.removeprefix("./").split("/"))
    return Path(name).suffix.lower() in SUFFIXES and not hidden
