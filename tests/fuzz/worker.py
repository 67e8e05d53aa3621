"""A process that reads damaged files for the fuzzer, so that a crash ends it and not the fuzzer.

    python -m tests.fuzz.worker FOLDER

Each line on its standard input is a JSON list: the name of a reader, and a seed (a number) or the
description of an input in `hostile.CRAFTED`. The answer is a line of JSON: ``verdict`` (accepted,
sentence, or escape), ``detail``, ``megabytes`` that the process has grown to.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import time
import traceback
from pathlib import Path
from random import Random

LIMIT = 4 * 2**30  # bytes of addresses beyond those of the libraries
LONGEST = 2_500  # characters of a message


def main() -> None:
    home = Path(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what readers print is no answer
    os.environ["DVE_CACHE"] = str(home / "cache")
    from tests.fuzz.readers import FAULTS, READERS

    readers = READERS | {"faults": FAULTS}
    made = {name: Input(home / name.replace(" ", "-"), reader) for name, reader in readers.items()}
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + LIMIT, used + LIMIT))
    answer(answers, {"ready": True})
    for line in sys.stdin:
        name, case = json.loads(line)
        answer(answers, made[name].tried(name, case))


def most_memory() -> int:
    """Megabytes that this process had at most; the kernel's ``ru_maxrss`` counts its parent's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


def answer(stream, value: dict) -> None:
    stream.write(json.dumps(value) + "\n")
    stream.flush()


class Input:
    """The whole input of a reader in its folder; each case damages one file of it."""

    def __init__(self, folder: Path, reader):
        self.folder, self.reader, self.whole, self.value = folder, reader, None, None

    def prepare(self, name: str) -> None:
        os.environ["DVE_CACHE"] = str(self.folder / "cache")
        if self.whole is None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder.mkdir(parents=True)
            self.reader.make(self.folder)
            if self.reader.value_matters:
                self.value = self.reader.read(self.folder, Random(name))
            files = {p.relative_to(self.folder) for p in self.folder.rglob("*") if p.is_file()}
            # The cache is an input only of its own reader.
            kept = [p for p in files if name == "cache" or p.parts[0] != "cache"]
            self.whole = {path: (self.folder / path).read_bytes() for path in kept}

    def restore(self) -> None:
        """Put back what a case or its reading has changed."""
        if (self.folder / "cache").exists():
            shutil.rmtree(self.folder / "cache")
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_symlink() or not path.is_dir():
                if path.relative_to(self.folder) not in self.whole or path.is_symlink():
                    path.unlink()
            elif not any(path.iterdir()):
                path.rmdir()
        for path, data in self.whole.items():
            self.put(path, data)

    def put(self, path: Path, data: bytes) -> None:
        target = self.folder / path
        if target.is_fifo() or (target.exists() and not target.is_file()):
            shutil.rmtree(target) if target.is_dir() else target.unlink()
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists() or target.read_bytes() != data:
            target.write_bytes(data)

    def damage(self, name: str, case: int | str, chance: Random) -> str:
        from tests.fuzz.hostile import CRAFTED, place_special
        from tests.fuzz.mutations import mutate

        if name == "faults":
            self.put(Path("fault"), case.encode())
            return "fault"
        if isinstance(case, str):
            file, how = CRAFTED[name][case]
            if isinstance(how, str):
                place_special(self.folder / file, how)
            else:
                self.put(Path(file), how(self.whole[Path(file)]))
            return file
        files = []
        while not files:
            pattern = chance.choice(self.reader.files)
            files = sorted(p for p in self.folder.glob(pattern) if p.is_file())
        path = chance.choice(files).relative_to(self.folder)
        self.put(path, mutate(self.whole[path], path.name, chance))
        return str(path)

    def tried(self, name: str, case: int | str) -> dict:
        chance = Random(f"{name}-{case}")
        self.prepare(name)
        self.restore()
        file = self.damage(name, case, chance)
        began = time.monotonic()
        ways = (chance,) if isinstance(case, int) else map(Random, range(self.reader.ways))
        for way in (Random(name),) if self.reader.value_matters else ways:
            verdict, detail = self.verdict(way)
            if verdict == "escape":
                break
        return {
            "verdict": verdict,
            "detail": detail,
            "file": file,
            "seconds": round(time.monotonic() - began, 2),
            "megabytes": most_memory(),
        }

    def verdict(self, chance: Random) -> tuple[str, str]:
        from dvelib.common.errors import StudyError

        try:
            value = self.reader.read(self.folder, chance)
        except StudyError as error:
            message = str(error)
            if "\n" in message or not message or len(message) > LONGEST:
                return "escape", f"no sentence: {len(message)} characters: {message[:300]!r}"
            return "sentence", message
        except Exception as error:
            last = traceback.extract_tb(error.__traceback__)[-3:]
            where = "; ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in last)
            return "escape", f"{type(error).__name__}: {str(error)[:200]} ({where})"
        if self.reader.value_matters and value != self.value:
            return "escape", "other values without a word"
        return "accepted", ""


if __name__ == "__main__":
    main()
