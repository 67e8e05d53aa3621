import pytest


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory):
    """Decoded images of the tests stay with the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def mirror(monkeypatch):
    """A server on this machine that plays the published one; nobody waits between its answers."""
    from dvelib.data import fetching
    from tests.mirror_server import running_mirror

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching, "PAUSE", 0)
    with running_mirror() as mirror:
        yield mirror


@pytest.fixture(scope="session")
def executed(tmp_path_factory):
    """The page of a notebook that succeeds, in the place of a table."""
    from tests.executed_pages import executed_page

    return executed_page(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def run_notebook(tmp_path_factory):
    """Executes a notebook by its name, once for all tests; see `tests.executed_pages`."""
    from functools import cache, partial

    from tests.executed_pages import run_notebook, shared_folder

    return cache(partial(run_notebook, shared_folder(tmp_path_factory)))


@pytest.fixture(scope="session")
def browser():
    """Chromium; the test is skipped where there is none."""
    from tests.browser.checks import running_browser

    with running_browser() as found:
        yield found
