import pytest

from dvelib.explore.gallery import Gallery


@pytest.fixture(scope="session")
def gallery():
    """What comes along, on a dozen drawn faces."""
    return Gallery(drawn=12)
