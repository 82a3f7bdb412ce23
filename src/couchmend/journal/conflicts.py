"""The conflicts that were found, and what became of each.

A document has at most one open conflict.  Whenever its leaves or what they were examined by
change, the conflict has a new version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from couchmend.core.document import JSON
from couchmend.errors import UsageError
from couchmend.journal.columns import key
from couchmend.journal.conflict_rows import (
    CLOSED,
    OPEN,
    STATES,
    Conflict,
    State,
    Version,
    due_at,
    fetched,
    find,
    get,
    get_many,
    kind,
    open_ones,
    selected,
    unknown,
)
from couchmend.journal.labels import relabel
from couchmend.journal.listing import ANY, Count, Page, Wanted, counts, due, listed, oldest, open_of
from couchmend.journal.queueing import Finding, Queued, queue
from couchmend.journal.tables import conflict_versions, conflicts
from couchmend.journal.tallies import tally
from couchmend.journal.writing import hold_database

__all__ = [
    "ANY", "CLOSED", "OPEN", "STATES", "Conflict", "Count", "Finding", "Page", "Queued", "State",
    "Version", "Wanted", "counts", "details", "due", "exclude", "find", "get", "get_many",
    "listed", "of_document", "oldest", "open_of", "open_ones", "queue", "reopen", "set_state",
    "snooze", "unknown", "versions",
]  # fmt: skip

_CHANGING: Final = (
    "state", "changed_at", "closed_at", "snoozed_until", "excluded", "attempts",
    "next_attempt_at", "last_error",
)  # fmt: skip


def of_document(tx: Connection, database_id: int, document: str) -> list[Conflict]:
    """All conflicts that a document ever had, the newest first."""
    which = selected().where(
        conflicts.c.database_id == database_id, conflicts.c.document_key == key(document)
    )
    return fetched(tx, which.order_by(conflicts.c.id.desc()))


def versions(tx: Connection, number: int) -> list[Version]:
    """The versions of a conflict, the newest first."""
    rows = tx.execute(
        select(conflict_versions)
        .where(conflict_versions.c.conflict_id == number)
        .order_by(conflict_versions.c.number.desc())
    )
    return [_version(row) for row in rows]


def details(tx: Connection, number: int) -> JSON:
    """What was examined and decided about a conflict as it is now; None where it was erased."""
    row = tx.execute(
        select(conflict_versions.c.details)
        .where(conflict_versions.c.conflict_id == number)
        .order_by(conflict_versions.c.number.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else row.details


# --- what becomes of one


def set_state(
    tx: Connection,
    number: int,
    state: State,
    now: int,
    *,
    error: str | None = None,
    next_attempt_at: int | None = None,
    attempts: int | None = None,
) -> Conflict:
    """Put a conflict into a state; it is returned as it is then.

    error, attempts: None leaves them as they are.
    next_attempt_at: when a sweep tries again; None for not by itself.

    Raises:
        UsageError: there is no such conflict, or it was closed, and another is open by now.
    """
    old = _held(tx, number)
    if state not in STATES:
        raise UsageError(f"there is no state {state!r}", hint=f"there are {', '.join(STATES)}")
    closed_at = None if state in OPEN else (old.closed_at or now)
    if closed_at is None and old.closed_at is not None:
        other = open_ones(tx, old.database_id, [old.document])
        if other:
            raise UsageError(
                f"conflict {number} is over, and conflict {other[old.document].id} is open now",
                operation="journal",
            )
    new = replace(
        old,
        state=state,
        changed_at=now,
        closed_at=closed_at,
        snoozed_until=old.snoozed_until if state == "snoozed" else None,
        last_error=old.last_error if error is None else error,
        attempts=old.attempts if attempts is None else attempts,
        next_attempt_at=next_attempt_at,
    )
    _store(tx, old, new)
    return new


def snooze(tx: Connection, number: int, until: int | None, now: int) -> Conflict:
    """Leave a conflict alone until an instant; with None it is awake again.

    Raises:
        UsageError: there is no such conflict, or it is not one that waits.
    """
    old = _held(tx, number)
    if old.state not in ("pending", "failed", "snoozed", "acknowledged"):
        raise UsageError(f"conflict {number} is {old.state} and cannot be snoozed")
    state: State = "snoozed" if until is not None else "pending"
    new = replace(old, state=state, snoozed_until=until, changed_at=now, next_attempt_at=None)
    _store(tx, old, new)
    return new


def exclude(tx: Connection, number: int, excluded: bool, now: int) -> Conflict:
    """Keep a conflict from being resolved automatically, or no longer.

    Raises:
        UsageError: there is no such conflict.
    """
    old = _held(tx, number)
    new = replace(old, excluded=excluded, changed_at=now)
    _store(tx, old, new)
    return new


def reopen(tx: Connection, database_id: int, documents: Mapping[str, int | None], now: int) -> None:
    """Documents are in conflict again because somebody wanted it: their conflicts wait, and are
    kept from being resolved automatically.

    documents: with the number of the conflict that is over; where another is open by now, it is
        that one, as it stands.  None for none.
    """
    if not documents:
        return
    hold_database(tx, database_id)
    known = open_ones(tx, database_id, documents)
    over = [
        number
        for document, number in documents.items()
        if document not in known and number is not None
    ]
    changes = [(old, replace(old, excluded=True, changed_at=now)) for old in known.values()]
    for old in get_many(tx, over).values():
        new = replace(
            old,
            state="pending",
            excluded=True,
            changed_at=now,
            closed_at=None,
            snoozed_until=None,
            next_attempt_at=None,
            last_error="",
        )
        changes.append((old, new))
    _store_many(tx, database_id, changes)


def _held(tx: Connection, number: int) -> Conflict:
    """A conflict that no other process changes until the transaction ends."""
    hold_database(tx, get(tx, number).database_id)
    return get(tx, number)


def _store(tx: Connection, old: Conflict, new: Conflict) -> None:
    _store_many(tx, old.database_id, [(old, new)])


def _store_many(
    tx: Connection, database_id: int, changes: Sequence[tuple[Conflict, Conflict]]
) -> None:
    """Store conflicts of a database as they are now; each with what it was."""
    if not changes:
        return
    rows = [
        {"which": new.id, "due_at": due_at(new), **{name: getattr(new, name) for name in _CHANGING}}
        for _, new in changes
    ]
    statement = update(conflicts).where(conflicts.c.id == bindparam("which"))
    values: dict[str, Any] = {name: bindparam(name) for name in ("due_at", *_CHANGING)}
    tx.execute(statement.values(values), rows)
    relabel(tx, changes)
    tally(
        tx,
        database_id,
        gone=[kind(old) for old, _ in changes],
        come=[kind(new) for _, new in changes],
    )


def _version(row: Any) -> Version:
    return Version(
        number=row.number,
        seen_at=row.seen_at,
        leafset=row.leafset,
        digest=row.digest,
        details=row.details,
    )
