"""A scan beside what cannot be spared: the bytes of the changes feed, as curl reads them, and the
bare bulk read of the documents with several leaves."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import unquote, urlsplit

from benchmarks.documents import conflicted, documents
from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from benchmarks.startup import environment
from couchmend.core.document import Doc, dumps
from couchmend.engine.finding.scan import scan
from couchmend.replica.base import Replica, Server
from couchmend.replica.couch import CouchServer
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer

CHANGES = "_changes?style=all_docs"
BESIDE = "curl of the feed, and the bare _bulk_get"
AT_ONCE = 500
MEMORY = """
import resource, sys
from couchmend import open_replica, scan
with open_replica(sys.argv[1], create=False) as replica:
    print(sum(1 for _ in scan(replica)), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; of so many documents one is in conflict."""

    documents: int = 100_000
    every: int = 50
    rounds: int = 5


TINY = Size(documents=200, every=50, rounds=1)


def measure(*, tiny: bool) -> list[Row]:
    """The row of the HTTP face."""
    size = TINY if tiny else Size(documents=20_000)
    with tempfile.TemporaryDirectory(prefix="couchmend-bench-") as path:
        folder = Folder(Path(path))
        try:
            with BackgroundServer(folder, ReplicaServer(port=0)) as server:
                return [_scan("HTTP face", server.url, size)]
        finally:
            folder.close()


def measure_couchdb(url: str, *, tiny: bool) -> list[Row]:
    """The row of a CouchDB; `url` has the name and password of an administrator."""
    return [_scan("client of a CouchDB", url, TINY if tiny else Size())]


def _scan(group: str, url: str, size: Size) -> Row:
    expected = -(-size.documents // size.every)
    server = CouchServer(url)
    with closing(server), _filled(server, size) as replica:
        found = [one.document for one in scan(replica)]
        hold(len(found), expected)
        largest = _largest_megabytes(url, replica.name, expected)
        curl = shutil.which("curl")

        def ours() -> float:
            counts: list[int] = []
            taken = seconds(lambda: counts.append(sum(1 for _ in scan(replica))))
            hold(counts[0], expected)
            return taken

        def beside() -> float:
            return seconds(lambda: _bare(curl or "", url, replica.name, found))

        times = in_turns(size.rounds, ours, None if curl is None else beside)
    return Row(
        group, f"scan, {size.documents:,} documents, {len(found):,} in conflict", Kind.GROWTH, 1.3,
        times[0], BESIDE, times[1], amount=size.documents, unit="documents",
        note=f"classified; {largest:.0f} MB resident",
        absent="" if curl else "curl is missing",
    )  # fmt: skip


def _bare(curl: str, url: str, name: str, ids: list[str]) -> None:
    parts = urlsplit(url)
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
        headers["Authorization"] = f"Basic {b64encode(pair).decode()}"
    where = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    given = [part for key, value in headers.items() for part in ("-H", f"{key}: {value}")]
    command = [curl, "-sSf", "-o", os.devnull, *given, f"{where}/{name}/{CHANGES}"]
    subprocess.run(command, check=True, capture_output=True)
    base = f"{parts.path.rstrip('/')}/{name}/_bulk_get?revs=true"
    with closing(
        http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=600)
    ) as connection:
        for start in range(0, len(ids), AT_ONCE):
            body = dumps({"docs": [{"id": id} for id in ids[start : start + AT_ONCE]]})
            connection.request("POST", base, body, headers)
            with connection.getresponse() as response:
                hold(response.status, 200)
                response.read()


def _largest_megabytes(url: str, name: str, expected: int) -> float:
    """The memory of a process that does nothing but scan."""
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, f"{url.rstrip('/')}/{name}"],
        check=True, capture_output=True, text=True, env=environment(),
    ).stdout.split()  # fmt: skip
    hold(int(told[0]), expected)
    unit = 1 if sys.platform == "darwin" else 1024
    return int(told[1]) * unit / 1e6


@contextmanager
def _filled(server: Server, size: Size) -> Iterator[Replica]:
    name = f"couchmend-bench-{secrets.token_hex(4)}"
    replica = server.create(name)
    try:
        rest: Iterator[Doc] = conflicted(documents(size.documents), size.every)
        while part := list(islice(rest, 2000)):
            hold(len(replica.bulk_docs(part, new_edits=False)), 0)
        yield replica
    finally:
        server.delete(name)
