"""The real command, serving a real folder, for real clients."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Serve = Callable[..., str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "databases"


@pytest.fixture
def serve(folder: Path, tmp_path: Path) -> Iterator[Serve]:
    """`serve(*options)` starts `couchmend replica serve` and returns its URL."""
    running: list[subprocess.Popen[bytes]] = []
    log = (tmp_path / "server.log").open("wb")

    def start(*options: str) -> str:
        port = free_port()
        command = [sys.executable, "-m", "couchmend", "replica", "serve", str(folder)]
        server = subprocess.Popen(
            [*command, "--port", str(port), *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
        )
        running.append(server)
        url = f"http://127.0.0.1:{port}"
        wait_for(url, server)
        return url

    yield start
    for server in running:
        server.terminate()
        assert server.wait(10) == 0, (tmp_path / "server.log").read_text()
    log.close()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"{url}/_up"):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the server did not come up")
