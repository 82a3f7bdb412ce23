"""Databases with conflicts, and what an engine needs to work on them."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import JSON, Doc
from couchmend.core.plans.plan import plan
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.revtree import Rev
from couchmend.engine.carrying import Carried, Order, Site, carry_out
from couchmend.engine.finding.reading import InConflict, Known, NotInConflict, Reader, row_of
from couchmend.events import Event
from couchmend.journal import (
    acknowledging,
    archive,
    conflicts,
    databases,
    queueing,
    resolutions,
)
from couchmend.journal.opening import Journal, open_journal
from couchmend.replica.base import ChangesQuery, Replica, Validator
from couchmend.replica.embedded import EmbeddedReplica

NAME = "notes"


class SteppingClock:
    """A clock that only `sleep` moves."""

    def __init__(self, now: int = 1_700_000_000_000_000) -> None:
        self.at = now
        self.slept: list[float] = []

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return self.at / 1_000_000

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += round(seconds * 1_000_000)


@dataclass
class World:
    """A replica, a journal, and what was told."""

    replica: Replica
    journal: Journal
    clock: SteppingClock = field(default_factory=SteppingClock)
    events: list[Event] = field(default_factory=list)
    refuses: Callable[[], None] = lambda: None
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def site(self) -> Site:
        with self.journal.write() as tx:
            database = databases.register(tx, NAME, "http://db.example/notes", self.clock.now())
        return Site(
            journal=self.journal,
            database=database,
            replica=self.replica,
            clock=self.clock,
            emit=self.events.append,
            may_write=lambda: self.refuses(),
            **self.settings,
        )

    def close(self) -> None:
        self.replica.close()
        self.journal.close()

    # --- documents

    def read(self, id: str) -> ConflictedDocument:
        """A document with all that is known of it, as a sweep reads it."""
        return self.read_many([id])[0]

    def read_many(self, ids: Sequence[str]) -> list[ConflictedDocument]:
        rows = self.replica.changes(ChangesQuery(style="all_docs", doc_ids=list(ids))).rows
        by_id = {row.id: row for row in rows}
        reader = Reader(self.replica, NAME, self._known)
        docs = []
        for found in reader.documents(by_id.get(id) or row_of(id) for id in ids):
            assert isinstance(found, InConflict | NotInConflict), found
            docs.append(found.doc)
        return docs

    def _known(self, ids: Sequence[str]) -> Mapping[str, Known]:
        database = self.site.database.id
        with self.journal.read() as tx:
            acknowledged = acknowledging.acknowledged(tx, database, ids)
            recorded = resolutions.recorded(tx, database, ids)
            kept = archive.kept(tx, database, ids)
            ours = resolutions.tombstones_of(tx, database, ids)
        return {
            id: Known(
                acknowledged.get(id, frozenset()),
                recorded.get(id, {}),
                {r: a.body for r, a in kept.get(id, {}).items() if a.body is not None},
                frozenset(ours.get(id, {}).values()),
            )
            for id in ids
        }

    def live(self, id: str) -> list[Rev]:
        return [leaf.rev for leaf in self.read(id).tree.leaves() if not leaf.deleted]

    def winner(self, id: str) -> Doc:
        """What the winner says, without `_id` and `_rev`."""
        doc = self.replica.get(id)
        return {key: value for key, value in doc.items() if key not in ("_id", "_rev")}

    # --- orders

    def order(
        self, id: str, strategy: str = "merge", policy: Policy = PLAIN, by: str = "auto", **how: Any
    ) -> Order:
        """A plan for a document as it is now, queued."""
        doc = self.read(id)
        return self.order_for(doc, strategy, policy, by, **how)

    def order_for(
        self,
        doc: ConflictedDocument,
        strategy: str = "merge",
        policy: Policy = PLAIN,
        by: str = "auto",
        **how: Any,
    ) -> Order:
        made = plan(doc, strategy, policy, **how)
        number = self.queue([doc])[0]
        return Order(
            conflict=number,
            doc=doc,
            plan=made,
            type="merge_candidates",
            severity="low",
            by=by,
        )

    def queue(self, docs: Iterable[ConflictedDocument]) -> list[int]:
        findings = [
            queueing.Finding(
                document=doc.id,
                type="merge_candidates",
                severity="low",
                hidden=False,
                leaves=len(doc.tree.leaves()),
                fields=["a"],
                devices=[],
                suggested="merge",
                eligible=True,
                reason="",
                sentence="",
                policy="default",
                policy_digest="p",
                digest="d",
                leafset=tuple(leaf.rev for leaf in doc.tree.leaves()),
                row_digest="r",
            )
            for doc in docs
        ]
        database = self.site.database.id
        with self.journal.write() as tx:
            queued = queueing.queue(tx, database, findings, self.clock.now())
        return [one.conflict.id for one in queued]

    def carry_out(self, *orders: Order) -> list[Carried]:
        return carry_out(self.site, orders)

    def resolve(self, id: str, strategy: str = "merge", **how: Any) -> Carried:
        (came,) = self.carry_out(self.order(id, strategy, **how))
        return came

    # --- the journal

    def conflict(self, number: int | None) -> conflicts.Conflict:
        assert number is not None
        with self.journal.read() as tx:
            return conflicts.get(tx, number)

    def resolution(self, number: int | None) -> resolutions.Resolution:
        assert number is not None
        with self.journal.read() as tx:
            return resolutions.get(tx, number)

    def unfinished(self) -> list[resolutions.Resolution]:
        database = self.site.database.id
        with self.journal.read() as tx:
            return resolutions.unfinished(tx, database)

    def kept(self, id: str) -> dict[Rev, archive.Archived]:
        database = self.site.database.id
        with self.journal.read() as tx:
            return archive.kept(tx, database, [id]).get(id, {})

    def told(self, name: str) -> list[Event]:
        return [event for event in self.events if event.name == name]


def embedded(validators: Sequence[Validator] = ()) -> World:
    """In memory, all of it."""
    replica = EmbeddedReplica.open(":memory:", name=NAME, validators=validators)
    return World(replica, open_journal("sqlite://"))


def fork(replica: Replica, id: str, base: Doc, *sides: Doc) -> list[Rev]:
    """A document that several devices edited; the leaves as they were added, the winner's too."""
    first = Rev.parse(replica.put({"_id": id, **base}))
    return [branch(replica, id, [first], side) for side in sides]


def branch(replica: Replica, id: str, chain: Sequence[Rev], body: Doc, hash: str = "") -> Rev:
    """A revision that replication brings, over the newest of a chain, which is newest first."""
    seed = repr((id, body, [str(rev) for rev in chain])).encode()
    rev = Rev((chain[0].generation if chain else 0) + 1, hash or digest(seed))
    doc = {"_id": id, "_rev": str(rev), **body}
    doc["_revisions"] = {"start": rev.generation, "ids": [rev.hash, *(one.hash for one in chain)]}
    assert replica.bulk_docs([doc], new_edits=False) == []
    return rev


def digest(seed: bytes) -> str:
    import hashlib

    return hashlib.md5(seed, usedforsecurity=False).hexdigest()


def inline(content: bytes, content_type: str = "image/png") -> dict[str, JSON]:
    """An attachment as a document carries it."""
    return {"content_type": content_type, "data": base64.b64encode(content).decode()}


__all__ = ["NAME", "PLAIN", "World", "branch", "embedded", "fork", "inline", "replace"]
