"""Downloads from a mirror that misbehaves: resumed, refused, or had from the next one."""

import hashlib
import os
import socket

import numpy as np
import pytest
import requests

from dvelib import StudyError
from dvelib.data import fetching
from dvelib.data.fetching import CHUNK, ResumingDownloader, download, has_sha1, part_of

BODY = np.random.default_rng(0).bytes(10 * CHUNK + 123)
OTHER = BODY[::-1]
SHA1 = hashlib.sha1(BODY).hexdigest()
HALF = 5 * CHUNK + 7


@pytest.fixture
def file(tmp_path):
    return tmp_path / "downloads" / "faces.tar.gz"


def get(file, *urls):
    return download(file, SHA1, urls, "get it elsewhere")


def assert_whole(file):
    """The file is there, and nothing else beside it."""
    assert file.read_bytes() == BODY
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_a_file_is_had_from_its_first_source(mirror, file, capsys):
    url = mirror.put("a", BODY)
    assert get(file, url, mirror.put("b", BODY)) == file
    assert_whole(file)
    assert [path for path, *_ in mirror.log] == ["/a"]
    assert capsys.readouterr().err == ""


def test_a_wrong_file_costs_a_line_and_the_next_source_is_asked(mirror, file, capsys):
    urls = mirror.put("a", OTHER), mirror.put("b", BODY)
    get(file, *urls)
    assert_whole(file)
    assert mirror.sent == [len(BODY)] * 2
    out, err = capsys.readouterr()
    assert err == f"{urls[0]}: its file does not have the published sha1\n"
    assert [line for line in out.splitlines() if "http" in line] == [
        f"downloading {url}" for url in urls
    ]


def test_a_transfer_that_breaks_off_goes_on_at_once(mirror, file, capsys):
    get(file, mirror.put("a", BODY, cuts=[HALF, HALF // 2]))
    assert_whole(file)
    first, second, third = mirror.asked
    assert first is None
    # What had arrived is not sent again, but for a chunk that was on its way.
    assert HALF - CHUNK <= int(second.removeprefix("bytes=").rstrip("-")) <= HALF
    assert mirror.sent[2] <= len(BODY) - HALF - HALF // 2 + 2 * CHUNK
    assert capsys.readouterr().err == ""


def test_a_download_that_was_stopped_goes_on_the_next_time(mirror, file):
    part_of(file).parent.mkdir()
    part_of(file).write_bytes(BODY[:HALF])
    get(file, mirror.put("a", BODY))
    assert_whole(file)
    assert (mirror.asked, mirror.sent) == ([f"bytes={HALF}-"], [len(BODY) - HALF])


def test_an_interrupted_download_never_has_the_files_name(mirror, file, monkeypatch):
    url = mirror.put("a", BODY, cuts=[HALF])

    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(fetching.time, "sleep", interrupt)
    with pytest.raises(KeyboardInterrupt):
        get(file, url)
    assert [p.name for p in file.parent.iterdir()] == [part_of(file).name]
    kept = part_of(file).stat().st_size
    assert HALF - CHUNK <= kept <= HALF
    get(file, url)
    assert_whole(file)
    assert mirror.sent[1] == len(BODY) - kept


def test_the_next_source_goes_on_where_the_first_stopped(mirror, file, capsys):
    broken = mirror.put("a", BODY, cuts=[HALF] + [0] * 99)
    get(file, broken, mirror.put("b", BODY))
    assert_whole(file)
    assert mirror.log[-1][0] == "/b"
    assert mirror.sent[-1] <= len(BODY) - HALF + CHUNK
    assert capsys.readouterr().err.startswith(f"{broken}: ")


def test_a_source_that_always_breaks_off_is_given_up(mirror, file, monkeypatch, capsys):
    monkeypatch.setattr(fetching, "CONTINUATIONS", 3)
    url = mirror.put("a", BODY, cuts=[2 * CHUNK] * 9)
    with pytest.raises(StudyError):
        get(file, url)
    assert len(mirror.log) == 3
    assert capsys.readouterr().err == f"{url}: the connection is interrupted again and again\n"
    assert part_of(file).exists() and not file.exists()


def test_a_source_without_ranges_starts_again(mirror, file):
    get(file, mirror.put("a", BODY, ranges=False, cuts=[HALF]))
    assert_whole(file)
    assert mirror.sent == [HALF, len(BODY)]
    assert mirror.asked[1] is not None


def test_a_part_longer_than_the_file_is_dropped(mirror, file):
    file.parent.mkdir()
    part_of(file).write_bytes(BODY + b"more")
    get(file, mirror.put("a", BODY))
    assert_whole(file)
    assert mirror.sent == [0, len(BODY)]


def test_a_part_of_something_else_is_dropped(mirror, file, capsys):
    file.parent.mkdir()
    part_of(file).write_bytes(OTHER[:HALF])
    get(file, mirror.put("a", BODY))
    assert_whole(file)
    assert mirror.sent == [len(BODY) - HALF, len(BODY)]
    assert (
        "faces.tar.gz.part held other data: downloading from the start" in capsys.readouterr().err
    )


def test_a_whole_part_is_only_checked(mirror, file):
    """As left by a run that was killed while it made the hash."""
    file.parent.mkdir()
    part_of(file).write_bytes(BODY)
    os.link(part_of(file), file.parent / "tmpab12_xyz")
    get(file, mirror.put("a", BODY))
    assert_whole(file)
    assert mirror.sent == [0]


def test_a_file_system_without_links_will_do(mirror, file, monkeypatch):
    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(fetching.os, "link", refuse)
    get(file, mirror.put("a", BODY))
    assert_whole(file)


def test_an_archive_is_not_unpacked_on_its_way(mirror, file):
    get(file, mirror.put("a", BODY, headers={"Content-Encoding": "x-gzip"}))
    assert_whole(file)


def test_a_range_that_was_not_asked_for_is_not_used(mirror, file, capsys):
    file.parent.mkdir()
    part_of(file).write_bytes(BODY[:HALF])
    lie = {"Content-Range": f"bytes 3-{len(BODY) - 1}/{len(BODY)}"}
    get(file, mirror.put("a", BODY, headers=lie))
    assert_whole(file)
    assert mirror.asked == [f"bytes={HALF}-", None]


def test_where_nothing_answers_the_remedy_is_said(mirror, file, capsys):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/a"
    urls = f"http://127.0.0.1:{mirror.port}/a", mirror.put("b", b"", status=503), closed
    with pytest.raises(StudyError) as caught:
        get(file, *urls)
    message = "faces.tar.gz could not be downloaded from any of its 3 sources: get it elsewhere"
    assert str(caught.value) == message
    assert capsys.readouterr().err.splitlines() == [
        f"{urls[0]}: it answers 404 Not Found",
        f"{urls[1]}: it answers 503 Service Unavailable",
        f"{urls[2]}: Connection refused",
    ]
    assert list(file.parent.iterdir()) == []


def test_a_source_that_says_nothing_is_given_up(file, monkeypatch, capsys):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching, "TIMEOUT", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(StudyError):
            get(file, f"http://127.0.0.1:{silent.getsockname()[1]}/a")
    assert capsys.readouterr().err.endswith("/a: it does not answer in time\n")


def test_a_folder_that_cannot_be_written_is_named(mirror, file):
    file.parent.touch()
    with pytest.raises(StudyError, match=r"faces.tar.gz cannot be written to .*downloads \(File "):
        get(file, mirror.put("a", BODY))
    assert mirror.log == []


def test_an_address_that_is_none_is_a_source_that_fails(file, capsys):
    with pytest.raises(StudyError, match="could not be downloaded"):
        get(file, "nowhere")
    assert capsys.readouterr().err.count("\n") == 1


def test_the_downloader_keeps_its_part_where_it_fails(mirror, tmp_path):
    part = tmp_path / "a.part"
    part.write_bytes(BODY[:HALF])
    with pytest.raises(requests.HTTPError):
        ResumingDownloader(part)(f"http://127.0.0.1:{mirror.port}/a", str(tmp_path / "out"))
    assert part.read_bytes() == BODY[:HALF]


def test_a_file_is_known_by_its_hash(tmp_path):
    file = tmp_path / "a"
    assert not has_sha1(file, SHA1)
    file.write_bytes(BODY[:-1])
    assert not has_sha1(file, SHA1)
    file.write_bytes(BODY)
    assert has_sha1(file, SHA1)
