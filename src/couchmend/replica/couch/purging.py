"""Forgetting leaves as if they had never been."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from couchmend.core.document import dumps
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.express import may_lack

_MOST_IDS = 100
_MOST_REVISIONS = 1000
"""Of one request: a CouchDB refuses more."""


def purge(connection: Connection, revs: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """See `Replica.purge`; as many requests as the server's limits need."""
    purged: dict[str, tuple[str, ...]] = {}
    for batch in _batches(revs):
        with may_lack(connection, "_purge"):
            answer = connection.answer("POST", "_purge", body=dumps(batch))
        done = answer.as_object(answer.member(answer.json, "purged"))
        if set(done) != set(batch):
            raise answer.bad("the answer is about other documents")
        for id in batch:
            forgotten = answer.texts(done[id])
            if not {rev.lower() for rev in forgotten} <= {rev.lower() for rev in batch[id]}:
                raise answer.bad(f"revisions of {id} that nobody asked to purge")
            purged[id] = (*purged.get(id, ()), *forgotten)
    return purged


def _batches(revs: Mapping[str, Sequence[str]]) -> list[dict[str, list[str]]]:
    batches: list[dict[str, list[str]]] = []
    room = 0
    for id, wanted in revs.items():
        for start in range(0, max(len(wanted), 1), _MOST_REVISIONS):
            part = list(wanted[start : start + _MOST_REVISIONS])
            full = not batches or id in batches[-1] or len(batches[-1]) >= _MOST_IDS
            if full or len(part) > room:
                batches.append({})
                room = _MOST_REVISIONS
            batches[-1][id] = part
            room -= len(part)
    return batches
