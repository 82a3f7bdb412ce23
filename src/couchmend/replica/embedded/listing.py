"""`_all_docs`: documents by id."""

from __future__ import annotations

import sqlite3

from couchmend.core.document import BEYOND_DESIGN, DESIGN
from couchmend.errors import NotFound
from couchmend.replica.base import AllDocsPage, AllDocsQuery, AllDocsRow
from couchmend.replica.embedded import reading
from couchmend.replica.embedded.records import RECORD, Record, find_records, read_state


def all_docs(connection: sqlite3.Connection, query: AllDocsQuery) -> AllDocsPage:
    """See `Replica.all_docs`."""
    state = read_state(connection)
    total = state.live
    if query.design:
        total = _count(connection, "id >= ? AND id < ?", (DESIGN, BEYOND_DESIGN))
    if query.keys is not None:
        keys = query.keys[::-1] if query.descending else query.keys
        keys = keys[query.skip :]
        if query.limit is not None:
            keys = keys[: query.limit]
        records = find_records(connection, keys)
        rows = tuple(_key_row(connection, key, records.get(key), query) for key in keys)
        return AllDocsPage(rows, total, 0)
    where, values = _range(query)
    order = "DESC" if query.descending else "ASC"
    limit = -1 if query.limit is None else query.limit
    found = connection.execute(
        f"SELECT {RECORD} FROM documents WHERE {where} ORDER BY id {order} LIMIT ? OFFSET ?",
        (*values, limit, query.skip),
    )
    page = tuple(_row(connection, Record(*row), query) for row in found)
    return AllDocsPage(page, total, _before(connection, query) + query.skip if query.offset else 0)


def _range(query: AllDocsQuery) -> tuple[str, tuple[str, ...]]:
    start, end = (">=", "<=") if not query.descending else ("<=", ">=")
    conditions, values = ["deleted = 0"], []
    if query.startkey is not None:
        conditions.append(f"id {start} ?")
        values.append(query.startkey)
    if query.endkey is not None:
        conditions.append(f"id {end if query.inclusive_end else end[0]} ?")
        values.append(query.endkey)
    if query.design is not None:
        inside = "(id >= ? AND id < ?)"
        conditions.append(inside if query.design else f"NOT {inside}")
        values += [DESIGN, BEYOND_DESIGN]
    return " AND ".join(conditions), tuple(values)


def _before(connection: sqlite3.Connection, query: AllDocsQuery) -> int:
    """How many documents lie before the range, in its direction."""
    start = query.startkey
    if start is None and query.design:
        start = BEYOND_DESIGN if query.descending else DESIGN
    if start is None:
        return 0
    return _count(connection, f"id {'>' if query.descending else '<'} ?", (start,))


def _count(connection: sqlite3.Connection, where: str, values: tuple[str, ...]) -> int:
    (count,) = connection.execute(
        f"SELECT count(*) FROM documents WHERE deleted = 0 AND {where}", values
    ).fetchone()
    return int(count)


def _key_row(
    connection: sqlite3.Connection, key: str, record: Record | None, query: AllDocsQuery
) -> AllDocsRow:
    if record is None:
        return AllDocsRow(key, None, None, error="not_found")
    if record.deleted:
        return AllDocsRow(key, record.id, record.winner, deleted=True)
    return _row(connection, record, query)


def _row(connection: sqlite3.Connection, record: Record, query: AllDocsQuery) -> AllDocsRow:
    doc = None
    if query.include_docs:
        try:
            doc = reading.winner(connection, record, **query.include)
        except NotFound:
            doc = None  # a leaf without a body; the row tells that it exists
    return AllDocsRow(record.id, record.id, record.winner, doc=doc)
