"""The describers that come along, read from their files: neither they nor PyTorch are imported."""

from __future__ import annotations

import ast
import hashlib
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dvelib.common.digest import code_digest

__all__ = ["KNOWN", "KnownDescriber", "installed_version", "known_describers", "known_digest"]

KNOWN = "dvelib.describers.known"
FOLDER = Path(__file__).parent / "known"
# What a module may say of itself, each a literal, and what is meant where it does not.
DEFAULTS = {"TITLE": "", "PACKAGES": (), "WEIGHTS": None, "SLOW": False}


@dataclass(frozen=True)
class KnownDescriber:
    """A describer that comes along: a module of `dvelib.describers.known`.

    ``module``: its dotted name; ``title``: to read; ``about``: the first sentence of its
    documentation; ``packages``: what it needs beyond the project's own dependencies; ``weights``:
    what file of weights it needs, None for none; ``slow``: whether an image takes many times as
    long as a SmallNet.
    """

    name: str
    module: str
    title: str
    about: str
    packages: tuple[str, ...]
    weights: str | None
    slow: bool

    @property
    def missing(self) -> tuple[str, ...]:
        """The packages that are not installed."""
        return tuple(name for name in self.packages if installed_version(name) is None)


def known_describers() -> dict[str, KnownDescriber]:
    """The describers that come along, by name."""
    return {known.name: known for known in map(_read, sorted(FOLDER.glob("[!_]*.py")))}


def _read(path: Path) -> KnownDescriber:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in DEFAULTS
    }
    about = " ".join(ast.get_docstring(tree).split("\n\n")[0].split())
    title, packages, weights, slow = (DEFAULTS | said).values()
    name = path.stem.replace("_", "-")
    return KnownDescriber(name, f"{KNOWN}.{path.stem}", title, about, packages, weights, slow)


def known_digest() -> str:
    """Changes with their code and with which of them can run here."""
    missing = {name: known.missing for name, known in known_describers().items()}
    return hashlib.sha256(f"{code_digest(KNOWN)} {missing}".encode()).hexdigest()[:16]


def installed_version(package: str) -> str | None:
    """The version of an installed distribution, None where it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
