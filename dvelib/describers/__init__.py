"""Describers turn images into maps of descriptors; a trained embedding is one of them."""

from dvelib.describers.describer import (
    Describer,
    is_describer,
    known_describers,
    open_describer,
    title_of,
    wrap_describer,
)

__all__ = [
    "Describer",
    "is_describer",
    "known_describers",
    "open_describer",
    "title_of",
    "wrap_describer",
]
