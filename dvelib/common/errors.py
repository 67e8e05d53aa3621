"""The one exception for mistakes a user can mend: its text says what, where and what to do."""


class StudyError(ValueError):
    """A bad input, answered in one sentence; the command line prints it without a traceback."""
