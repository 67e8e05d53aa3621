import pytest

from dvelib.cli import main


@pytest.fixture
def dve(capsys):
    """Run a command; returns its exit status, output and errors."""

    def run(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def refused(dve):
    """Run a command that must fail; returns its one sentence."""

    def run(*arguments):
        status, out, err = dve(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("dve: ") and err.endswith("\n") and err.count("\n") == 1
        return err.removeprefix("dve: ").rstrip("\n")

    return run
