"""Pictures in tar files: every one is seen, in an order that a resumed training finds again."""

import shutil
import tarfile
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from dvelib.common.errors import StudyError
from dvelib.data import open_dataset
from dvelib.data.shards import is_sharded, open_shards
from tests.own.pictures import draw_folder

SIZE = 20


def pack(shard, files):
    shard.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(shard, "w") as archive:
        for file in files:
            archive.add(file, arcname=f"some/{Path(file).name}")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Five shards of 3, 3, 3, 3 and 2 pictures, and the folder of all."""
    root = tmp_path_factory.mktemp("shards")
    draw_folder(root / "pictures", 14)
    files = sorted((root / "pictures").iterdir())
    for at in range(0, 14, 3):
        pack(root / "packed" / f"part-{at // 3:02}.tar", files[at : at + 3])
    return root


def opened(place, pool=3 * SIZE**2 * 6):
    return open_shards(place / "packed", size=SIZE, crop=2, pool=pool)


def batches(shards, seed=0, first=0, steps=14, batch=2, per_epoch=7, **others):
    found = shards.batches(
        seed, steps_per_epoch=per_epoch, first=first, steps=steps, batch=batch, **others
    )
    return [array.copy() for array in found]


@pytest.fixture(autouse=True)
def without_a_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def keys(arrays):
    return [picture.tobytes() for array in arrays for picture in array]


def test_every_picture_is_seen_once_in_an_epoch_as_the_folder_shows_it(place):
    shards = opened(place)
    assert len(shards) == 14 and shards.counts == (3, 3, 3, 3, 2)
    folder = open_dataset("folder", place / "pictures", "train", size=SIZE, crop=2)
    first, second = np.split(np.array(keys(batches(shards))), 2)
    assert sorted(first) == sorted(second) == sorted(p.tobytes() for p in folder.images)
    assert list(first) != list(second)


@pytest.mark.parametrize("pool", [1, 3 * SIZE**2 * 6, 2**28], ids=["a shard", "two", "all"])
def test_a_resumed_training_sees_the_same_batches(place, pool):
    shards = opened(place, pool)
    whole = batches(shards)
    for first in (1, 5, 7, 10):
        for one, other in zip(batches(shards, first=first), whole[first:], strict=True):
            np.testing.assert_array_equal(one, other)
    assert keys(batches(shards, seed=1)) != keys(whole)


def test_processes_read_shards_of_their_own(place):
    """Two processes share an epoch; the one with fewer pictures begins anew."""
    shards = opened(place)
    of_ranks = [
        set(keys(batches(shards, steps=4, batch=2, per_epoch=4, rank=rank, processes=2)))
        for rank in (0, 1)
    ]
    assert not of_ranks[0] & of_ranks[1]
    with pytest.raises(StudyError, match="5 shards for 6 processes: make at least one"):
        batches(shards, processes=6)


def test_places_that_name_shards(place):
    for text in ("a/{000..099}.tar", "pipe:curl -s x", "https://some.where/x.tar"):
        assert is_sharded(text)
    assert is_sharded(place / "packed") and not is_sharded(place / "pictures")
    pattern = f"{place}/packed/part-{{01..03}}.tar"
    assert len(open_shards(pattern, size=SIZE)) == 9
    piped = open_shards(f"pipe:cat {place}/packed/part-04.tar", size=SIZE)
    assert len(keys(batches(piped, steps=1))) == 2
    with pytest.raises(StudyError, match=r"there is no shard .*part-05.tar: correct the pattern"):
        open_shards(f"{place}/packed/part-{{04..05}}.tar", size=SIZE)


def test_a_folder_with_pictures_beside_tar_files_is_a_folder_of_pictures(place, tmp_path):
    draw_folder(tmp_path, 1)
    shutil.copy(place / "packed" / "part-00.tar", tmp_path)
    assert not is_sharded(tmp_path)


def test_an_address_that_does_not_answer():
    with pytest.raises(StudyError, match="http://127.0.0.1:9/x.tar cannot be read: check the addr"):
        open_shards("http://127.0.0.1:9/x.tar", size=SIZE)


def test_shards_are_read_over_a_network(place):
    handler = partial(SimpleHTTPRequestHandler, directory=str(place / "packed"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        pattern = f"http://127.0.0.1:{server.server_port}/part-{{00..04}}.tar"
        far, near = open_shards(pattern, size=SIZE), open_shards(place / "packed", size=SIZE)
        assert far.counts == near.counts
        assert keys(batches(far, steps=7)) == keys(batches(near, steps=7))
    finally:
        server.shutdown()
        server.server_close()


def test_damaged_and_empty_shards(place, tmp_path):
    (tmp_path / "bad.tar").write_bytes(b"no tar file")
    with pytest.raises(StudyError, match="bad.tar cannot be read as a tar file"):
        open_shards(tmp_path, size=SIZE)
    (tmp_path / "notes.txt").write_text("x")
    pack(tmp_path / "bad.tar", [tmp_path / "notes.txt"])
    with pytest.raises(StudyError, match="bad.tar holds no pictures"):
        open_shards(tmp_path, size=SIZE)


def test_another_picture_stands_in_for_one_that_cannot_be_read(place, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no picture")
    good = sorted((place / "pictures").iterdir())[:2]
    pack(tmp_path / "a" / "one.tar", [good[0], tmp_path / "broken.png", good[1]])
    shards = open_shards(tmp_path / "a", size=SIZE)
    assert len(shards) == 3
    assert len(set(keys(batches(shards, steps=1, batch=3, per_epoch=1)))) == 2
    assert shards.split_audit()["unreadable"] == 1
    pack(tmp_path / "b" / "one.tar", [tmp_path / "broken.png"])
    with pytest.raises(StudyError, match="none of its 1 pictures can be read"):
        batches(open_shards(tmp_path / "b", size=SIZE), steps=1, batch=1)


def test_a_shard_that_changes_during_a_training_is_noticed(place, tmp_path):
    files = sorted((place / "pictures").iterdir())
    pack(tmp_path / "a.tar", files[:3])
    shards = open_shards(tmp_path, size=SIZE)
    pack(tmp_path / "a.tar", files[:2])
    with pytest.raises(StudyError, match="held 3 pictures when they were counted and now holds 2"):
        batches(shards, steps=1, batch=1)


def test_memory_does_not_grow_with_the_number_of_shards(tmp_path):
    """160 MB of decoded pictures pass through pools of 8 MB."""
    side, count, copies = 128, 50, 64
    for i in range(count):
        grey = np.full((16, 16, 3), 2 * i, np.uint8)
        Image.fromarray(grey).save(tmp_path / f"{i:02}.jpg")
    pack(tmp_path / "packed" / "00.tar", sorted(tmp_path.glob("*.jpg")))
    for copy in range(1, copies):
        shutil.copy(tmp_path / "packed" / "00.tar", tmp_path / "packed" / f"{copy:02}.tar")
    shards = open_shards(tmp_path / "packed", size=side, pool=2**23)
    steps, process, used = count * copies // 10, psutil.Process(), []
    for _ in shards.batches(0, steps_per_epoch=steps, first=0, steps=steps, batch=10):
        used.append(process.memory_info().rss)
    warm = len(used) // 8
    assert len(shards) * 3 * side**2 > 150e6
    assert max(used[warm:]) - max(used[:warm]) < 30e6
