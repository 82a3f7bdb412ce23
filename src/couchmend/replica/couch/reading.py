"""Reading documents: one, its leaves, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from couchmend.core.document import JSON, Doc, dumps
from couchmend.core.revtree import Leaf, Rev
from couchmend.errors import BadRequest, NotFound, ReplicaError, Unsupported
from couchmend.replica.base import BulkGetRow, Found, Include, Missing
from couchmend.replica.couch.address import document_path
from couchmend.replica.couch.answers import Answer
from couchmend.replica.couch.connection import Connection

# What CouchDB's bulk reads can add; that leaves have no conflicts is no lack.
_TO_LEAVES = frozenset(
    {"revs", "attachments", "atts_since", "att_encoding_info", "conflicts", "deleted_conflicts"}
)
_TO_WINNERS = frozenset({"conflicts", "attachments", "att_encoding_info"})
_ADDED = {"revs": "_revisions", "revs_info": "_revs_info", "local_seq": "_local_seq"}


def get(connection: Connection, id: str, rev: str | None, *, latest: bool, include: Include) -> Doc:
    """See `Replica.get`."""
    if rev is not None and latest:
        return _latest(connection, id, rev, include)
    params: dict[str, str | bool] = _flags(include)
    if "atts_since" in include:
        params["atts_since"] = dumps(list(include["atts_since"])).decode()
    if rev is not None:
        params["rev"] = rev
    answer = connection.answer("GET", document_path(id), params=params)
    doc = answer.document(answer.json, id, rev)
    for name, member in _ADDED.items():
        if include.get(name) and member not in doc:
            raise _not_added(name, "CouchDB adds it to winners, read without a revision")
    return doc


def _latest(connection: Connection, id: str, rev: str, include: Include) -> Doc:
    """The best leaf that descends from `rev`; CouchDB's own `latest` disregards `rev`."""
    outcomes = open_revs(connection, id, [rev], latest=True, include=include)
    leaves = [outcome.doc for outcome in outcomes if isinstance(outcome, Found)]
    if not leaves:
        raise NotFound("missing", operation="GET", target=f"{id} {rev}")
    return max(leaves, key=_precedence)


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
    if wanted is not None:
        rows = bulk_get(connection, [(id, rev) for rev in wanted], latest=latest, include=include)
        return _distinct(rows)
    _refuse_others(include, _TO_LEAVES)
    params: dict[str, str | bool] = {"open_revs": "all", **_flags(include)}
    if "atts_since" in include:
        params["atts_since"] = dumps(list(include["atts_since"])).decode()
    answer = connection.answer("GET", document_path(id), params=params)
    return [_outcome(answer, entry, id, None) for entry in answer.json_list]


def bulk_get(
    connection: Connection,
    wanted: Iterable[tuple[str, str | None]],
    *,
    latest: bool,
    include: Include,
) -> Iterator[BulkGetRow]:
    """See `Replica.bulk_get`."""
    _refuse_others(include, _TO_LEAVES)
    items = list(wanted)
    if not items:
        return
    params = _flags(include)
    if latest:
        params["latest"] = True
    docs: list[Doc] = [{"id": id} if rev is None else {"id": id, "rev": rev} for id, rev in items]
    if "atts_since" in include:
        for doc in docs:
            doc["atts_since"] = list(include["atts_since"])
    answer = connection.answer("POST", "_bulk_get", params=params, body=dumps({"docs": docs}))
    rows = answer.rows("results", wanted=len(items))
    for row, (id, rev) in zip(rows, items, strict=True):
        yield _bulk_get_row(answer, row, id, rev, latest=latest)


def params_for_winners(include: Include) -> dict[str, str | int | bool]:
    """What asks for documents in a listing.

    Raises:
        Unsupported: CouchDB's listings do not add this to their documents.
    """
    _refuse_others(include, _TO_WINNERS)
    return {"include_docs": True, **_flags(include)}


def _bulk_get_row(
    answer: Answer, row: JSON, id: str, rev: str | None, *, latest: bool
) -> BulkGetRow:
    if answer.text(row, "id") != id:
        raise answer.bad(f"a row for {row['id']} where {id} was to be")
    entries = answer.as_list(answer.member(row, "docs"))
    if not entries or (rev is not None and not latest and len(entries) > 1):
        raise answer.bad(f"{len(entries)} answers for {id} {rev or ''}".rstrip())
    return BulkGetRow(
        id, tuple([_outcome(answer, entry, id, rev, latest=latest) for entry in entries])
    )


def _outcome(
    answer: Answer, entry: JSON, id: str, rev: str | None, *, latest: bool = False
) -> Found | Missing:
    match entry:
        case {"ok": doc}:
            return Found(answer.document(doc, id, None if latest else rev))
        case {"missing": str(missing)}:
            return Missing(id, missing)
        case {"error": {"error": str(error), "reason": str(reason)}}:
            return Missing(id, rev, error, reason)
    raise answer.bad(f"neither a document nor an error for {id}")


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


def _flags(include: Include) -> dict[str, str | bool]:
    return {name: True for name, value in include.items() if value is True}


def _refuse_others(include: Include, known: frozenset[str]) -> None:
    for name, value in include.items():
        if value and name not in known:
            raise _not_added(name, "read the document by itself with `get`")


def _not_added(name: str, hint: str) -> Unsupported:
    return Unsupported(f"the server does not add `{name}` here", hint=hint)
