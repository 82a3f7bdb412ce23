"""The changes feed: documents in the order of their last change."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator

from couchmend.core.document import Doc
from couchmend.core.selector import Selector
from couchmend.errors import NotFound
from couchmend.replica.base import ChangeRow, ChangesPage, ChangesQuery
from couchmend.replica.embedded import reading
from couchmend.replica.embedded.records import (
    RECORD,
    Record,
    State,
    among_ids,
    format_seq,
    parse_seq,
    read_state,
)

_PAGE = 1000


def changes(connection: sqlite3.Connection, query: ChangesQuery) -> ChangesPage:
    """See `Replica.changes`."""
    state = read_state(connection)
    since = 0 if query.descending else parse_seq(query.since, state)
    matches = _matcher(query)
    rows: list[ChangeRow] = []
    more = False
    before = state.update_seq + 1 if query.before is None else parse_seq(query.before, state)
    for record in _records(connection, query, since, before):
        if query.limit is not None and len(rows) >= query.limit:
            more = True
            break
        row = _row(connection, record, state, query, matches)
        if row is not None:
            rows.append(row)
    last = _last_seq(rows, more, since, state)
    return ChangesPage(tuple(rows), last, _pending(connection, query, since, before, rows, more))


def conflicted(connection: sqlite3.Connection, after: str, limit: int) -> list[ChangeRow]:
    """Documents with two or more leaves, by id, all leaf revisions of each."""
    state = read_state(connection)
    records = connection.execute(
        f"SELECT {RECORD} FROM documents WHERE leaves > 1 AND id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [
        ChangeRow(
            format_seq(record.seq, state.instance),
            record.id,
            tuple(str(leaf.rev) for leaf in record.revtree().leaves()),
            bool(record.deleted),
        )
        for record in map(Record._make, records)
    ]


def _records(
    connection: sqlite3.Connection, query: ChangesQuery, since: int, before: int
) -> Iterator[Record]:
    order = "DESC" if query.descending else "ASC"
    if query.doc_ids is not None:
        among, values = among_ids(query.doc_ids)
        cursor = connection.execute(
            f"SELECT {RECORD} FROM documents WHERE {among}"
            f" AND seq > ? AND seq < ? ORDER BY seq {order}",
            (*values, since, before),
        )
    else:
        cursor = connection.execute(
            f"SELECT {RECORD} FROM documents WHERE seq > ? AND seq < ? ORDER BY seq {order}",
            (since, before),
        )
    while page := cursor.fetchmany(_PAGE):
        yield from map(Record._make, page)


def _row(
    connection: sqlite3.Connection,
    record: Record,
    state: State,
    query: ChangesQuery,
    matches: Callable[[Doc], bool] | None,
) -> ChangeRow | None:
    doc = None
    if matches is not None or query.include_docs:
        try:
            doc = reading.winner(connection, record, **query.include)
        except NotFound:
            doc = None  # a leaf without a body: it changed all the same
        if matches is not None and not matches(doc or {"_id": record.id}):
            return None
    if query.style == "all_docs" and record.leaves > 1:
        revs = tuple(str(leaf.rev) for leaf in record.revtree().leaves())
    else:
        revs = (record.winner,)
    return ChangeRow(
        format_seq(record.seq, state.instance),
        record.id,
        revs,
        bool(record.deleted),
        doc if query.include_docs else None,
    )


def _matcher(query: ChangesQuery) -> Callable[[Doc], bool] | None:
    return None if query.selector is None else Selector(query.selector).matches


def _last_seq(rows: list[ChangeRow], more: bool, since: int, state: State) -> str:
    if not more:
        return format_seq(state.update_seq, state.instance)
    return rows[-1].seq if rows else format_seq(since, state.instance)


def _pending(
    connection: sqlite3.Connection,
    query: ChangesQuery,
    since: int,
    before: int,
    rows: list[ChangeRow],
    more: bool,
) -> int:
    """Rows beyond this page.  With `doc_ids`, CouchDB counts every change that is no row."""
    if not query.pending or (not more and query.doc_ids is None):
        return 0
    if rows and not query.descending and query.doc_ids is None:
        since = int(rows[-1].seq.partition("-")[0])
        counted = 0
    else:
        counted = len(rows)
    (count,) = connection.execute(
        "SELECT count(*) FROM documents WHERE seq > ? AND seq < ?", (since, before)
    ).fetchone()
    return int(count) - counted
