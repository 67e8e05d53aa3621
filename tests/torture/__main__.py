"""A small study is killed, starved and damaged: ``python -m tests.torture --kills 50``.

After each disturbance the study is run again. Its weights and numbers must equal those of an
undisturbed run, and nothing temporary may be left. A fault that the study cannot mend must be said
in a sentence. Prints a line for each disturbance; ends with status 1 if one was not survived.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from tests.record_reliability import record
from tests.torture.study import TABLE, SmokeStudy, leftovers, numbers

ODD_NAMES = (
    "a b",
    "it's",
    'say "x"',
    "a#b",
    "a: b",
    "-dash",
    "ümlaut",
    "new\nline",
    "{x}",
    "$HOME",
)
LOCALES = ({"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"})


class Torture:
    """``expected``: the numbers of the undisturbed run, which took ``seconds``."""

    def __init__(self, home: Path, seed: int):
        self.home, self.chance = home, Random(seed)
        whole = SmokeStudy(home / "whole" / "outputs")
        ended = whole.run()
        if ended.status:
            raise SystemExit(f"the undisturbed study failed:\n{ended.output[-2000:]}")
        self.whole, self.seconds = whole, ended.seconds
        self.expected = numbers(whole.outputs)
        print(f"undisturbed: {len(self.expected)} files, {ended.seconds:.0f} s", flush=True)

    def fresh(self, name: str, folder: str = "outputs", **environment: str | None) -> SmokeStudy:
        place = self.home / name
        shutil.rmtree(place, ignore_errors=True)
        return SmokeStudy(place / folder, environment)

    def copy(self, name: str) -> SmokeStudy:
        """A copy of the finished study."""
        study = self.fresh(name)
        shutil.copytree(self.whole.folder, study.folder)
        return study

    def fault(self, study: SmokeStudy) -> str | None:
        """What is wrong after running a study to its end; None if all is as expected."""
        ended = study.run()
        if ended.status:
            return f"status {ended.status}: {ended.output[-300:]!r}"
        if (found := numbers(study.outputs)) != self.expected:
            wrong = {k for k in found.keys() | self.expected.keys() if self.differs(found, k)}
            return f"other numbers in {', '.join(sorted(wrong))}"
        left = leftovers(study.outputs)
        return f"left behind: {', '.join(left)}" if left else None

    def differs(self, found: dict[str, str], key: str) -> bool:
        return found.get(key) != self.expected.get(key)

    def signals(self, count: int, kind: signal.Signals) -> Iterator[str | None]:
        """Kill at random moments; a study that was killed several times is then run to its end."""
        study, done = self.fresh(f"signal-{kind.name}"), 0
        while done < count:
            for _ in range(min(self.chance.choice((1, 2, 4)), count - done)):
                moment = self.chance.uniform(1, self.seconds)
                if study.disturbed(moment, kind) is None:
                    done += 1
                    yield None
            if problem := self.fault(study):
                yield problem
            study = self.fresh(f"signal-{kind.name}")

    def full_disk(self) -> Iterator[str | None]:
        """Files may not grow beyond a size, as on a full disk."""
        for size in (0, 2_000, 60_000, 300_000):
            study = self.fresh("full")
            # The log is written by a process without the limit.
            command = ["sh", "-c", f'(ulimit -f {size // 512}; "$@") 2>&1 | cat', "sh"]
            ended = study.run([*command, *study.command()])
            if ended.status == 0 and "File too large" not in ended.output and size < 60_000:
                yield f"a disk of {size} bytes was not noticed"
            yield self.fault(study)

    def read_only(self) -> Iterator[str | None]:
        """A folder that cannot be written; the administrator can write everywhere."""
        if os.geteuid() == 0:
            return
        study = self.fresh("read-only")
        study.outputs.mkdir(parents=True)
        study.outputs.chmod(0o500)
        ended = study.run()
        study.outputs.chmod(0o700)
        yield None if ended.status and ended.sentence else f"no sentence: {ended.output[-300:]!r}"
        yield self.fault(study)

    def two_at_once(self) -> Iterator[str | None]:
        study = self.fresh("twice")
        first = study.start()
        lock = study.outputs / ".study.lock"
        while not lock.exists() and first.poll() is None:
            time.sleep(0.2)
        time.sleep(2)
        second = SmokeStudy(study.folder).run()
        first.wait()
        yield (
            None if second.status == 2 and second.sentence else f"second: {second.output[-300:]!r}"
        )
        yield self.fault(study)

    def clock(self) -> Iterator[str | None]:
        """All files are older, or newer than the present, as after the clock was set."""
        for shift in (-10 * 365 * 86400, 86400):
            study = self.copy("clock")
            for path in study.folder.rglob("*"):
                if path.is_file() and self.chance.random() < 0.5:
                    os.utime(path, (time.time() + shift,) * 2)
            yield self.fault(study)

    def damage(self) -> Iterator[str | None]:
        """One file is cut, empty or changed: the study is whole again, or names the file."""
        names = (
            "weights.safetensors",
            "specification.json",
            "provenance.json",
            "history.csv",
            "predictions.npy",
            "checksums.json",
            "results.json",
            "page.ipynb",
        )
        for name in names:
            study = self.copy("damage")
            path = self.chance.choice(sorted(study.outputs.rglob(name)))
            data = path.read_bytes()
            path.write_bytes(self.chance.choice((b"", data[: len(data) // 2], bytes(len(data)))))
            page = study.outputs / "tables" / TABLE
            shutil.rmtree(page)  # so that the damaged file is read
            ended = study.run()
            if ended.status == 0 and numbers(study.outputs) == self.expected:
                yield None
                continue
            named = str(path.parent.name) in ended.output or str(path.parent.name) in _failures(
                study.outputs
            )
            if not named:
                yield f"{name}: not named: {ended.output[-300:]!r}"
            shutil.rmtree(path.parent, ignore_errors=True)  # as the message says
            yield self.fault(study)

    def surroundings(self) -> Iterator[str | None]:
        """No home folder, other locales."""
        yield self.fault(self.fresh("no-home", HOME=None, XDG_CACHE_HOME=None))
        for locale in LOCALES:
            yield self.fault(self.fresh("locale", LANG=None, **locale))

    def odd_names(self) -> Iterator[str | None]:
        """Folders of outputs with characters that shells, YAML and Snakemake read otherwise."""
        for name in ODD_NAMES:
            problem = self.fault(self.fresh("names", name))
            yield problem and f"{name!r}: {problem}"


def _failures(outputs: Path) -> str:
    return "".join(path.read_text() for path in outputs.rglob("failure.json"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", help="names of disturbances")
    parser.add_argument("--record", type=Path, help="JSON file for the numbers")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="torture-") as home:
        torture = Torture(Path(home), chosen.seed)
        disturbances: dict[str, Callable[[], Iterator[str | None]]] = {
            "SIGKILL": lambda: torture.signals(chosen.kills, signal.SIGKILL),
            "SIGTERM": lambda: torture.signals(max(1, chosen.kills // 5), signal.SIGTERM),
            "full disk": torture.full_disk,
            "read-only folder": torture.read_only,
            "two at once": torture.two_at_once,
            "clock": torture.clock,
            "damage": torture.damage,
            "surroundings": torture.surroundings,
            "odd names": torture.odd_names,
        }
        rows = {}
        for name in chosen.only or disturbances:
            found = [problem for problem in _shown(name, disturbances[name]())]
            faults = [problem for problem in found if problem]
            rows[name] = {"times": len(found), "faults": len(faults)}
            print(f"{name}: {len(found)} times, {len(faults)} faults", flush=True)
    if chosen.record:
        record(chosen.record, "torture", {"seed": chosen.seed, "disturbances": rows})
    return int(any(row["faults"] for row in rows.values()))


def _shown(name: str, problems: Iterator[str | None]) -> Iterator[str | None]:
    for problem in problems:
        if problem:
            print(f"{name}: {problem}", flush=True)
        yield problem


if __name__ == "__main__":
    sys.exit(main())
