"""The rows of indexes: kept in order, and brought up to date when a query needs them.

A row's key is the sort key of the values of the index's fields, then the document's id, so
that equal values are in the order of ids, as in a view.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import Final

from couchmend.core.collation import sort_key
from couchmend.core.document import DESIGN, Doc, loads
from couchmend.core.fields import Absent, get_field
from couchmend.core.selector import Selector
from couchmend.errors import NotFound
from couchmend.replica.embedded import reading
from couchmend.replica.embedded.connections import Connections
from couchmend.replica.embedded.mango.definitions import Definition, read_definitions
from couchmend.replica.embedded.records import Record, read_state

DOCUMENTS_A_STEP: Final = 500
_ROWS_A_STEP: Final = 10_000

Mapper = Callable[[Doc], bytes | None]

DOCUMENT: Final = (
    "d.key, d.id, d.seq, d.winner, d.deleted, d.leaves, d.live_leaves, d.tree, v.body,"
    " v.attachments"
)
"""The columns that `document` takes, of `documents d` joined with its winner in `revisions v`."""


def document(
    connection: sqlite3.Connection, row: tuple[object, ...], *, conflicts: bool
) -> Doc | None:
    """A document out of a row of `DOCUMENT`, or None if its winner's body is not stored."""
    record, body, attachments = Record._make(row[:8]), row[8], row[9]
    if not isinstance(body, bytes):
        return None
    if attachments is None and not (conflicts and record.leaves > 1):
        return {"_id": record.id, "_rev": record.winner, **loads(body)}
    try:
        return reading.winner(connection, record, conflicts=conflicts)
    except NotFound:
        return None


def current(connection: sqlite3.Connection, definition: Definition) -> tuple[int | None, bool]:
    """The key of an index, None if it was never built, and whether it is up to date."""
    row = connection.execute(
        "SELECT key, seq FROM mango_indexes WHERE ddoc = ? AND name = ? AND signature = ?",
        (definition.ddoc, definition.name, definition.signature),
    ).fetchone()
    if row is None:
        return None, False
    key, seq = row
    return key, seq == read_state(connection).update_seq


def refresh(connections: Connections, definition: Definition) -> None:
    """Take into the index what was written before the call.

    Each step is a short transaction of its own, so that other writers get their turn; a
    build that is killed goes on from its last step.
    """
    goal = None
    seq = -1
    while goal is None or seq < goal:
        with connections.write() as connection:
            if goal is None:
                goal = read_state(connection).update_seq
                _drop_strangers(connection)
            key, seq = _entry(connection, definition)
            seq = _step(connection, key, seq, definition)


def drop(connections: Connections, ddoc: str, name: str) -> None:
    """Forget the rows of an index."""
    with connections.write() as connection:
        _drop(connection, connection.execute(
            "SELECT key FROM mango_indexes WHERE ddoc = ? AND name = ?", (ddoc, name)
        ))  # fmt: skip


def _drop_strangers(connection: sqlite3.Connection) -> None:
    """Forget the rows of indexes whose definition went away with its design document."""
    known = {(d.ddoc, d.name) for d in read_definitions(connection)}
    stored = connection.execute("SELECT key, ddoc, name FROM mango_indexes").fetchall()
    _drop(connection, [(key,) for key, *index in stored if tuple(index) not in known])


def _drop(connection: sqlite3.Connection, keys: Iterable[tuple[int]]) -> None:
    for key in list(keys):
        connection.execute("DELETE FROM mango_rows WHERE mango_index = ?", key)
        connection.execute("DELETE FROM mango_indexes WHERE key = ?", key)


def _entry(connection: sqlite3.Connection, definition: Definition) -> tuple[int, int]:
    """The key of an index and how far it is filled; begins again if it was defined anew."""
    where = (definition.ddoc, definition.name)
    row = connection.execute(
        "SELECT key, seq, signature FROM mango_indexes WHERE ddoc = ? AND name = ?", where
    ).fetchone()
    if row is not None:
        key, seq, signature = row
        if signature == definition.signature:
            return key, seq
        _drop(connection, [(key,)])
    cursor = connection.execute(
        "INSERT INTO mango_indexes (ddoc, name, signature) VALUES (?, ?, ?) RETURNING key",
        (*where, definition.signature),
    )
    return int(cursor.fetchone()[0]), 0


def _step(connection: sqlite3.Connection, key: int, since: int, definition: Definition) -> int:
    """Index the next documents that changed; returns how far the index is filled then."""
    map_document = mapper(definition)
    rows = connection.execute(
        f"SELECT {DOCUMENT} FROM documents d"
        " LEFT JOIN revisions v ON v.document = d.key AND v.rev = d.winner"
        " WHERE d.seq > ? ORDER BY d.seq LIMIT ?",
        (since, DOCUMENTS_A_STEP),
    ).fetchall()
    connection.executemany(
        "DELETE FROM mango_rows WHERE document = ? AND mango_index = ?",
        [(row[0], key) for row in rows],
    )
    added = []
    for row in rows:
        if row[4] or row[1].startswith(DESIGN):
            continue
        doc = document(connection, row, conflicts=True)
        sort_key = None if doc is None else map_document(doc)
        if sort_key is not None:
            added.append((key, sort_key, row[0]))
    connection.executemany(
        "INSERT INTO mango_rows (mango_index, sort_key, document) VALUES (?, ?, ?)", added
    )
    full = len(rows) == DOCUMENTS_A_STEP
    seq = rows[-1][2] if full else read_state(connection).update_seq
    connection.execute("UPDATE mango_indexes SET seq = ? WHERE key = ?", (seq, key))
    return int(seq)


def mapper(definition: Definition) -> Mapper:
    """The function that gives a document's row key, or None when it is not in the index."""
    paths = definition.paths
    chosen = None if definition.partial_filter is None else Selector(definition.partial_filter)

    def row_key(doc: Doc) -> bytes | None:
        if chosen is not None and not chosen.matches(doc):
            return None
        values = [get_field(doc, path) for path in paths]
        if any(isinstance(value, Absent) for value in values):
            return None
        id: str = doc["_id"]
        return sort_key(values) + id.encode()

    return row_key
