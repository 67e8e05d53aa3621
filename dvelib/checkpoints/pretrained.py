"""Weights that come with the project: small embeddings of its study on real faces.

    from dvelib.checkpoints.pretrained import load_pretrained

    embedding = load_pretrained("smallnet-64d-exchange")

Each is a folder like that of any finished training, with its specification and provenance, the
weights in half precision: SmallNets of 16 and 64 dimensions, with and without exchange, and a
regressor of five landmarks (eyes, nose, corners of the mouth) on the one of 64 with exchange.

A name of these serves wherever the folder of an embedding or a regressor does. What is measured
on them is kept with a copy in the user's cache, for the package may be read-only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dvelib.common.errors import StudyError

if TYPE_CHECKING:
    from dvelib.checkpoints.storage import Embedding

__all__ = ["EMBEDDINGS", "LANDMARKS", "load_pretrained", "named_folder", "pretrained_folder"]

EMBEDDINGS = (
    "smallnet-64d-exchange",
    "smallnet-64d-plain",
    "smallnet-16d-exchange",
    "smallnet-16d-plain",
)
LANDMARKS = "five-landmarks"
LANDMARKS_ON = "smallnet-64d-exchange"
HERE = Path(__file__).parent / "weights"


def load_pretrained(name: str, device: str = "cpu") -> Embedding:
    """One of `EMBEDDINGS`; raises StudyError for any other name."""
    from dvelib.checkpoints.storage import load_embedding

    if name not in EMBEDDINGS:
        raise StudyError(f"no embedding {name!r} comes along: choose among {', '.join(EMBEDDINGS)}")
    return load_embedding(pretrained_folder(name), device)


def named_folder(folder: Path | str) -> Path:
    """The folder that is meant: itself, or a copy of what comes along under that name."""
    if str(folder) in (*EMBEDDINGS, LANDMARKS) and not Path(folder).exists():
        return pretrained_folder(str(folder))
    return Path(folder)


def pretrained_folder(name: str) -> Path:
    """A copy, in the user's cache, of what comes along under a name; made if need be.

    That of the regressor holds its embedding, too.
    """
    from dvelib.data.cache import cache_folder  # imports pandas; the command line needs the names

    parts = {name: ""} | ({LANDMARKS_ON: "embedding"} if name == LANDMARKS else {})
    files = {
        path: f"{place}/{path.name}".lstrip("/")
        for part, place in parts.items()
        for path in sorted((HERE / part).iterdir())
    }
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:8]
    folder = cache_folder() / "pretrained" / f"{name}-{digest}"
    if folder.exists():
        return folder
    folder.parent.mkdir(exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix="."))
    for path, target in files.items():
        (temporary / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, temporary / target)
    try:
        os.replace(temporary, folder)
    except OSError:
        if not folder.exists():
            raise
        shutil.rmtree(temporary)  # someone else was faster
    return folder
