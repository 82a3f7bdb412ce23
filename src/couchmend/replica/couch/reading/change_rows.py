"""What is asked of a changes feed, and its rows, held to it."""

from __future__ import annotations

from collections.abc import Sequence

from couchmend.core.document import JSON, Doc
from couchmend.errors import ReplicaError, Unsupported
from couchmend.replica.base import ChangeRow, ChangesQuery
from couchmend.replica.couch import express
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.answers import Answer, sequence
from couchmend.replica.couch.reading.outcomes import is_rev, params_for_winners

_REMEMBERED_ROWS = 1000

_Key = tuple[str, str]
"""A row's sequence and id: a descending feed of a CouchDB has a sequence for several rows."""


def request(
    connection: Connection, query: ChangesQuery
) -> tuple[dict[str, str | int | bool], Doc | None]:
    """Parameters, and the body of a filter.

    Raises:
        Unsupported: the server cannot do it.
    """
    if query.before is not None:
        raise Unsupported("CouchDB cannot go on with a descending feed", hint="read it forwards")
    params = params_for_winners(query.include) if query.include_docs else {}
    if query.since != "0":
        params["since"] = query.since
    if query.limit is not None:
        params["limit"] = query.limit
    if query.descending:
        params["descending"] = True
    if query.style != "main_only":
        params["style"] = query.style
    if query.selector is not None:
        express.refuse_selectors(connection)
        params["filter"] = "_selector"
        if query.doc_ids is None:
            return params, {"selector": dict(query.selector)}
        both = [{"_id": {"$in": list(query.doc_ids)}}, dict(query.selector)]
        return params, {"selector": {"$and": both}}
    if query.doc_ids is not None:
        params["filter"] = "_doc_ids"
        # An id that is named twice would have two rows.
        return params, {"doc_ids": list(dict.fromkeys(query.doc_ids))}
    return params, None


def in_order(
    connection: Connection, query: ChangesQuery, rows: Sequence[ChangeRow]
) -> Sequence[ChangeRow]:
    """The rows with the winner's revision first in each."""
    return rows if query.style == "main_only" else express.winners_first(connection, rows)


def end_of(answer: Answer, value: Doc) -> tuple[str, int]:
    """Where a feed ended, and how many rows lie beyond, which not every server tells."""
    last_seq = sequence(answer, answer.member(value, "last_seq"))
    return last_seq, answer.count(value, "pending")


def row_of_line(answer: Answer) -> ChangeRow | None:
    """A line of a live feed; None for the last one."""
    value = answer.json_object
    if "id" in value:
        return row_of(answer, value)
    if "last_seq" in value:
        return None
    raise _no_row(answer, value)


def row_of(answer: Answer, row: JSON) -> ChangeRow:
    """A row of a feed; raises `ReplicaError` for anything else."""
    try:
        seq, id, listed = row["seq"], row["id"], row["changes"]
        revs = tuple([change["rev"] for change in listed])
    except (TypeError, KeyError) as problem:
        raise _no_row(answer, row) from problem
    if type(id) is not str or type(listed) is not list or not revs:
        raise _no_row(answer, row)
    if type(revs[0]) is not str or (len(revs) > 1 and not _are_distinct_texts(revs)):
        raise _no_row(answer, row)
    if not all(map(is_rev, revs)):
        raise _no_row(answer, row)
    if type(seq) is not str or not seq:
        seq = sequence(answer, seq)
    if len(row) == 3:  # as nearly all are
        return ChangeRow(seq, id, revs, False)
    doc, deleted = row.get("doc"), row.get("deleted", False)
    if type(deleted) is not bool:
        raise _no_row(answer, row)
    return ChangeRow(seq, id, revs, deleted, None if doc is None else answer.document(doc, id))


def _are_distinct_texts(values: Sequence[JSON]) -> bool:
    return all(type(value) is str for value in values) and len(set(values)) == len(values)


def _no_row(answer: Answer, row: JSON) -> ReplicaError:
    return answer.bad(f"no row of a feed: {str(row)[:100]}")


class Expected:
    """What may come of a feed: rows for the documents that were named, not more than were asked
    for, and none twice.

    A document may have another row with another sequence: in a live feed because it changed
    again, and in a long one because not every server reads that from one moment.  The last
    thousand rows are remembered, and the first, by which it shows that a server does not go on,
    but begins again.
    """

    def __init__(self, query: ChangesQuery) -> None:
        self.came = 0
        self._ids = None if query.doc_ids is None else frozenset(query.doc_ids)
        # pouchdb-server takes 0 for 1.
        self._limit = None if query.limit is None else max(query.limit, 1)
        self._first: set[_Key] = set()
        self._older: set[_Key] = set()
        self._latest: set[_Key] = set()

    def hold(self, answer: Answer, rows: Sequence[ChangeRow]) -> None:
        """Hold the next rows to it; raises `ReplicaError`."""
        keys = _keys(rows)
        known = (self._first, self._older, self._latest)
        if len(keys) < len(rows) or not all(map(keys.isdisjoint, known)):
            raise answer.bad("a row of the feed comes twice")
        if self._ids is not None and not all(row.id in self._ids for row in rows):
            raise answer.bad("a row for a document that was not asked for")
        if self._limit is not None and self.came + len(rows) > self._limit:
            raise answer.bad(f"more rows than the {self._limit} that were asked for")

    def take(self, rows: Sequence[ChangeRow]) -> None:
        """Remember rows that have come."""
        self._first = self._first or _keys(rows[:1])
        self._latest |= _keys(rows)
        if len(self._latest) >= _REMEMBERED_ROWS:
            self._older, self._latest = self._latest, set()
        self.came += len(rows)


def _keys(rows: Sequence[ChangeRow]) -> set[_Key]:
    return {(row.seq, row.id) for row in rows}
