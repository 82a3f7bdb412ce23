"""Many revisions at once, as they come, each held to what was asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from couchmend.core.document import JSON, Doc, dumps
from couchmend.errors import ReplicaError
from couchmend.replica.base import BulkGetRow, Include, Rows
from couchmend.replica.couch import express
from couchmend.replica.couch.connection import Connection, Stream
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.reading.elements import ArrayReader
from couchmend.replica.couch.reading.outcomes import TO_LEAVES, flags, outcomes, refuse_others

Item = tuple[str, str | None]

_MOST_ITEMS = 1000
_MOST_ITEMS_WITH_ATTACHMENTS = 100
"""Of one request: CouchDB holds all that it answers in memory."""


def bulk_get(
    connection: Connection, wanted: Iterable[Item], *, latest: bool, include: Include
) -> Rows[BulkGetRow]:
    """See `Replica.bulk_get`; as many requests as it takes, also when one breaks off."""
    refuse_others(include, TO_LEAVES)
    inlines = include.get("attachments") or "atts_since" in include
    most = _MOST_ITEMS_WITH_ATTACHMENTS if inlines else _MOST_ITEMS
    items = iter(wanted)
    while batch := deque(islice(items, most)):
        if express.is_express(connection):
            for id, rev in batch:
                yield express.row(connection, id, rev, latest=latest, include=include)
        else:
            yield from _batch(connection, batch, latest=latest, include=include)


def _batch(
    connection: Connection, left: deque[Item], *, latest: bool, include: Include
) -> Iterator[BulkGetRow]:
    """The rows of one batch; what an answer that breaks off still owes is asked for again."""
    params = flags(include)
    if latest:
        params["latest"] = True
    patience = connection.patience()
    while left:
        stream = connection.stream(
            "POST",
            "_bulk_get",
            params=params,
            body=_body(left, include),
            repeatable=True,
            accept="application/json",
            gzip=True,
            patience=patience,
        )
        try:
            with stream:
                for found in _rows(stream, left, latest=latest, include=include):
                    left.popleft()
                    patience.renew()
                    yield found
        except ReplicaError as problem:
            if not left:
                raise  # of a row too many, which asking again would not take away
            patience.wait(problem)


def _rows(
    stream: Stream, items: Sequence[Item], *, latest: bool, include: Include
) -> Iterator[BulkGetRow]:
    """The rows of one answer, the last one when the answer is known to be whole."""
    answer = stream.answer(b"")
    reader = ArrayReader(answer, "results")
    wanted = list(items)
    count = 0
    held: BulkGetRow | None = None
    for chunk in stream.chunks():
        for row in reader.feed(chunk):
            if held is not None:
                yield held
            if count == len(wanted):
                raise answer.bad(f"a row too many: {str(row)[:100]}")
            id, rev = wanted[count]
            held = _row(answer, row, id, rev, latest=latest, include=include)
            count += 1
    reader.finish()
    if count < len(wanted):
        raise answer.bad(f"no rows for {wanted[count][0]} and {len(wanted) - count - 1} others")
    if held is not None:
        yield held


def _row(
    answer: Answer, row: JSON, id: str, rev: str | None, *, latest: bool, include: Include
) -> BulkGetRow:
    if answer.text(row, "id") != id:
        raise answer.bad(f"a row for {row['id']} where {id} was to be")
    entries = answer.as_list(answer.member(row, "docs"))
    if not entries:
        raise answer.bad(f"a row that tells nothing of {id}")
    found = outcomes(answer, entries, id, rev, latest=latest, include=include)
    return BulkGetRow(id, found)


def _body(items: Iterable[Item], include: Include) -> bytes:
    docs: list[Doc] = [{"id": id} if rev is None else {"id": id, "rev": rev} for id, rev in items]
    if "atts_since" in include:
        for doc in docs:
            doc["atts_since"] = list(include["atts_since"])
    return dumps({"docs": docs})
