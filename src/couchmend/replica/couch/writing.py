"""Writing documents, and every row of what the server says about them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence

from couchmend.core.document import JSON, dumps, dumps_checked
from couchmend.errors import BadRequest
from couchmend.replica.base import Refused, RevsDiff, Written
from couchmend.replica.couch.answers import Answer
from couchmend.replica.couch.attachments import inlined
from couchmend.replica.couch.connection import Connection

_PURGED_IDS = 100
_PURGED_REVISIONS = 1000


def bulk_docs(
    connection: Connection, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool
) -> list[Written | Refused]:
    """See `Replica.bulk_docs`."""
    # Each by itself: one that needs the slow way of the codec does not slow the others down.
    texts = [_text(doc) for doc in docs]
    head = b'{"docs":[' if new_edits else b'{"new_edits":false,"docs":['
    answer = connection.answer("POST", "_bulk_docs", body=head + b",".join(texts) + b"]}")
    if new_edits:
        return _edited(answer, docs)
    return _refused(answer, docs)


def revs_diff(connection: Connection, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
    """See `Replica.revs_diff`."""
    if not revs:
        return {}
    body = dumps({id: list(wanted) for id, wanted in revs.items()})
    answer = connection.answer("POST", "_revs_diff", body=body)
    lacking = {}
    for id, row in answer.json_object.items():
        missing = answer.texts(answer.member(row, "missing"))
        if id not in revs or not set(missing) <= set(revs[id]):
            raise answer.bad(f"revisions of {id} that nobody asked about")
        lacking[id] = RevsDiff(missing, answer.texts(row.get("possible_ancestors", [])))
    return lacking


def purge(connection: Connection, revs: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """See `Replica.purge`; as many requests as the server's limits need."""
    purged: dict[str, tuple[str, ...]] = {}
    for batch in _purge_batches(revs):
        answer = connection.answer("POST", "_purge", body=dumps(batch))
        done = answer.as_object(answer.member(answer.json, "purged"))
        if set(done) != set(batch):
            raise answer.bad("the answer is about other documents")
        for id in batch:
            purged[id] = (*purged.get(id, ()), *answer.texts(done[id]))
    return purged


def _text(doc: Mapping[str, JSON]) -> bytes:
    if not isinstance(doc, Mapping):
        raise BadRequest("Document must be a JSON object")
    whole = dict(doc)
    if whole.get("_attachments"):
        whole["_attachments"] = inlined(whole["_attachments"])
    return dumps_checked(whole)


def _edited(answer: Answer, docs: Sequence[Mapping[str, JSON]]) -> list[Written | Refused]:
    """The row of each document, in their order, whatever order the server has."""
    rows = [_edit_row(answer, row) for row in answer.json_list]
    if len(rows) != len(docs):
        raise answer.bad(f"{len(rows)} rows for {len(docs)} documents")
    if any(doc.get("_id", row.id) != row.id for doc, row in zip(docs, rows, strict=True)):
        rows = _in_order(answer, docs, rows)
    return [
        _with_rev(row, doc) if isinstance(row, Refused) else row
        for doc, row in zip(docs, rows, strict=True)
    ]


def _in_order(
    answer: Answer, docs: Sequence[Mapping[str, JSON]], rows: list[Written | Refused]
) -> list[Written | Refused]:
    by_id: dict[str, deque[Written | Refused]] = defaultdict(deque)
    for row in rows:
        by_id[row.id].append(row)
    ordered: list[Written | Refused | None] = []
    for doc in docs:
        id = doc.get("_id")
        if id is not None and not by_id[id]:
            raise answer.bad(f"no row for {id}")
        ordered.append(None if id is None else by_id[id].popleft())
    left = iter([row for queue in by_id.values() for row in queue])
    return [next(left) if row is None else row for row in ordered]


def _edit_row(answer: Answer, row: JSON) -> Written | Refused:
    match row:
        case {"id": str(id), "error": str(error)}:
            return Refused(id, None, error, str(row.get("reason", "")))
        case {"id": str(id), "rev": str(rev)}:
            return Written(id, rev, accepted=answer.status == 202 or row.get("accepted") is True)
    raise answer.bad(f"neither a revision nor an error: {str(row)[:100]}")


def _with_rev(row: Refused, doc: Mapping[str, JSON]) -> Refused:
    rev = doc.get("_rev")
    return Refused(row.id, None if rev is None else str(rev), row.error, row.reason)


def _refused(answer: Answer, docs: Sequence[Mapping[str, JSON]]) -> list[Written | Refused]:
    """With `new_edits=false` only what was not stored has a row."""
    sent = {doc.get("_id") for doc in docs}
    refused: list[Written | Refused] = []
    for row in answer.json_list:
        match row:
            case {"id": str(id), "error": str(error)} if id in sent:
                rev = row.get("rev")
                reason = str(row.get("reason", ""))
                refused.append(Refused(id, rev if isinstance(rev, str) else None, error, reason))
            case {"id": str(id), "rev": str()} if id in sent:
                pass  # other servers have a row for what they stored, too
            case _:
                raise answer.bad(f"a row about nothing that was sent: {str(row)[:100]}")
    return refused


def _purge_batches(revs: Mapping[str, Sequence[str]]) -> list[dict[str, list[str]]]:
    batches: list[dict[str, list[str]]] = []
    room = 0
    for id, wanted in revs.items():
        for start in range(0, max(len(wanted), 1), _PURGED_REVISIONS):
            part = list(wanted[start : start + _PURGED_REVISIONS])
            full = not batches or id in batches[-1] or len(batches[-1]) >= _PURGED_IDS
            if full or len(part) > room:
                batches.append({})
                room = _PURGED_REVISIONS
            batches[-1][id] = part
            room -= len(part)
    return batches
