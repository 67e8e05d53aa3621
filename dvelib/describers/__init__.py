"""Describers turn images into maps of descriptors; a trained embedding is one of them.

Names from here are imported where they are first asked for, so that planning a study does not
import PyTorch.
"""

from importlib import import_module

_PLACES = {
    "Describer": "describer",
    "folder_name": "describer",
    "is_describer": "describer",
    "known_describers": "catalogue",
    "open_describer": "describer",
    "title_of": "describer",
    "wrap_describer": "describer",
}
__all__ = list(_PLACES)


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
