"""Resolving conflicts beside the bare requests that it takes at least, beside the same requests as
ours sent bare, and beside a script with pouch-resolve-conflicts.

Ours reads every document, plans its merge, keeps both versions in the journal, on disk, writes the
merge, deletes the loser, verifies it and records what came of it.  The bare requests and the
script neither keep nor verify anything.
"""

from __future__ import annotations

import json
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import node
from benchmarks.couchdb import Bare
from benchmarks.documents import documents
from benchmarks.measuring import Kind, Row, hold, in_turns, seconds
from couchmend.core.document import Doc, dumps
from couchmend.core.plans.plan import plan
from couchmend.core.policy.policy import Policy
from couchmend.core.revid import new_rev
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import Order, Resolved, Site, carry_out_all
from couchmend.engine.clock import SystemClock
from couchmend.engine.finding.reading import InConflict, Reader
from couchmend.journal import databases
from couchmend.journal.opening import open_journal
from couchmend.replica.base import ChangeRow, ChangesQuery, Replica, Server
from couchmend.replica.couch import CouchServer
from couchmend.replica.embedded import Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer

READ_AT_ONCE = 500
WRITTEN_AT_ONCE = 250
PREFER = Policy(fields={"status": {"prefer": ["done", "in_progress", "todo"]}, "priority": "max"})
FEED = "_changes?style=all_docs&"


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    conflicts: int = 2_000
    rounds: int = 5


TINY = Size(conflicts=20, rounds=1)


def measure(*, tiny: bool) -> list[Row]:
    """The rows of the HTTP face."""
    with tempfile.TemporaryDirectory(prefix="couchmend-bench-") as path:
        folder = Folder(Path(path))
        try:
            with BackgroundServer(folder, ReplicaServer(port=0)) as server:
                return _rows("HTTP face", server.url, TINY if tiny else Size(), peers=False)
        finally:
            folder.close()


def measure_couchdb(url: str, *, tiny: bool) -> list[Row]:
    """The rows of a CouchDB; `url` has the name and password of an administrator."""
    return _rows("client of a CouchDB", url, TINY if tiny else Size(), peers=True)


def _rows(group: str, url: str, size: Size, *, peers: bool) -> list[Row]:
    with ExitStack() as stack:
        server = stack.enter_context(closing(CouchServer(url)))
        bare = stack.enter_context(closing(Bare(url)))
        work = Work(server, bare, list(_conflicts(size.conflicts)))
        what = f"resolve {size.conflicts:,} conflicts"

        def row(
            target: float | None,
            who: str,
            times: tuple[Sequence[float], Sequence[float]],
            absent: str = "",
        ) -> Row:
            return Row(
                group, what, Kind.SPEED, target, times[0], who, times[1],
                amount=size.conflicts, unit="conflicts", absent=absent,
                note="read, planned, archived on disk, written, verified and recorded",
            )  # fmt: skip

        least = in_turns(size.rounds, work.ours, work.least)
        same = in_turns(size.rounds, work.ours, work.same)
        rows = [
            row(0.5, "_bulk_get and two _bulk_docs, bare", least),
            row(0.8, "the same requests, bare", same),
        ]
        if not peers:
            return rows
        absent = node.missing() or ""
        for at_once, target in ((1, 3.0), (16, None)):
            beside = None
            if not absent:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                pouch = stack.enter_context(node.pouch(folder))
                beside = _script(work, pouch, url.rstrip("/"), at_once)
            times = in_turns(min(size.rounds, 3), work.ours, beside)
            rows.append(row(target, f"pouch-resolve-conflicts, {at_once} at once", times, absent))
        return rows


def _script(work: Work, pouch: node.Peer, url: str, at_once: int) -> Callable[[], float]:
    def resolve() -> float:
        with work.database() as replica:
            where = f"{url}/{replica.name}"
            told = pouch.ask("resolve", database=where, at_once=at_once)
            hold(told["count"], len(work.conflicts))
            return float(told["seconds"])

    return resolve


@dataclass(frozen=True, slots=True)
class Conflict:
    """A document in conflict: a revision and two edits of it, the better one first."""

    base: Doc
    winner: Doc
    loser: Doc

    @property
    def merged(self) -> Doc:
        """What is written over the winner."""
        taken = {"status": "done", "priority": 9}
        return {**{n: v for n, v in self.winner.items() if n != "_revisions"}, **taken}

    @property
    def tombstone(self) -> Doc:
        """What is written over the loser."""
        return {"_id": self.loser["_id"], "_rev": self.loser["_rev"], "_deleted": True}


def _conflicts(count: int) -> Iterator[Conflict]:
    for doc in documents(count):
        base = {**doc, "status": "todo", "priority": 0}
        first = new_rev(None, False, _fields(base))
        sides = [_edit(base, first, status="done"), _edit(base, first, priority=9)]
        sides.sort(key=lambda side: str(side["_rev"]), reverse=True)
        yield Conflict({**base, "_rev": str(first)}, *sides)


def _edit(base: Doc, first: Rev, **changed: object) -> Doc:
    edited = {**base, **changed}
    rev = new_rev(first, False, _fields(edited))
    history = {"start": 2, "ids": [rev.hash, first.hash]}
    return {**edited, "_rev": str(rev), "_revisions": history}


def _fields(doc: Doc) -> Doc:
    return {name: value for name, value in doc.items() if name != "_id"}


class Work:
    """The same conflicts in a new database each time, resolved by one and the other."""

    def __init__(self, server: Server, bare: Bare, conflicts: Sequence[Conflict]) -> None:
        self._server = server
        self._bare = bare
        self.conflicts = conflicts

    @contextmanager
    def database(self) -> Iterator[Replica]:
        """A database with the conflicts, gone afterwards."""
        name = f"couchmend-bench-{secrets.token_hex(4)}"
        replica = self._server.create(name)
        try:
            for part in _cut(self.conflicts, 500):
                docs = [doc for one in part for doc in (one.base, one.winner, one.loser)]
                hold(len(replica.bulk_docs(docs, new_edits=False)), 0)
            yield replica
        finally:
            self._server.delete(name)

    def ours(self) -> float:
        """With the journal in a file."""
        with self.database() as replica, tempfile.TemporaryDirectory() as path:
            with open_journal(f"sqlite:///{path}/journal.db") as journal:
                with journal.write() as tx:
                    database = databases.register(tx, replica.name, replica.url, 0)
                site = Site(
                    journal=journal,
                    database=database,
                    replica=replica,
                    clock=SystemClock(),
                    emit=lambda event: None,
                    may_write=lambda: None,
                )
                rows = replica.changes(ChangesQuery(style="all_docs")).rows
                resolved: list[int] = []
                taken = seconds(lambda: resolved.append(_resolve(site, rows)))
            hold(resolved[0], len(self.conflicts))
            return taken

    def least(self) -> float:
        """What it takes at least: read, write, delete."""
        return self._bare_requests(READ_AT_ONCE, same=False)

    def same(self) -> float:
        """The requests that ours are."""
        return self._bare_requests(WRITTEN_AT_ONCE, same=True)

    def _bare_requests(self, written_at_once: int, *, same: bool) -> float:
        with self.database() as replica:
            name = replica.name
            feed = f"{name}/{FEED}"
            requests: list[tuple[str, str, bytes | None]] = []
            for read in _cut(self.conflicts, READ_AT_ONCE):
                wanted = [{"id": one.base["_id"]} for one in read]
                requests.append(("POST", f"{name}/_bulk_get?revs=true", _docs(wanted)))
                if same:
                    bases = [{"id": one.base["_id"], "rev": one.base["_rev"]} for one in read]
                    requests.append(("POST", f"{name}/_bulk_get", _docs(bases)))
                for part in _cut(read, written_at_once):
                    if same:
                        requests.append(("GET", f"{feed}since=now&limit=1", None))
                    merged = _docs([one.merged for one in part])
                    requests.append(("POST", f"{name}/_bulk_docs", merged))
                    dead = _docs([one.tombstone for one in part])
                    requests.append(("POST", f"{name}/_bulk_docs", dead))
                    if same:
                        requests.append(("GET", f"{feed}limit=1000&since=", None))
            return seconds(lambda: self._send(requests))

    def _send(self, requests: Iterable[tuple[str, str, bytes | None]]) -> None:
        since = ""
        for method, path, body in requests:
            if path.endswith("since="):
                path += since
            answer = self._bare.ask(method, path, body)
            if path.endswith("since=now&limit=1"):
                since = json.loads(answer)["last_seq"]
            elif path.endswith("_bulk_docs"):
                hold(answer.count(b'"error"'), 0)


def _resolve(site: Site, rows: Iterable[ChangeRow]) -> int:
    return sum(isinstance(came, Resolved) for came in carry_out_all(site, _orders(site, rows)))


def _orders(site: Site, rows: Iterable[ChangeRow]) -> Iterator[Order]:
    for found in Reader(site.replica, site.database.name).documents(rows):
        if isinstance(found, InConflict):
            yield Order(
                conflict=None,
                doc=found.doc,
                plan=plan(found.doc, "merge", PREFER, automatic=True),
                type="merge_candidates",
                severity="low",
                by="auto",
            )


def _docs(docs: Sequence[Doc]) -> bytes:
    return dumps({"docs": docs})


def _cut(items: Sequence[Conflict], size: int) -> Iterator[Sequence[Conflict]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
