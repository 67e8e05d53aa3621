"""Print the versions of all packages that dvelib needs, as installed where this runs.

make lock writes them into requirements.lock, of an environment in which the tests have passed.
Packages of the tests are left out.
"""

import platform
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

EXTRAS = ("study", "describers", "cluster")
PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def add(lines: Iterable[str], extras: set[str], versions: dict[str, str]) -> None:
    """Add the versions of the required packages, and of those that they require."""
    for requirement in map(Requirement, lines):
        marker, name = requirement.marker, normalised(requirement.name)
        if marker and not any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
            continue
        if name in versions:
            continue
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is not installed: pip install -e '.[dev]'")
        versions[name] = installed.version.partition("+")[0]
        add(installed.requires or (), set(requirement.extras), versions)


project = tomllib.loads(PROJECT.read_text())["project"]
lines = list(project["dependencies"])
for name in EXTRAS:
    lines += project["optional-dependencies"][name]
found: dict[str, str] = {}
add(lines, set(), found)
print(f"# Tested versions, Python {platform.python_version()} on {platform.system()}.")
print("# Made by: make lock. To install them: pip install -r requirements.lock")
print("\n".join(f"{name}=={version}" for name, version in sorted(found.items())))
