"""Documents by id."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from couchmend.core.document import DESIGN, JSON, dumps
from couchmend.replica.base import AllDocsPage, AllDocsQuery, AllDocsRow
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.express import may_lack
from couchmend.replica.couch.reading.outcomes import is_rev, params_for_winners


def all_docs(connection: Connection, query: AllDocsQuery) -> AllDocsPage:
    """See `Replica.all_docs`."""
    if query.design is False and query.keys is None:
        return _without_design(connection, query)
    path = "_design_docs" if query.design else "_all_docs"
    params = params_for_winners(query.include) if query.include_docs else {}
    if query.startkey is not None:
        params["startkey"] = dumps(query.startkey).decode()
    if query.endkey is not None:
        params["endkey"] = dumps(query.endkey).decode()
    if not query.inclusive_end:
        params["inclusive_end"] = False
    if query.descending:
        params["descending"] = True
    if query.limit is not None:
        params["limit"] = query.limit
    if query.skip:
        params["skip"] = query.skip
    if query.keys is not None:
        body = dumps({"keys": list(query.keys)})
        return _page(
            connection.answer("POST", path, params=params, body=body, repeatable=True), query
        )
    if not query.design:
        return _page(connection.answer("GET", path, params=params), query)
    with may_lack(connection, path):
        return _page(connection.answer("GET", path, params=params), query)


def _without_design(connection: Connection, query: AllDocsQuery) -> AllDocsPage:
    """CouchDB cannot leave design documents out: read so many more rows, and drop them."""
    with may_lack(connection, "_design_docs"):
        answer = connection.answer("GET", "_design_docs", params={"limit": 0})
    designs = answer.count(answer.json_object, "total_rows")
    limit = None if query.limit is None else query.limit + query.skip + designs
    page = all_docs(connection, replace(query, design=None, skip=0, limit=limit))
    rows = [row for row in page.rows if not row.key.startswith(DESIGN)][query.skip :]
    return AllDocsPage(tuple(rows[: query.limit]), page.total_rows, page.offset + query.skip)


def _page(answer: Answer, query: AllDocsQuery) -> AllDocsPage:
    value = answer.json_object
    rows = tuple([_row(answer, row) for row in answer.rows("rows")])
    _hold_asked_for(answer, [row.key for row in rows], query)
    return AllDocsPage(
        rows,
        total_rows=answer.count(value, "total_rows"),
        offset=answer.count(value, "offset"),  # null when documents were asked for by keys
    )


def _hold_asked_for(answer: Answer, keys: list[str], query: AllDocsQuery) -> None:
    """Hold the rows to the keys or the range."""
    if query.limit is not None and len(keys) > query.limit:
        raise answer.bad(f"{len(keys)} rows where {query.limit} were asked for")
    if query.keys is None:
        _hold_in_range(answer, keys, query)
        return
    wanted = list(query.keys)
    if query.descending:
        wanted.reverse()
    wanted = wanted[query.skip :]
    if keys != wanted[: query.limit]:
        raise answer.bad("the rows are not those of the keys that were asked for")


def _hold_in_range(answer: Answer, keys: list[str], query: AllDocsQuery) -> None:
    """Ids are in the order of their UTF-8 bytes, which is that of their characters."""
    low, high = query.startkey, query.endkey
    if query.descending:
        keys, low, high = keys[::-1], high, low
    if any(one >= next for one, next in pairwise(keys)):
        raise answer.bad("the rows are not in their order, or one is there twice")
    if not keys:
        return
    beyond = (low is not None and keys[0] < low) or (high is not None and keys[-1] > high)
    if beyond or (not query.inclusive_end and query.endkey in (keys[0], keys[-1])):
        raise answer.bad("a row beyond the range that was asked for")
    if query.design and not all(key.startswith(DESIGN) for key in keys):
        raise answer.bad("a row that is of no design document")


def _row(answer: Answer, row: JSON) -> AllDocsRow:
    match row:
        case {"key": str(key), "error": str(error)}:
            return AllDocsRow(key, None, None, error=error)
        case {"key": str(key), "id": str(id), "value": {"rev": str(rev), **value}} if (
            key == id and is_rev(rev)
        ):
            if value.get("deleted") is True:
                return AllDocsRow(key, id, rev, deleted=True)
            doc = row.get("doc")
            return AllDocsRow(
                key, id, rev, doc=None if doc is None else answer.document(doc, id, rev)
            )
    raise answer.bad(f"no row of a listing: {str(row)[:100]}")
