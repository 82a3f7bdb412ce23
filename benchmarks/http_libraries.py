"""`python -m benchmarks.http_libraries URL`: which HTTP library reads a large `_changes` fastest.

The database at `URL` is drained with each library that can be imported here, and with curl,
in turns.  The processor time of the client is shown beside the time that passes: where the
server has the same processors, what a client uses up is taken from the server.
"""

from __future__ import annotations

import argparse
import http.client
import importlib
import os
import resource
import statistics
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any
from urllib.parse import unquote, urlsplit

import urllib3

from benchmarks.measuring import hold

PATH = "_changes?style=all_docs"
CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Target:
    """The feed that is read."""

    url: str
    host: str
    port: int
    path: str
    headers: dict[str, str]

    @classmethod
    def at(cls, database: str) -> Target:
        """The feed of the database at this URL, which may hold name and password."""
        parts = urlsplit(database)
        hostname = parts.hostname or ""
        pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        if parts.username is not None:
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        port = parts.port or (443 if parts.scheme == "https" else 80)
        path = f"{parts.path.rstrip('/')}/{PATH}"
        return cls(f"{parts.scheme}://{hostname}:{port}{path}", hostname, port, path, headers)


Reader = Callable[[Target], int]
"""Reads the whole feed and returns how many bytes came."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A way to read, the module it needs, and what its rounds took."""

    name: str
    module: str
    read: Reader
    passed: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)

    def is_here(self) -> bool:
        """Whether it can be tried on this machine."""
        try:
            importlib.import_module(self.module)
        except ImportError:
            return False
        return True

    def try_once(self, target: Target) -> int:
        """One round; its times are kept."""
        used, start = _used(), time.perf_counter()
        count = self.read(target)
        self.passed.append(time.perf_counter() - start)
        self.used.append(_used() - used)
        return count


def curl(target: Target) -> int:
    """The program, to a file that keeps nothing."""
    headers = [
        part for name, value in target.headers.items() for part in ("-H", f"{name}: {value}")
    ]
    told = subprocess.run(
        ["curl", "-sSf", "-o", os.devnull, "-w", "%{size_download}", *headers, target.url],
        check=True,
        capture_output=True,
    )
    return int(told.stdout)


def _urllib3(pieces: Callable[[urllib3.BaseHTTPResponse], Iterator[bytes]]) -> Reader:
    def read(target: Target) -> int:
        with urllib3.PoolManager() as pool:
            answer = pool.request(
                "GET", target.url, headers=target.headers, preload_content=False, retries=False
            )
            return sum(map(len, pieces(answer)))

    return read


def _read1(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    while data := answer.read1(CHUNK_BYTES):
        yield data


def _read(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    while data := answer.read(CHUNK_BYTES):
        yield data


def _http_client(method: str) -> Reader:
    def read(target: Target) -> int:
        connection = http.client.HTTPConnection(target.host, target.port)
        connection.request("GET", target.path, headers=target.headers)
        count = 0
        with connection.getresponse() as answer:
            take = getattr(answer, method)
            while data := take(CHUNK_BYTES):
                count += len(data)
        connection.close()
        return count

    return read


def httpx(target: Target) -> int:
    """HTTPX's synchronous client."""
    module: Any = importlib.import_module("httpx")
    with module.Client() as client, client.stream("GET", target.url, headers=target.headers) as it:
        return sum(map(len, it.iter_raw()))


def pycurl(target: Target) -> int:
    """libcurl, with a function that it calls for what it has read."""
    module: Any = importlib.import_module("pycurl")
    count = 0

    def take(data: bytes) -> None:
        nonlocal count
        count += len(data)

    handle = module.Curl()
    handle.setopt(module.URL, target.url)
    handle.setopt(module.HTTPHEADER, [f"{name}: {value}" for name, value in target.headers.items()])
    handle.setopt(module.BUFFERSIZE, CHUNK_BYTES)
    handle.setopt(module.WRITEFUNCTION, take)
    handle.perform()
    handle.close()
    return count


def candidates() -> list[Candidate]:
    """What is compared; curl first."""
    return [
        Candidate("curl", "subprocess", curl),
        Candidate("urllib3 stream()", "urllib3", _urllib3(lambda it: it.stream(CHUNK_BYTES))),
        Candidate("urllib3 read1()", "urllib3", _urllib3(_read1)),
        Candidate("urllib3 read()", "urllib3", _urllib3(_read)),
        Candidate("http.client read1()", "http.client", _http_client("read1")),
        Candidate("http.client read()", "http.client", _http_client("read")),
        Candidate("httpx iter_raw()", "httpx", httpx),
        Candidate("pycurl", "pycurl", pycurl),
    ]


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http_libraries")
    parser.add_argument("url", help="http://name:password@host:port/database")
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args(arguments)
    target = Target.at(chosen.url)
    present = [candidate for candidate in candidates() if candidate.is_here()]
    expected = present[0].read(target)
    for number in range(chosen.rounds):
        for candidate in present if number % 2 == 0 else reversed(present):
            found = candidate.try_once(target)
            # How a sequence is spelt differs from one answer to the next.
            hold(round(found / expected, 1) == 1, True)
    print("\n".join(_table(present)))


def _table(present: list[Candidate]) -> Iterator[str]:
    yield "| | version | seconds | times curl's | processor seconds of the client |"
    yield "|---|---|--:|--:|--:|"
    curls = statistics.median(present[0].passed)
    for candidate in present:
        passed, used = statistics.median(candidate.passed), statistics.median(candidate.used)
        package = candidate.name.partition(" ")[0]
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            version = ""
        yield f"| {candidate.name} | {version} | {passed:.2f} | {passed / curls:.2f} | {used:.2f} |"


def _used() -> float:
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


if __name__ == "__main__":
    main()
