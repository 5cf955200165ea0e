import hashlib
import http.server
import multiprocessing
import os
import resource
import threading
import time

import pytest

from utils.errors import InputError
from utils.weights import downloads
from utils.weights.detector_models import hub_cache
from utils.weights.downloads import ModelFile, fetch_file, verify_file

CONTENT = bytes(range(256)) * 2000
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT in the ways that servers and networks fail."""

    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path == "/gone":
            self.send_error(404)
            return
        if self.path == "/silent":
            time.sleep(3)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        body = CONTENT[::-1] if self.path == "/wrong" else CONTENT
        if self.path == "/cut":
            body = body[: len(body) // 3]
        if self.path == "/stalled":
            self.wfile.write(body[:1000])
            time.sleep(3)
            return
        self.wfile.write(body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.delenv(downloads.OFFLINE)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.requests = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    yield server
    server.shutdown()
    server.server_close()


def model(server, path: str, sha256: str = CHECKSUM) -> ModelFile:
    return ModelFile("set/g1.pth", sha256, server.address + path, len(CONTENT))


def test_a_file_is_downloaded_once(server, tmp_path):
    path = tmp_path / "set" / "g1.pth"
    for _ in range(2):
        assert fetch_file(model(server, "/file"), path) == path
    assert path.read_bytes() == CONTENT
    assert len(server.requests) == 1


def test_the_first_digits_of_a_checksum_are_enough(server, tmp_path):
    fetch_file(model(server, "/file", CHECKSUM[:10]), tmp_path / "g1.pth")
    with pytest.raises(InputError, match="wrong checksum"):
        fetch_file(model(server, "/file", "0123456789"), tmp_path / "g2.pth")


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/cut", "connection was cut"),
        ("/wrong", "wrong checksum"),
        ("/gone", "the server answers 404"),
        ("/silent", "does not answer in time"),
        ("/stalled", "no connection|connection was cut|in time"),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(
    server, tmp_path, monkeypatch, path, complaint
):
    monkeypatch.setattr(downloads, "SILENCE_SECONDS", 0.5)
    target = tmp_path / "g1.pth"
    with pytest.raises(InputError, match=complaint) as caught:
        fetch_file(model(server, path), target)
    assert str(target) in str(caught.value)
    assert server.address + path in str(caught.value)
    assert not list(tmp_path.iterdir())
    fetch_file(model(server, "/file"), target)  # and the next try is a fresh one
    assert target.read_bytes() == CONTENT


def test_a_full_disk_says_so_and_leaves_nothing(server, tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(InputError, match="File too large"):
            fetch_file(model(server, "/file"), tmp_path / "g1.pth")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_a_refused_connection_is_an_input_error(server, tmp_path):
    closed = model(server, "/file")
    server.shutdown()
    server.server_close()
    with pytest.raises(InputError, match="no connection"):
        fetch_file(closed, tmp_path / "g1.pth")


def test_offline_opens_no_connection(server, tmp_path, monkeypatch):
    monkeypatch.setenv(downloads.OFFLINE, "1")
    with pytest.raises(InputError, match="forbids the network"):
        fetch_file(model(server, "/file"), tmp_path / "g1.pth")
    assert server.requests == []


def test_a_proxy_is_honoured(server, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", server.address)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    file = ModelFile("g1.pth", CHECKSUM, "http://models.invalid/file", len(CONTENT))
    fetch_file(file, tmp_path / "g1.pth")
    assert server.requests == ["http://models.invalid/file"]


def _fetch(address: str, path: str) -> None:
    os.environ.pop(downloads.OFFLINE, None)
    fetch_file(ModelFile("g1.pth", CHECKSUM, address), path)


def test_two_processes_at_once_do_not_harm_each_other(server, tmp_path):
    path = tmp_path / "g1.pth"
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=_fetch, args=(server.address + "/file", path)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert path.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_file_on_disk_is_named(tmp_path):
    path = tmp_path / "g1.pth"
    path.write_bytes(CONTENT[1:])
    with pytest.raises(InputError, match=r"g1\.pth: wrong checksum; delete"):
        verify_file(path, ModelFile("g1.pth", CHECKSUM))


def test_the_hub_cache_is_where_torch_has_it(monkeypatch, tmp_path):
    import torch

    for value in (None, str(tmp_path)):
        if value:
            monkeypatch.setenv("TORCH_HOME", value)
        assert str(hub_cache()) == os.path.join(torch.hub.get_dir(), "checkpoints")  # noqa: PTH118
