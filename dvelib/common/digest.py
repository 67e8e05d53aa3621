"""Hashes of source code, by which cheap results (pages, tables, matching errors) follow the code.

The hash covers a module and every module of the package that it imports, directly or through
others, also inside functions. Comments, docstrings and layout do not count. Files beside a module
that its source names, such as templates, count with their bytes.

Trainings are never named by code: see `dvelib.training.versions`.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path

__all__ = ["code_digest", "notebook_digest"]

PACKAGE = Path(__file__).parents[1]


def code_digest(*modules: str) -> str:
    """16 hexadecimal digits that change with the code of these modules or of their imports.

    ``modules``: dotted names, such as ``dvelib.evaluation.matching_errors``. A package stands for
    all its modules. Raises ValueError for a name that is no module of the package.
    """
    return _digest(_closure(modules))


def notebook_digest(notebook: Path) -> str:
    """The same for the code cells of a notebook and the modules that they import."""
    import nbformat

    cells = nbformat.read(notebook, as_version=4).cells
    source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    plain = "\n".join(line for line in source.splitlines() if not line.startswith(("%", "!")))
    tree = ast.parse(plain)
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return _digest(_closure(_imported(tree)), text, _normalised(tree))


def _digest(modules: Iterable[str], *texts: str) -> str:
    total = hashlib.sha256()
    for name in sorted(modules):
        total.update(name.encode() + b"\0" + _module_digest(name))
    for text in texts:
        total.update(text.encode() + b"\0")
    return total.hexdigest()[:16]


def _closure(modules: Iterable[str]) -> set[str]:
    """These modules, those that they import, and so on."""
    found: set[str] = set()
    waiting = [module for name in modules for module in _members(name)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _dependencies(name)
    return found


@cache
def _dependencies(name: str) -> tuple[str, ...]:
    tree = ast.parse(_source(name).read_text())
    return tuple(module for target in _imported(tree) for module in _members(target))


def _imported(tree: ast.AST) -> set[str]:
    """Dotted names of the package that a tree imports anywhere; a name may be one in a module."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    root = PACKAGE.name
    return {name for name in found if name == root or name.startswith(f"{root}.")}


def _members(name: str) -> list[str]:
    """The module that a dotted name means; of a package, all modules in its folder.

    ``package.module.name`` is the module. A name that a package itself offers may come from any
    of its modules, so it stands for them all. The top of the package stands for itself alone.
    """
    root, *parts = name.split(".")
    while parts and not (_path(parts).is_dir() or _path(parts).with_suffix(".py").is_file()):
        parts.pop()
    if root != PACKAGE.name:
        raise ValueError(f"there is no module {name!r} in {PACKAGE.name}")
    if not parts:
        return [root]
    if _path(parts).with_suffix(".py").is_file():
        return [".".join([root, *parts])]
    files = _path(parts).rglob("*.py")
    return [".".join([root, *f.relative_to(PACKAGE).with_suffix("").parts]) for f in files]


def _path(parts: list[str]) -> Path:
    return PACKAGE.joinpath(*parts)


def _source(name: str) -> Path:
    parts = name.split(".")[1:]
    return _path(parts).with_suffix(".py") if parts else PACKAGE / "__init__.py"


@cache
def _module_digest(name: str) -> bytes:
    path = _source(name)
    tree = ast.parse(path.read_text())
    total = hashlib.sha256(_normalised(tree).encode())
    for file in _files_named_in(tree, path.parent):
        total.update(file.name.encode() + b"\0" + file.read_bytes())
    return total.digest()


def _files_named_in(tree: ast.AST, folder: Path) -> list[Path]:
    """Files that are no modules, beside a module, whose names or folders its source states."""
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    beside = [path for path in folder.iterdir() if path.name in named and path.suffix != ".py"]
    files = [f for path in beside for f in (path.rglob("*") if path.is_dir() else [path])]
    return sorted(f for f in files if f.is_file() and f.suffix not in (".py", ".pyc"))


def _normalised(tree: ast.AST) -> str:
    """The tree as text, without docstrings and positions."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_docstring(body[0]):
            node.body = body[1:] or [ast.Pass()]
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
