"""Queries and indexes (https://docs.couchdb.org/en/stable/api/database/find.html)."""

from __future__ import annotations

from couchmend.core.document import DESIGN, JSON, Doc
from couchmend.core.erlang_text import erlang_text
from couchmend.errors import BadRequest, NotFound
from couchmend.replica.base import Query
from couchmend.replica.http_face.calls import (
    Action,
    Answer,
    Call,
    Endpoint,
    Right,
    take_typed_json,
)
from couchmend.replica.http_face.exchange import json_reply

_FIND_KEYS = frozenset(
    {
        "selector", "use_index", "bookmark", "limit", "skip", "sort", "fields", "partition", "r",
        "conflicts", "stale", "update", "stable", "execution_stats", "allow_fallback",
    }
)  # fmt: skip
_SWITCHES = ("conflicts", "update", "stable", "execution_stats", "allow_fallback")


def find(call: Call) -> Answer:
    """`POST /db/_find`"""
    page = call.replica.find(query_of(call.json_object()))
    shown: Doc = {"docs": list(page.docs), "bookmark": page.bookmark}
    if page.execution_stats is not None:
        shown["execution_stats"] = dict(page.execution_stats)
    if page.warning is not None:
        shown["warning"] = page.warning
    return json_reply(shown)


def explain(call: Call) -> Answer:
    """`POST /db/_explain`"""
    return json_reply(call.replica.explain(query_of(call.json_object())))


def query_of(body: Doc) -> Query:
    """A query out of its JSON; the database looks closer at its parts.

    Raises:
        BadRequest: something missing or unknown, or a switch that is neither true nor false.
    """
    if "selector" not in body:
        raise _refused("missing_required_key", "Missing required key: selector")
    for name in body:
        if name not in _FIND_KEYS:
            raise _refused("invalid_key", f"Invalid key {name} for this request.")
    for name in _SWITCHES:
        if type(body.get(name, False)) is not bool:
            reason = f"Invalid boolean value: {erlang_text(body[name])}"
            raise _refused("invalid_boolean", reason)
    _check_cluster_options(body)
    if type(body["selector"]) is not dict:
        text = erlang_text(body["selector"])
        raise _refused("invalid_selector_json", f"Selector must be a JSON object, not: {text}")
    return Query(
        selector=body["selector"],
        fields=None if body.get("fields") == "all_fields" else body.get("fields"),
        sort=body.get("sort", []),
        limit=_bounded(body.get("limit", 25)),
        skip=_bounded(body.get("skip", 0)),
        bookmark=body.get("bookmark"),
        use_index=body.get("use_index"),
        conflicts=body.get("conflicts", False),
        execution_stats=body.get("execution_stats", False),
        allow_fallback=body.get("allow_fallback", True),
    )


def _check_cluster_options(body: Doc) -> None:
    """Options that mean something to a cluster only: they may be given, and must make sense."""
    quorum = body.get("r", 1)
    if type(quorum) is not int or quorum < 1:
        reason = f"{erlang_text(quorum)} is not an integer greater than zero"
        raise _refused("invalid_pos_integer", reason)
    if body.get("stale", False) not in (False, "ok", "false"):
        raise _refused("invalid_stale", "`stale` must be ok or false")
    if body.get("partition"):
        reason = "`partition` parameter is not supported on this db"
        raise _refused("query_parse_error", reason)


def _bounded(number: JSON) -> JSON:
    """A count that SQLite can hold; more rows than that there are not."""
    return min(number, (1 << 63) - 1) if type(number) is int else number


# --- indexes


def list_indexes(call: Call) -> Answer:
    """`GET /db/_index`"""
    limit, skip = (_page_number(call, name) for name in ("limit", "skip"))
    if limit == 0:
        raise _bad_page()
    indexes = [index.as_json() for index in call.replica.indexes()]
    start = skip or 0
    end = None if limit is None else start + limit
    return json_reply({"total_rows": len(indexes), "indexes": indexes[start:end]})


def _page_number(call: Call, name: str) -> int | None:
    text = call.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise _bad_page()
    return int(text)


def _bad_page() -> BadRequest:
    return _refused("invalid_list_index_params", "Index parameter ranges: limit > 1, skip > 0")


def create_index(call: Call) -> Answer:
    """`POST /db/_index`"""
    return json_reply(call.replica.create_index(call.json_object()))


def delete_index(call: Call) -> Answer:
    """`DELETE /db/_index/ddoc/json/name`"""
    ddoc, kind, name = call.args
    if kind != "json":
        raise NotFound("missing", target=f"{ddoc} {name}")
    call.replica.delete_index(_design_id(ddoc), name)
    return json_reply({"ok": True})


def delete_indexes(call: Call) -> Answer:
    """`POST /db/_index/_bulk_delete`: all indexes of these design documents."""
    body = call.json_object()
    if "docids" not in body:
        raise _refused("missing_required_key", "Missing required key: docids")
    ddocs = body["docids"]
    if type(ddocs) is not list or not all(type(ddoc) is str for ddoc in ddocs):
        reason = f"Bulk Delete requires an array of non-null docids. Docids: {erlang_text(ddocs)}"
        raise _refused("invalid_bulk_docs", reason)
    success, fail = [], []
    for id in map(_design_id, ddocs):
        found = [index for index in call.replica.indexes() if index.ddoc == id]
        for index in found:
            call.replica.delete_index(id, index.name)
        if found:
            success.append({"id": id, "ok": True})
        else:
            fail.append({"id": id, "error": "not_found"})
    return json_reply({"success": success, "fail": fail})


def _design_id(name: str) -> str:
    return name if name.startswith(DESIGN) else DESIGN + name


def _refused(error: str, reason: str) -> BadRequest:
    return BadRequest(reason, error=error)


INDEX = Endpoint(
    {
        "GET": Action(list_indexes),
        "POST": Action(create_index, Right.DATABASE_ADMIN, take_typed_json),
    },
    "GET,POST",
)
ONE_INDEX = Endpoint({"DELETE": Action(delete_index, Right.DATABASE_ADMIN)}, "DELETE")
INDEXES = Endpoint({"POST": Action(delete_indexes, Right.DATABASE_ADMIN, take_typed_json)}, "POST")
ENDPOINTS = {
    "_find": Endpoint({"POST": Action(find, intake=take_typed_json)}, "POST"),
    "_explain": Endpoint({"POST": Action(explain, intake=take_typed_json)}, "POST"),
    "_index": INDEX,
}
