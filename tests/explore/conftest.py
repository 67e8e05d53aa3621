import pytest

from dvelib.explore import gallery as module
from dvelib.explore.gallery import Gallery


@pytest.fixture(scope="session")
def gallery():
    """What comes along, on a dozen drawn faces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "DRAWN", 12)
        yield Gallery()
