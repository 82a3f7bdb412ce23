"""How many resolutions at once came along, and what became of their conflicts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from couchmend.core.revtree import Rev
from couchmend.journal.columns import batches
from couchmend.journal.conflict_rows import OPEN, Standing, State, due_at, kind
from couchmend.journal.resolutions import Progress
from couchmend.journal.tables import conflict_labels, conflicts, resolutions
from couchmend.journal.tallies import tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """How far a resolution came; see `resolutions.note`.  What is None stays as it is."""

    id: int
    state: Progress
    written: Rev | None = None
    tombstones: Mapping[Rev, Rev] | None = None
    accepted: bool = False


@dataclass(frozen=True, slots=True)
class Finished:
    """How a resolution ended; see `resolutions.finish`."""

    id: int
    state: Progress
    outcome: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of a conflict; see `conflicts.set_state`.  What is None stays as it is, but
    for the next attempt."""

    number: int
    state: State
    error: str | None = None
    attempts: int | None = None
    next_attempt_at: int | None = None


def note_many(tx: Connection, many: Iterable[Noted]) -> None:
    """Note how far resolutions came that are not over yet."""
    by_members: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
    for one in many:
        row: dict[str, Any] = {"state": one.state}
        if one.written is not None:
            row["written"] = str(one.written)
        if one.tombstones:
            row["tombstones"] = {str(leaf): str(dead) for leaf, dead in one.tombstones.items()}
        if one.accepted:
            row["accepted"] = True
        by_members[tuple(row)].append({**row, "which": one.id})
    for members, rows in by_members.items():
        tx.execute(
            update(resolutions)
            .where(resolutions.c.id == bindparam("which"), resolutions.c.finished_at.is_(None))
            .values({name: bindparam(name) for name in members}),
            rows,
        )


def finish_many(tx: Connection, many: Sequence[Finished], now: int) -> set[int]:
    """Note how resolutions ended, and at what each took back that it did; the numbers of those
    that were not over before."""
    ended: set[int] = set()
    for batch in batches(many):
        statement = select(resolutions.c.id, resolutions.c.undo_of).where(
            resolutions.c.id.in_([one.id for one in batch]), resolutions.c.finished_at.is_(None)
        )
        if tx.dialect.name == "postgresql":
            statement = statement.with_for_update()
        undo_of = {row.id: row.undo_of for row in tx.execute(statement)}
        mine = [one for one in batch if one.id in undo_of]
        if not mine:
            continue
        tx.execute(
            update(resolutions)
            .where(resolutions.c.id == bindparam("which"))
            .values(
                finished_at=now,
                **{name: bindparam(name) for name in ("state", "outcome", "error")},
            ),
            [
                {
                    "which": one.id,
                    "state": one.state,
                    "outcome": one.outcome,
                    "error": one.error,
                }
                for one in mine
            ],
        )
        undone = [
            {"which": undo_of[one.id], "by_which": one.id}
            for one in mine
            if one.state == "done" and undo_of[one.id] is not None
        ]
        if undone:
            tx.execute(
                update(resolutions)
                .where(resolutions.c.id == bindparam("which"))
                .values(undone_by=bindparam("by_which")),
                undone,
            )
        ended.update(undo_of)
    return ended


_STANDING: Final = tuple(conflicts.c[name] for name in Standing.__dataclass_fields__)


def standing(tx: Connection, numbers: Iterable[int]) -> dict[int, Standing]:
    """How conflicts stand, by their numbers; those that there are not are left out."""
    found: dict[int, Standing] = {}
    for batch in batches(dict.fromkeys(numbers)):
        rows = tx.execute(select(*_STANDING).where(conflicts.c.id.in_(batch)))
        found.update((row[0], Standing(*row)) for row in rows)
    return found


def change_states(
    tx: Connection, known: Mapping[int, Standing], changes: Sequence[Change], now: int
) -> None:
    """Put open conflicts into other states; those that are over stay so.

    known: how they stand, read in the same transaction.
    """
    pairs = [
        (known[one.number], _changed(known[one.number], one, now))
        for one in changes
        if one.number in known and known[one.number].is_open
    ]
    alike: defaultdict[tuple[object, ...], list[int]] = defaultdict(list)
    for _, new in pairs:
        alike[(*(getattr(new, name) for name in _CHANGING), due_at(new))].append(new.id)
    for values, numbers in alike.items():
        for batch in batches(numbers):
            tx.execute(
                update(conflicts)
                .where(conflicts.c.id.in_(batch))
                .values(dict(zip((*_CHANGING, "due_at"), values, strict=True)))
            )
    for batch in batches(new.id for _, new in pairs if not new.is_open):
        tx.execute(
            update(conflict_labels)
            .where(conflict_labels.c.conflict_id.in_(batch))
            .values(open=False)
        )
    of_databases: defaultdict[int, list[tuple[Standing, Standing]]] = defaultdict(list)
    for old, new in pairs:
        of_databases[old.database_id].append((old, new))
    for database_id, some in of_databases.items():
        tally(
            tx,
            database_id,
            gone=[kind(old) for old, _ in some],
            come=[kind(new) for _, new in some],
        )


_CHANGING: Final = (
    "state", "changed_at", "closed_at", "snoozed_until", "attempts", "next_attempt_at",
    "last_error",
)  # fmt: skip


def _changed(old: Standing, change: Change, now: int) -> Standing:
    return replace(
        old,
        state=change.state,
        changed_at=now,
        closed_at=None if change.state in OPEN else now,
        snoozed_until=old.snoozed_until if change.state == "snoozed" else None,
        attempts=old.attempts if change.attempts is None else change.attempts,
        next_attempt_at=change.next_attempt_at,
        last_error=old.last_error if change.error is None else change.error,
    )
