"""The exception for mistakes a user can correct."""

import re

__all__ = ["StudyError"]

LONGEST = 2_000  # characters of a message
# Line breaks and other control characters, also those that only change how a terminal shows text.
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


class StudyError(ValueError):
    """A bad input. The message says in one sentence what is wrong, where, and what to do.

    The command line prints the message without a traceback. A message may quote a damaged or
    hostile file: it is shortened in the middle, and control characters are written as escapes.
    """

    def __init__(self, message: str):
        super().__init__(_printable(str(message)))


def _printable(text: str) -> str:
    if len(text) > LONGEST:
        half = LONGEST // 2
        text = f"{text[:half]} ... {text[-half:]}"
    text = _CONTROLS.sub(lambda found: ascii(found[0])[1:-1], text)
    return text.encode("utf-8", "backslashreplace").decode()
