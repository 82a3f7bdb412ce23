"""Finding conflicts in their order, fast however many there are and however few are wanted.

Every combination of database, state, type, eligibility and severity is a class, and how many
conflicts each has is kept up.  So it is known beforehand what is cheaper: walking along all
conflicts in their order, or looking into each of the classes that are wanted.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, select, tuple_

from couchmend.core.conflicts.severity import SEVERITIES
from couchmend.journal.columns import key
from couchmend.journal.conflict_rows import CLOSED, OPEN
from couchmend.journal.tables import conflict_counts, conflict_labels, conflicts

Place: TypeAlias = tuple[int, int, int]
"""Where a conflict is in the order: the rank of its severity, its first sight, its number."""

_START: Final[Place] = (-1, 0, 0)
_LOOK: Final = 200
"""Looking into a class costs as much as walking along so many conflicts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """What conflicts are looked for; what is None does not matter."""

    database_id: int | None = None
    states: tuple[str, ...] | None = None
    type: str | None = None
    rank: int | None = None
    eligible: bool | None = None
    labels: tuple[bytes, ...] = ()
    document: str | None = None
    text: str = ""


def found(tx: Connection, sought: Sought, limit: int, after: Place | None = None) -> list[int]:
    """The numbers of the first conflicts after a place in the order."""
    place = after or _START
    if sought.document is not None or sought.text:
        return [number for *_, number in _read(tx, sought, limit, place)]
    if sought.labels:
        runs = [
            _labelled(tx, sought, limit, place, is_open=is_open) for is_open in _openness(sought)
        ]
        merged: Iterator[Place] = heapq.merge(*runs)
    else:
        merged = _by_class(tx, sought, limit, place)
    return [number for *_, number in itertools.islice(merged, limit)]


def _openness(sought: Sought) -> list[bool]:
    """Whether open conflicts, closed ones, or both are looked for."""
    if sought.states is None:
        return [True, False]
    return [
        is_open
        for is_open, states in ((True, OPEN), (False, CLOSED))
        if set(states) & set(sought.states)
    ]


# --- by class


def _by_class(tx: Connection, sought: Sought, limit: int, after: Place) -> Iterator[Place]:
    c = conflict_counts.c
    numbers = select(c.severity, func.sum(c.number), func.count()).group_by(c.severity)
    wanted = {
        row[0]: (int(row[1]), int(row[2]))
        for row in tx.execute(numbers.where(c.number > 0, *_of_class(sought, c)))
    }
    every = {row[0]: int(row[1]) for row in tx.execute(numbers)}
    missing = limit
    for rank, severity in enumerate(reversed(SEVERITIES)):
        number, classes = wanted.get(severity, (0, 0))
        if not number or rank < after[0] or sought.rank not in (None, rank) or missing <= 0:
            continue
        start = after if rank == after[0] else (rank, -(1 << 62), 0)
        if classes * _LOOK < missing * every[severity] // number:
            places = _looked(tx, sought, severity, missing, start)
        else:
            places = _walked(tx, sought, missing, start)
        for place in places:
            missing -= 1
            yield place


def _of_class(sought: Sought, c: Any) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if sought.database_id is not None:
        conditions.append(c.database_id == sought.database_id)
    if sought.states is not None:
        conditions.append(c.state.in_(sought.states))
    if sought.type is not None:
        conditions.append(c.type == sought.type)
    if sought.eligible is not None:
        conditions.append(c.eligible == sought.eligible)
    return conditions


def _looked(tx: Connection, sought: Sought, severity: str, limit: int, start: Place) -> list[Place]:
    """Look into each class of a severity."""
    c, k = conflicts.c, conflict_counts.c
    classes = tx.execute(
        select(k.database_id, k.state, k.type, k.eligible).where(
            k.severity == severity, k.number > 0, *_of_class(sought, k)
        )
    ).all()
    runs = [
        tx.execute(
            select(c.rank, c.first_seen, c.id)
            .where(
                c.database_id == one.database_id,
                c.state == one.state,
                c.type == one.type,
                c.eligible == one.eligible,
                c.rank == start[0],
                _after(c.first_seen, c.id, start),
            )
            .order_by(c.first_seen, c.id)
            .limit(limit)
        ).all()
        for one in classes
    ]
    merged = heapq.merge(*([(row[0], row[1], row[2]) for row in run] for run in runs))
    return list(itertools.islice(merged, limit))


def _walked(tx: Connection, sought: Sought, limit: int, start: Place) -> list[Place]:
    """Walk along all conflicts of a severity."""
    c = conflicts.c
    rows = tx.execute(
        select(c.rank, c.first_seen, c.id)
        .where(
            c.rank == start[0],
            _after(c.first_seen, c.id, start),
            *_of_class(sought, _Unindexed(c)),
        )
        .order_by(c.rank, c.first_seen, c.id)
        .limit(limit)
    )
    return [(row[0], row[1], row[2]) for row in rows]


class _Unindexed:
    """Columns by which SQLite is not to choose an index: without statistics it chooses badly."""

    def __init__(self, columns: Any) -> None:
        self._columns = columns

    def __getattr__(self, name: str) -> ColumnElement[Any]:
        column = self._columns[name]
        return func.coalesce(column, column, type_=column.type)


def _after(first_seen: Any, number: Any, start: Place) -> ColumnElement[bool]:
    place = tuple_(literal(start[1], first_seen.type), literal(start[2], number.type))
    return tuple_(first_seen, number) > place


# --- by label, and by document


def _labelled(
    tx: Connection, sought: Sought, limit: int, after: Place, *, is_open: bool
) -> Iterator[Place]:
    c = conflict_labels.c
    first, *others = sought.labels
    statement: Select[Any] = select(c.rank, c.first_seen, c.conflict_id).where(
        c.label_key == first, c.open == is_open, *_placed_after(c, c.conflict_id, sought, after)
    )
    if sought.database_id is not None:
        statement = statement.where(_Unindexed(c).database_id == sought.database_id)
    if sought.type is not None:
        statement = statement.where(c.type == sought.type)
    for number, label in enumerate(others):
        other = conflict_labels.alias(f"other_{number}").c
        same = [other[name] == c[name] for name in ("open", "rank", "first_seen", "conflict_id")]
        statement = statement.where(select(1).where(other.label_key == label, *same).exists())
    states = None if sought.states == OPEN else sought.states  # `open` says it already
    conditions = _of_class(Sought(states=states, eligible=sought.eligible), conflicts.c)
    if conditions:
        having = select(1).where(and_(conflicts.c.id == c.conflict_id, *conditions))
        statement = statement.where(having.exists())
    ordered = statement.order_by(c.rank, c.first_seen, c.conflict_id).limit(limit)
    return iter([(row[0], row[1], row[2]) for row in tx.execute(ordered)])


def _placed_after(c: Any, number: Any, sought: Sought, after: Place) -> list[ColumnElement[bool]]:
    if sought.rank is None:
        place = tuple_(*(literal(part, c.rank.type) for part in after))
        return [tuple_(c.rank, c.first_seen, number) > place]
    if after[0] > sought.rank:
        return [literal(1) == literal(0)]
    start = after if after[0] == sought.rank else (sought.rank, -(1 << 62), 0)
    return [c.rank == sought.rank, _after(c.first_seen, number, start)]


def _read(tx: Connection, sought: Sought, limit: int, after: Place) -> list[Place]:
    """Read the conflicts themselves, of one document or one after another."""
    c = conflicts.c
    statement = select(c.rank, c.first_seen, c.id).where(
        *_placed_after(c, c.id, sought, after), *_of_class(sought, _Unindexed(c))
    )
    if sought.document is not None:
        statement = statement.where(c.document_key == key(sought.document))
    if sought.text:
        statement = statement.where(c.document.icontains(sought.text, autoescape=True))
    for label in sought.labels:
        of = conflict_labels.c
        same = [of.rank == c.rank, of.first_seen == c.first_seen, of.conflict_id == c.id]
        labelled = select(1).where(of.label_key == label, of.open.in_([True, False]), *same)
        statement = statement.where(labelled.exists())
    ordered = statement.order_by(c.rank, c.first_seen, c.id).limit(limit)
    return [(row[0], row[1], row[2]) for row in tx.execute(ordered)]
