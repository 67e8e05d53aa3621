"""Files that were made to do harm, and faults that were found: each is tried in every run.

`CRAFTED` holds, by the name of a reader, the inputs by a short description: which file, and a
function from its bytes to other bytes, or to None for what `place_special` puts there.
"""

from __future__ import annotations

import os
import shutil
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import torch

from tests.published_writer import Named, Tensor, pickled, stream, zipped

__all__ = ["CRAFTED", "place_special"]

Make = Callable[[bytes], bytes]

FLOATS = ("storage", torch.FloatStorage, "7", "cuda:0", 2)
TWO = struct.pack("<2f", 1, 2)
MILLION = 1_000_000


def place_special(path: Path, kind: str) -> None:
    """Something that is no file in place of a file: a folder, a named pipe, a link to itself."""
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path.name)
        case "endless":
            path.symlink_to("/dev/zero")
        case "missing":
            pass


def constant(data: bytes) -> Make:
    return lambda _: data


# Checkpoints, as the pickle of their content. `put` is a memo slot of a list or a tuple.
HEAD = b"}q\x00(X\x04\x00\x00\x00archX\x01\x00\x00\x00AX\x05\x00\x00\x00epochK\x01"
STATE = HEAD + b"X\x0a\x00\x00\x00state_dict"
ORDERED = b"ccollections\nOrderedDict\n"


def digits(count: int) -> bytes:
    """The instruction for a whole number of so many bytes."""
    return b"\x8b" + struct.pack("<i", count) + b"\x7f" * count


def tensor_of(size: bytes, stride: bytes) -> bytes:
    storage = pickled(Named(*FLOATS, None))[2:-1]
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + size + stride + b"\x89)tR"


def with_state(value: bytes) -> bytes:
    return STATE + b"}X\x01\x00\x00\x00a" + value + b"su."


def contents() -> dict[str, bytes]:
    """Pickles that ask for much work or memory, by a description."""
    pairs = b"(" + b"X\x01\x00\x00\x00aK\x01\x86" * 1000 + b"l"
    doubling = b"]q\x01" + b"(h\x01h\x01e" * 30
    return {
        "a million nested tuples": STATE + b")" + b"\x85" * MILLION + b"u.",
        "a million marks": b"(" * MILLION + b".",
        "a million lists": b"(" + b"]" * MILLION + b"t.",
        "a million nested lists": b"]" * MILLION + b"a" * (MILLION - 1) + b".",
        "OrderedDict of one list again and again": pairs
        + b"q\x01"
        + (ORDERED + b"h\x01\x85R") * 30_000
        + b".",
        "a size of a hundred thousand digits": with_state(
            tensor_of(b"(" + digits(40_000) * 8 + b"t", b"(" + digits(40_000) * 8 + b"t")
        ),
        "a size as text of many digits": with_state(
            tensor_of(b"(L" + b"9" * 100_000 + b"L\nt", b"(K\x01t")
        ),
        "a stride of many digits": with_state(
            tensor_of(b"(K\x01t", b"(" + digits(1_000_000) + b"t")
        ),
        "a list that holds itself thirty times": doubling + b".",
        "a key of nine million characters": STATE
        + b"}X"
        + struct.pack("<I", 9 * MILLION)
        + b"k" * 9 * MILLION
        + b"K\x01su.",
        "a network's name of nine million characters": b"}(X\x04\x00\x00\x00archX"
        + struct.pack("<I", 9 * MILLION)
        + b"n" * 9 * MILLION
        + b"X\x05\x00\x00\x00epochK\x01X\x0a\x00\x00\x00state_dict}u.",
        "a name of nine million characters": b"c" + b"m" * 9 * MILLION + b"\nn\n.",
        "a text announced with four gigabytes": b"\x8d" + struct.pack("<Q", 2**32) + b"a",
        "bytes announced with an exabyte": b"\x8e" + struct.pack("<Q", 2**60),
        "a hundred thousand memo entries": b"]" + b"\x94" * 100_000 + b".",
        "os.system": b"cos\nsystem\n(X\x04\x00\x00\x00trueTR.".replace(b"T", b"t"),
        "eval": b"cbuiltins\neval\n(X\x01\x00\x00\x001tR.",
        "an instance with a state that sets attributes": ORDERED
        + b")R}X\x01\x00\x00\x00aK\x01s\x86b.",
        "a class under a dotted name": b"\x8c\x07pathlib\x8c\x09os.system\x93.",
        "an extension code": b"\x82\x01.",
        "a million booleans": b"(" + b"\x88" * MILLION + b"t.",
    }


def with_storages(keys: bytes) -> bytes:
    """A checkpoint as a stream whose list of the storages' names is this pickle."""
    described = {"arch": "A", "epoch": 1, "state_dict": OrderedDict(a=Tensor(Named(*FLOATS, None)))}
    whole = stream(pickled(described), {"7": (2, TWO)})
    return whole.replace(pickled(["7"]), keys)


def checkpoints() -> dict[str, tuple[str, Make]]:
    """Hostile checkpoints in both forms, by a description."""
    made = {}
    for what, content in contents().items():
        made[f"{what}, as a stream"] = ("a.pth", constant(stream(content, {"7": (2, TWO)})))
        made[f"{what}, as a zip"] = ("a.pth", constant(zipped(content, {"7": TWO})))
    deep = b"(" + b")" + b"\x85" * MILLION + b"l."
    made["the storages' names hold a tuple a million deep"] = (
        "a.pth",
        constant(with_storages(deep)),
    )
    many = {str(i): b"" for i in range(100_000)}
    made["a zip of a hundred thousand members"] = ("a.pth", lambda _: zipped(b"}.", many))
    return made


def specials(*files: str) -> dict[str, tuple[str, str]]:
    """A folder, a pipe and so on in place of each of these files."""
    kinds = ("folder", "pipe", "loop", "endless", "missing")
    return {f"{kind} in place of {file}": (file, kind) for file in files for kind in kinds}


BOXES = "300w/Bounding Boxes/bounding_boxes_helen_trainset.mat"
AFLW = "aflw/aflw_release-2"
FINISHED = ("weights.safetensors", "specification.json", "provenance.json", "history.csv")

CRAFTED: dict[str, dict[str, tuple[str, Make | str]]] = {
    "300w": specials(BOXES, "300w/afw/im_0000.pts", "300w/afw/im_0000.png"),
    "celeba": {
        "a name of ten thousand characters": (
            "celeba/MAFL/training.txt",
            lambda data: b"a" * 10_000 + b".jpg\n" + data,
        ),
        **specials("celeba/Eval/list_eval_partition.txt", "celeba/MAFL/testing.txt"),
    },
    "aflw": {
        "a NUL byte in a name": (
            f"{AFLW}/aflw_train_images.txt",
            lambda data: data.replace(b"face", b"fa\0ce", 1),
        ),
        "a name too long": (
            f"{AFLW}/aflw_train_images.txt",
            lambda data: b"a" * 5000 + data,
        ),
        **specials(f"{AFLW}/aflw_train_images.txt", f"{AFLW}/aflw_train_keypoints.mat"),
    },
    "folder": {
        "a line of a million cells": ("faces/landmarks.csv", lambda data: data + b"," * MILLION),
        "a header of a million cells": (
            "faces/landmarks.csv",
            lambda data: b"file" + b",x" * MILLION + b"\n" + data,
        ),
        "many short lines": ("faces/landmarks.csv", lambda data: data + b"a\n" * 200_000),
        "no file column": ("faces/landmarks.csv", lambda data: data.replace(b"file", b"name", 1)),
        "two file columns": (
            "faces/landmarks.csv",
            lambda data: data.replace(b"split", b"file", 1),
        ),
        "PostScript under the name of a picture": (
            "faces/a.png",
            constant(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\nshowpage\n"),
        ),
        "a picture of a billion pixels": (
            "faces/a.png",
            lambda data: data[:16] + struct.pack(">2I", 40_000, 40_000) + data[24:],
        ),
        **specials("faces/landmarks.csv", "faces/a.png", "faces/landmarks.json"),
    },
    "stream checkpoint": checkpoints() | specials("a.pth"),
    "embedding": specials(*FINISHED),
    "predictor": {
        **specials(*FINISHED, "predictions.npy", "embedding/weights.safetensors"),
        "a header of a trillion numbers": (
            "predictions.npy",
            lambda data: data.replace(b"(0, 5, 2)", b"(9999999, 99999, 2)"),
        ),
    },
    "results": {
        "deep brackets": ("results.json", lambda _: b"[" * MILLION),
        **specials("results.json"),
    },
    "parameters": {
        "aliases of aliases": (
            "a.yaml",
            lambda data: (
                b"a: &a [x,x]\nb: &b [*a,*a]\n"
                + b"".join(
                    b"%c: &%c [*%c,*%c,*%c,*%c]\n" % (c + 1, c + 1, c, c, c, c)
                    for c in range(ord("b"), ord("y"))
                )
            ),
        ),
        "a hundred thousand keys": (
            "a.yaml",
            lambda data: b"".join(b"k%d: 1\n" % i for i in range(100_000)),
        ),
        "a number with a large exponent": (
            "a.yaml",
            lambda data: data + b"\nlearning_rate: 1e999999999\n",
        ),
        "a key that is a list": ("a.yaml", lambda data: data + b"\n? [a, b]\n: 1\n"),
        "a map tag on a number": ("a.yaml", lambda data: data + b"\nsteps: !!map 3\n"),
        "an impossible date": ("a.yaml", lambda data: data + b"\nsteps: 2020-99-99\n"),
        "deep brackets": ("a.yaml", lambda data: b"[" * 100_000),
        **specials("a.yaml"),
    },
    "unfinished training": specials("checkpoint.pt"),
    "cache": {},
    "archive": specials("faces.tar.gz"),
}
