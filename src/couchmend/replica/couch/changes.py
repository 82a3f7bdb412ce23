"""The changes feed: in pages, and as changes happen."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

from couchmend.core.document import JSON, Doc, dumps
from couchmend.errors import Unavailable, Unsupported
from couchmend.replica.base import ChangeRow, ChangesPage, ChangesQuery, Heartbeat
from couchmend.replica.couch.answers import Answer, sequence
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.reading import params_for_winners

_GRACE_SECONDS = 20.0
"""How much later than asked for a heartbeat may come before the server counts as gone."""


def changes(connection: Connection, query: ChangesQuery) -> ChangesPage:
    """See `Replica.changes`."""
    params, filtered = _request(query)
    if filtered is None:
        answer = connection.answer("GET", "_changes", params=params)
    else:
        answer = connection.answer("POST", "_changes", params=params, body=dumps(filtered))
    value = answer.json_object
    pending = value.get("pending")
    return ChangesPage(
        rows=tuple([_row(answer, row) for row in answer.as_list(answer.member(value, "results"))]),
        last_seq=sequence(answer, answer.member(value, "last_seq")),
        pending=pending if query.pending and isinstance(pending, int) else 0,
    )


def follow(
    connection: Connection,
    query: ChangesQuery,
    heartbeat_seconds: float,
    timeout_seconds: float | None,
) -> Iterator[ChangeRow | Heartbeat]:
    """See `Replica.follow`.

    A CouchDB that sends heartbeats never ends a feed, so the heartbeats are the clock here:
    the timeout is a whole number of them.

    Raises:
        Unavailable: the feed broke off, or fell silent for longer than a heartbeat.
    """
    interval = heartbeat_seconds
    if timeout_seconds is not None:
        interval = timeout_seconds / max(1, math.ceil(timeout_seconds / heartbeat_seconds))
    params, filtered = _request(query)
    params |= {"feed": "continuous", "heartbeat": max(1, round(interval * 1000))}
    stream = connection.stream(
        "GET" if filtered is None else "POST",
        "_changes",
        params=params,
        body=None if filtered is None else dumps(filtered),
        read_timeout_seconds=interval + _GRACE_SECONDS,
    )
    quiet_from = time.monotonic()
    with stream:
        for line in stream.lines():
            if line:
                row = _feed_row(stream.answer(line))
                if row is None:
                    return
                yield row
                quiet_from = time.monotonic()
            elif (
                timeout_seconds is not None
                and time.monotonic() - quiet_from > timeout_seconds - interval / 2
            ):
                return
            else:
                yield Heartbeat()
    raise Unavailable(
        "the feed broke off",
        operation="follow",
        target=connection.url,
        hint="follow again from the last `seq`",
    )


def _request(query: ChangesQuery) -> tuple[dict[str, str | int | bool], Doc | None]:
    """Parameters, and the body of a filter."""
    if query.before is not None:
        raise Unsupported("CouchDB cannot go on with a descending feed", hint="read it forwards")
    params = params_for_winners(query.include) if query.include_docs else {}
    if query.since != "0":
        params["since"] = query.since
    if query.limit is not None:
        params["limit"] = query.limit
    if query.descending:
        params["descending"] = True
    if query.style != "main_only":
        params["style"] = query.style
    if query.selector is not None:
        params["filter"] = "_selector"
        if query.doc_ids is None:
            return params, {"selector": dict(query.selector)}
        both = [{"_id": {"$in": list(query.doc_ids)}}, dict(query.selector)]
        return params, {"selector": {"$and": both}}
    if query.doc_ids is not None:
        params["filter"] = "_doc_ids"
        # An id that is named twice would have two rows.
        return params, {"doc_ids": list(dict.fromkeys(query.doc_ids))}
    return params, None


def _feed_row(answer: Answer) -> ChangeRow | None:
    """A line of a live feed; None for the last one."""
    value = answer.json_object
    if "id" in value:
        return _row(answer, value)
    if "last_seq" in value:
        return None
    raise answer.bad(f"no row of a feed: {str(value)[:100]}")


def _row(answer: Answer, row: JSON) -> ChangeRow:
    match row:
        case {"seq": seq, "id": str(id), "changes": [{"rev": str(winner)}, *others]}:
            revs = (
                (winner, *[answer.text(other, "rev") for other in others]) if others else (winner,)
            )
            return ChangeRow(
                sequence(answer, seq), id, revs, row.get("deleted") is True, row.get("doc")
            )
    raise answer.bad(f"no row of a feed: {str(row)[:100]}")
