"""A few damaged files through every reader; ``make fuzz`` tries as many as are asked for."""

import pytest

from tests.fuzz import runner as runner_module
from tests.fuzz.hostile import CRAFTED
from tests.fuzz.readers import READERS
from tests.fuzz.runner import Runner

DRAWN = 15
# Each takes seconds to be refused; one of them stands for all here.
SLOW = [case for cases in CRAFTED.values() for case in cases if "a million " in case][1:]
# Drawn inputs that were once answered with a traceback, a crash or silence.
FOUND = {
    "parameters": (18, 39),
    "celeba": (21,),
    "mafl": (19,),
    "300w-bicubic": (9,),
    "results": (1066,),
    "aflw-mtfl": (5096,),
}


@pytest.fixture(scope="session")
def runner():
    with Runner() as runner:
        yield runner


@pytest.mark.parametrize("reader", READERS)
def test_every_damaged_file_is_answered_in_a_sentence(runner, reader):
    crafted = [case for case in CRAFTED.get(reader, {}) if case not in SLOW]
    answers = [runner.tried(reader, c) for c in (*crafted, *FOUND.get(reader, ()), *range(DRAWN))]
    assert [str(answer) for answer in answers if not answer.good] == []
    assert any(answer.verdict == "sentence" for answer in answers) or reader in SILENT


# Damage of these is made good: by decoding anew, and by the checkpoint before.
SILENT = ("cache", "unfinished training")


def test_the_fuzzer_sees_a_hang_a_crash_and_a_traceback(runner, monkeypatch):
    monkeypatch.setattr(runner_module, "SECONDS", 2)
    verdicts = [runner.tried("faults", case).verdict for case in ("traceback", "hang", "crash")]
    assert verdicts == ["escape", "hang", "crash"]
