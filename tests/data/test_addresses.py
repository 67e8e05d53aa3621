"""Every address in the package is listed, and none is used without https or a hash."""

import re
from pathlib import Path

import pytest

import dvelib
from dvelib import StudyError
from dvelib.checkpoints.authors_settings import experiments
from dvelib.data.addresses import ADDRESSES, known_address, refusal
from dvelib.data.fetching import download
from dvelib.data.mirrors import ARCHIVES

PACKAGE = Path(dvelib.__file__).parent
TEXT = {".py", ".json", ".j2", ".js", ".css", ".csv"}
NOT_IN_IT = r"""\s"'<>`)\]},"""
WRITTEN = re.compile(rf"https?:/+([^/{NOT_IN_IT}][^{NOT_IN_IT}]+)")


def test_every_address_in_the_package_is_listed():
    found = {
        (path.name, address.rstrip("."))
        for path in PACKAGE.rglob("*")
        if path.suffix in TEXT
        for address in WRITTEN.findall(path.read_text())
        if not address.startswith(("127.0.0.1", "localhost", "{"))
    }
    assert len(found) > 10
    assert [a for a in sorted(found) if not known_address(f"https://{a[1]}")] == []


def test_what_is_downloaded_is_listed():
    urls = [url for archive in ARCHIVES.values() for url in archive.urls]
    urls += [found.url for found in experiments().values()]
    assert all(map(known_address, urls)) and len(urls) > 50
    assert not known_address("https://www.robots.ox.ac.uk.example.org/~vgg/research/DVE/data")
    assert not any(place.startswith("http") for place in ADDRESSES)


@pytest.mark.parametrize(
    ("url", "sha1", "used"),
    [
        ("https://a.b/c", None, True),
        ("http://a.b/c", "0" * 40, True),
        ("http://a.b/c", None, False),
        ("file:///etc/passwd", "0" * 40, False),
        ("http://127.0.0.1:80/c", None, True),
    ],
)
def test_plain_http_needs_a_hash(url, sha1, used):
    assert (refusal(url, sha1) is None) == used


@pytest.mark.parametrize("announced", [True, False])
def test_no_more_is_taken_than_the_limit(mirror, tmp_path, capsys, announced):
    headers = {} if announced else {"Content-Length": ""}
    url = mirror.put("a", bytes(300_000), headers=headers)
    with pytest.raises(StudyError, match="could not be downloaded"):
        download(tmp_path / "a", None, [url], "get it elsewhere", most=100_000)
    assert not (tmp_path / "a").exists()
    assert "too" in capsys.readouterr().err


def test_plain_http_without_a_hash_is_passed_over(tmp_path, capsys):
    with pytest.raises(StudyError, match="could not be downloaded"):
        download(tmp_path / "a", None, ["http://a.invalid/a"], "get it elsewhere")
    assert "http://a.invalid/a: it is not https, and no hash is known" in capsys.readouterr().err
