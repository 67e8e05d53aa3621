import pytest


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory):
    """Decoded images of the tests stay with the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
