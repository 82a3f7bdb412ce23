"""Writing many rows at once, on SQLite and PostgreSQL alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Connection, Table, select, text
from sqlalchemy.dialects import postgresql, sqlite

from couchmend.journal.tables import databases

Row: TypeAlias = Mapping[str, Any]

_CONTENTS_LOCK = 0x636F756369  # of PostgreSQL's advisory locks


def put(
    tx: Connection,
    table: Table,
    rows: Sequence[Row],
    *,
    replace: Sequence[str] = (),
    add: Sequence[str] = (),
) -> None:
    """Insert rows; of those that are there already, leave all but the named columns.

    replace: columns that take the new value.
    add: columns to which the new value is added.
    """
    if not rows:
        return
    insert: Any = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(table)
    changed = {name: insert.excluded[name] for name in replace}
    changed |= {name: table.c[name] + insert.excluded[name] for name in add}
    if changed:
        statement = insert.on_conflict_do_update(
            index_elements=list(table.primary_key.columns), set_=changed
        )
    else:
        statement = insert.on_conflict_do_nothing()
    tx.execute(statement, list(rows))


def hold_database(tx: Connection, id: int) -> None:
    """Let no other process change the conflicts of a database until the transaction ends.

    SQLite has one writer at a time anyhow.
    """
    if tx.dialect.name == "postgresql":
        tx.execute(select(databases.c.id).where(databases.c.id == id).with_for_update())


def hold_contents(tx: Connection, *, alone: bool = False) -> None:
    """Let nobody erase, until the transaction ends, the bodies that it comes to rest on; or with
    `alone`, let nobody come to rest on what it erases."""
    if tx.dialect.name == "postgresql":
        shared = "" if alone else "_shared"
        tx.execute(text(f"SELECT pg_advisory_xact_lock{shared}(:lock)"), {"lock": _CONTENTS_LOCK})
