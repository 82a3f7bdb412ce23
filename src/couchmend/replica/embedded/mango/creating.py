"""Creating and deleting indexes, which is editing design documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from couchmend.core.document import DESIGN, JSON, Doc, dumps
from couchmend.core.erlang_text import erlang_text
from couchmend.core.fields import parse_field
from couchmend.core.selector import Selector
from couchmend.errors import BadRequest, NotFound, Unsupported
from couchmend.replica.base import Replica
from couchmend.replica.embedded.connections import Connections
from couchmend.replica.embedded.mango.definitions import LANGUAGE, read_definitions
from couchmend.replica.embedded.mango.naming import automatic_name
from couchmend.replica.embedded.mango.requests import sort_of
from couchmend.replica.embedded.mango.rows import drop

_KEYS: Final = ("index", "type", "name", "ddoc", "w", "partitioned")
_INDEX_KEYS: Final = ("fields", "partial_filter_selector")


def create_index(replica: Replica, connections: Connections, definition: Mapping[str, JSON]) -> Doc:
    """See `Replica.create_index`."""
    _check(definition)
    view = _view(definition["index"])
    id = definition.get("ddoc") or automatic_name(definition)
    id = id if id.startswith(DESIGN) else DESIGN + id
    name = definition.get("name") or automatic_name(definition)
    before = _design_document(replica, id)
    after = {**before, "views": {**_views(before), name: view}}
    if definition.get("partitioned") is False and "_rev" not in before:
        after["options"] = {"partitioned": False}
    result = "exists"
    if dumps(before) != dumps(after):
        replica.put(after)
        result = "created"
    return {"result": result, "id": id, "name": name}


def delete_index(replica: Replica, connections: Connections, ddoc: str, name: str) -> None:
    """See `Replica.delete_index`; a design document that held nothing else goes with it."""
    id = ddoc if ddoc.startswith(DESIGN) else DESIGN + ddoc
    with connections.read() as connection:
        known = [(d.ddoc, d.name) for d in read_definitions(connection)]
    if (id, name) not in known:
        raise NotFound("missing", target=f"{id} {name}", hint="see the list of indexes")
    document = replica.get(id)
    views = {other: view for other, view in _views(document).items() if other != name}
    rest = {member: value for member, value in document.items() if member != "views"}
    if views:
        replica.put({**document, "views": views})
    elif set(rest) == {"_id", "_rev", "language"}:
        replica.delete(id, rest["_rev"])
    else:
        replica.put(rest)
    drop(connections, id, name)


def _check(definition: Mapping[str, JSON]) -> None:
    """Hold that a request to create an index makes sense, but for the index itself."""
    if "index" not in definition:
        raise _refused("missing_required_key", "Missing required key: index")
    kind = definition.get("type", "json")
    for key, value in (("type", kind), *((k, definition.get(k, k)) for k in ("name", "ddoc"))):
        if type(value) is not str:
            raise _refused("invalid_string", f"Invalid string: {erlang_text(value)}")
        if not value and key != "type":
            raise _refused("invalid_empty_string", "Index name or ddoc cannot be empty string")
    quorum = definition.get("w", 2)
    if type(quorum) is not int or quorum < 1:
        reason = f"{erlang_text(quorum)} is not an integer greater than zero"
        raise _refused("invalid_pos_integer", reason)
    if definition.get("partitioned") not in (None, False):
        raise _refused(
            "invalid_partitioned_option",
            "`options.partitioned` cannot be true in a non-partitioned database.",
        )
    _only(definition, _KEYS)
    if kind in ("text", "nouveau"):
        raise Unsupported(
            kind,
            error="index_not_implemented",
            hint="full-text indexes need a CouchDB with Clouseau or Nouveau; here is only `json`",
        )
    if kind != "json":
        raise _refused("invalid_index", f"Invalid type for index: {kind}")


def _view(index: JSON) -> Doc:
    """The view that stands for an index in its design document."""
    if not isinstance(index, Mapping):
        reason = f"JSON indexes must be an object, not: {erlang_text(index)}"
        raise _refused("invalid_index", reason)
    if "fields" not in index:
        raise _refused("missing_required_key", "Missing required key: fields")
    fields = dict(sort_of(index["fields"]))
    for field in fields:
        parse_field(field)
    partial_filter = Selector(index.get("partial_filter_selector", {})).normal
    _only(index, _INDEX_KEYS)
    return {
        "map": {"fields": fields, "partial_filter_selector": partial_filter},
        "reduce": "_count",
        "options": {"def": dict(index)},
    }


def _design_document(replica: Replica, id: str) -> Doc:
    try:
        document = replica.get(id)
    except NotFound:
        return {"_id": id, "language": LANGUAGE}
    language = document.get("language")
    if language != LANGUAGE:
        member = f"{{{erlang_text('language')},{erlang_text(language)}}}"
        shown = "false" if language is None else member
        raise _refused(
            "invalid_ddoc_lang",
            f"Existing design doc has an invalid language: {shown}",
            hint="give the index another `ddoc`",
        )
    return document


def _views(document: Doc) -> Doc:
    views = document.get("views")
    return views if type(views) is dict else {}


def _only(given: Mapping[str, JSON], known: tuple[str, ...]) -> None:
    for key in given:
        if key not in known:
            raise _refused("invalid_key", f"Invalid key {key} for this request.")


def _refused(error: str, reason: str, hint: str = "") -> BadRequest:
    return BadRequest(reason, error=error, hint=hint)
