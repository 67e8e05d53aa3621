"""Running commands of an installed wheel."""

import os
import subprocess
from pathlib import Path


def run_installed(dve: Path, folder: Path, *arguments: object) -> subprocess.CompletedProcess:
    """Run a command in a folder, without anything that names the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(dve), *map(str, arguments)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=550
    )
