"""Where each dataset is, below the one folder that holds all of them."""

from __future__ import annotations

__all__ = ["ARCHIVES", "FOLDERS", "folder_of"]

FOLDERS = {
    "celeba": "celeba",
    "mafl": "celeba",
    "300w": "300w",
    "300w-bicubic": "300w",
    "aflw": "aflw/aflw_release-2",
    "aflw-mtfl": "aflw-mtfl",
}
# The archive that `dve fetch` gets, by the datasets that are in it.
ARCHIVES = {name: folder.split("/")[0] for name, folder in FOLDERS.items()}


def folder_of(dataset: str) -> str:
    """A dataset's folder below the one that holds all; its own name if no layout is published."""
    return FOLDERS.get(dataset, dataset)
