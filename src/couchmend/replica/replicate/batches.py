"""What a replication carries: the revisions that the target lacks, in batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from couchmend.core.chain import chain_of
from couchmend.core.document import Doc, dumps
from couchmend.errors import DatabaseNotFound, NotFound, ReplicaError, Unavailable
from couchmend.replica.base import ChangesQuery, Found, Missing, Replica, RevsDiff, Rows

PAGE_ROWS = 1000
"""Rows of the changes feed that are compared together."""

BATCH_DOCS = 1000
BATCH_BYTES = 4 << 20
"""About how much is written at once; a larger document goes by itself."""

TRANSIENT_ERRORS = frozenset({"timeout", "internal_server_error", "service_unavailable"})
"""Errors of a row that say nothing about the document."""

MANY_LEAVES = 100
"""Beyond, CouchDB reads all leaves faster than named ones: 4000 in half a second, where by name
it takes half a minute."""

LEAVES_BYTES = 16 << 20
"""About how much of one document is read at once, as JSON; a larger one is read by name."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A revision on its way: its bytes as JSON, those of all its attachments, and the target's
    leaves that it may descend from."""

    doc: Doc
    json_bytes: int
    attached_bytes: int
    possible_ancestors: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Its id and revision."""
        return self.doc["_id"], self.doc["_rev"]


@dataclass(slots=True)
class Batch:
    """Revisions to be stored.

    With `seq`, everything up to that sequence is in this batch or an earlier one; `rows` are
    the changes since the last such batch.
    """

    incoming: list[Incoming] = field(default_factory=list)
    bytes: int = 0
    unreadable: list[Missing] = field(default_factory=list)
    missing_checked: int = 0
    missing_found: int = 0
    documents: int = 0
    rows: int = 0
    seq: str | None = None

    def add(self, incoming: Incoming) -> None:
        """Take one more revision along."""
        self.incoming.append(incoming)
        self.bytes += incoming.json_bytes + incoming.attached_bytes

    @property
    def full(self) -> bool:
        """Whether it is time to store what is here."""
        return len(self.incoming) >= BATCH_DOCS or self.bytes >= BATCH_BYTES


def read_batches(source: Replica, target: Replica, query: ChangesQuery) -> Rows[Batch]:
    """Everything of the changes that the target lacks, until the feed's present end."""
    for page in source.change_pages(query, PAGE_ROWS):
        leaves: dict[str, list[str]] = {}
        for row in page.rows:
            leaves.setdefault(row.id, []).extend(row.revs)
        lacking = target.revs_diff(leaves) if leaves else {}
        taken: set[tuple[str, str]] = set()
        batch = Batch(
            missing_checked=sum(map(len, leaves.values())),
            missing_found=sum(len(diff.missing) for diff in lacking.values()),
            documents=len(lacking),
        )
        for outcome in _read(source, lacking, {id: len(revs) for id, revs in leaves.items()}):
            match outcome:
                case Incoming() if outcome.key not in taken:
                    taken.add(outcome.key)
                    batch.add(outcome)
                case Missing():
                    batch.unreadable.append(outcome)
            if batch.full:
                yield batch
                batch = Batch()
        batch.rows, batch.seq = len(page.rows), page.last_seq
        yield batch


def _read(
    source: Replica, lacking: Mapping[str, RevsDiff], counts: Mapping[str, int]
) -> Iterator[Incoming | Missing]:
    """The missing revisions with their histories.

    What was edited since comes as the leaves that it has become; it is in the feed again.

    counts: how many leaves each document has.

    Raises:
        ReplicaError: the source says of a revision something else than that it is not there.
    """
    few = {id: diff for id, diff in lacking.items() if len(diff.missing) <= MANY_LEAVES}
    yield from _named(source, few)
    for id in lacking.keys() - few.keys():
        yield from _many(source, id, lacking[id], counts[id])


def _named(source: Replica, wanted: Mapping[str, RevsDiff]) -> Iterator[Incoming | Missing]:
    """The missing revisions, as they come."""
    items = [(id, rev) for id, diff in wanted.items() for rev in diff.missing]
    if items:
        for row in source.bulk_get(items, latest=True, revs=True, att_encoding_info=True):
            for outcome in row.outcomes:
                yield _incoming(outcome, wanted[row.id])


def _many(source: Replica, id: str, diff: RevsDiff, count: int) -> Iterator[Incoming | Missing]:
    """Many leaves of one document: all that it has at once, unless that would be too much.

    How much it would be is told by the first ones.
    """
    first, others = (
        replace(diff, missing=part)
        for part in (diff.missing[:MANY_LEAVES], diff.missing[MANY_LEAVES:])
    )
    size = 0
    for one in _named(source, {id: first}):
        size += one.json_bytes if isinstance(one, Incoming) else 0
        yield one
    if size * count > LEAVES_BYTES * len(first.missing):
        yield from _named(source, {id: others})
        return
    told, wanted = set(first.missing), set(others.missing)
    try:
        leaves = source.open_revs(id, revs=True, att_encoding_info=True)
    except DatabaseNotFound:
        raise
    except NotFound as problem:
        yield Missing(id, None, problem.error, problem.reason)
        return
    for outcome in leaves:
        if isinstance(outcome, Missing):
            if outcome.rev not in told:
                yield _incoming(outcome, diff)
        elif not wanted.isdisjoint(map(str, chain_of(outcome.doc))):
            yield _incoming(outcome, diff)


def _incoming(outcome: Found | Missing, diff: RevsDiff) -> Incoming | Missing:
    if isinstance(outcome, Missing):
        if outcome.error != NotFound.default_error:
            raise failure_of_row(outcome.id, outcome.error, outcome.reason)
        return outcome
    doc = outcome.doc
    entries = doc["_attachments"].values() if doc.get("_attachments") else ()
    attached = sum(entry["length"] for entry in entries)
    return Incoming(doc, len(dumps(doc)), attached, diff.possible_ancestors)


def failure_of_row(id: str, error: str, reason: str) -> ReplicaError:
    """What to raise for a row that says nothing about its document, but that something failed:
    another time it may be read or stored."""
    transient = error in TRANSIENT_ERRORS
    kind = Unavailable if transient else ReplicaError
    return kind(reason, error=error, operation="replicate", target=id, transient=transient)
