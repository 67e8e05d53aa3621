"""What data of other sizes would cost, from rates that are measured on this machine.

An epoch sees every picture once. Reading goes through `dvelib.data.shards`; the network is the
SmallNet with 64 dimensions in the published training step. Nothing here is measured on data of
that size: the table multiplies, and says so.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path

import pandas as pd
import psutil
from PIL import Image

from dvelib.checkpoints.specifications import DataSpec, EmbeddingSpec
from dvelib.data.cache import cache_folder
from dvelib.data.shards import POOL, open_shards
from dvelib.data.synthetic_dataset import render_split
from dvelib.study.hours import measure_rate

__all__ = ["COUNTS", "data_sizes", "first_limits", "measure_rates"]

COUNTS = {"CelebA, published": 146_501, "a million": 10**6, "a hundred million": 10**8}
SIDE, QUALITY = 178, 90  # of a stored picture, as wide as aligned CelebA
SHARD = 256  # pictures of the shard that is measured


def measure_rates(device: str, seconds: float = 10.0, *, small: bool = False) -> dict[str, float]:
    """Bytes of a picture and of its square, and pictures a second: counted, read and trained.

    Reading is from a tar file in the file system's cache: decoding costs more than the disk.
    """
    spec = _spec(small)
    count = 8 if small else SHARD
    with tempfile.TemporaryDirectory() as folder:
        shard = Path(folder) / "shard.tar"
        _write_shard(shard, count)
        began = time.perf_counter()
        with tarfile.open(shard, "r:") as archive:
            held = len(archive.getmembers())
        counting = held / (time.perf_counter() - began)
        shards = open_shards(shard, size=spec.size)
        options = {"steps_per_epoch": 1, "batch": count}
        began, times = time.perf_counter(), 0
        while time.perf_counter() - began < seconds / 4 or not times:
            next(shards.batches(0, first=times, steps=times + 1, **options))
            times += 1
        reading = times * count / (time.perf_counter() - began)
        stored = shard.stat().st_size / count
    return {
        "bytes": stored,
        "decoded": 3 * spec.size**2,
        "counted": counting,
        "read": reading,
        "trained": measure_rate(spec, device, seconds),
    }


def _spec(small: bool) -> EmbeddingSpec:
    size, crop, batch = (40, 6, 2) if small else (100, 15, 32)
    return EmbeddingSpec(
        size=size, crop=crop, batch=batch, data=DataSpec(name="synthetic"), epochs=1
    )


def _write_shard(path: Path, count: int) -> None:
    faces = render_split("train", 0, min(count, 8), size=SIDE).images.permute(0, 2, 3, 1).numpy()
    with tarfile.open(path, "w") as archive:
        for i in range(count):
            stream = BytesIO()
            Image.fromarray(faces[i % len(faces)]).save(stream, "JPEG", quality=QUALITY)
            entry = tarfile.TarInfo(f"{i:06}.jpg")
            entry.size = stream.tell()
            stream.seek(0)
            archive.addfile(entry, stream)


def data_sizes(rates: dict[str, float]) -> pd.DataFrame:
    """A line for each of `COUNTS`: what the pictures occupy, and what one epoch takes.

    Columns: pictures; stored GB (shards); decoded GB (a folder's cache); counting hours (once);
    reading hours (this machine's cores); training hours (this device); network MB/s (to feed it).
    """
    lines = {
        name: {
            "pictures": count,
            "stored GB": count * rates["bytes"] / 1e9,
            "decoded GB": count * rates["decoded"] / 1e9,
            "counting hours": count / rates["counted"] / 3600,
            "reading hours": count / rates["read"] / 3600,
            "training hours": count / rates["trained"] / 3600,
            "network MB/s": min(rates["read"], rates["trained"]) * rates["bytes"] / 1e6,
        }
        for name, count in COUNTS.items()
    }
    return pd.DataFrame.from_dict(lines, orient="index")


def first_limits(
    sizes: pd.DataFrame, *, memory: float | None = None, disk: float | None = None
) -> list[str]:
    """A sentence for each line of `data_sizes`: what stops working first on this machine.

    ``memory``, ``disk``: bytes that there are, by default this machine's.
    """
    memory = psutil.virtual_memory().total if memory is None else memory
    disk = shutil.disk_usage(cache_folder()).free if disk is None else disk
    return [f"{name}: {_limit(row, memory, disk)}" for name, row in sizes.iterrows()]


def _limit(row: pd.Series, memory: float, disk: float) -> str:
    decoded, stored = 1e9 * row["decoded GB"], 1e9 * row["stored GB"]
    slower = max(("reading", "training"), key=lambda part: row[f"{part} hours"])
    epoch = f"{slower} sets the time, {row[f'{slower} hours']:,.1f} hours an epoch"
    if decoded < memory:
        return f"a folder works, its {decoded / 1e9:,.0f} GB of squares fit in memory; {epoch}."
    if decoded < disk:
        return (
            f"memory is the first limit: a folder's {decoded / 1e9:,.0f} GB of squares are read "
            f"from disk picture by picture, shards need {2 * POOL / 2**20:.0f} MiB; {epoch}."
        )
    if stored < disk:
        return (
            f"the free disk is the first limit: the squares of a folder do not fit, the shards "
            f"({stored / 1e9:,.0f} GB) do; {epoch}."
        )
    return (
        f"the free disk is the first limit: even the shards ({stored / 1e9:,.0f} GB) must be read "
        f"over a network, at {row['network MB/s']:.2g} MB/s; {epoch} with {os.cpu_count()} cores."
    )
