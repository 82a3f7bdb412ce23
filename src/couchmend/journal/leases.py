"""Leases: who works on what.  They save work and avoid needless forks; safety rests on revisions.

The clock is the journal's: PostgreSQL's own, or with SQLite that of the one machine.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import Connection, delete, or_, select, text, update

from couchmend.journal.tables import leases
from couchmend.journal.writing import put

SECOND = 1_000_000
LONGEST_SECONDS = 3600
"""What lasts longer than anybody may ask for was written before the clock jumped back."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds what, since when, and until when if it is not renewed."""

    name: str
    holder: str
    since: int
    until: int


def clock(tx: Connection) -> int:
    """What time it is for the journal, in microseconds since 1970."""
    if tx.dialect.name != "postgresql":
        return time.time_ns() // 1000
    now = tx.scalar(text("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"))
    assert isinstance(now, int)
    return now


def acquire(tx: Connection, name: str, holder: str, seconds: float) -> bool:
    """Take a lease, if nobody else holds it; who holds it already holds it for longer.

    holder: who asks, in a text that nobody else uses.
    """
    if renew(tx, name, holder, seconds):
        return True
    now = clock(tx)
    row = {"name": name, "holder": holder, "since": now, "until": now + _length(seconds)}
    taken = tx.execute(
        update(leases)
        .where(
            leases.c.name == name,
            or_(leases.c.until <= now, leases.c.until > now + _length(LONGEST_SECONDS)),
        )
        .values(**row)
    )
    if taken.rowcount == 1:
        return True
    put(tx, leases, [row])
    return tx.scalar(select(leases.c.holder).where(leases.c.name == name)) == holder


def renew(tx: Connection, name: str, holder: str, seconds: float) -> bool:
    """Hold a lease for longer, from now on; False where it is not the holder's.

    One that ran out is still the holder's where nobody took it: he was slow, or a clock jumped.
    """
    now = clock(tx)
    renewed = tx.execute(
        update(leases)
        .where(leases.c.name == name, leases.c.holder == holder)
        .values(until=now + _length(seconds))
    )
    return renewed.rowcount == 1


def release(tx: Connection, name: str, holder: str) -> bool:
    """Let a lease go; tells whether it was held."""
    gone = tx.execute(delete(leases).where(leases.c.name == name, leases.c.holder == holder))
    return gone.rowcount == 1


def holder(tx: Connection, name: str) -> Lease | None:
    """Who holds a lease now."""
    row = tx.execute(
        select(leases).where(leases.c.name == name, leases.c.until > clock(tx))
    ).one_or_none()
    return None if row is None else Lease(row.name, row.holder, row.since, row.until)


def held(tx: Connection) -> list[Lease]:
    """All leases that are held now, by name."""
    rows = tx.execute(select(leases).where(leases.c.until > clock(tx)))
    found = [Lease(row.name, row.holder, row.since, row.until) for row in rows]
    return sorted(found, key=lambda lease: lease.name)


def _length(seconds: float) -> int:
    return int(seconds * SECOND)
