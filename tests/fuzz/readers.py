"""Everything that reads a file, each with whole input to be damaged.

A `Reader` makes its input in a folder once. `read` reads it and returns a value, or raises
StudyError. Where ``value_matters``, what a damaged file gives must equal what the whole one gave:
other numbers without a word are a fault.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import tarfile
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image

from dvelib.checkpoints import load_embedding, load_published, load_regressor
from dvelib.checkpoints.authors_weights import load_model
from dvelib.checkpoints.pretrained import LANDMARKS, LANDMARKS_ON, pretrained_folder
from dvelib.checkpoints.specifications import EmbeddingSpec, read_yaml
from dvelib.common.errors import StudyError
from dvelib.common.files import ROOT, write_json
from dvelib.data import open_dataset
from dvelib.data.mirrors import archive_of, check
from dvelib.data.places import folder_of
from dvelib.data.unpacking import unpack
from dvelib.own.landmark_file import LandmarkFile, read_names
from dvelib.own.predictor import load_predictor, read_picture
from dvelib.study.profiles import ProfileSpec, TableSpec
from dvelib.tables.results import read_results, write_results
from tests.golden_data import GOLDEN
from tests.published_writer import write_checkpoint
from tests.recorded import of_the_paper

__all__ = ["FAULTS", "READERS", "Reader"]


@dataclass(frozen=True)
class Reader:
    """``files``: patterns of the files to damage, below the folder that ``make`` fills.

    ``ways``: how often a crafted input is read, where ``read`` draws what it does.
    """

    make: Callable[[Path], None]
    read: Callable[[Path, Random], object]
    files: tuple[str, ...]
    value_matters: bool = False
    ways: int = 1


def quietly(function: Callable, *values: object, **named: object) -> object:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return function(*values, **named)


def _layout(name: str) -> Reader:
    """A dataset in its published layout: both splits are opened, and `dve check` looks at it."""

    def make(folder: Path) -> None:
        golden = "celeba" if name == "mafl" else name.removesuffix("-bicubic")
        shutil.copytree(GOLDEN / golden, folder / folder_of(name))

    def read(folder: Path, chance: Random) -> None:
        task = chance.randrange(3)
        if task == 2 and name in ("celeba", "300w", "aflw", "aflw-mtfl"):
            for line in check(archive_of(name), folder, images=chance.random() < 0.3):
                assert "\n" not in line
            return
        split = ("train", "test")[task % 2]
        skip = chance.random() < 0.5
        faces = open_dataset(name, folder / folder_of(name), split, size=24, skip_bad=skip)
        assert faces.images.shape[1:] == (3, 24, 24)
        assert np.isfinite(faces.landmarks).all()

    lists = {
        "celeba": ("celeba/*/*.txt",),
        "mafl": ("celeba/MAFL/*.txt", "celeba/Anno/*.txt"),
        "300w": ("300w/Bounding Boxes/*.mat", "300w/*/*.pts", "300w/helen/*/*.pts"),
        "300w-bicubic": ("300w/Bounding Boxes/*.mat", "300w/*/*.pts"),
        "aflw": ("aflw/*/*.mat", "aflw/*/*.mat", "aflw/*/*.txt"),
        "aflw-mtfl": ("aflw-mtfl/MTFL/testing.txt", "aflw-mtfl/aflw_cropped/*.csv"),
    }
    pictures = {"300w": "300w/afw/*.png", "celeba": "celeba/Img/*/*1.jpg"}
    return Reader(make, read, (*lists[name] * 3, *filter(None, [pictures.get(name)])), ways=4)


def _make_pictures(folder: Path) -> None:
    faces = folder / "faces"
    faces.mkdir()
    shades = np.random.default_rng(0).integers(0, 255, (4, 12, 10, 3), dtype=np.uint8)
    kinds = ("a.png", "b.jpg", "c.webp", "d.bmp")
    for name, shade in zip(kinds, shades, strict=True):
        Image.fromarray(shade).save(faces / name)
    rows = [f"{name},{split},1.5,2,,7" for name, split in zip(kinds, "aabb", strict=True)]
    text = "file,split,x0,y0,x1,y1\n" + "\n".join(rows) + "\n"
    text = text.replace(",a,", ",train,").replace(",b,", ",test,")
    (faces / "landmarks.csv").write_text(text)
    write_json(faces / "landmarks.json", {"names": ["left", "right"]})


def _read_pictures(folder: Path, chance: Random) -> None:
    faces = folder / "faces"
    task = chance.randrange(4)
    if task == 0:
        read_picture(chance.choice(sorted(faces.iterdir())))
    elif task == 1:
        file = LandmarkFile(faces)
        points = [file.points(name) for name in file.files]
        assert np.stack(points).shape[2] == 2
        read_names(faces, 2)
    else:
        split, skip = ("train", "test")[task % 2], chance.random() < 0.5
        opened = open_dataset("folder", faces, split, size=16, skip_bad=skip)
        assert opened.images.shape[1:] == (3, 16, 16)


def _tensors() -> OrderedDict:
    base = torch.arange(24.0)
    return OrderedDict(a=base.view(4, 6)[1:3, ::2], b=torch.tensor(4), c=base)


def _make_checkpoint(form: str) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        write_checkpoint(folder / "a.pth", form, "SmallNet", 100, _tensors())

    return make


def _read_checkpoint(folder: Path, chance: Random) -> None:
    held = load_published(folder / "a.pth")
    assert all(isinstance(value, torch.Tensor) for value in held["state_dict"].values())
    load_model(folder / "a.pth")


def _state(network: torch.nn.Module) -> list:
    return [value.sum().item() for value in network.state_dict().values()]


def _copied(name: str) -> Callable[[Path], None]:
    """A finished folder with checksums, as a training writes it."""

    def make(folder: Path) -> None:
        shutil.copytree(pretrained_folder(name), folder, dirs_exist_ok=True)
        from dvelib.checkpoints import storage

        for place in (folder, folder / "embedding"):
            if place.exists() and hasattr(storage, "write_checksums"):
                storage.write_checksums(place)

    return make


def _read_embedding(folder: Path, chance: Random) -> object:
    held = load_embedding(folder)
    return _state(held.network), held.history.round(6).to_csv()


def _read_regressor(folder: Path, chance: Random) -> object:
    held = load_regressor(folder)
    return _state(held.network), held.history.round(6).to_csv(), held.predicted.tolist()


def _read_predictor(folder: Path, chance: Random) -> object:
    held = load_predictor(folder, "cpu")
    return _state(held.regressor), _state(held.embedding.network)


def _read_cached(folder: Path, chance: Random) -> object:
    opened = quietly(open_dataset, "folder", folder / "faces", "train", size=16)
    sources = np.array(opened.full_landmarks).tolist()
    return np.array(opened.images).tobytes(), str(sources), opened.digest


def _make_cached(folder: Path) -> None:
    """The cache lies beside the pictures, so that its files can be damaged."""
    _make_pictures(folder)
    (folder / "faces" / "landmarks.json").unlink()


def _make_unfinished(folder: Path) -> None:
    for steps in (2, 4):
        loop = _loop(folder)
        loop.run([torch.tensor(1.0)] * (steps - loop.step), lambda value: value)
        loop.save()


def _loop(folder: Path):
    from dvelib.training.loop import Loop
    from dvelib.training.schedule import Schedule

    weight = torch.nn.Linear(3, 2)
    torch.nn.init.constant_(weight.weight, 0.5)
    return Loop(
        folder,
        {"network": weight},
        torch.optim.Adam(weight.parameters()),
        Schedule(8, 2, ()),
        device=torch.device("cpu"),
        batch=5,
        log_every=1,
        title="a network",
        bar="network",
        unit="things",
    )


def _read_unfinished(folder: Path, chance: Random) -> object:
    """A training goes on from a whole checkpoint: from the last, the one before, or the start."""
    loop = quietly(_loop, folder)
    rows = [(step, 1.0, 1e-3) for step in range(1, loop.step + 1)]
    assert loop.step in (0, 2, 4) and loop.history == rows
    return None


PARAMETERS = {"a.yaml": EmbeddingSpec, "table.yaml": TableSpec, "profile.yaml": ProfileSpec}


def _make_parameters(folder: Path) -> None:
    (folder / "a.yaml").write_text(
        "data: {name: synthetic, limit: 64}\nsteps: 100\nlearning_rate: 0.001\n"
        "lower_rate_from: [50, 70]\nscale: 20.0\nnoise: published\nseed: 1\n"
    )
    params = ROOT / "params"
    shutil.copyfile(params / "profiles" / "quick.yaml", folder / "profile.yaml")
    shutil.copyfile(params / "landmark_regression_mafl.yaml", folder / "table.yaml")


def _read_parameters(folder: Path, chance: Random) -> None:
    for name, model in PARAMETERS.items():
        read_yaml(model, folder / name)


def _make_archive(folder: Path) -> None:
    content = {"MTFL/testing.txt": b"list", "crops/a/1.jpg": b"one" * 500, "crops/b.jpg": b"two"}
    with tarfile.open(folder / "faces.tar.gz", "w:gz", compresslevel=1) as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(f"data/faces/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        link = tarfile.TarInfo("data/faces/crops/link.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "a/1.jpg"
        tar.addfile(link)


def _read_archive(folder: Path, chance: Random) -> None:
    target = folder / "out" / "up" / "faces"
    try:
        quietly(unpack, folder / "faces.tar.gz", target, ("MTFL", "crops"), "mark")
        for path in target.rglob("*"):
            assert not path.is_symlink() or path.resolve().is_relative_to(target.resolve())
    except StudyError:
        assert not target.exists()
        raise
    finally:
        left = [p.name for p in (folder / "out").rglob("*") if p.name.startswith(".")]
        shutil.rmtree(folder / "out", ignore_errors=True)
        assert left in ([], [".unpacked-from"]), left


def _make_results(folder: Path) -> None:
    write_results(folder / "results.json", of_the_paper("ablation_exchange_matching"))


def _read_results(folder: Path, chance: Random) -> None:
    """As the site does: without the file the table has not run."""
    if os.path.lexists(folder / "results.json"):
        read_results(folder / "results.json")


def _make_fault(folder: Path) -> None:
    (folder / "fault").write_text("none")


def _read_fault(folder: Path, chance: Random) -> None:
    """Not a reader: what the fuzzer must see when a reader fails."""
    match (folder / "fault").read_text():
        case "hang":
            time.sleep(60)
        case "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        case "traceback":
            raise KeyError("fault")


LAYOUTS = ("celeba", "mafl", "300w", "300w-bicubic", "aflw", "aflw-mtfl")
FINISHED = ("*.safetensors", "specification.json", "provenance.json", "history.csv")
READERS: dict[str, Reader] = {
    **{name: _layout(name) for name in LAYOUTS},
    "folder": Reader(
        _make_pictures, _read_pictures, ("faces/*.csv", "faces/*.csv", "faces/*"), ways=4
    ),
    "stream checkpoint": Reader(_make_checkpoint("stream"), _read_checkpoint, ("a.pth",)),
    "zip checkpoint": Reader(_make_checkpoint("zip"), _read_checkpoint, ("a.pth",)),
    "embedding": Reader(_copied(LANDMARKS_ON), _read_embedding, FINISHED, True),
    "regressor": Reader(_copied(LANDMARKS), _read_regressor, (*FINISHED, "*.npy"), True),
    "predictor": Reader(
        _copied(LANDMARKS), _read_predictor, (*FINISHED, "*.npy", "*.json", "embedding/*"), True
    ),
    "cache": Reader(_make_cached, _read_cached, ("cache/*/*", "cache/images/*/*"), True),
    "unfinished training": Reader(_make_unfinished, _read_unfinished, ("checkpoint*",)),
    "parameters": Reader(_make_parameters, _read_parameters, ("*.yaml",)),
    "archive": Reader(_make_archive, _read_archive, ("faces.tar.gz",)),
    "results": Reader(_make_results, _read_results, ("results.json",)),
}
FAULTS = Reader(_make_fault, _read_fault, ("fault",))  # to check the fuzzer itself
