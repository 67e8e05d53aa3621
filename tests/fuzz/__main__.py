"""Many damaged files through every reader: ``python -m tests.fuzz --count 1000``."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from tests.fuzz.runner import Runner
from tests.record_reliability import record

MOST_ESCAPES = 100


def main() -> int:
    from tests.fuzz.hostile import CRAFTED
    from tests.fuzz.readers import READERS

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="drawn inputs for each reader")
    parser.add_argument("--seed", type=int, default=0, help="number of the first input")
    parser.add_argument("--readers", nargs="*", choices=READERS, default=list(READERS))
    parser.add_argument("--record", type=Path, help="JSON file for the numbers")
    chosen = parser.parse_args()
    tried, escaped = Counter(), Counter()
    with Runner() as runner:
        for reader in chosen.readers:
            drawn = range(chosen.seed, chosen.seed + chosen.count)
            for case in (*CRAFTED.get(reader, {}), *drawn):
                answer = runner.tried(reader, case)
                if sum(escaped.values()) > MOST_ESCAPES:
                    raise SystemExit("too many are not answered: stopped")
                tried[reader] += 1
                if not answer.good:
                    escaped[reader] += 1
                    print(answer, flush=True)
            print(f"{reader}: {tried[reader]} inputs, {escaped[reader]} not answered", flush=True)
    if chosen.record:
        rows = {name: {"inputs": tried[name], "escapes": escaped[name]} for name in tried}
        record(chosen.record, "fuzz", {"first": chosen.seed, "readers": rows})
    return min(1, escaped.total())


if __name__ == "__main__":
    sys.exit(main())
