"""The server as a whole (https://docs.couchdb.org/en/stable/api/server/common.html)."""

from __future__ import annotations

from collections.abc import Iterator

from couchmend import __version__
from couchmend.core.document import JSON, Doc, dumps
from couchmend.errors import BadRequest, DatabaseNotFound, NotFound
from couchmend.replica.http_face.calls import (
    Action,
    Answer,
    Call,
    Endpoint,
    Right,
    take_typed_json,
)
from couchmend.replica.http_face.exchange import (
    JSON_TYPE,
    Reply,
    Stream,
    json_reply,
)
from couchmend.replica.http_face.parameters import decoded, is_within, listing
from couchmend.replica.http_face.routes.database import info_json, not_offered

COUCHDB_VERSION = "3.5.0"
"""The release whose behaviour this server has; clients look at its first number."""

MAX_UUIDS = 1000
MAX_KEYS = 100


def welcome(call: Call) -> Answer:
    """`GET /`"""
    return json_reply(
        {
            "couchdb": "Welcome",
            "version": COUCHDB_VERSION,
            "git_sha": f"couchmend-{__version__}",
            "uuid": call.site.uuid,
            "features": [],
            "vendor": {"name": "couchmend", "version": __version__},
        }
    )


def up(call: Call) -> Answer:
    """`GET /_up`"""
    return json_reply({"status": "ok", "seeds": {}})


def uuids(call: Call) -> Answer:
    """`GET /_uuids`"""
    text = call.query.get("count", "1")
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise BadRequest("count must be a positive integer")
    count = int(text)
    if count > MAX_UUIDS:
        raise BadRequest("count parameter too large")
    names = [call.site.new_id() for _ in range(count)]
    headers = [
        (b"cache-control", b"no-cache"),
        (b"expires", b"Mon, 01 Jan 1990 00:00:00 GMT"),
        (b"pragma", b"no-cache"),
        JSON_TYPE,
    ]
    return Reply(200, dumps({"uuids": names}) + b"\n", headers)


def all_dbs(call: Call) -> Answer:
    """`GET /_all_dbs`"""
    return json_reply(_names(call))


def dbs_info(call: Call) -> Answer:
    """`GET /_dbs_info`"""
    return Stream(_infos(call, _names(call), tell_missing=False))


def dbs_info_of(call: Call) -> Answer:
    """`POST /_dbs_info`"""
    keys = call.json_object().get("keys")
    if keys is None:
        raise BadRequest("`keys` member must exist.")
    if type(keys) is not list:
        raise BadRequest("`keys` member must be an array.")
    if len(keys) > MAX_KEYS:
        raise BadRequest("too_many_keys")
    return Stream(_infos(call, keys, tell_missing=True))


def _infos(call: Call, names: list[JSON], *, tell_missing: bool) -> Iterator[bytes]:
    before = b"["
    for name in names:
        row: Doc = {"key": name}
        try:
            row["info"] = info_json(call.site.folder.open(str(name)).info())
        except DatabaseNotFound:
            if not tell_missing:
                continue
            row["error"] = "not_found"
        yield before + dumps(row)
        before = b","
    yield (b"[]" if before == b"[" else b"]") + b"\n"


def _names(call: Call) -> list[str]:
    listed = listing(decoded(call.query))
    query = listed.query
    if listed.keys is not None:
        wanted = {key for key in listed.keys if type(key) is str}
        names = [name for name in call.site.folder.names() if name in wanted]
    else:
        names = [name for name in call.site.folder.names() if is_within(name, listed)]
    if query.descending:
        names.reverse()
    end = None if query.limit is None else query.skip + query.limit
    return names[query.skip : end]


def active_tasks(call: Call) -> Answer:
    """`GET /_active_tasks`"""
    return json_reply(call.site.tasks.listed())


def membership(call: Call) -> Answer:
    """`GET /_membership`: one node, itself."""
    nodes = ["couchmend@localhost"]
    return json_reply({"all_nodes": nodes, "cluster_nodes": nodes})


def no_favicon(call: Call) -> Answer:
    """`GET /favicon.ico`"""
    headers = [(b"content-type", b"text/plain"), (b"cache-control", b"public, max-age=31536000")]
    return Reply(404, b"Not found\n", headers)


def no_fauxton(call: Call) -> Answer:
    """`GET /_utils`"""
    raise NotFound(
        "There is no Fauxton here. This is couchmend's embedded server; any CouchDB client can"
        " talk to it."
    )


def no_database(call: Call) -> Answer:
    """An address that begins with an underscore and is none of CouchDB's."""
    raise DatabaseNotFound(call.name)


def _get(action: Action) -> Endpoint:
    return Endpoint({"GET": action}, "GET,HEAD")


def _not_offered(reason: str) -> Endpoint:
    return not_offered(reason, "GET", "POST", "PUT", "DELETE", right=Right.SERVER_ADMIN)


_NO_CLUSTER = _not_offered("this server is no cluster")

WELCOME = _get(Action(welcome, Right.ANYBODY))
ENDPOINTS = {
    "_up": _get(Action(up, Right.ANYBODY)),
    "_uuids": Endpoint({"GET": Action(uuids, Right.ANYBODY)}, "GET"),
    "_all_dbs": _get(Action(all_dbs, Right.SERVER_ADMIN)),
    "_dbs_info": Endpoint(
        {
            "GET": Action(dbs_info, Right.SERVER_ADMIN),
            "POST": Action(dbs_info_of, Right.SERVER_ADMIN, take_typed_json),
        },
        "GET,HEAD,POST",
    ),
    "_active_tasks": _get(Action(active_tasks, Right.SERVER_ADMIN)),
    "_membership": Endpoint({"GET": Action(membership, Right.SERVER_ADMIN)}, "GET"),
    "favicon.ico": _get(Action(no_favicon, Right.ANYBODY)),
}
BELOW = {
    "_utils": _get(Action(no_fauxton, Right.ANYBODY)),
    "_node": _NO_CLUSTER,
    "_cluster_setup": _NO_CLUSTER,
    "_reshard": _NO_CLUSTER,
    "_scheduler": _not_offered("there are no permanent replications here; see _replicate"),
    "_search_analyze": _not_offered("this server has no full-text indexes"),
    "_nouveau_analyze": _not_offered("this server has no full-text indexes"),
}
"""Addresses with all that lies below them."""
