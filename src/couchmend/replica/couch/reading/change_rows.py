"""What is asked of a changes feed, and its rows, held to it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from couchmend.core.document import JSON, Doc
from couchmend.errors import ReplicaError, Unsupported
from couchmend.replica.base import ChangeRow, ChangesQuery
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.answers import Answer, sequence
from couchmend.replica.couch.express import is_express, unsupported, winners_first
from couchmend.replica.couch.reading.outcomes import params_for_winners

_REV = re.compile(r"[1-9][0-9]*-.")


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
        if is_express(connection):  # which does not survive the attempt
            raise unsupported(connection, "filter by selector", "name the documents' ids")
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
    return rows if query.style == "main_only" else winners_first(connection, rows)


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
    if not all(map(_REV.match, revs)):
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


def hold_distinct(answer: Answer, rows: Sequence[ChangeRow]) -> None:
    """Hold that no row is there twice."""
    if len({(row.seq, row.id) for row in rows}) < len(rows):
        raise answer.bad("a row of the feed is there twice")


def wanted_ids(query: ChangesQuery) -> frozenset[str] | None:
    """The only documents that may have a row, if they were named."""
    return None if query.doc_ids is None else frozenset(query.doc_ids)


def hold_asked_for(answer: Answer, rows: Sequence[ChangeRow], ids: frozenset[str] | None) -> None:
    """Hold that all rows are of `ids`."""
    if ids is not None and not all(row.id in ids for row in rows):
        raise answer.bad("a row for a document that was not asked for")
