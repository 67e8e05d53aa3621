"""Pretrained weights that come with the project: small embeddings trained on real faces.

    from dvelib.checkpoints.pretrained import load_pretrained

    embedding = load_pretrained("smallnet-64d-exchange")

There are SmallNets of 16 and 64 dimensions, with and without exchange, and two regressors on the
64-dimensional embedding with exchange: of five landmarks (eyes, nose, corners of the mouth) and of
the 68 of 300-W. Each is a folder like that of any finished training, with specification, provenance
and weights in half precision. A regressor's folder also holds the calibration of its doubt (see
`dvelib.own.doubt`).

These names are accepted wherever the folder of an embedding or a regressor is. The weights are
copied to the user's cache, which also keeps measurements, since the package may be read-only.
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

__all__ = [
    "EMBEDDINGS",
    "LANDMARKS",
    "REGRESSORS",
    "load_pretrained",
    "named_folder",
    "pretrained_folder",
]

EMBEDDINGS = (
    "smallnet-64d-exchange",
    "smallnet-64d-plain",
    "smallnet-16d-exchange",
    "smallnet-16d-plain",
)
LANDMARKS = "five-landmarks"
REGRESSORS = (LANDMARKS, "68-landmarks")
LANDMARKS_ON = "smallnet-64d-exchange"
WEIGHTS_FOLDER = Path(__file__).parent / "weights"


def load_pretrained(name: str, device: str = "cpu") -> Embedding:
    """One of `EMBEDDINGS`; raises StudyError for any other name."""
    from dvelib.checkpoints.storage import load_embedding

    if name not in EMBEDDINGS:
        raise StudyError(
            f"there is no pretrained embedding {name!r}: choose among {', '.join(EMBEDDINGS)}"
        )
    return load_embedding(pretrained_folder(name), device)


def named_folder(folder: Path | str) -> Path:
    """The folder itself, or for the name of pretrained weights the folder of their copy."""
    if str(folder) in (*EMBEDDINGS, *REGRESSORS) and not Path(folder).exists():
        return pretrained_folder(str(folder))
    return Path(folder)


def pretrained_folder(name: str) -> Path:
    """The folder of a copy of pretrained weights in the user's cache, made at the first call.

    The folder of a regressor also contains its embedding.
    """
    from dvelib.data.cache import cache_folder  # imports pandas; the command line needs the names

    parts = {name: ""} | ({LANDMARKS_ON: "embedding"} if name in REGRESSORS else {})
    files = {
        path: f"{place}/{path.name}".lstrip("/")
        for part, place in parts.items()
        for path in sorted((WEIGHTS_FOLDER / part).iterdir())
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
        shutil.rmtree(temporary)  # another process has made the folder
    return folder
