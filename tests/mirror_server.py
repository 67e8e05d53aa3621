"""A mirror on this machine that can break off, ignore ranges, and counts what it serves."""

import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


@dataclass
class Served:
    """One file. ``cuts``: after how many bytes each of the first answers breaks off."""

    body: bytes
    ranges: bool = True
    status: int = 200
    cuts: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)


class Mirror:
    """Files by path; ``log``: path, range asked for and bytes sent of every request."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.files: dict[str, Served] = {}
        self.log: list[tuple[str, str | None, int]] = []

    def put(self, name: str, body: bytes, **how) -> str:
        """Serve these bytes; returns the address."""
        self.files[f"/{name}"] = Served(body, **how)
        return f"http://127.0.0.1:{self.port}/{name}"

    @property
    def sent(self) -> list[int]:
        return [count for *_, count in self.log]

    @property
    def asked(self) -> list[str | None]:
        return [wanted for _, wanted, _ in self.log]


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *_) -> None:
        pass

    def do_GET(self) -> None:
        mirror: Mirror = self.server.mirror
        wanted, served = self.headers.get("Range"), mirror.files.get(self.path)
        if served is None or served.status != 200:
            mirror.log.append((self.path, wanted, 0))
            return self.send_error(served.status if served else 404)
        first = int(re.match(r"bytes=(\d+)-$", wanted)[1]) if wanted and served.ranges else None
        whole = len(served.body)
        if first is not None and first >= whole:
            mirror.log.append((self.path, wanted, 0))
            return self._head(416, {"Content-Range": f"bytes */{whole}", "Content-Length": "0"})
        body, head = served.body[first or 0 :], {}
        if first is not None:
            head["Content-Range"] = f"bytes {first}-{whole - 1}/{whole}"
        head |= {"Content-Length": str(len(body))} | served.headers
        part = body[: served.cuts.pop(0)] if served.cuts else body
        mirror.log.append((self.path, wanted, len(part)))
        self._head(200 if first is None else 206, head)
        self.wfile.write(part)

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@contextmanager
def running_mirror():
    """A mirror that answers until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.mirror = Mirror(server.server_port)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server.mirror
        finally:
            server.shutdown()
            thread.join()
