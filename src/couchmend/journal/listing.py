"""Looking conflicts up: the queue in its order, page by page, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, literal, select, tuple_

from couchmend.core.conflicts.severity import SEVERITIES
from couchmend.errors import UsageError
from couchmend.journal.columns import batches, key
from couchmend.journal.conflict_rows import OPEN, STATES, Conflict, due_at, fetched, rank, selected
from couchmend.journal.finding import Sought, found
from couchmend.journal.labels import DEVICE, FIELD
from couchmend.journal.tables import conflict_counts, conflicts, databases

ANY: Final = "any"
"""In place of a state: whatever it is, also over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which conflicts are wanted; what is None does not matter.

    database: its name.
    state: a state, or `any`; None for those that are open.
    field, device: one that is concerned.
    text: occurs in the document's id, in capital or small letters.
    document: its whole id.
    """

    database: str | None = None
    type: str | None = None
    severity: str | None = None
    state: str | None = None
    field: str | None = None
    device: str | None = None
    text: str | None = None
    document: str | None = None
    eligible: bool | None = None


EVERYTHING_OPEN: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Page:
    """Some conflicts, the gravest first, of these the oldest; `cursor` leads on to the next."""

    conflicts: list[Conflict]
    cursor: str | None


class Count(NamedTuple):
    """How many conflicts there are of a kind."""

    database: str
    severity: str
    state: str
    type: str
    eligible: bool
    number: int


def listed(
    tx: Connection, wanted: Wanted = EVERYTHING_OPEN, limit: int = 50, after: str | None = None
) -> Page:
    """A page of conflicts.

    after: the cursor of the page before.

    Raises:
        UsageError: there is no such database, severity, state or cursor.
    """
    numbers = found(tx, _sought(tx, wanted), limit + 1, None if after is None else _placed(after))
    by_number = {
        conflict.id: conflict
        for batch in batches(numbers[:limit])
        for conflict in fetched(tx, selected().where(conflicts.c.id.in_(batch)))
    }
    page = [by_number[number] for number in numbers[:limit]]
    return Page(page, _cursor(page[-1]) if len(numbers) > limit and page else None)


def _sought(tx: Connection, wanted: Wanted) -> Sought:
    states: tuple[str, ...] | None = OPEN
    if wanted.state == ANY:
        states = None
    elif wanted.state is not None:
        if wanted.state not in STATES:
            allowed = ", ".join([*STATES, ANY])
            raise UsageError(f"there is no state {wanted.state!r}", hint=f"there are {allowed}")
        states = (wanted.state,)
    labels = [(FIELD, wanted.field), (DEVICE, wanted.device)]
    return Sought(
        database_id=None if wanted.database is None else _database_id(tx, wanted.database),
        states=states,
        type=wanted.type,
        rank=None if wanted.severity is None else _rank(wanted.severity),
        eligible=wanted.eligible,
        labels=tuple(key(name, label) for name, label in labels if label is not None),
        document=wanted.document,
        text=wanted.text or "",
    )


def counts(tx: Connection, database: str | None = None, state: str | None = None) -> list[Count]:
    """How many conflicts there are, by database, severity, state, type and eligibility.

    database: its name; None for all.
    state: a state, or `any`; None for those that are open.

    Raises:
        UsageError: there is no such database.
    """
    c = conflict_counts.c
    statement = select(
        databases.c.name, c.severity, c.state, c.type, c.eligible, c.number
    ).join_from(conflict_counts, databases)
    if database is not None:
        statement = statement.where(c.database_id == _database_id(tx, database))
    if state is None:
        statement = statement.where(c.state.in_(OPEN))
    elif state != ANY:
        statement = statement.where(c.state == state)
    rows = [Count(*row) for row in tx.execute(statement) if row.number]
    return sorted(rows, key=lambda row: (row.database, rank(row.severity), row[2:]))


def due(
    tx: Connection, database_id: int, now: int, limit: int = 1000, after: Conflict | None = None
) -> list[Conflict]:
    """Conflicts that a sweep should plan again by itself, the longest due first: whose snooze is
    over, whose next attempt has come, and those that wait though they are eligible.

    after: the last one of the call before, as that call gave it.
    """
    c = conflicts.c
    statement = selected().where(c.database_id == database_id, c.due_at <= now)
    if after is not None:
        statement = statement.where(
            tuple_(c.due_at, c.id) > tuple_(literal(due_at(after)), literal(after.id))
        )
    return fetched(tx, statement.order_by(c.due_at, c.id).limit(limit))


def open_of(
    tx: Connection, database_id: int, after_id: int = 0, limit: int = 1000
) -> list[Conflict]:
    """The open conflicts of a database by number, from the one after `after_id` on."""
    c = conflicts.c
    statement = selected().where(
        c.database_id == database_id, c.closed_at.is_(None), c.id > after_id
    )
    return fetched(tx, statement.order_by(c.id).limit(limit))


def newest(tx: Connection, database_id: int) -> int:
    """The highest number of an open conflict of a database; 0 where there is none."""
    c = conflicts.c
    statement = select(func.max(c.id)).where(c.database_id == database_id, c.closed_at.is_(None))
    return tx.scalar(statement) or 0


def oldest(tx: Connection, database_id: int) -> int | None:
    """Since when the oldest conflict of a database waits that is pending or failed."""
    first = [
        found(tx, Sought(database_id=database_id, states=("pending", "failed"), rank=place), 1)
        for place in range(len(SEVERITIES))
    ]
    numbers = [number for one in first for number in one]
    seen: int | None = tx.scalar(
        select(func.min(conflicts.c.first_seen)).where(conflicts.c.id.in_(numbers))
    )
    return seen


def _database_id(tx: Connection, name: str) -> int:
    number: int | None = tx.scalar(select(databases.c.id).where(databases.c.name == name))
    if number is None:
        raise UsageError(
            f"the journal knows no database {name!r}",
            operation="journal",
            hint="a database is known by the name that is configured for it, else by its URL,"
            " once it was swept",
        )
    return number


def _rank(severity: str) -> int:
    if severity not in SEVERITIES:
        raise UsageError(
            f"there is no severity {severity!r}", hint=f"there are {', '.join(SEVERITIES)}"
        )
    return rank(severity)


def _cursor(conflict: Conflict) -> str:
    return f"{rank(conflict.severity)}-{conflict.first_seen}-{conflict.id}"


def _placed(cursor: str) -> tuple[int, int, int]:
    parts = cursor.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdecimal() for part in parts):
        raise UsageError("this is no cursor", target=cursor, hint="take it from the page before")
    return int(parts[0]), int(parts[1]), int(parts[2])
