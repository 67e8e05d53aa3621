"""Running a small study in processes of its own, ending it, and reading what it left."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from safetensors.torch import load_file

ROOT = Path(__file__).resolve().parents[2]
MARK = "DVE_TORTURE"  # an environment variable that every process of a study inherits
TABLE = "limited_annotations"  # few jobs of every kind: trainings, landmarks, a notebook
SECONDS = 900
ORPHAN_SECONDS = 20  # kernels of notebooks notice after some seconds that their parent is gone


@dataclass
class Ended:
    """``status``: of the process, negative for a signal; ``output``: its last lines."""

    status: int
    output: str
    seconds: float

    @property
    def sentence(self) -> str | None:
        """The line in which it said what is wrong; None where it said nothing, or a traceback."""
        said = [line for line in self.output.splitlines() if line.startswith("dve: ")]
        return None if "Traceback" in self.output or not said else said[-1]


@dataclass
class SmokeStudy:
    """One table of the smoke profile, with its embeddings and regressors, in a folder."""

    folder: Path
    environment: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def outputs(self) -> Path:
        return self.folder / "smoke"

    def command(self) -> list[str]:
        options = ["--profile", "smoke", f"--outputs={self.folder}", "--cores", "1"]
        return [
            sys.executable,
            "-m",
            "dvelib.cli",
            "study",
            *options,
            "--",
            f"tables/{TABLE}/page.ipynb",
        ]

    def start(self, command: list[str] | None = None, **how) -> subprocess.Popen:
        changed = {"OMP_NUM_THREADS": "1", MARK: str(os.getpid()), **self.environment}
        environment = {k: v for k, v in (os.environ | changed).items() if v is not None}
        environment.setdefault("DVE_CACHE", str(self.folder.parent / "cache"))
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._log = self.folder.parent / "log"
        return subprocess.Popen(
            command or self.command(),
            cwd=ROOT,
            env=environment,
            stdout=self._log.open("w"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **how,
        )

    def run(self, command: list[str] | None = None, **how) -> Ended:
        """Run to the end, at most `SECONDS`."""
        began = time.monotonic()
        process = self.start(command, **how)
        try:
            status = process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            end_group(process, signal.SIGKILL)
            status = process.wait()
        return self.ended(status, began)

    def ended(self, status: int, began: float) -> Ended:
        text = self._log.read_text(errors="replace")[-20_000:]
        return Ended(status, text, time.monotonic() - began)

    def disturbed(self, after: float, kind: signal.Signals) -> Ended | None:
        """Run, and after so many seconds send the whole process group a signal.

        None where the study had ended before.
        """
        began = time.monotonic()
        process = self.start()
        try:
            status = process.wait(after)
            return self.ended(status, began)
        except subprocess.TimeoutExpired:
            end_group(process, kind)
            process.wait()
            return None


def end_group(process: subprocess.Popen, kind: signal.Signals) -> None:
    """Send a signal to a study's process group, which holds only what this program started."""
    try:
        os.killpg(process.pid, kind)
    except ProcessLookupError:
        pass


def numbers(outputs: Path) -> dict[str, str]:
    """By file, a hash of every weight and of every recorded number, without times and dates."""
    found = {}
    for path in sorted(outputs.glob("*/*/weights.safetensors")):
        total = hashlib.sha256()
        for name, value in sorted(load_file(path).items()):
            total.update(name.encode() + value.numpy().tobytes())
        found[str(path.relative_to(outputs))] = total.hexdigest()
    for path in sorted(outputs.glob("tables/*/results.json")):
        held = json.loads(path.read_text())
        kept = {key: held[key] for key in ("rows", "effects", "headline")}
        for row in kept["rows"]:
            row.pop("training", None)  # its seconds
        text = json.dumps(kept, sort_keys=True)
        found[str(path.relative_to(outputs))] = hashlib.sha256(text.encode()).hexdigest()
    return found


def leftovers(outputs: Path) -> list[str]:
    """Temporary files below a finished study, and processes that still run."""
    allowed = {".lock", ".study.lock", ".snakemake"}
    hidden = [
        str(path.relative_to(outputs))
        for path in outputs.rglob(".*")
        if path.name not in allowed and ".snakemake" not in path.parts
    ]
    hidden += [str(p.relative_to(outputs)) for p in outputs.rglob("checkpoint.previous.pt")]
    return sorted(hidden) + [f"process {p.pid}" for p in orphans(ORPHAN_SECONDS)]


def orphans(patience: float) -> list[psutil.Process]:
    """Processes of a study of this program that do not end by themselves in that time."""
    until = time.monotonic() + patience
    while found := [p for p in psutil.process_iter() if _is_ours(p)]:
        if time.monotonic() > until:
            break
        time.sleep(0.5)
    return found


def _is_ours(process: psutil.Process) -> bool:
    try:
        return process.environ().get(MARK) == str(os.getpid()) and process.status() != "zombie"
    except psutil.Error:
        return False
