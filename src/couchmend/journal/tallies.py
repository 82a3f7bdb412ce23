"""How many conflicts there are of each kind, kept up with every change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Connection, func, select

from couchmend.journal.tables import conflict_counts, conflicts
from couchmend.journal.writing import put


class Kind(NamedTuple):
    """What conflicts are counted by, beside their database."""

    state: str
    severity: str
    type: str
    eligible: bool


def tally(
    tx: Connection, database_id: int, *, gone: Iterable[Kind] = (), come: Iterable[Kind] = ()
) -> None:
    """Count some conflicts of a database no longer, and others from now on."""
    change = Counter(come)
    change.subtract(gone)
    put(
        tx,
        conflict_counts,
        [
            {"database_id": database_id, **kind._asdict(), "number": number}
            for kind, number in sorted(change.items())
            if number
        ],
        add=["number"],
    )


def counted(tx: Connection) -> dict[tuple[int, Kind], int]:
    """How many there are, counted one by one."""
    columns = [conflicts.c.database_id, *(conflicts.c[name] for name in Kind._fields)]
    rows = tx.execute(select(*columns, func.count()).group_by(*columns))
    return {(row[0], Kind(*row[1:5])): row[5] for row in rows}


def tallied(tx: Connection) -> dict[tuple[int, Kind], int]:
    """How many there are, as it was kept up."""
    columns = [conflict_counts.c.database_id, *(conflict_counts.c[name] for name in Kind._fields)]
    rows = tx.execute(select(*columns, conflict_counts.c.number))
    return {(row[0], Kind(*row[1:5])): row[5] for row in rows if row[5]}
