"""Describers turn images into maps of descriptors; a trained embedding is one of them.

Names from here are imported where they are first asked for, so that planning a study does not
import PyTorch.
"""

from dvelib.common.lazy import lazy_names

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

__getattr__ = lazy_names(__name__, _PLACES)
