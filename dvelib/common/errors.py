"""The exception for mistakes a user can correct."""


class StudyError(ValueError):
    """A bad input. The message says in one sentence what is wrong, where, and what to do.

    The command line prints the message without a traceback.
    """
