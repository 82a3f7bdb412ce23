"""Mango: finding documents by what is in them, and the indexes for it."""

from __future__ import annotations

from collections.abc import Mapping

from couchmend.core.document import DESIGN, JSON, Doc, dumps
from couchmend.replica.base import FoundPage, Index, Query
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.address import quoted
from couchmend.replica.couch.connection.answers import Answer


def find(connection: Connection, query: Query) -> FoundPage:
    """See `Replica.find`."""
    answer = connection.answer("POST", "_find", body=dumps(_body(query)), repeatable=True)
    value = answer.json_object
    docs = answer.as_list(answer.member(value, "docs"))
    if len(docs) > query.limit:
        raise answer.bad(f"{len(docs)} documents where {query.limit} were asked for")
    return FoundPage(
        docs=tuple([answer.as_object(doc) for doc in docs]),
        bookmark=_text(answer, value, "bookmark") or "nil",
        warning=_text(answer, value, "warning"),
        execution_stats=answer.optional(value, "execution_stats"),
    )


def explain(connection: Connection, query: Query) -> Doc:
    """See `Replica.explain`."""
    body = dumps(_body(query))
    answer = connection.answer("POST", "_explain", body=body, repeatable=True)
    told = answer.json_object
    answer.as_object(answer.member(told, "index"))
    return told


def create_index(connection: Connection, definition: Mapping[str, JSON]) -> Doc:
    """See `Replica.create_index`."""
    answer = connection.answer("POST", "_index", body=dumps(dict(definition)))
    told = answer.json_object
    for name in ("result", "id", "name"):
        answer.text(told, name)
    return told


def indexes(connection: Connection) -> list[Index]:
    """See `Replica.indexes`."""
    answer = connection.answer("GET", "_index")
    return [_index(answer, row) for row in answer.rows("indexes")]


def delete_index(connection: Connection, ddoc: str, name: str) -> None:
    """See `Replica.delete_index`."""
    path = f"_index/{quoted(ddoc.removeprefix(DESIGN))}/json/{quoted(name)}"
    connection.answer("DELETE", path).confirmed  # noqa: B018  # or raises


def _body(query: Query) -> Doc:
    body: Doc = {"selector": dict(query.selector), "limit": query.limit}
    if query.fields is not None:
        body["fields"] = list(query.fields)
    if query.sort:
        body["sort"] = [key if isinstance(key, str) else dict(key) for key in query.sort]
    if query.skip:
        body["skip"] = query.skip
    if query.bookmark is not None:
        body["bookmark"] = query.bookmark
    if query.use_index is not None:
        index = query.use_index
        body["use_index"] = index if isinstance(index, str) else list(index)
    if query.conflicts:
        body["conflicts"] = True
    if query.execution_stats:
        body["execution_stats"] = True
    if not query.allow_fallback:
        body["allow_fallback"] = False
    return body


def _text(answer: Answer, value: Doc, name: str) -> str | None:
    return None if value.get(name) is None else answer.text(value, name)


def _index(answer: Answer, row: JSON) -> Index:
    match row:
        case {"name": str(name), "type": str(kind), "def": {"fields": list(fields)}}:
            return Index(
                ddoc=_text(answer, row, "ddoc"),
                name=name,
                type=kind,
                fields=tuple([_field(answer, field) for field in fields]),
                partial_filter_selector=answer.optional(row["def"], "partial_filter_selector"),
            )
    raise answer.bad(f"no index: {str(row)[:100]}")


def _field(answer: Answer, field: JSON) -> tuple[str, str]:
    if isinstance(field, str):
        return field, "asc"
    if isinstance(field, dict) and len(field) == 1:
        ((name, direction),) = field.items()
        return name, str(direction)
    raise answer.bad(f"no field of an index: {str(field)[:100]}")
