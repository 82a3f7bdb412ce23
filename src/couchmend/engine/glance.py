"""A look whether there is anything to do for a sweep: two requests, and nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from couchmend.engine.clock import Clock
from couchmend.errors import BadRequest
from couchmend.events import CheckpointLagging, Event, QueueMeasured
from couchmend.journal import databases, listing, resolutions
from couchmend.journal.conflicts import State
from couchmend.journal.databases import Database
from couchmend.journal.opening import Journal
from couchmend.replica.base import ChangesQuery, Replica

NOTED_EVERY: Final = 60_000_000
"""How often the journal learns that there was nothing new, in microseconds."""

WAITS: Final[tuple[State, ...]] = ("pending", "failed", "resolving")


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many conflicts wait, by severity, and since when the oldest does."""

    by_severity: dict[str, int]
    oldest: int | None

    @classmethod
    def of(cls, journal: Journal, name: str) -> Waiting:
        """Those of a database."""
        with journal.read() as tx:
            known = databases.named(tx, name)
            if known is None:
                return cls({}, None)
            found, oldest = listing.counts(tx, name), listing.oldest(tx, known.id)
        by_severity: dict[str, int] = {}
        for one in found:
            if one.state in WAITS:
                by_severity[one.severity] = by_severity.get(one.severity, 0) + one.number
        return cls(by_severity, oldest)

    def tell(self, database: str, now: int, emit: Callable[[Event], None]) -> None:
        """Tell that a sweep has caught up, and of what waits."""
        emit(CheckpointLagging(at=now, database=database, changes=0))
        waiting = tuple(sorted(self.by_severity.items()))
        emit(QueueMeasured(at=now, database=database, waiting=waiting, oldest=self.oldest))


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
    if replica.info().instance_start_time != known.instance:
        return False
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
    return known.fingerprint == fingerprint and is_noted(known, now)
