"""The list of tested versions, and where the version of the package itself comes from."""

import re
import tomllib
from importlib.metadata import version

import pytest
import yaml
from packaging.requirements import Requirement

import dvelib
from dvelib.common.files import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]


def name_of(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", Requirement(requirement).name).lower()


@pytest.fixture(scope="module")
def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def test_every_package_has_a_tested_version_that_the_project_allows(locked):
    optional = [line for extra in ("study", "describers", "cluster") for line in EXTRAS[extra]]
    lines = PROJECT["dependencies"] + optional
    assert len(lines) > 30
    for line in lines:
        assert Requirement(line).specifier.contains(locked[name_of(line)]), line


def test_packages_of_tests_alone_are_not_locked_and_not_in_the_environment(locked):
    tools = {name_of(line) for line in EXTRAS["dev"]} - {"dvelib"}
    assert {"pytest", "ruff", "playwright"} <= tools
    assert not {"pytest", "ruff", "playwright"} & set(locked)
    *_, pip = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    assert pip["pip"] == ["-e .[study,describers]"]


def test_the_version_is_written_once():
    assert dvelib.__version__ == version("dvelib")
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == PROJECT["version"]
    assert f"## {PROJECT['version']}" in (ROOT / "CHANGELOG.md").read_text()
