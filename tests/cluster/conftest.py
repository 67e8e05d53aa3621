import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("slurm.sh")


@pytest.fixture(scope="session")
def slurm(tmp_path_factory):
    """A Slurm: one that runs here, or else one of this machine alone, stopped at the end.

    Its tests take minutes, so they run only where DVE_TEST_SLURM is set.
    """
    if not os.environ.get("DVE_TEST_SLURM"):
        pytest.skip("tests on Slurm take minutes: set DVE_TEST_SLURM=1")
    if shutil.which("sinfo") and not subprocess.run(["sinfo"], capture_output=True).returncode:
        yield
        return
    if os.geteuid() or not shutil.which("slurmctld"):
        pytest.skip("needs a running Slurm; or root, and Debian's slurmctld, slurmd and munge")
    folder = tmp_path_factory.mktemp("slurm")
    for part in (folder, *folder.parents[:-1]):  # munged must reach its socket
        part.chmod(part.stat().st_mode | 0o011)
    subprocess.run([SCRIPT, "start", folder], check=True)
    try:
        yield
    finally:
        subprocess.run([SCRIPT, "stop", folder], check=True)
