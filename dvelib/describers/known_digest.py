"""A hash of the describers that come along, for tables that show them all."""

from __future__ import annotations

import hashlib

from dvelib.common.digest import code_digest
from dvelib.describers.describer import KNOWN, known_describers

__all__ = ["known_digest"]


def known_digest() -> str:
    """Changes with their code and with which of them can run here."""
    missing = {name: known.missing for name, known in known_describers().items()}
    return hashlib.sha256(f"{code_digest(KNOWN)} {missing}".encode()).hexdigest()[:16]
