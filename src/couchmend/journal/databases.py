"""The databases that are watched: how far each was swept, and where writing is paused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Row, delete, select, update

from couchmend.errors import UsageError, without_credentials
from couchmend.journal import tables
from couchmend.journal.columns import batches, key
from couchmend.journal.tables import databases
from couchmend.journal.writing import put

EVERYWHERE: Final = "*"
"""In place of a database's name: all of them."""

START: Final = "0"
"""The checkpoint of a database that was never swept."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database, as the journal knows it.

    instance: when it was made, as the server says; a database made anew says another.
    checkpoint: the update sequence up to which everything is in the journal.
    fingerprint: of the settings by which its conflicts were planned.
    vanished_at: since when it is gone; None while it is there.
    """

    id: int
    name: str
    url: str
    instance: str
    checkpoint: str
    registered_at: int
    swept_at: int | None
    fingerprint: str
    vanished_at: int | None


@dataclass(frozen=True, slots=True)
class Pause:
    """Writing is paused: `name` is a database's, or `*` for all."""

    name: str
    by: str
    at: int


def register(tx: Connection, name: str, url: str, now: int) -> Database:
    """A database by its name; one that is not known is from now on.

    url: where it is now; credentials are left out.
    """
    shown = without_credentials(url)
    known = named(tx, name)
    if known is None:
        new = {
            "name": name,
            "url": shown,
            "instance": "",
            "checkpoint": START,
            "registered_at": now,
            "fingerprint": "",
        }
        put(tx, databases, [new])
    elif known.url != shown:
        tx.execute(update(databases).where(databases.c.id == known.id).values(url=shown))
    else:
        return known
    found = named(tx, name)
    assert found is not None
    return found


def named(tx: Connection, name: str) -> Database | None:
    """A database by its name."""
    row = tx.execute(select(databases).where(databases.c.name == name)).one_or_none()
    return None if row is None else _database(row)


def get(tx: Connection, id: int) -> Database:
    """A database by its number.

    Raises:
        UsageError: there is none.
    """
    row = tx.execute(select(databases).where(databases.c.id == id)).one_or_none()
    if row is None:
        raise UsageError(f"the journal knows no database {id}")
    return _database(row)


def every(tx: Connection) -> list[Database]:
    """All databases that the journal knows, by name."""
    found = [_database(row) for row in tx.execute(select(databases))]
    return sorted(found, key=lambda database: database.name)


def advance(tx: Connection, id: int, checkpoint: str, now: int) -> None:
    """Everything up to `checkpoint` is in the journal."""
    tx.execute(
        update(databases).where(databases.c.id == id).values(checkpoint=checkpoint, swept_at=now)
    )


def restart(tx: Connection, id: int, instance: str) -> None:
    """The database is another than it was: begin again at its first change."""
    tx.execute(
        update(databases)
        .where(databases.c.id == id)
        .values(checkpoint=START, instance=instance, vanished_at=None)
    )
    tx.execute(delete(tables.settled).where(tables.settled.c.database_id == id))


def mark_swept(tx: Connection, id: int, now: int, fingerprint: str) -> None:
    """A sweep came to the end, under settings with that fingerprint."""
    tx.execute(
        update(databases)
        .where(databases.c.id == id)
        .values(swept_at=now, fingerprint=fingerprint, vanished_at=None)
    )


def mark_vanished(tx: Connection, id: int, at: int | None) -> None:
    """The database is gone since `at`, or with None is there again."""
    tx.execute(update(databases).where(databases.c.id == id).values(vanished_at=at))


# --- rows that need no second look


def settled(tx: Connection, id: int, document_ids: Iterable[str]) -> dict[str, str]:
    """Of these documents, the digests of the rows that were settled."""
    found: dict[str, str] = {}
    for batch in batches(dict.fromkeys(document_ids)):
        by_key = {key(document): document for document in batch}
        rows = tx.execute(
            select(tables.settled.c.document_key, tables.settled.c.digest).where(
                tables.settled.c.database_id == id, tables.settled.c.document_key.in_(by_key)
            )
        )
        found.update((by_key[bytes(row.document_key)], row.digest) for row in rows)
    return found


def settle(tx: Connection, id: int, rows: Mapping[str, str]) -> None:
    """Remember that these rows, by document, need no second look."""
    put(
        tx,
        tables.settled,
        [
            {"database_id": id, "document_key": key(document), "digest": digest}
            for document, digest in rows.items()
        ],
        replace=["digest"],
    )


# --- pausing


def pause(tx: Connection, name: str, by: str, now: int) -> None:
    """Nothing is written to a database, or with `*` to any, until `resume`."""
    put(tx, tables.pauses, [{"name": name, "by": by, "at": now}])


def resume(tx: Connection, name: str) -> bool:
    """End a pause; tells whether there was one.  `*` ends all."""
    which = (
        delete(tables.pauses)
        if name == EVERYWHERE
        else delete(tables.pauses).where(tables.pauses.c.name == name)
    )
    return tx.execute(which).rowcount > 0


def pauses(tx: Connection, name: str | None = None) -> list[Pause]:
    """Where writing is paused, by name; of one database, what pauses it."""
    rows = tx.execute(
        select(tables.pauses)
        if name is None
        else select(tables.pauses).where(tables.pauses.c.name.in_([name, EVERYWHERE]))
    )
    return sorted((Pause(row.name, row.by, row.at) for row in rows), key=lambda one: one.name)


def is_paused(tx: Connection, name: str) -> bool:
    """Whether nothing may be written to a database now."""
    which = (
        select(tables.pauses.c.name).where(tables.pauses.c.name.in_([name, EVERYWHERE])).limit(1)
    )
    return tx.execute(which).first() is not None


def _database(row: Row[tuple[object, ...]]) -> Database:
    return Database(**row._asdict())
