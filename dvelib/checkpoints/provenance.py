"""How a result was made: commit, versions and hardware."""

from __future__ import annotations

import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from dvelib.common.files import IN_CHECKOUT

__all__ = ["describe_hardware", "provenance"]


def provenance(device: torch.device, **facts: object) -> dict:
    """How a result was made: commit, versions, hardware, and the given facts."""
    packages = ("torch", "torchvision", "kornia", "numpy")
    return {
        "commit": _commit(),
        "versions": {"python": platform.python_version()}
        | {name: _version(name) for name in packages},
        "hardware": describe_hardware(device),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **facts,
    }


def describe_hardware(device: torch.device) -> str:
    """One line: the GPU's name, or the processor and how many threads were used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor()}, {torch.get_num_threads()} thread(s)"


def _processor() -> str:
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The checkout's commit, marked where its files differ; of an installed wheel, its version."""
    if not IN_CHECKOUT:  # git would answer with a repository that the environment lies in
        return f"dvelib {_version('dvelib')}"
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    return result.stdout.strip() or None
