"""Reading one document: its winner, a revision, its leaves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from couchmend.core.document import Doc
from couchmend.core.revtree import Leaf, Rev
from couchmend.errors import BadRequest, NotFound, ReplicaError
from couchmend.replica.base import BulkGetRow, Found, Include, Missing
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.address import document_path
from couchmend.replica.couch.reading.bulk import bulk_get
from couchmend.replica.couch.reading.leaves import leaves
from couchmend.replica.couch.reading.outcomes import (
    TO_LEAVES,
    check_chain,
    flags,
    not_added,
    refuse_others,
    since_parameter,
)

_ADDED = {"revs_info": "_revs_info", "local_seq": "_local_seq"}


def get(connection: Connection, id: str, rev: str | None, *, latest: bool, include: Include) -> Doc:
    """See `Replica.get`."""
    if rev is not None and latest:
        return _latest(connection, id, rev, include)
    params = {**flags(include), **since_parameter(include)}
    if rev is not None:
        params["rev"] = rev
    answer = connection.answer("GET", document_path(id), params=params)
    doc = answer.document(answer.json, id, rev)
    if include.get("revs"):
        check_chain(answer, doc)
    for name, member in _ADDED.items():
        if include.get(name) and member not in doc:
            raise not_added(name, "CouchDB adds it to winners, read without a revision")
    return doc


def _latest(connection: Connection, id: str, rev: str, include: Include) -> Doc:
    """The best leaf that descends from `rev`; CouchDB's own `latest` disregards `rev`."""
    outcomes = open_revs(connection, id, [rev], latest=True, include=include)
    docs = [outcome.doc for outcome in outcomes if isinstance(outcome, Found)]
    if not docs:
        raise NotFound("missing", operation="GET", target=f"{id} {rev}")
    return max(docs, key=_precedence)


def _precedence(doc: Doc) -> tuple[bool, int, bytes]:
    return Leaf(Rev.parse(doc["_rev"]), doc.get("_deleted") is True).precedence


def open_revs(
    connection: Connection,
    id: str,
    wanted: Sequence[str] | None,
    *,
    latest: bool,
    include: Include,
) -> list[Found | Missing]:
    """See `Replica.open_revs`.  A list of revisions would make too long a URL."""
    refuse_others(include, TO_LEAVES)
    if wanted is None:
        return list(leaves(connection, id, None, include))
    rows = bulk_get(connection, [(id, rev) for rev in wanted], latest=latest, include=include)
    return _distinct(rows)


def _distinct(rows: Iterable[BulkGetRow]) -> list[Found | Missing]:
    """The outcomes as one list, each leaf once however many revisions led to it."""
    outcomes: dict[str, Found | Missing] = {}
    for row in rows:
        for outcome in row.outcomes:
            match outcome:
                case Found(doc):
                    outcomes[str(doc["_rev"])] = outcome
                case Missing(rev=rev, error="not_found"):
                    outcomes[str(rev)] = outcome
                case Missing(id=id, error=error, reason=reason):
                    kind = BadRequest if error == BadRequest.default_error else ReplicaError
                    raise kind(reason, error=error, operation="open_revs", target=id)
    return list(outcomes.values())
