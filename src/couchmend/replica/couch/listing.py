"""Documents by id, and local documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from couchmend.core.document import DESIGN, JSON, LOCAL, Doc, dumps, dumps_checked
from couchmend.replica.base import AllDocsPage, AllDocsQuery, AllDocsRow
from couchmend.replica.couch.address import document_path
from couchmend.replica.couch.answers import Answer
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.reading import params_for_winners


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
    if query.keys is None:
        return _page(connection.answer("GET", path, params=params))
    body = dumps({"keys": list(query.keys)})
    return _page(connection.answer("POST", path, params=params, body=body))


def _without_design(connection: Connection, query: AllDocsQuery) -> AllDocsPage:
    """CouchDB cannot leave design documents out: read so many more rows, and drop them."""
    answer = connection.answer("GET", "_design_docs", params={"limit": 0})
    designs = answer.member(answer.json, "total_rows")
    limit = None if query.limit is None else query.limit + query.skip + designs
    page = all_docs(connection, replace(query, design=None, skip=0, limit=limit))
    rows = [row for row in page.rows if not row.key.startswith(DESIGN)][query.skip :]
    return AllDocsPage(tuple(rows[: query.limit]), page.total_rows, page.offset + query.skip)


def _page(answer: Answer) -> AllDocsPage:
    value = answer.json_object
    rows = answer.as_list(answer.member(value, "rows"))
    return AllDocsPage(
        tuple([_row(answer, row) for row in rows]),
        total_rows=value.get("total_rows") or 0,
        offset=value.get("offset") or 0,  # null when documents were asked for by their keys
    )


def _row(answer: Answer, row: JSON) -> AllDocsRow:
    match row:
        case {"key": str(key), "error": str(error)}:
            return AllDocsRow(key, None, None, error=error)
        case {"key": str(key), "id": str(id), "value": {"rev": str(rev), "deleted": True}}:
            return AllDocsRow(key, id, rev, deleted=True)
        case {"key": str(key), "id": str(id), "value": {"rev": str(rev)}}:
            return AllDocsRow(key, id, rev, doc=row.get("doc"))
    raise answer.bad(f"no row of a listing: {str(row)[:100]}")


def get_local(connection: Connection, name: str) -> Doc:
    """See `Replica.get_local`."""
    id = LOCAL + name
    answer = connection.answer("GET", document_path(id))
    return answer.document(answer.json, id)


def put_local(connection: Connection, name: str, doc: Mapping[str, JSON]) -> str:
    """See `Replica.put_local`."""
    id = LOCAL + name
    body = dumps_checked({**doc, "_id": id})
    answer = connection.answer("PUT", document_path(id), body=body)
    return answer.text(answer.json, "rev")


def delete_local(connection: Connection, name: str) -> None:
    """See `Replica.delete_local`."""
    connection.answer("DELETE", document_path(LOCAL + name))


def local_docs(connection: Connection) -> list[Doc]:
    """See `Replica.local_docs`."""
    answer = connection.answer("GET", "_local_docs", params={"include_docs": True})
    return [answer.as_object(answer.member(row, "doc")) for row in answer.rows("rows")]
