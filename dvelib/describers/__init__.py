"""Describers turn images into maps of descriptors; a trained embedding is one of them."""

from dvelib.describers.describer import Describer, open_describer

__all__ = ["Describer", "open_describer"]
