"""Damaged files through every reader, in a process that may crash, hang or run out of memory.

`Runner.tried` gives one input to the worker and says how it was answered. ``python -m tests.fuzz``
runs many and prints those that were not answered in a sentence.
"""

from __future__ import annotations

import json
import selectors
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 20  # for one input; longer is a hang
START_SECONDS = 120
MEGABYTES = 1_000  # that reading one input may add


@dataclass(frozen=True)
class Answer:
    """``verdict``: accepted, sentence, escape, crash, hang or memory. The first two are good."""

    reader: str
    case: int | str
    verdict: str
    detail: str
    file: str = ""
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        return self.verdict in ("accepted", "sentence")

    def __str__(self) -> str:
        case = repr(self.case)
        return (
            f"{self.reader} {case} ({self.file}, {self.seconds} s): {self.verdict}: {self.detail}"
        )


class Runner:
    """A worker process, started at the first input and again after a crash or a hang."""

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self.worker: subprocess.Popen | None = None
        self.megabytes = 0

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def tried(self, reader: str, case: int | str) -> Answer:
        """How the worker answers one input."""
        if self.worker is None:
            self._start()
        self.worker.stdin.write(json.dumps([reader, case]) + "\n")
        self.worker.stdin.flush()
        found = self._answer(SECONDS)
        if isinstance(found, str):
            status = self.stop(1 if found == "hang" else 20)
            if status == 1:  # the worker's own fault
                raise RuntimeError((self.home / "stderr").read_text()[-2000:])
            detail = f"no answer in {SECONDS} s" if found == "hang" else f"exit status {status}"
            return Answer(reader, case, found, detail)
        grown, self.megabytes = found["megabytes"] - self.megabytes, found["megabytes"]
        if found["verdict"] in ("accepted", "sentence") and grown > MEGABYTES:
            found |= {"verdict": "memory", "detail": f"{grown} MB more"}
        facts = (found[key] for key in ("verdict", "detail", "file", "seconds"))
        return Answer(reader, case, *facts)

    def _start(self) -> None:
        self.worker = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.fuzz.worker", str(self.home)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.home / "stderr").open("w"),
            text=True,
        )
        if isinstance(self._answer(START_SECONDS), str):
            self.stop()
            raise RuntimeError((self.home / "stderr").read_text()[-2000:])
        self.megabytes = 600  # of Python with its libraries

    def _answer(self, seconds: float) -> dict | str:
        with selectors.DefaultSelector() as selector:
            selector.register(self.worker.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                return "hang"
        line = self.worker.stdout.readline()
        return json.loads(line) if line else "crash"

    def stop(self, patience: float = 1) -> int | None:
        """End the worker; its exit status, negative for a signal that ended it before."""
        if self.worker is None:
            return None
        worker, self.worker = self.worker, None
        try:
            status = worker.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            worker.kill()
            status = worker.wait()
        worker.stdin.close()
        worker.stdout.close()
        return status
