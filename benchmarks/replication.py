"""Replication from, to and within a CouchDB, beside CouchDB's and PouchDB's replicators."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import node
from benchmarks.couchdb import Bare
from benchmarks.documents import conflicted, documents
from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from couchmend.core.document import Doc, dumps
from couchmend.replica.base import Replica
from couchmend.replica.couch import CouchServer
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import replicate

GROUP = "replication with a CouchDB"
NAME = "couchmend-bench-"
CONFLICTED_EVERY = 50
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    documents: int = 20_000
    rounds: int = 5


TINY = Size(documents=200, rounds=1)


def measure(url: str, *, tiny: bool) -> list[Row]:
    """Every row, with databases of the server at `url`, which are deleted afterwards."""
    size = TINY if tiny else Size()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=NAME)))
        server = stack.enter_context(closing(CouchServer(url)))
        missing = node.missing()
        peer = None if missing else stack.enter_context(node.pouch(folder))
        bare = stack.enter_context(closing(Bare(url)))
        bench = _Bench(size, url.rstrip("/"), server, bare, folder, peer, missing or "")
        docs = list(conflicted(documents(size.documents), CONFLICTED_EVERY))
        there = stack.enter_context(bench.database())
        here = stack.enter_context(EmbeddedReplica.open(folder / "here"))
        for replica in (there, here):
            _write(replica, docs)
        bench.write_pouch("pouch", docs)
        return [*bench.within(there), bench.pull(there), bench.push(here, "pouch")]


class _Bench:
    def __init__(
        self,
        size: Size,
        url: str,
        server: CouchServer,
        bare: Bare,
        folder: Path,
        peer: node.Peer | None,
        missing: str,
    ) -> None:
        self._size = size
        self._url = url
        self._server = server
        self._bare = bare
        self._folder = folder
        self._peer = peer
        self._missing = missing

    def within(self, source: Replica) -> list[Row]:
        """From one database of the server to another."""

        def ours() -> float:
            with self.database() as target:
                return self._timed(source, target)

        def couchdb() -> float:
            with self.database() as target:
                names = {"source": self._place(source.name), "target": self._place(target.name)}
                asked = dumps(names)
                taken = seconds(lambda: self._bare.ask("POST", "_replicate", asked))
                hold(target.info().documents, self._size.documents)
            return taken

        def pouchdb() -> float:
            with self.database() as target:
                names = self._place(source.name), self._place(target.name)
                taken = self._ask("replicate", source=names[0], target=names[1], batch=BATCH)
                hold(target.info().documents, self._size.documents)
            return taken

        what = "between two databases of the server"
        return [
            self._row(what, ours, "CouchDB's replicator", couchdb, "its defaults"),
            self._row(what, ours, "PouchDB's replicator", pouchdb, f"batch_size {BATCH:,}"),
        ]

    def pull(self, source: Replica) -> Row:
        """From the server to a local database."""

        def ours() -> float:
            path = self._folder / secrets.token_hex(8)
            with EmbeddedReplica.open(path) as target:
                return self._timed(source, target)

        def pouchdb() -> float:
            folder = str(self._folder / secrets.token_hex(8))
            place = self._place(source.name)
            taken = self._ask("replicate", source=place, target=folder, batch=BATCH)
            self._ask("drop", database=folder, expected=self._size.documents)
            return taken

        return self._row("to a local database", ours, "PouchDB", pouchdb, f"batch_size {BATCH:,}")

    def push(self, source: Replica, pouch: str) -> Row:
        """From a local database to the server."""

        def ours() -> float:
            with self.database() as target:
                return self._timed(source, target)

        def pouchdb() -> float:
            with self.database() as target:
                place = self._place(target.name)
                folder = str(self._folder / pouch)
                taken = self._ask("replicate", source=folder, target=place, batch=BATCH)
                hold(target.info().documents, self._size.documents)
            return taken

        return self._row("from a local database", ours, "PouchDB", pouchdb, f"batch_size {BATCH:,}")

    def write_pouch(self, name: str, docs: Sequence[Doc]) -> None:
        """Have the peer keep these."""
        if self._peer is None:
            return
        file = self._folder / "docs.jsonl"
        file.write_bytes(b"".join(dumps(doc) + b"\n" for doc in docs))
        into = str(self._folder / name)
        self._ask("write", file=str(file), into=into, batch=BATCH, new_edits=False)

    @contextmanager
    def database(self) -> Iterator[Replica]:
        """A new one of the server."""
        name = NAME + secrets.token_hex(8)
        with self._server.create(name) as replica:
            try:
                yield replica
            finally:
                self._server.delete(name)

    def _timed(self, source: Replica, target: Replica) -> float:
        taken = seconds(lambda: replicate(source, target))
        hold(target.info().documents, self._size.documents)
        return taken

    def _place(self, name: str) -> str:
        """A database's URL with credentials, as the other replicators want it."""
        return f"{self._url}/{name}"

    def _ask(self, command: str, *, expected: int = 0, **details: object) -> float:
        assert self._peer is not None
        answer = self._peer.ask(command, **details)
        hold(answer["count"], expected)
        return float(answer["seconds"])

    def _row(
        self,
        what: str,
        ours: Callable[[], float],
        name: str,
        beside: Callable[[], float],
        note: str,
    ) -> Row:
        runs = self._peer is not None or name.startswith("CouchDB")
        times = in_turns(self._size.rounds, ours, beside if runs else None)
        return Row(
            GROUP, what, Kind.SPEED, None, times[0], name, times[1],
            amount=self._size.documents, unit="documents", note=note,
            absent="" if runs else self._missing,
        )  # fmt: skip


def _write(replica: Replica, docs: Sequence[Doc]) -> None:
    for start in range(0, len(docs), BATCH):
        hold(len(replica.bulk_docs(docs[start : start + BATCH], new_edits=False)), 0)
