import pytest

from dvelib.explore.explorer import Explorer


@pytest.fixture(scope="session")
def gallery():
    """What comes along, on a dozen drawn faces."""
    return Explorer(drawn=12)
