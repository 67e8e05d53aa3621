"""The published archives of the benchmarks: download, and checks of the data on disk.

Names, hashes and sources are those published with the study in 2019. None of the sources was
tested when this module was written. A dataset may be at any depth in its archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from dvelib.common.errors import StudyError
from dvelib.data import SPLITS, open_dataset
from dvelib.data.audit import split_audit
from dvelib.data.dataset import FaceDataset
from dvelib.data.fetching import download, has_sha1, part_of
from dvelib.data.known import LAYOUTS
from dvelib.data.layout import Layout
from dvelib.data.places import folder_of
from dvelib.data.unpacking import require_space, unpack, unpacked_from

__all__ = ["ARCHIVES", "DOWNLOADS", "Archive", "archive_of", "check", "fetch"]

DOWNLOADS = "downloads"
GIB = 2**30
SIZE, CROP = 100, 15  # of decoded images: the published values, so that training reuses them
NAMED = 3  # files listed by name
# Address of the archives, without its scheme: the published instructions use http.
SITE = "://www.robots.ox.ac.uk/~vgg/research/DVE/data/datasets/"


@dataclass(frozen=True)
class Archive:
    """One ``.tar.gz`` and its place in the folder of the datasets.

    ``size``: approximately, in bytes. ``entries``: files and folders directly in the dataset's
    folder, by which it is found in the archive. ``layouts``: names of the datasets in it.
    """

    dataset: str
    file: str
    size: int
    sha1: str
    folder: str
    entries: tuple[str, ...]
    layouts: tuple[str, ...]
    urls: tuple[str, ...]


def _published(
    dataset: str, gib: float, sha1: str, entries: tuple[str, ...], **differing
) -> Archive:
    """A published archive; ``differing``: fields that do not follow from the dataset's name."""
    usual = {"file": f"{dataset}.tar.gz", "folder": folder_of(dataset), "layouts": (dataset,)}
    facts = usual | {"sha1": sha1, "size": int(gib * GIB), "entries": entries} | differing
    urls = tuple(f"{scheme}{SITE}{facts['file']}" for scheme in ("https", "http"))
    return Archive(dataset=dataset, urls=urls, **facts)


_CELEBA = _published(
    "celeba",
    9.0,
    "f6872ab0f2df8e5843abe99dc6d6100dd4fea29f",
    ("Img", "Anno", "Eval", "MAFL"),
    layouts=("celeba", "mafl"),
)
_300W = _published(
    "300w",
    3.0,
    "885b09159c61fa29998437747d589c65cfc4ccd3",
    ("afw", "helen", "lfpw", "ibug", "Bounding Boxes"),
)
_AFLW = _published(
    "aflw",
    1.1,
    "939fdce0e6262a14159832c71d4f84a9d516de5e",
    ("output", "aflw_train_images.txt", "aflw_test_images.txt"),
    file="aflw-recrop.tar.gz",
)
# The page of this archive prints the hash of 300-W; this is the hash from the overview page.
_AFLW_MTFL = _published(
    "aflw-mtfl", 252 / 1024, "1ff31c07cef4f2777b416d896a65f6c17d8ae2ee", ("MTFL", "aflw_cropped")
)
ARCHIVES = {a.dataset: a for a in (_CELEBA, _300W, _AFLW, _AFLW_MTFL)}


def archive_of(dataset: str) -> Archive:
    """The archive of a dataset, by name; raises StudyError if there is none."""
    if dataset not in ARCHIVES:
        raise StudyError(
            f"no archive was published for {dataset!r}: choose among {', '.join(ARCHIVES)}"
        )
    return ARCHIVES[dataset]


def fetch(archive: Archive, data: Path) -> Path:
    """Download and unpack a dataset below ``data``; finished steps are skipped.

    Prints its steps and returns the dataset's folder. Raises StudyError with a remedy if all
    sources fail, the disk is too small, the archive is refused, or the dataset's folder holds
    something else.
    """
    target = (data / archive.folder).resolve()  # a link there may lead to a larger disk
    if _already_there(archive, data, target):
        return target
    file = data / DOWNLOADS / archive.file
    with _alone(file.parent):
        if has_sha1(file, archive.sha1):
            print(f"{file} is already downloaded")
        else:
            part = part_of(file).stat().st_size if part_of(file).exists() else 0
            missing = max(archive.size - part, 0)
            require_space({file.parent: missing, target: archive.size}, archive.file)
            most = archive.size + archive.size // 4 + GIB  # sizes were published rounded
            download(file, archive.sha1, archive.urls, _by_hand(archive, data), most)
        count = unpack(file, target, archive.entries, archive.sha1)
    print(f"unpacked {count:,} files to {target}; {file} is no longer needed")
    return target


def check(archive: Archive, data: Path, *, images: bool = False) -> Iterator[str]:
    """Compare a dataset on disk with the published one; yields lines, the verdict last.

    Every listed file is read; with ``images`` it is also decoded, which takes longer. Raises
    StudyError if the study cannot use the data.
    """
    root = data / archive.folder
    if not root.is_dir():
        raise StudyError(
            f"there is no folder {root}: get it with dve fetch {archive.dataset} --data {data}, or "
            f"give --data the folder that holds {archive.folder}"
        )
    audits = []
    for name in archive.layouts:
        for split in SPLITS:
            audits.append(_audit(LAYOUTS[name], root, split, images))
            yield from _lines(audits[-1])
    lost = sum(len(audit["skipped"]) for audit in audits)
    if lost:
        yield f"partly usable: set skip_bad to true to skip {lost:,} missing or unreadable files"
    elif not all(audit["complete"] for audit in audits):
        yield "usable, but not the whole published dataset"
    else:
        yield "usable: the whole published dataset"


def _already_there(archive: Archive, data: Path, target: Path) -> bool:
    """Whether the target holds a usable dataset; raises StudyError if it holds other files."""
    look = f"check it with dve check {archive.dataset} --data {data}"
    if unpacked_from(target) == archive.sha1:
        print(f"{target} was unpacked before from {archive.file}: {look}")
        return True
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return False
    try:
        for name in archive.layouts:
            for split in SPLITS:
                LAYOUTS[name].listing(target, split)
    except StudyError as error:
        raise StudyError(
            f"{target} holds something that is not the whole dataset: move it away, or correct "
            f"this error: {error}"
        ) from None
    print(f"{target} holds the dataset already, though not from {archive.file}: {look}")
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the folder; raises StudyError if another process holds the lock."""
    lock = FileLock(folder / ".lock")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except Timeout:
        raise StudyError(
            f"another dve fetch is running in {folder}: wait for it or stop it first"
        ) from None
    except OSError as error:
        raise StudyError(
            f"{folder} cannot be written ({error.strerror}): choose another folder with --data"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _by_hand(archive: Archive, data: Path) -> str:
    holds = ", ".join(archive.entries)
    return (
        f"get {archive.file} elsewhere ({archive.size / GIB:.2g} GiB, sha1 {archive.sha1}), put it "
        f"into {data / DOWNLOADS} and repeat dve fetch {archive.dataset}; or put the dataset "
        f"itself ({holds}) into {data / archive.folder} and check it with "
        f"dve check {archive.dataset} --data {data}"
    )


def _audit(layout: Layout, root: Path, split: str, images: bool) -> dict[str, object]:
    """The audit of a split; only with ``images`` are files decoded and damaged ones found."""
    if images:
        faces = open_dataset(layout.name, root, split, size=SIZE, crop=CROP, skip_bad=True)
    else:
        faces = _listed(layout, root, split)
    audit = split_audit(faces)
    if split == "test" and audit["shared_with_other_split"]["images"] == len(faces):
        raise StudyError(
            f"{root}: every test image of {layout.name} is also a training image: "
            f"give each split its own list"
        )
    return audit


def _listed(layout: Layout, root: Path, split: str) -> FaceDataset:
    """A split as listed, without missing files and without pixels."""
    listing = layout.listing(root, split)
    there = np.array([(root / f).is_file() for f in listing.files], dtype=bool)
    if not there.any():
        raise StudyError(
            f"{root}: none of the {len(there):,} files of the {split} split of {layout.title} "
            f"exists: unpack the data again"
        )
    kept = listing.choose(there.nonzero()[0])
    return FaceDataset(
        name=layout.name,
        title=layout.title,
        split=split,
        size=SIZE,
        crop=CROP,
        files=kept.files,
        images=np.broadcast_to(np.uint8(0), (len(kept.files), 3, SIZE, SIZE)),
        full_landmarks=None,
        eyes=layout.eyes,
        digest="",
        root=root,
        published_count=layout.published.get(split),
        identities=kept.identities,
        skipped=tuple(f for f, ok in zip(listing.files, there, strict=True) if not ok),
    )


def _lines(audit: dict) -> Iterator[str]:
    """An audit as text, one line per kind of finding."""
    yield (
        f"{audit['dataset']}, {audit['split']}: {audit['images']:,} images, "
        f"{audit['published']:,} published"
    )
    for part, counts in audit["parts"].items():
        yield f"  {part}: {counts['found']:,} images, {counts['published']:,} published"
    missing = set(audit["missing"])
    yield from _named("missing", audit["missing"])
    yield from _named("unreadable", [f for f in audit["skipped"] if f not in missing])
    if audit["stand_in"]:
        yield f"  {audit['stand_in']}"
    yield f"  identical to another file of the split: {_number(audit['duplicates'])}"
    shared = audit["shared_with_other_split"]
    yield f"  also in the other split: {_number(shared['images'])}"
    if shared["identities"] is not None:
        yield f"  identities in both splits: {shared['identities']:,}"
    if audit.get("mafl_images"):
        yield f"  images that belong to MAFL: {audit['mafl_images']:,}"
    if audit["outside"]:
        yield f"  landmarks outside the cropped image: {audit['outside']['landmarks']:,}"


def _named(what: str, files: Sequence[str]) -> Iterator[str]:
    if files:
        more = f" and {len(files) - NAMED:,} more" if len(files) > NAMED else ""
        yield f"  {what}: {len(files):,}: {', '.join(files[:NAMED])}{more}"


def _number(count: int | None) -> str:
    return "not known" if count is None else f"{count:,}"
