import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import nbconvert
import pytest

from dvelib.common.files import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Path:
    """The ``dve`` of an environment that holds the wheel.

    Other people's packages come from the running environment, so that it takes seconds.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    (packages,) = folder.glob("lib/python*/site-packages")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--target", str(packages), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    # Read after the folder itself, so that the wheel hides the checkout's package.
    others = [path for path in sys.path if Path(path).name == "site-packages"]
    others.append(sysconfig.get_path("purelib"))
    (packages / "zz_others.pth").write_text("\n".join(dict.fromkeys(others)) + "\n")
    # Templates of nbconvert.
    (folder / "share").symlink_to(Path(nbconvert.__file__).parents[4] / "share")
    script = folder / "bin" / "dve"
    script.write_text(f"#!{folder}/bin/python\nfrom dvelib.cli import entry_point\nentry_point()\n")
    script.chmod(0o755)
    return script
