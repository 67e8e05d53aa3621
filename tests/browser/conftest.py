"""One JupyterLab for all browser tests, and notebooks run in it from top to bottom."""

import pytest

from tests.browser.jupyterlab import running_lab


@pytest.fixture(scope="session")
def lab(browser, tmp_path_factory):
    """A separate JupyterLab, `tests.browser.jupyterlab.Lab`; skipped where there is no browser."""
    with running_lab(browser, tmp_path_factory.mktemp("lab")) as lab:
        yield lab
