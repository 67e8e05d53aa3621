"""A digest of what code does, so that changed method code retrains and a changed comment not."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path

__all__ = ["code_digest"]

PACKAGE = Path(__file__).parent


@cache
def code_digest(*modules: str) -> str:
    """Digest of modules of the package (paths relative to it), docstrings and layout ignored."""
    total = hashlib.sha256()
    for module in sorted(modules):
        total.update(module.encode() + b"\0" + _normalised(PACKAGE / module).encode())
    return total.hexdigest()[:16]


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
