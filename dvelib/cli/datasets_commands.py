"""Commands that download what was published, and check what is on disk."""

from __future__ import annotations

from pathlib import Path

from dvelib.cli.options import Data
from dvelib.common.errors import StudyError
from dvelib.common.files import outputs_folder

__all__ = ["check", "fetch", "fetch_model"]


def fetch(dataset: str, *, data: Data = None) -> None:
    """Download a published dataset and unpack it where the study looks for it.

    Args:
        dataset: celeba, 300w, aflw or aflw-mtfl
    """
    from dvelib.data.mirrors import archive_of, fetch

    fetch(archive_of(dataset), _absolute(data))


def check(dataset: str, *, images: bool = False, data: Data = None) -> None:
    """Compare a dataset on disk with what was published.

    Args:
        dataset: celeba, 300w, aflw or aflw-mtfl
        images: also decode every image
    """
    from dvelib.data.mirrors import archive_of, check

    for line in check(archive_of(dataset), _absolute(data), images=images):
        print(line, flush=True)


def _absolute(data: Path | None) -> Path:
    if data is None:
        raise StudyError("name the folder that holds the datasets, or is to hold them, with --data")
    return data.expanduser().resolve()


def fetch_model(name: str, *, out: Path | None = None) -> None:
    """Download the weights of a published experiment and convert them.

    Args:
        name: the experiment, such as celeba-smallnet-64d-dve
        out: folder of the models (default: outputs/models)
    """
    from dvelib.recipes import fetch_model

    folder = (out or outputs_folder() / "models").expanduser()
    print(f"{fetch_model(name, folder)} (measure it with: dve match)")
