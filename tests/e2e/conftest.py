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


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Served:
    """`couchmend replica serve`, which can be stopped and started again at the same place."""

    def __init__(self, folder: Path, log: Path, *options: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._log = log
        self._command = [
            sys.executable, "-m", "couchmend", "replica", "serve", str(folder),
            "--port", str(port), *options,
        ]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")},
            )
        wait_for(f"{self.url}/_up", self._process)

    def stop(self) -> None:
        """Returns when it has ended."""
        if self._process is not None:
            self._process.terminate()
            assert self._process.wait(10) == 0, self._log.read_text()
        self._process = None


Serve = Callable[..., Served]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "databases"


@pytest.fixture
def serve(folder: Path, tmp_path: Path) -> Iterator[Serve]:
    """`serve(*options)` starts `couchmend replica serve`."""
    started: list[Served] = []

    def start(*options: str) -> Served:
        served = Served(folder, tmp_path / f"server-{len(started)}.log", *options)
        started.append(served)
        served.start()
        return served

    yield start
    for served in started:
        served.stop()


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        assert server.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail("the server did not come up")
