"""Which endpoint a path leads to.

Paths are taken apart by hand: ids may hold encoded slashes, `_design/x` and `_local/x` are ids
with a plain one, and attachments have as many as they like.
"""

from __future__ import annotations

from typing import NamedTuple

from couchmend.core.document import DESIGN, LOCAL
from couchmend.errors import BadRequest, NotFound
from couchmend.replica.http_face.calls import Endpoint
from couchmend.replica.http_face.routes import (
    attachment,
    bulk,
    changes,
    design,
    document,
    listing,
    local,
    mango,
    replicate,
    server,
    updates,
)
from couchmend.replica.http_face.routes import database as database_routes

_SERVER = {
    **server.ENDPOINTS,
    "_db_updates": updates.ENDPOINT,
    "_replicate": replicate.ENDPOINT,
}
_DATABASE = {
    **database_routes.ENDPOINTS,
    **bulk.ENDPOINTS,
    **listing.ENDPOINTS,
    **mango.ENDPOINTS,
    "_changes": changes.ENDPOINT,
}


class Route(NamedTuple):
    """Where a path leads: the database it names, if any, and what is left of it."""

    endpoint: Endpoint
    database: str | None = None
    args: tuple[str, ...] = ()
    problem: BadRequest | NotFound | None = None
    """Raised once it is clear that whoever asks may use the database."""


def route(segments: tuple[str, ...]) -> Route:
    """Find the endpoint for a path."""
    if not segments:
        return Route(server.WELCOME)
    first = segments[0]
    if first in server.BELOW:
        return Route(server.BELOW[first])
    if first in _SERVER and len(segments) == 1:
        return Route(_SERVER[first])
    return _in_database(first, segments[1:])


def _in_database(database: str, rest: tuple[str, ...]) -> Route:
    match rest:
        case ():
            return Route(database_routes.DATABASE, database)
        case (name,) if name in _DATABASE:
            return Route(_DATABASE[name], database)
        case ("_compact", ddoc, *_):
            return Route(database_routes.COMPACT_VIEWS, database, (ddoc,))
        case (("_all_docs" | "_design_docs") as name, "queries"):
            return Route(listing.QUERIES[name], database)
        case ("_index", *parts):
            return _index(database, parts)
        case ("_partition", *_):
            return Route(database_routes.PARTITION, database)
        case ("_local" | "_local/", *parts):
            return _local(database, parts)
        case ("_design", name, *parts):
            return _design(database, name, parts)
        case (id, *parts):
            return _document(database, id, parts)
    raise AssertionError(rest)


def _index(database: str, parts: list[str]) -> Route:
    match parts:
        case ["_bulk_delete"]:
            return Route(mango.INDEXES, database)
        case ["_design", ddoc, kind, name] | [ddoc, kind, name]:
            return Route(mango.ONE_INDEX, database, (ddoc, kind, name))
    return Route(mango.INDEX, database, problem=NotFound("missing"))


def _local(database: str, parts: list[str]) -> Route:
    match parts:
        case [name]:
            return Route(local.LOCAL_DOCUMENT, database, (LOCAL + name,))
        case []:
            problem = BadRequest("Invalid _local document id.")
        case _:
            problem = BadRequest("_local documents do not accept attachments.")
    return Route(local.LOCAL_DOCUMENT, database, problem=problem)


def _design(database: str, name: str, parts: list[str]) -> Route:
    if not parts:
        return Route(document.DOCUMENT, database, (DESIGN + name,))
    if parts[0] in design.FUNCTIONS:
        return Route(design.FUNCTION, database, (name, parts[0]))
    return Route(attachment.ENDPOINT, database, (DESIGN + name, "/".join(parts)))


def _document(database: str, id: str, parts: list[str]) -> Route:
    if parts:
        return Route(attachment.ENDPOINT, database, (id, "/".join(parts)))
    if id.startswith(LOCAL):
        return Route(local.LOCAL_DOCUMENT, database, (id,))
    if id.startswith(DESIGN):
        return Route(document.ENCODED_DESIGN, database, (id,))
    return Route(document.DOCUMENT, database, (id,))
