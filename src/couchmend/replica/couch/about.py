"""About the database itself: counts and sizes, who may what, limits, compaction; and which one
may have been meant where there is none."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from couchmend.core.document import JSON, Doc, dumps, dumps_checked
from couchmend.errors import BadRequest, DatabaseNotFound, ReplicaError
from couchmend.replica.base import DatabaseInfo, Sizes
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.answers import sequence
from couchmend.replica.couch.express import may_lack


def info(connection: Connection) -> DatabaseInfo:
    """See `Replica.info`.  What a server does not count is 0, and said in the notices."""
    answer = connection.answer("GET")
    told = answer.json_object
    answer.member(told, "doc_count")
    sizes = answer.optional(told, "sizes")
    notices = []
    if "doc_del_count" not in told:
        notices.append("this server does not count deleted documents")
    if sizes is None:
        notices.append("this server does not tell the sizes of its databases")
        sizes = {}
    purge_seq = told.get("purge_seq")
    return DatabaseInfo(
        name=connection.database_name or "",
        documents=answer.count(told, "doc_count"),
        deleted_documents=answer.count(told, "doc_del_count"),
        update_seq=sequence(answer, answer.member(told, "update_seq")),
        purge_seq=sequence(answer, 0 if purge_seq is None else purge_seq),
        sizes=Sizes(
            file=answer.count(sizes, "file"),
            active=answer.count(sizes, "active"),
            external=answer.count(sizes, "external"),
        ),
        compact_running=told.get("compact_running") is True,
        instance_start_time=str(told.get("instance_start_time") or "0"),
        notices=tuple(notices),
    )


def security(connection: Connection) -> Doc:
    """See `Replica.security`."""
    return connection.answer("GET", "_security").json_object


def set_security(connection: Connection, security: Mapping[str, JSON]) -> None:
    """See `Replica.set_security`."""
    body = dumps_checked(dict(security))
    _do(connection, "PUT", "_security", body)


def revs_limit(connection: Connection) -> int:
    """See `Replica.revs_limit`."""
    with may_lack(connection, "_revs_limit"):
        answer = connection.answer("GET", "_revs_limit")
    limit = answer.json
    if type(limit) is not int:
        raise answer.bad("the limit is no integer")
    return limit


def set_revs_limit(connection: Connection, limit: int) -> None:
    """See `Replica.set_revs_limit`."""
    if type(limit) is not int or limit < 1:  # CouchDB answers 500
        raise BadRequest("`limit` must be a positive integer", target=connection.url)
    with may_lack(connection, "_revs_limit"):
        _do(connection, "PUT", "_revs_limit", dumps(limit))


def compact(connection: Connection) -> None:
    """See `Replica.compact`."""
    _do(connection, "POST", "_compact", b"{}")


def name_the_nearest(missing: DatabaseNotFound, connection: Connection, name: str) -> None:
    """Put into the hint which name the server has that is most like `name`.

    That the server does not tell its names (only admins may see them) is no further error.
    """
    try:
        answer = connection.server.answer("GET", "_all_dbs")
        names = answer.texts(answer.json_list)
    except ReplicaError:
        return
    if near := difflib.get_close_matches(name, names, n=1, cutoff=0.6):
        missing.hint = f"did you mean {near[0]}?"


def _do(connection: Connection, method: str, path: str, body: bytes) -> None:
    """Something that ends in the same state however often it is done."""
    connection.answer(method, path, body=body, repeatable=True).confirmed  # noqa: B018  # or raises
