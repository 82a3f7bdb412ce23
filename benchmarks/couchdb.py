"""Our client of a CouchDB beside the bare requests: how much of the time is the server's.

A database is made on the server, and deleted again.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import secrets
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from benchmarks.documents import conflicted, documents, with_revisions
from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from couchmend.core.document import Doc, dumps
from couchmend.replica.base import ChangesQuery
from couchmend.replica.couch import CouchReplica, CouchServer

GROUP = "client of a CouchDB"
CHANGES = "_changes?style=all_docs"
BARE = "the same requests, bare"
JSON_TYPE = "application/json"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    documents: int = 100_000
    every: int = 50
    """In conflict: one document of so many."""
    read: int = 10_000
    read_at_once: int = 500
    written: int = 10_000
    written_at_once: int = 1_000
    rounds: int = 5


TINY = Size(
    documents=200, every=50, read=100, read_at_once=50, written=100, written_at_once=50, rounds=1
)


def measure(url: str, *, tiny: bool) -> list[Row]:
    """Every row; `url` is of a server, with the name and password of an administrator."""
    size = TINY if tiny else Size()
    server = CouchServer(url)
    with closing(Bare(url)) as bare, closing(server), _database(server, size) as replica:
        return [
            _changes(url, bare, replica, size),
            _bulk_get(bare, replica, size),
            *_writes(server, bare, size),
        ]


def versions(url: str) -> dict[str, str]:
    """What answers at `url`, and what it is compared with."""
    with closing(Bare(url)) as bare:
        told = json.loads(bare.ask("GET", ""))
    curl = shutil.which("curl")
    first = _output([curl, "--version"]).split()[1] if curl else "missing"
    return {"server": f"{told.get('vendor', {}).get('name', '')} {told['version']}", "curl": first}


class Bare:
    """As little between the clock and the server as will do: a connection that is kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=600)
        self._base = parts.path.rstrip("/")
        self.headers = {"Accept": "application/json"}
        if parts.username is not None:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
            self.headers["Authorization"] = f"Basic {b64encode(pair).decode()}"

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        """The answer's body.

        Raises:
            RuntimeError: the answer is a refusal.
        """
        headers = self.headers if body is None else {**self.headers, "Content-Type": JSON_TYPE}
        self._connection.request(method, f"{self._base}/{path}", body, headers)
        with self._connection.getresponse() as response:
            answer = response.read()
        if response.status >= 300:
            raise RuntimeError(f"{method} {path}: {response.status} {answer[:200]!r}")
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _changes(url: str, bare: Bare, replica: CouchReplica, size: Size) -> Row:
    """The whole feed, in pages of rows, beside its bytes as curl reads them."""
    curl = shutil.which("curl")

    def ours() -> float:
        counts: list[int] = []
        taken = seconds(
            lambda: counts.extend(
                len(page.rows) for page in replica.change_pages(ChangesQuery(style="all_docs"))
            )
        )
        hold(sum(counts), size.documents)
        return taken

    headers = [part for name, value in bare.headers.items() for part in ("-H", f"{name}: {value}")]
    parts = urlsplit(url)
    where = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    command = [curl or "", "-sSf", "-o", os.devnull, *headers, f"{where}/{replica.name}/{CHANGES}"]
    beside = None if curl is None else (lambda: seconds(lambda: _output(command)))
    times = in_turns(size.rounds, ours, beside)
    return Row(
        GROUP, CHANGES, Kind.GROWTH, 1.3, times[0], "curl, to nowhere", times[1],
        amount=size.documents, unit="rows", note="every row read and checked",
        absent="" if curl else "curl is missing",
    )  # fmt: skip


def _bulk_get(bare: Bare, replica: CouchReplica, size: Size) -> Row:
    ids = [f"task-{number:08d}" for number in range(size.read)]
    bodies = [dumps({"docs": [{"id": id} for id in part]}) for part in _cut(ids, size.read_at_once)]

    def ours() -> float:
        counts: list[int] = []
        taken = seconds(
            lambda: counts.extend(
                sum(1 for _ in replica.bulk_get([(id, None) for id in part], revs=True))
                for part in _cut(ids, size.read_at_once)
            )
        )
        hold(sum(counts), size.read)
        return taken

    def beside() -> float:
        answers: list[bytes] = []
        path = f"{replica.name}/_bulk_get?revs=true"
        taken = seconds(lambda: answers.extend(bare.ask("POST", path, body) for body in bodies))
        hold(sum(len(json.loads(answer)["results"]) for answer in answers), size.read)
        return taken

    times = in_turns(size.rounds, ours, beside)
    return Row(
        GROUP, "_bulk_get?revs=true", Kind.GROWTH, None, times[0], BARE, times[1],
        amount=size.read, unit="documents",
        note=f"{size.read_at_once} at once, every document read and checked",
    )  # fmt: skip


def _writes(server: CouchServer, bare: Bare, size: Size) -> Iterator[Row]:
    """Into an empty database each time: as replication writes, and new documents."""
    plain = list(documents(size.written))
    replicated = list(with_revisions(plain))
    for what, docs, new_edits in (
        ("_bulk_docs, new_edits=false", replicated, False),
        ("_bulk_docs, new documents", plain, True),
    ):
        parts = list(_cut(docs, size.written_at_once))

        def ours(parts: Sequence[Sequence[Doc]] = parts, new_edits: bool = new_edits) -> float:
            with _empty(server) as replica:
                return seconds(
                    lambda: [replica.bulk_docs(part, new_edits=new_edits) for part in parts]
                )

        def beside(parts: Sequence[Sequence[Doc]] = parts, new_edits: bool = new_edits) -> float:
            bodies = [dumps({"docs": part, "new_edits": new_edits}) for part in parts]
            with _empty(server) as replica:
                path = f"{replica.name}/_bulk_docs"
                return seconds(lambda: [bare.ask("POST", path, body) for body in bodies])

        times = in_turns(size.rounds, ours, beside)
        yield Row(
            GROUP, what, Kind.GROWTH, None, times[0], BARE, times[1],
            amount=size.written, unit="documents", note=f"{size.written_at_once:,} at once",
        )  # fmt: skip


@contextmanager
def _empty(server: CouchServer) -> Iterator[CouchReplica]:
    name = f"couchmend-bench-{secrets.token_hex(4)}"
    replica = server.create(name)
    try:
        yield replica
    finally:
        server.delete(name)


@contextmanager
def _database(server: CouchServer, size: Size) -> Iterator[CouchReplica]:
    """The database that is read: some documents in conflict."""
    with _empty(server) as replica:
        for part in _cut(conflicted(documents(size.documents), size.every), 2000):
            hold(len(replica.bulk_docs(part, new_edits=False)), 0)
        hold(replica.info().documents, size.documents)
        yield replica


def _cut(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while part := list(itertools.islice(rest, size)):
        yield part


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
