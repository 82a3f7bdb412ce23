"""A look whether there is anything to do for a sweep: one request, and nothing is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection

from couchmend.engine.clock import Clock
from couchmend.engine.finding.replanning import is_planned_by
from couchmend.errors import BadRequest
from couchmend.events import CheckpointLagging, QueueMeasured
from couchmend.journal import databases, listing, resolutions
from couchmend.journal.conflicts import State
from couchmend.journal.databases import Database
from couchmend.journal.opening import Journal
from couchmend.replica.base import ChangesQuery, Replica

NOTED_EVERY: Final = 60_000_000
"""How often the journal learns that there was nothing new, in microseconds."""

WAITS: Final[tuple[State, ...]] = ("pending", "failed", "resolving")


def waiting(tx: Connection, name: str) -> dict[str, int]:
    """How many conflicts of a database wait, by severity."""
    found: dict[str, int] = {}
    if databases.named(tx, name) is not None:
        for one in listing.counts(tx, name):
            if one.state in WAITS:
                found[one.severity] = found.get(one.severity, 0) + one.number
    return found


def told_of(
    tx: Connection, name: str, found: Mapping[str, int], now: int
) -> tuple[CheckpointLagging, QueueMeasured]:
    """What is told when a sweep has caught up."""
    known = databases.named(tx, name)
    oldest = None if known is None or not found else listing.oldest(tx, known.id)
    counted = tuple(sorted(found.items()))
    return (
        CheckpointLagging(at=now, database=name, changes=0),
        QueueMeasured(at=now, database=name, waiting=counted, oldest=oldest),
    )


def nothing_to_do(
    journal: Journal,
    replica: Replica,
    name: str,
    clock: Clock,
    fingerprint: str,
    *,
    writes: bool,
) -> bool:
    """Whether nothing changed, nothing is due, and nothing is to be noted: then a sweep need not
    take the lease.

    fingerprint: of the settings by which conflicts are planned.
    writes: whether the mode allows it: what was begun is recovered then.
    """
    now = clock.now()
    with journal.read() as tx:
        known = databases.named(tx, name)
        if known is None or not _is_up_to_date(known, now, fingerprint):
            return False
        if writes and resolutions.unfinished(tx, known.id):
            return False
        if listing.due(tx, known.id, now, limit=1):
            return False
    # A database that was made anew does not know the checkpoint, and begins with its first row;
    # one that is empty is noticed within the minute, when the sweep is noted again.
    query = ChangesQuery(since=known.checkpoint, style="all_docs", limit=1, pending=False)
    try:
        return not replica.changes(query).rows
    except BadRequest:  # it does not know the checkpoint
        return False


def is_noted(known: Database, now: int) -> bool:
    """Whether the journal has learnt of late that the database was swept."""
    return (
        known.vanished_at is None
        and known.swept_at is not None
        and 0 <= now - known.swept_at < NOTED_EVERY
    )


def _is_up_to_date(known: Database, now: int, fingerprint: str) -> bool:
    return is_planned_by(known.fingerprint, fingerprint) and is_noted(known, now)
