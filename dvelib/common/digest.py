"""A digest of what code does, so that changed method code retrains and a changed comment not."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

__all__ = ["code_digest"]

PACKAGE = Path(__file__).parents[1]


@cache
def code_digest(*modules: str) -> str:
    """Digest of modules of the package, docstrings and layout ignored.

    ``modules``: paths relative to the package, of files or of folders with all their files.
    """
    total = hashlib.sha256()
    for file in sorted(file for module in modules for file in _files(module)):
        total.update(file.encode() + b"\0" + _normalised(PACKAGE / file).encode())
    return total.hexdigest()[:16]


def _files(module: str) -> list[str]:
    place = PACKAGE / module
    files = place.rglob("*.py") if place.is_dir() else [place]
    return [file.relative_to(PACKAGE).as_posix() for file in files]


def _normalised(path: Path) -> str:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            body[0].value.value = ""
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
