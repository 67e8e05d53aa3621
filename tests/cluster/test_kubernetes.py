"""Kubernetes as far as a dry run: an empty store of the S3 kind is planned to its end."""

import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import yaml

from dvelib.common.files import ROOT
from tests.tiny_study import PROFILE, write_tiny_study


class EmptyStore(BaseHTTPRequestHandler):
    """A store that has the bucket and nothing in it."""

    asked: set[str] = set()

    def do_HEAD(self):
        self.asked.add(self.path)
        self.send_response(200 if self.path.strip("/").count("/") == 0 else 404)
        self.end_headers()

    do_GET = do_HEAD

    def log_message(self, *_):
        pass


@contextmanager
def running_store():
    server = ThreadingHTTPServer(("127.0.0.1", 0), EmptyStore)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def test_a_dry_run_plans_every_job_into_the_store(tmp_path, monkeypatch):
    params = tmp_path / "params"
    write_tiny_study(params)
    along = ROOT / "params" / "clusters" / "kubernetes" / "config.yaml"
    folder = params / "clusters" / "kubernetes"
    folder.mkdir(parents=True)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for key in ("ACCESS", "SECRET"):
        monkeypatch.setenv(f"SNAKEMAKE_STORAGE_S3_{key}_KEY", "key")
    command = [sys.executable, "-m", "dvelib.cli", "study", "--profile", PROFILE]
    command += ["--outputs", str(tmp_path / "outputs"), "--on", "kubernetes", "--", "--dry-run"]
    with running_store() as address:
        settings = yaml.safe_load(along.read_text()) | {"storage-s3-endpoint-url": address}
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        result = subprocess.run(command, capture_output=True, text=True, timeout=300)
    text = result.stdout + result.stderr
    assert result.returncode == 0, text[-3000:]
    planned = {line.split()[0] for line in text.splitlines() if line.endswith("  1")}
    rules = {"embedding", "embedding_page", "table", "explorer_page", "site"}
    assert rules <= planned
    # Everything is looked for below the profile's own prefix, and no file of this machine.
    paths = {path.partition("?")[0] for path in EmptyStore.asked}
    files = {path for path in paths if path.strip("/") != "dvelib"}
    assert len(files) > 5 and all(path.startswith("/dvelib/outputs/tiny/") for path in files)
    assert not any("notebooks" in path for path in files)
