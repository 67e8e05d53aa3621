"""Downloading one large file from whichever of its sources still serves it.

Pooch asks, checks the hash and gives the file its name; a transfer that broke off goes on where it
stopped, which pooch leaves to its downloader. Until the hash is right the file is called ``.part``.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pooch
import requests
import urllib3

from dvelib.common.errors import StudyError
from dvelib.common.progress import progress_bar

__all__ = ["MIB", "ResumingDownloader", "download", "has_sha1", "part_of"]

MIB = 2**20
CHUNK = 2**16  # what an interruption costs at most
TIMEOUT = (15, 60)  # seconds to connect, and without a byte
CONTINUATIONS = 20  # how often one source may break off before the next is asked
PAUSE = 1.0
PARTIAL = 206
UNSATISFIABLE = 416
NO_ANSWER = (requests.RequestException, urllib3.exceptions.HTTPError)


def download(file: Path, sha1: str | None, urls: Sequence[str], remedy: str) -> Path:
    """Get ``file`` from the first of its sources that has it with this hash.

    A source that fails, or whose file is another, costs one line. ``sha1``: None where none was
    published; the file is then only known to be as long as its source says. Raises StudyError
    ending in ``remedy`` where none is left, and where the folder cannot be written.
    """
    pooch.get_logger().setLevel("WARNING")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(file.parent)
        for url in urls:
            print(f"downloading {url}", flush=True)
            reason = _failure(url, file, sha1)
            if reason is None:
                return file
            print(f"{url}: {reason}", file=sys.stderr, flush=True)
    except OSError as error:
        raise StudyError(
            f"{file.name} cannot be written to {file.parent} ({error.strerror}): "
            f"make room, or name a folder that can be written"
        ) from None
    raise StudyError(f"{file.name} could not be had from any of its {len(urls)} sources: {remedy}")


def has_sha1(file: Path, sha1: str) -> bool:
    """Whether the file is there and is the one with this hash."""
    if not file.is_file():
        return False
    print(f"checking the sha1 of {file}", flush=True)
    return pooch.file_hash(str(file), alg="sha1") == sha1


def part_of(file: Path) -> Path:
    """What a file is called while it is not whole."""
    return file.with_name(f"{file.name}.part")


def _failure(url: str, file: Path, sha1: str | None) -> str | None:
    """Try one source: why it failed, or None where the file is there now."""
    part = part_of(file)
    while True:
        resumed = part.exists()
        try:
            pooch.retrieve(
                url,
                sha1 and f"sha1:{sha1}",
                file.name,
                file.parent,
                downloader=ResumingDownloader(part),
            )
        except NO_ANSWER as error:
            return _reason(error)
        except ValueError:  # so pooch says that the hash is another
            part.unlink(missing_ok=True)
            if not resumed:
                return "what it serves does not have the published sha1"
            print(f"{part.name} held something else: again from the start", file=sys.stderr)
        else:
            part.unlink(missing_ok=True)
            return None


class ResumingDownloader:
    """A downloader for pooch that completes ``part`` and hands it over under another name.

    Raises `requests.RequestException` or `urllib3.exceptions.HTTPError`, and keeps the part, where
    the source does not answer or keeps breaking off.
    """

    def __init__(self, part: Path) -> None:
        self.part = part

    def __call__(self, url: str, output_file: str, _pooch: object = None) -> None:
        for _ in range(CONTINUATIONS):
            if self._transfer(url):
                break
            time.sleep(PAUSE)
        else:
            raise requests.ConnectionError("it keeps breaking off")
        print(f"checking the sha1 of {self.part}", flush=True)
        os.unlink(output_file)
        try:
            os.link(self.part, output_file)  # the part outlives a stop while the hash is made
        except OSError:
            os.replace(self.part, output_file)

    def _transfer(self, url: str) -> bool:
        """Ask for what is missing; whether nothing is missing any more."""
        have = self._have()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            if have and response.status_code == UNSATISFIABLE:
                if _total(response) == have:
                    return True
                self.part.unlink()  # longer than the file: not a part of it
                return False
            response.raise_for_status()
            start = _start(response)
            if start not in (0, have):
                self.part.unlink(missing_ok=True)
                if not have:
                    raise requests.ConnectionError("it sends a part that nobody asked for")
                return False
            return self._receive(response, start)

    def _receive(self, response: requests.Response, start: int) -> bool:
        """Write the answer from ``start`` on; whether the file is complete."""
        total = _total(response)
        broken = None
        with (
            open(self.part, "ab" if start else "wb") as file,
            progress_bar((total or 0) // MIB or None, self.part.stem, "MiB", start // MIB) as bar,
        ):
            try:
                # Raw, for a .tar.gz must not be unpacked on its way.
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    file.write(chunk)
                    bar.update(file.tell() // MIB - bar.n)
            except urllib3.exceptions.HTTPError as error:
                broken = error
        have = self._have()
        if broken is not None and have <= start:
            raise broken
        if total is not None and have > total:
            self.part.unlink()
            raise requests.ConnectionError("it sends more than it says")
        return broken is None and total in (None, have)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0


def _start(response: requests.Response) -> int:
    """Where in the file the answer starts; -1 where it does not say."""
    if response.status_code == PARTIAL:
        found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        return int(found[1]) if found else -1
    if response.status_code != requests.codes.ok:
        raise requests.ConnectionError(f"it answers {response.status_code} {response.reason}")
    return 0


def _total(response: requests.Response) -> int | None:
    """The length of the whole file, where the source says it."""
    if response.status_code in (PARTIAL, UNSATISFIABLE):
        found = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
        return int(found[1]) if found else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _reason(error: Exception) -> str:
    """What went wrong in a few words, out of what requests says about it."""
    if isinstance(error, requests.HTTPError):
        return f"it answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return "it does not answer in time"
    text = " ".join(str(error).split())
    cause = re.search(r"\[Errno -?\d+\] ([^'\")\]]+)", text)
    return cause[1] if cause else text[:150]


def _remove_leftovers(folder: Path) -> None:
    """Remove what pooch leaves behind where it is killed."""
    for path in folder.glob("tmp*"):
        if re.fullmatch(r"tmp[a-z0-9_]{8}", path.name) and path.is_file():
            path.unlink()
