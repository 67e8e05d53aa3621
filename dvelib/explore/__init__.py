"""Dense descriptors to look at: click on a face and see where other faces answer.

An `Explorer` holds faces and embeddings, and makes the panels of ``notebooks/explore.ipynb``.
"""

from importlib import import_module

__all__ = ["Explorer", "Scene"]
_PLACES = {"Explorer": "dvelib.explore.explorer", "Scene": "dvelib.explore.scene"}


def __getattr__(name: str) -> object:
    # Networks and widgets are imported where they are asked for.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
