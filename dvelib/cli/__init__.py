"""The command ``dve``: it reads options, calls the package and prints. One module a group.

The commands' help comes from their signatures and docstrings. A command imports what it needs
inside its function, so that ``dve --help`` never waits for PyTorch.
"""

from dvelib.cli.app import entry_point, main

__all__ = ["entry_point", "main"]
