"""Interactive views of dense descriptors: click on a face, see the matches on other faces.

An `Explorer` holds faces and embeddings and makes the panels of ``notebooks/explore.ipynb``.
"""

from importlib import import_module

__all__ = ["Explorer", "Scene"]
_PLACES = {"Explorer": "dvelib.explore.explorer", "Scene": "dvelib.explore.scene"}


def __getattr__(name: str) -> object:
    # Networks and widgets are imported only when needed.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
