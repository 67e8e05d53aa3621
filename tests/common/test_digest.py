"""Cheap results follow the code behind them, and not its comments."""

import pytest

from dvelib.common import digest
from dvelib.common.digest import code_digest


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package ``small`` whose ``top`` imports ``layer.middle``, which imports ``bottom``."""
    folder = tmp_path / "small"
    (folder / "layer").mkdir(parents=True)
    (folder / "layer" / "words").mkdir()
    (folder / "__init__.py").touch()
    (folder / "layer" / "__init__.py").touch()
    (folder / "top.py").write_text("from small.layer.middle import f\n")
    (folder / "layer" / "middle.py").write_text(
        "def f():\n    from small import bottom\n    return bottom.X, 'words'\n"
    )
    (folder / "layer" / "words" / "a.txt").write_text("hello")
    (folder / "layer" / "beside.txt").write_text("not named")
    (folder / "bottom.py").write_text("X = 1\n")
    (folder / "apart.py").write_text("Y = 1\n")
    monkeypatch.setattr(digest, "PACKAGE", folder)
    return folder


def of_top():
    digest._dependencies.cache_clear()
    digest._module_digest.cache_clear()
    return code_digest("small.top")


@pytest.fixture(autouse=True)
def fresh_caches():
    yield
    digest._dependencies.cache_clear()
    digest._module_digest.cache_clear()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("bottom.py", "X = 2\n"),
        ("layer/middle.py", "def f():\n    from small import bottom\n    return bottom, 'words'\n"),
        ("layer/words/a.txt", "goodbye"),
    ],
    ids=["an import of an import", "an import", "a file that the source names"],
)
def test_it_changes_with_whatever_a_module_uses(package, file, text):
    before = of_top()
    (package / file).write_text(text)
    assert of_top() != before


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("apart.py", "Y = 2\n"),
        ("layer/beside.txt", "changed"),
        ("bottom.py", '"""A docstring that was not there."""\n\n# a comment\nX = 1\n'),
    ],
    ids=["a module that is not imported", "a file that is not named", "comments and docstrings"],
)
def test_it_does_not_change_with_anything_else(package, file, text):
    before = of_top()
    (package / file).write_text(text)
    assert of_top() == before


def test_adding_rewording_and_removing_a_docstring_changes_nothing(package):
    found = []
    for text in ("", '    """One."""\n', '    """Another."""\n'):
        (package / "bottom.py").write_text(f"X = 1\n\n\ndef f():\n{text}    return X\n")
        found.append(of_top())
    assert len(set(found)) == 1


def test_a_package_stands_for_all_its_modules(package):
    before = code_digest("small.layer")
    (package / "layer" / "new.py").write_text("Z = 1\n")
    assert code_digest("small.layer") != before


def test_an_unknown_module_is_an_error(package):
    with pytest.raises(ValueError, match="there is no module 'elsewhere.top'"):
        code_digest("elsewhere.top")
