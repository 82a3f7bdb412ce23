"""`_all_docs`, `_design_docs` and `_local_docs`
(https://docs.couchdb.org/en/stable/api/database/bulk-api.html)."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import TypeAlias

from couchmend.core.document import DESIGN, JSON, Doc, dumps
from couchmend.errors import BadRequest
from couchmend.replica.base import AllDocsPage, AllDocsQuery, AllDocsRow, Replica
from couchmend.replica.http_face.calls import (
    Action,
    Answer,
    Call,
    Endpoint,
    take_json,
    take_typed_json,
)
from couchmend.replica.http_face.exchange import Stream, json_reply
from couchmend.replica.http_face.paging import PageSize
from couchmend.replica.http_face.parameters import (
    Listing,
    decoded,
    is_within,
    json_parameter,
    listing,
)

Pages: TypeAlias = Generator[AllDocsPage, int, None]
"""Pages of rows; what is sent says how many rows the next one should have."""


def _documents(design: bool | None) -> Endpoint:
    def get(call: Call) -> Answer:
        if type(json_parameter(call.query, "keys")) not in (list, type(None)):
            raise BadRequest("`keys` parameter must be an array.")
        return Stream(_rows(call.replica, listing(decoded(call.query), design=design)))

    def post(call: Call) -> Answer:
        body = call.json_object()
        if type(body.get("keys", [])) is not list:
            raise BadRequest("`keys` body member must be an array.")
        given = {**body, **decoded(call.query)}
        return Stream(_rows(call.replica, listing(given, design=design)))

    return Endpoint(
        {"GET": Action(get), "POST": Action(post, intake=take_typed_json)}, "GET,HEAD,POST"
    )


def _queries(design: bool | None) -> Endpoint:
    def post(call: Call) -> Answer:
        queries = call.json_object().get("queries")
        if queries is None:
            raise BadRequest("POST body must include `queries` parameter.")
        if type(queries) is not list:
            raise BadRequest("`queries` member must be an array.")
        if not all(type(query) is dict for query in queries):
            raise BadRequest("`queries` member must be an array of objects.")
        common = decoded(call.query)
        listed = [listing({**common, **query}, design=design) for query in queries]
        return Stream(_results(call.replica, listed))

    return Endpoint({"POST": Action(post, intake=take_json)}, "POST")


def _results(replica: Replica, queries: list[Listing]) -> Iterator[bytes]:
    before = b'{"results":[\n'
    for query in queries:
        yield before
        yield from _rows(replica, query)
        before = b","
    yield (b"" if queries else before) + b"]}\n"


def _rows(replica: Replica, listed: Listing) -> Iterator[bytes]:
    """The whole answer, page by page."""
    pages = _pages(replica, listed)
    first = next(pages)
    # Of design documents, CouchDB gives their number as the offset, whatever is asked for.
    offset = first.total_rows if listed.query.design else first.offset
    head: Doc = {"total_rows": first.total_rows, "offset": offset}
    if listed.update_seq:
        head["update_seq"] = replica.info().update_seq
    size = PageSize()
    text = dumps(head)[:-1] + b',"rows":[\n'
    page: AllDocsPage | None = first
    separator = b""
    while page is not None:
        rows = b",\n".join(dumps(_row(row, listed.query)) for row in page.rows)
        yield text + (separator + rows if rows else b"")
        separator = b",\n" if rows else separator
        text = b""
        size.learn(len(page.rows), len(rows))
        try:
            page = pages.send(size.rows)
        except StopIteration:
            page = None
    yield b"\n]}\n"


def _row(row: AllDocsRow, query: AllDocsQuery) -> Doc:
    if row.error is not None:
        return {"key": row.key, "error": row.error}
    value: Doc = {"rev": row.rev}
    if row.deleted:
        value["deleted"] = True
    shown: Doc = {"id": row.id, "key": row.key, "value": value}
    if query.include_docs:
        shown["doc"] = row.doc
    return shown


def _pages(replica: Replica, listed: Listing) -> Pages:
    if listed.nothing:
        return _no_rows(replica, listed.query)
    if listed.keys is not None:
        return _pages_of_keys(replica, listed.query, listed.keys)
    return _pages_of_range(replica, listed.query)


def _no_rows(replica: Replica, query: AllDocsQuery) -> Pages:
    page = replica.all_docs(replace(query, startkey=None, endkey=None, limit=0, skip=0))
    yield replace(page, offset=page.total_rows)


def _pages_of_range(replica: Replica, query: AllDocsQuery) -> Pages:
    left = query.limit
    size = PageSize().rows
    last: str | None = None
    while True:
        wanted = size if left is None else min(size, left)
        # A later page begins with the row before it, if that is still there.
        extra = 0 if last is None else 1
        page = replica.all_docs(replace(query, limit=wanted + extra))
        rows = page.rows
        if rows and rows[0].key == last:
            rows = rows[1:]
        rows = rows[:wanted]
        size = yield replace(page, rows=rows)
        left = None if left is None else left - len(rows)
        if len(rows) < wanted or left == 0:
            return
        last = rows[-1].key
        query = replace(query, startkey=last, skip=0, offset=False)


def _pages_of_keys(replica: Replica, query: AllDocsQuery, keys: list[JSON]) -> Pages:
    keys = list(reversed(keys)) if query.descending else keys
    end = None if query.limit is None else query.skip + query.limit
    keys = keys[query.skip : end]
    if query.design:
        keys = [key for key in keys if type(key) is str and key.startswith(DESIGN)]
    query = replace(query, descending=False, skip=0, limit=None)
    rows = PageSize().rows
    first = True
    while first or keys:
        names = [key for key in keys[:rows] if type(key) is str]
        page = replica.all_docs(replace(query, keys=names))
        found = iter(page.rows)
        shown = tuple(
            next(found) if type(key) is str else AllDocsRow(key, None, None, error="not_found")
            for key in keys[:rows]
        )
        first, keys = False, keys[rows:]
        rows = yield replace(page, rows=shown)


def _local_docs(given: dict[str, JSON], call: Call) -> Answer:
    listed = listing(given)
    query = listed.query
    docs = call.replica.local_docs()
    if listed.keys is not None:
        by_id = {doc["_id"]: doc for doc in docs}
        rows = [_local_row(key, by_id.get(key), query) for key in listed.keys]
    else:
        rows = [_local_row(doc["_id"], doc, query) for doc in docs if is_within(doc["_id"], listed)]
    if query.descending:
        rows.reverse()
    end = None if query.limit is None else query.skip + query.limit
    answer = {"total_rows": None, "offset": None, "rows": rows[query.skip : end]}
    return json_reply(answer)


def _local_row(key: JSON, doc: Doc | None, query: AllDocsQuery) -> Doc:
    if doc is None:
        return {"key": key, "error": "not_found"}
    row: Doc = {"id": key, "key": key, "value": {"rev": doc["_rev"]}}
    if query.include_docs:
        row["doc"] = doc
    return row


def get_local_docs(call: Call) -> Answer:
    """`GET /db/_local_docs`"""
    return _local_docs(decoded(call.query), call)


def post_local_docs(call: Call) -> Answer:
    """`POST /db/_local_docs`"""
    return _local_docs({**call.json_object(), **decoded(call.query)}, call)


ENDPOINTS = {
    "_all_docs": _documents(None),
    "_design_docs": _documents(True),
    "_local_docs": Endpoint(
        {"GET": Action(get_local_docs), "POST": Action(post_local_docs, intake=take_typed_json)},
        "GET,HEAD,POST",
    ),
}

QUERIES = {"_all_docs": _queries(None), "_design_docs": _queries(True)}
