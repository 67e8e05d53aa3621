import pytest

from dvelib.explore.explorer import Explorer


@pytest.fixture(scope="session")
def gallery():
    """The pretrained weights, on twelve synthetic faces."""
    return Explorer(drawn=12)
