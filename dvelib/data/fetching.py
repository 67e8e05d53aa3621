"""Download of a large file from the first of its sources that works.

Pooch checks the hash and renames the file. The downloader here continues interrupted transfers.
Until its hash is checked, the file has the suffix ``.part``.
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
from dvelib.data.addresses import refusal

__all__ = ["MIB", "ResumingDownloader", "download", "has_sha1", "part_of"]

MIB = 2**20
MOST = 2**36  # bytes, if the caller knows no better limit
CHUNK = 2**16  # bytes; an interruption loses at most this much
TIMEOUT = (15, 60)  # seconds to connect, and to wait for data
CONTINUATIONS = 20  # interruptions of one source before the next is tried
PAUSE = 1.0
PARTIAL = 206
UNSATISFIABLE = 416
NO_ANSWER = (requests.RequestException, urllib3.exceptions.HTTPError)


def download(
    file: Path, sha1: str | None, urls: Sequence[str], remedy: str, most: int = MOST
) -> Path:
    """Download ``file`` from the first of its sources that has it with this hash.

    A line is printed for each source that fails or has another file. ``sha1``: None if no hash was
    published; then only the length is checked, and only https is used. ``most``: bytes; a longer
    file is refused. Raises StudyError ending in ``remedy`` if all sources fail, and if the folder
    cannot be written.
    """
    pooch.get_logger().setLevel("WARNING")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(file.parent)
        for url in urls:
            print(f"downloading {url}", flush=True)
            reason = _failure(url, file, sha1, most)
            if reason is None:
                return file
            print(f"{url}: {reason}", file=sys.stderr, flush=True)
    except OSError as error:
        raise StudyError(
            f"{file.name} cannot be written to {file.parent} ({error.strerror}): "
            f"free disk space, or choose a writable folder"
        ) from None
    raise StudyError(
        f"{file.name} could not be downloaded from any of its {len(urls)} sources: {remedy}"
    )


def has_sha1(file: Path, sha1: str) -> bool:
    """Whether the file exists and has this hash."""
    if not file.is_file():
        return False
    print(f"checking the sha1 of {file}", flush=True)
    return pooch.file_hash(str(file), alg="sha1") == sha1


def part_of(file: Path) -> Path:
    """The name of a file while it is incomplete."""
    return file.with_name(f"{file.name}.part")


def _failure(url: str, file: Path, sha1: str | None, most: int) -> str | None:
    """Try one source; returns the reason of a failure, or None on success."""
    if reason := refusal(url, sha1):
        return reason
    part = part_of(file)
    while True:
        resumed = part.exists()
        try:
            pooch.retrieve(
                url,
                sha1 and f"sha1:{sha1}",
                file.name,
                file.parent,
                downloader=ResumingDownloader(part, sha1, most),
            )
        except NO_ANSWER as error:
            return _reason(error)
        except ValueError:  # raised by pooch for a wrong hash
            part.unlink(missing_ok=True)
            if not resumed:
                return "its file does not have the published sha1"
            print(f"{part.name} held other data: downloading from the start", file=sys.stderr)
        else:
            part.unlink(missing_ok=True)
            return None


class ResumingDownloader:
    """A downloader for pooch that completes the partial file ``part``, then moves it.

    Raises `requests.RequestException` or `urllib3.exceptions.HTTPError`, and keeps the partial
    file, if the source does not answer or is interrupted too often.
    """

    def __init__(self, part: Path, sha1: str | None = None, most: int = MOST) -> None:
        self.part, self.sha1, self.most = part, sha1, most

    def __call__(self, url: str, output_file: str, _pooch: object = None) -> None:
        for _ in range(CONTINUATIONS):
            if self._transfer(url):
                break
            time.sleep(PAUSE)
        else:
            raise requests.ConnectionError("the connection is interrupted again and again")
        print(f"checking the sha1 of {self.part}", flush=True)
        os.unlink(output_file)
        try:
            os.link(self.part, output_file)  # keeps the part if the check of the hash is stopped
        except OSError:
            os.replace(self.part, output_file)

    def _transfer(self, url: str) -> bool:
        """Request the missing bytes; returns whether the file is complete."""
        have = self._have()
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as response:
            for answer in (*response.history, response):
                if reason := refusal(answer.url, self.sha1):  # of a redirection, too
                    raise requests.ConnectionError(f"it leads to {answer.url}: {reason}")
            if have and response.status_code == UNSATISFIABLE:
                if _total(response) == have:
                    return True
                self.part.unlink()  # longer than the file, so not a part of it
                return False
            response.raise_for_status()
            start = _start(response)
            if start not in (0, have):
                self.part.unlink(missing_ok=True)
                if not have:
                    raise requests.ConnectionError("it sends a part that was not requested")
                return False
            return self._receive(response, start)

    def _receive(self, response: requests.Response, start: int) -> bool:
        """Write the response from ``start`` on; returns whether the file is complete."""
        total = _total(response)
        if total is not None and total > self.most:
            raise requests.ConnectionError(f"its file has {total:,} bytes, too many to be the file")
        broken = None
        with (
            open(self.part, "ab" if start else "wb") as file,
            progress_bar((total or 0) // MIB or None, self.part.stem, "MiB", start // MIB) as bar,
        ):
            try:
                # Raw, so that a .tar.gz is not decompressed.
                for chunk in response.raw.stream(CHUNK, decode_content=False):
                    file.write(chunk)
                    if file.tell() > self.most:
                        raise requests.ConnectionError("its file is too long to be the file")
                    bar.update(file.tell() // MIB - bar.n)
            except urllib3.exceptions.HTTPError as error:
                broken = error
        have = self._have()
        if broken is not None and have <= start:
            raise broken
        if total is not None and have > total:
            self.part.unlink()
            raise requests.ConnectionError("it sends more bytes than announced")
        return broken is None and total in (None, have)

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0


def _start(response: requests.Response) -> int:
    """Offset of the response in the file; -1 if not given."""
    if response.status_code == PARTIAL:
        found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        return int(found[1]) if found else -1
    if response.status_code != requests.codes.ok:
        raise requests.ConnectionError(f"it answers {response.status_code} {response.reason}")
    return 0


def _total(response: requests.Response) -> int | None:
    """The length of the whole file; None if the source does not give it."""
    if response.status_code in (PARTIAL, UNSATISFIABLE):
        found = re.search(r"/(\d+)$", response.headers.get("Content-Range", ""))
        return int(found[1]) if found else None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _reason(error: Exception) -> str:
    """A short reason for an error of requests."""
    if isinstance(error, requests.HTTPError):
        return f"it answers {error.response.status_code} {error.response.reason}"
    if isinstance(error, (requests.Timeout, urllib3.exceptions.TimeoutError)):
        return "it does not answer in time"
    text = " ".join(str(error).split())
    cause = re.search(r"\[Errno -?\d+\] ([^'\")\]]+)", text)
    return cause[1] if cause else text[:150]


def _remove_leftovers(folder: Path) -> None:
    """Remove temporary files of a pooch process that was killed."""
    for path in folder.glob("tmp*"):
        if re.fullmatch(r"tmp[a-z0-9_]{8}", path.name) and path.is_file():
            path.unlink()
