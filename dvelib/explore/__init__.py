"""Dense descriptors to look at: click on a face and see where other faces answer.

A `Gallery` is what there is to look at; its panels are what ``notebooks/explore.ipynb`` shows.
"""

from importlib import import_module

__all__ = ["Gallery", "Scene"]
_PLACES = {"Gallery": "dvelib.explore.gallery", "Scene": "dvelib.explore.scene"}


def __getattr__(name: str) -> object:
    # Networks and widgets are imported where they are asked for.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
