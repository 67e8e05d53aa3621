"""A folder is a layer: a module imports its own layer and those before it, and no circle.

Imports inside functions count. Imports under ``if TYPE_CHECKING`` name types and are never
executed, so they may close a circle inside a layer; they must not point upward.
"""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dvelib"
METHOD = ("networks", "losses", "warps", "augment", "regressor", "matching")
LAYERS = (
    ("common",),
    ("fused",),
    METHOD,
    ("data",),
    ("paper",),
    ("checkpoints",),
    ("describers",),
    ("training",),
    ("evaluation",),
    ("study",),
    ("tables",),
    ("plots",),
    ("own",),
    ("recipes",),
    ("explore",),
    ("benchmarks",),
    ("pages",),
    ("cli",),
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
MOST_ENTRIES = 25


def modules(package: Path) -> dict[str, Path]:
    """By dotted name below the package, every module's file; a folder is its ``__init__``."""
    found = {}
    for file in sorted(package.rglob("*.py")):
        parts = file.relative_to(package).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


def imports(file: Path, known: dict[str, Path]) -> dict[str, bool]:
    """What a module imports of the package, and whether that is executed."""
    tree, found = ast.parse(file.read_text()), {}
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        for name in imported_names(node):
            name = name.removeprefix("dvelib.")
            while name not in known and "." in name:
                name = name.rpartition(".")[0]
            if name in known:
                found[name] = found.get(name, False) or id(node) not in typing_only
    return found


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names if alias.name.startswith("dvelib.")]
    if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "dvelib":
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


def upward_arrows(package: Path) -> list[str]:
    known = modules(package)
    return [
        f"{name} imports {target}, which is in a later layer"
        for name, file in known.items()
        if name
        for target in imports(file, known)
        if target and RANK[target.split(".")[0]] > RANK[name.split(".")[0]]
    ]


def circles(package: Path) -> list[str]:
    """Each circle of executed imports, found by walking from every module."""
    known = modules(package)
    arrows = {
        name: [target for target, executed in imports(file, known).items() if executed]
        for name, file in known.items()
    }
    found, done = [], set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            found.append(" -> ".join((*path[path.index(name) :], name)))
        elif name not in done:
            for target in arrows[name]:
                walk(target, (*path, name))
            done.add(name)

    for name in known:
        walk(name, ())
    return found


def test_every_folder_and_module_has_its_layer():
    top = {name.split(".")[0] for name in modules(PACKAGE) if name}
    assert top == set(RANK)


def test_a_module_imports_only_layers_before_its_own():
    assert upward_arrows(PACKAGE) == []


def test_no_imports_run_in_a_circle():
    assert circles(PACKAGE) == []


def test_few_entries_lie_directly_in_the_package():
    entries = [p.name for p in PACKAGE.iterdir() if p.name != "__pycache__"]
    assert len(entries) <= MOST_ENTRIES, sorted(entries)


@pytest.fixture
def small_package(tmp_path):
    """Two layers, each of one module, that import nothing."""
    for folder in ("common", "data"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__init__.py").touch()
        (tmp_path / folder / "one.py").touch()
        (tmp_path / folder / "two.py").touch()
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "from dvelib.data.one import x",
        "def f():\n    from dvelib.data import one",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import dvelib.data.one",
    ],
    ids=["at the top", "inside a function", "for types"],
)
def test_an_arrow_upward_is_found(small_package, text):
    (small_package / "common" / "one.py").write_text(text)
    assert upward_arrows(small_package) == [
        "common.one imports data.one, which is in a later layer"
    ]


def test_a_circle_is_found(small_package):
    (small_package / "data" / "one.py").write_text("from dvelib.data.two import x")
    (small_package / "data" / "two.py").write_text("def f():\n    import dvelib.data.one")
    assert circles(small_package) == ["data.one -> data.two -> data.one"]
    assert upward_arrows(small_package) == []
