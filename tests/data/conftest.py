import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Each test of the datasets decodes its pictures anew."""
    monkeypatch.setenv("DVE_CACHE", str(tmp_path / "cache"))
