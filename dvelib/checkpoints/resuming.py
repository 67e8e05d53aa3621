"""Checkpoints of an unfinished training: the last one, and the one before it.

From a checkpoint a resumed training ends in the numbers of an uninterrupted one. A finished folder
keeps its last one where a longer training can go on from it. PyTorch writes a zip file with a
checksum of each member. A file that is cut, empty or changed is found by these, and the training
goes on from the checkpoint before it.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from dvelib.common.errors import StudyError
from dvelib.common.files import atomic_path, sync

__all__ = [
    "CHECKPOINT",
    "PREVIOUS",
    "copy_checkpoint",
    "drop_checkpoints",
    "load_checkpoint",
    "save_checkpoint",
]

CHECKPOINT = "checkpoint.pt"
PREVIOUS = "checkpoint.previous.pt"
# Errors of the machine, which say nothing about the file.
NOT_NOW = (errno.EACCES, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def save_checkpoint(folder: Path, state: dict) -> None:
    """Write the state of an unfinished training, whole or not at all; keeps the one before."""
    with atomic_path(folder / CHECKPOINT) as path:
        torch.save(state, path)
        sync(path)
        if (folder / CHECKPOINT).exists():
            os.replace(folder / CHECKPOINT, folder / PREVIOUS)


def copy_checkpoint(source: Path, folder: Path) -> None:
    """Take over the checkpoint of another folder, if it has one and this folder has none."""
    there = any((folder / name).exists() for name in (CHECKPOINT, PREVIOUS))
    if (source / CHECKPOINT).is_file() and not there:
        with atomic_path(folder / CHECKPOINT) as path:
            shutil.copyfile(source / CHECKPOINT, path)


def drop_checkpoints(folder: Path, *, keep_last: bool = False) -> None:
    """Remove the checkpoints of a training that is finished."""
    for name in (PREVIOUS,) if keep_last else (CHECKPOINT, PREVIOUS):
        (folder / name).unlink(missing_ok=True)


def load_checkpoint(
    folder: Path, device: torch.device, say: Callable[[str], object] | None = None
) -> dict | None:
    """The state to resume from, or None; tensors only, nothing in a file is executed.

    A damaged checkpoint is passed over in favour of the one before, or of the first step, and
    ``say`` is called with a sentence about it (by default it is printed on stderr). Raises
    StudyError where a file cannot be read for another reason, such as too little memory.
    """
    say = say or _print
    for name, instead in ((CHECKPOINT, "the checkpoint before it"), (PREVIOUS, "the first step")):
        path = folder / name
        if not os.path.lexists(path):
            continue
        state = _read(path, device)
        if state is not None:
            return state
        say(f"{path} is damaged: the training goes on from {instead}")
    return None


def _read(path: Path, device: torch.device) -> dict | None:
    """The state in a file; None where the file is damaged."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        state = torch.load(path, map_location=device, weights_only=True)
    except (MemoryError, torch.OutOfMemoryError):
        raise StudyError(
            f"too little memory is free to read {path}: free some, and run again"
        ) from None
    except Exception as error:  # zipfile and torch raise almost anything on a damaged file
        if getattr(error, "errno", None) in NOT_NOW:
            raise StudyError(f"{path} cannot be read ({error.strerror}): run again") from None
        return None
    return state if isinstance(state, dict) else None


def _print(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
