"""A database as a whole (https://docs.couchdb.org/en/stable/api/database/index.html)."""

from __future__ import annotations

import logging

from couchmend.core.document import DESIGN, JSON, Doc
from couchmend.errors import BadRequest, Unsupported
from couchmend.replica.base import DatabaseInfo
from couchmend.replica.http_face.calls import (
    Action,
    Answer,
    Call,
    Endpoint,
    Right,
    take_json,
    take_typed_json,
)
from couchmend.replica.http_face.exchange import json_reply
from couchmend.replica.http_face.guards.access import check_security
from couchmend.replica.http_face.routes.document import POST_DOCUMENT

logger = logging.getLogger(__name__)


def info_json(info: DatabaseInfo) -> Doc:
    """What `GET /db` tells; `notices` only if there is something to say."""
    shown: Doc = {
        "instance_start_time": info.instance_start_time,
        "db_name": info.name,
        "purge_seq": info.purge_seq,
        "update_seq": info.update_seq,
        "sizes": {
            "file": info.sizes.file,
            "external": info.sizes.external,
            "active": info.sizes.active,
        },
        "props": {},
        "doc_del_count": info.deleted_documents,
        "doc_count": info.documents,
        "disk_format_version": 8,
        "compact_running": info.compact_running,
        # Clients that look for these expect them; a file has neither shards nor copies.
        "cluster": {"q": 2, "n": 1, "w": 1, "r": 1},
    }
    if info.notices:
        shown["notices"] = list(info.notices)
    return shown


def get(call: Call) -> Answer:
    """`GET /db`"""
    return json_reply(info_json(call.replica.info()))


def create(call: Call) -> Answer:
    """`PUT /db`"""
    if call.query.get("partitioned", "false") not in ("true", "false"):
        raise BadRequest("Invalid `partitioned` parameter")
    if call.query.get("partitioned") == "true":
        raise Unsupported("this server has no partitioned databases")
    for name in ("q", "n"):
        given = call.query.get(name, "1")
        if not (given.isascii() and given.isdecimal() and int(given)):
            raise BadRequest(f"The `{name}` value should be a positive integer.")
    call.site.folder.create(call.name)
    location = call.request.url_of(call.name)
    return json_reply({"ok": True}, 201, [(b"location", location)])


def delete(call: Call) -> Answer:
    """`DELETE /db`"""
    if "rev" in call.query:
        raise BadRequest(
            "You tried to DELETE a database with a ?=rev parameter."
            " Did you mean to DELETE a document instead?"
        )
    call.site.folder.delete(call.name)
    return json_reply({"ok": True})


def ensure_full_commit(call: Call) -> Answer:
    """`POST /db/_ensure_full_commit`: every write is on disk anyway."""
    info = call.replica.info()
    return json_reply({"ok": True, "instance_start_time": info.instance_start_time}, 201)


def get_security(call: Call) -> Answer:
    """`GET /db/_security`"""
    return json_reply(call.replica.security())


def put_security(call: Call) -> Answer:
    """`PUT /db/_security`"""
    call.replica.set_security(check_security(call.json()))
    return json_reply({"ok": True})


def get_revs_limit(call: Call) -> Answer:
    """`GET /db/_revs_limit`"""
    return json_reply(call.replica.revs_limit())


def put_revs_limit(call: Call) -> Answer:
    """`PUT /db/_revs_limit`"""
    call.replica.set_revs_limit(_positive(call.json(), "revs_limit"))
    return json_reply({"ok": True})


def get_purged_infos_limit(call: Call) -> Answer:
    """`GET /db/_purged_infos_limit`: purges are not remembered, so CouchDB's default stands."""
    return json_reply(1000)


def put_purged_infos_limit(call: Call) -> Answer:
    """`PUT /db/_purged_infos_limit`: taken, without effect."""
    _positive(call.json(), "purged_infos_limit")
    return json_reply({"ok": True})


def _positive(value: JSON, name: str) -> int:
    if type(value) is not int or not 0 < value < 1 << 63:
        raise BadRequest(f"`{name}` must be positive integer")
    return value


def compact(call: Call) -> Answer:
    """`POST /db/_compact`"""
    call.replica.start_compaction()
    return json_reply({"ok": True}, 202)


def compact_views(call: Call) -> Answer:
    """`POST /db/_compact/ddoc`: its indexes have nothing to compact."""
    (name,) = call.args
    call.replica.get(DESIGN + name)
    return json_reply({"ok": True}, 202)


def view_cleanup(call: Call) -> Answer:
    """`POST /db/_view_cleanup`: indexes that are not used any more are gone already."""
    call.replica.info()
    return json_reply({"ok": True}, 202)


def not_offered(reason: str, *methods: str, right: Right = Right.MEMBER) -> Endpoint:
    """An address of CouchDB's that this server knows and does not serve: 501."""

    def refuse(call: Call) -> Answer:
        raise Unsupported(reason)

    return Endpoint({method: Action(refuse, right) for method in methods}, ",".join(methods))


def partition(call: Call) -> Answer:
    """`/db/_partition/…`"""
    raise BadRequest("database is not partitioned")


DATABASE = Endpoint(
    {
        "GET": Action(get),
        "PUT": Action(create, Right.SERVER_ADMIN),
        "DELETE": Action(delete, Right.SERVER_ADMIN),
        "POST": POST_DOCUMENT,
    },
    "DELETE,GET,HEAD,POST",
)
COMPACT_VIEWS = Endpoint({"POST": Action(compact_views, Right.MAINTAINER, take_typed_json)}, "POST")
PARTITION = Endpoint({m: Action(partition) for m in ("GET", "POST")}, "GET,POST")
ENDPOINTS = {
    "_ensure_full_commit": Endpoint(
        {"POST": Action(ensure_full_commit, intake=take_typed_json)}, "POST"
    ),
    "_security": Endpoint(
        {
            "GET": Action(get_security),
            "PUT": Action(put_security, Right.DATABASE_ADMIN, take_json),
        },
        "PUT,GET",
    ),
    "_revs_limit": Endpoint(
        {
            "GET": Action(get_revs_limit),
            "PUT": Action(put_revs_limit, Right.DATABASE_ADMIN, take_json),
        },
        "PUT,GET",
    ),
    "_purged_infos_limit": Endpoint(
        {
            "GET": Action(get_purged_infos_limit, Right.SERVER_ADMIN),
            "PUT": Action(put_purged_infos_limit, Right.SERVER_ADMIN, take_json),
        },
        "GET,PUT",
    ),
    "_compact": Endpoint({"POST": Action(compact, Right.MAINTAINER, take_typed_json)}, "POST"),
    "_view_cleanup": Endpoint({"POST": Action(view_cleanup, Right.MAINTAINER, take_json)}, "POST"),
    "_shards": not_offered("a database is one file here; it has no shards", "GET"),
    "_sync_shards": not_offered("a database is one file here; it has no shards", "POST"),
    "_purged_infos": not_offered("purges are not remembered here", "GET"),
    "_auto_purge": not_offered("deleted documents are not purged by themselves here", "GET", "PUT"),
    "_time_seq": not_offered("the times of updates are not kept here", "GET", "DELETE"),
    "_temp_view": not_offered("temporary views need JavaScript, which is not run here", "POST"),
}
