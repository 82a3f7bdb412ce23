"""Which databases of a server change: `_dbs_info` and `_db_updates`.

https://docs.couchdb.org/en/stable/api/server/common.html
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from couchmend.core.document import dumps
from couchmend.errors import (
    BadRequest,
    DatabaseNotFound,
    Forbidden,
    NotFound,
    Unauthorized,
    Unavailable,
    Unsupported,
)
from couchmend.replica.base import DatabaseState, Heartbeat, Rows, ServerUpdate
from couchmend.replica.couch import about
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.answers import Answer, sequence

_MOST_KEYS = 100
_GRACE_SECONDS = 20.0


def states(connection: Connection, names: Iterable[str]) -> dict[str, DatabaseState]:
    """See `Server.states`: a hundred a request, or one by one where the server refuses that."""
    found: dict[str, DatabaseState] = {}
    wanted = iter(names)
    while some := list(itertools.islice(wanted, _MOST_KEYS)):
        try:
            found.update(_together(connection, some))
        except (BadRequest, Unauthorized, Forbidden, NotFound, Unsupported):
            found.update(_one_by_one(connection, some))
    return found


def _together(connection: Connection, names: list[str]) -> Iterator[tuple[str, DatabaseState]]:
    answer = connection.answer("POST", "_dbs_info", body=dumps({"keys": names}), repeatable=True)
    for row in answer.json_list:
        told = answer.as_object(row)
        info = answer.optional(told, "info")
        if info is not None:
            name = answer.text(told, "key")
            seq = sequence(answer, answer.member(info, "update_seq"))
            yield name, DatabaseState(name, seq, str(info.get("instance_start_time") or "0"))


def _one_by_one(connection: Connection, names: list[str]) -> Iterator[tuple[str, DatabaseState]]:
    for name in names:
        try:
            told = about.info(connection.database(name))
        except DatabaseNotFound:
            continue
        yield name, DatabaseState(name, told.update_seq, told.instance_start_time)


def updates(
    connection: Connection, since: str, heartbeat_seconds: float
) -> Rows[ServerUpdate | Heartbeat]:
    """See `Server.updates`."""
    stream = connection.stream(
        "GET",
        "_db_updates",
        params={
            "feed": "continuous",
            "since": since,
            "heartbeat": max(1, round(heartbeat_seconds * 1000)),
        },
        repeatable=True,
        read_timeout_seconds=heartbeat_seconds + _GRACE_SECONDS,
    )
    with stream:
        for line in stream.lines():
            if not line.strip():
                yield Heartbeat()
                continue
            update = _update(stream.answer(line))
            if update is None:
                break
            yield update
    raise Unavailable(
        "the feed broke off",
        operation="follow",
        target=connection.url,
        hint="follow again from the last `seq`",
        transient=True,
    )


def _update(answer: Answer) -> ServerUpdate | None:
    """A line of the feed; None for the last one."""
    told = answer.json_object
    if "last_seq" in told:
        return None
    name = answer.text(told, "db_name")
    kind = answer.text(told, "type")
    return ServerUpdate(sequence(answer, answer.member(told, "seq")), name, kind)
