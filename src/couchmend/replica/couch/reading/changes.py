"""The changes feed: a page, the whole of it as it comes, and changes as they happen."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

from couchmend.core.document import dumps
from couchmend.errors import ReplicaError, Unavailable
from couchmend.replica.base import ChangeRow, ChangesPage, ChangesQuery, Heartbeat, Rows
from couchmend.replica.couch.connection import Connection, Patience, Stream
from couchmend.replica.couch.reading.change_rows import (
    Expected,
    end_of,
    in_order,
    request,
    row_of,
    row_of_line,
)
from couchmend.replica.couch.reading.elements import ArrayReader

_GRACE_SECONDS = 20.0
"""How much later than asked for a heartbeat may come before the server counts as gone."""


def changes(connection: Connection, query: ChangesQuery) -> ChangesPage:
    """See `Replica.changes`."""
    params, filtered = request(connection, query)
    answer = connection.answer(
        "GET" if filtered is None else "POST",
        "_changes",
        params=params,
        body=None if filtered is None else dumps(filtered),
        repeatable=True,
    )
    rows = [row_of(answer, row) for row in answer.rows("results")]
    Expected(query).hold(answer, rows)
    last_seq, pending = end_of(answer, answer.json_object)
    return ChangesPage(
        rows=tuple(in_order(connection, query, rows)),
        last_seq=last_seq,
        pending=pending if query.pending else 0,
    )


def change_pages(connection: Connection, query: ChangesQuery, rows: int) -> Rows[ChangesPage]:
    """See `Replica.change_pages`: one answer, read as it comes.

    A consumer that takes its time is none's business but the server's: a CouchDB gives a
    reader up after five minutes.  An answer that breaks off is continued by another one
    after the last row.
    """
    feed = _Feed(connection, query)
    held: list[ChangeRow] = []
    for some in feed.rows():
        held += some
        while len(held) > rows:
            page = held[:rows]
            del held[:rows]
            yield ChangesPage(tuple(page), page[-1].seq, 0)
    yield ChangesPage(tuple(held), feed.last_seq, feed.pending)


class _Feed:
    """One reading of a feed from `query.since` to its end."""

    def __init__(self, connection: Connection, query: ChangesQuery) -> None:
        self._connection = connection
        self._query = query
        self._expected = Expected(query)
        self.last_seq = query.since
        """Of the last row; at the end, where the feed ended."""
        self.pending = 0

    def rows(self) -> Iterator[Sequence[ChangeRow]]:
        """All rows, some at a time, over as many answers as it takes."""
        patience = self._connection.patience()
        while True:
            stream = self._ask(patience)
            try:
                with stream:
                    for some in self._read(stream):
                        patience.renew()
                        yield some
                return
            except ReplicaError as problem:
                if self._expected.came and self._query.descending:
                    raise  # CouchDB cannot go on with one
                patience.wait(problem)
            if self._expected.came and self._expected.came == self._query.limit:
                return  # only the end was lost

    def _ask(self, patience: Patience) -> Stream:
        query, came = self._query, self._expected.came
        if came:
            left = None if query.limit is None else query.limit - came
            query = replace(query, since=self.last_seq, limit=left)
        params, filtered = request(self._connection, query)
        return self._connection.stream(
            "GET" if filtered is None else "POST",
            "_changes",
            params=params,
            body=None if filtered is None else dumps(filtered),
            repeatable=True,
            accept="application/json",
            gzip=True,
            patience=patience,
        )

    def _read(self, stream: Stream) -> Iterator[Sequence[ChangeRow]]:
        answer = stream.answer(b"")
        reader = ArrayReader(answer, "results")
        for chunk in stream.chunks():
            came = reader.feed(chunk)
            if not came:
                continue
            rows = [row_of(answer, row) for row in came]
            self._expected.hold(answer, rows)
            ordered = in_order(self._connection, self._query, rows)
            # Nothing may fail from here on: the feed goes on after rows that have come.
            self._expected.take(rows)
            self.last_seq = rows[-1].seq
            yield ordered
        self.last_seq, pending = end_of(answer, reader.finish())
        self.pending = pending if self._query.pending else 0


def follow(
    connection: Connection,
    query: ChangesQuery,
    heartbeat_seconds: float,
    timeout_seconds: float | None,
) -> Rows[ChangeRow | Heartbeat]:
    """See `Replica.follow`.

    A CouchDB that sends heartbeats never ends a feed, so the heartbeats are the clock here:
    the timeout is a whole number of them.

    Raises:
        Unavailable: the feed broke off, or fell silent for longer than a heartbeat; transient.
        ReplicaError: `bad_answer` for a row that was not asked for, or one that comes twice.
    """
    interval = heartbeat_seconds
    if timeout_seconds is not None:
        interval = timeout_seconds / max(1, math.ceil(timeout_seconds / heartbeat_seconds))
    params, filtered = request(connection, query)
    params |= {"feed": "continuous", "heartbeat": max(1, round(interval * 1000))}
    stream = connection.stream(
        "GET" if filtered is None else "POST",
        "_changes",
        params=params,
        body=None if filtered is None else dumps(filtered),
        repeatable=True,
        read_timeout_seconds=interval + _GRACE_SECONDS,
        # Not compressed: a server or proxy may hold back what does not fill a block.
    )
    expected = Expected(query)
    quiet_from = time.monotonic()
    with stream:
        for line in stream.lines():
            if line.strip():
                answer = stream.answer(line)
                row = row_of_line(answer)
                if row is None:
                    return
                expected.hold(answer, [row])
                expected.take([row])
                yield from in_order(connection, query, [row])
                if expected.came == query.limit:
                    return  # pouchdb-server would go on
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
        transient=True,
    )
