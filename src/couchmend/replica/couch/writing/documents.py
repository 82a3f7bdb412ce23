"""Writing documents, and every row of what the server says about them."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

from couchmend.core.document import JSON, dumps
from couchmend.errors import TooLarge
from couchmend.replica.base import Refused, RevsDiff, Written
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.writing.drafts import Draft, drafted
from couchmend.replica.couch.writing.lone import check_rev, write_alone

Outcomes = dict[int, Written | Refused]
"""What became of documents, by their places."""


def bulk_docs(
    connection: Connection, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool
) -> list[Written | Refused]:
    """See `Replica.bulk_docs`.

    A document with large attachments is written by itself, after the others.  Unless it is
    the only one, whatever the server has against it is its row: the others may be stored.
    """
    with ExitStack() as resources:
        drafts = drafted(docs, resources, new_edits=new_edits)
        together = [draft for draft in drafts if not draft.parts]
        rows = _write_together(connection, together, new_edits=new_edits) if together else {}
        for draft in drafts:
            if not draft.parts:
                continue
            row = write_alone(
                connection,
                draft,
                new_edits=new_edits,
                among_others=len(drafts) > 1,
            )
            if new_edits or isinstance(row, Refused):
                rows[draft.place] = row
    return [rows[place] for place in sorted(rows)]


def revs_diff(connection: Connection, revs: Mapping[str, Sequence[str]]) -> dict[str, RevsDiff]:
    """See `Replica.revs_diff`."""
    if not revs:
        return {}
    body = dumps({id: list(wanted) for id, wanted in revs.items()})
    answer = connection.answer("POST", "_revs_diff", body=body, repeatable=True)
    lacking = {}
    for id, row in answer.json_object.items():
        missing = answer.texts(answer.member(row, "missing"))
        if id not in revs or not set(missing) <= set(revs[id]):
            raise answer.bad(f"revisions of {id} that nobody asked about")
        lacking[id] = RevsDiff(missing, answer.texts(row.get("possible_ancestors", [])))
    return lacking


def _write_together(
    connection: Connection, drafts: Sequence[Draft], *, new_edits: bool
) -> Outcomes:
    head = b'{"docs":[' if new_edits else b'{"new_edits":false,"docs":['
    try:
        answer = connection.answer(
            "POST",
            "_bulk_docs",
            body=head + b",".join([draft.text for draft in drafts]) + b"]}",
            repeatable=None if new_edits else True,
        )
    except TooLarge as problem:
        if all(draft.id != problem.reason for draft in drafts):  # CouchDB's, for a document
            problem.hint = f"{problem.hint}; {_largest(drafts)}".lstrip("; ")
        raise
    return _edited(answer, drafts) if new_edits else _refused(answer, drafts)


def _edited(answer: Answer, drafts: Sequence[Draft]) -> Outcomes:
    """A row for each document, in whatever order the server has them."""
    told = answer.json_list
    if len(told) != len(drafts):
        raise answer.bad(f"{len(told)} rows for {len(drafts)} documents")
    # Only the status says so on some servers, only the rows on others.
    all_accepted = answer.status == 202 and not any(
        isinstance(row, dict) and row.get("accepted") is True for row in told
    )
    rows: Outcomes = {}
    for draft, row in _paired(answer, told, drafts):
        match row:
            case {"error": _}:
                rows[draft.place] = _refusal(answer, row, draft)
            case {"rev": str(rev)}:
                accepted = all_accepted or row.get("accepted") is True
                rows[draft.place] = Written(draft.id, rev, accepted)
            case _:
                raise answer.bad(f"neither a revision nor an error for {draft.id}")
    return rows


def _paired(
    answer: Answer, told: Sequence[JSON], drafts: Sequence[Draft]
) -> Iterator[tuple[Draft, JSON]]:
    """Each row with the document that it is about."""
    waiting = _by_id(drafts)
    rows: dict[str, list[JSON]] = defaultdict(list)
    for row in told:
        rows[answer.text(row, "id")].append(row)
    for id, about in rows.items():
        if len(about) != len(waiting[id]):
            raise answer.bad(f"{len(about)} rows for {len(waiting[id])} documents {id}")
        yield from _told_apart(answer, about, waiting[id])


def _told_apart(
    answer: Answer, rows: Sequence[JSON], drafts: deque[Draft]
) -> Iterator[tuple[Draft, JSON]]:
    """Outcomes of one id, in the order in which its documents were sent; where that cannot be,
    since one that is stored is a generation after its `_rev`, by their generations first."""
    generations = [_generation(answer, row) for row in rows]
    if not all(map(_may_become, drafts, generations)):
        for row, generation in zip(list(rows), generations, strict=True):
            draft = next((draft for draft in drafts if draft.generation == generation), None)
            if generation is not None and draft is not None:
                drafts.remove(draft)
                rows = [other for other in rows if other is not row]
                yield draft, row
    yield from zip(drafts, rows, strict=True)


def _may_become(draft: Draft, generation: int | None) -> bool:
    """Whether a document may be told to be stored as a revision of this generation, or to be
    refused (None).  A new one may follow tombstones, of any generation."""
    return generation is None or draft.rev is None or draft.generation == generation


def _generation(answer: Answer, row: JSON) -> int | None:
    """Of the revision that a row says was stored."""
    match row:
        case {"error": _}:
            return None
        case {"rev": str(rev)}:
            return check_rev(answer, rev).generation
    return None


def _refused(answer: Answer, drafts: Sequence[Draft]) -> Outcomes:
    """With `new_edits=false`, only what was not stored has a row."""
    waiting = _by_id(drafts)
    rows: Outcomes = {}
    for row in answer.json_list:
        id = answer.text(row, "id")
        rev = answer.text(row, "rev") if row.get("rev") is not None else None
        draft = next((draft for draft in waiting[id] if _same(rev, draft.rev)), None)
        if draft is None:
            raise answer.bad(f"a row about nothing that was sent: {id} {rev or ''}".rstrip())
        waiting[id].remove(draft)
        if "error" in row:
            rows[draft.place] = _refusal(answer, row, draft)
        elif rev is None:  # other servers have a row for what they stored, too
            raise answer.bad(f"neither a revision nor an error for {id}")
    return rows


def _largest(drafts: Sequence[Draft]) -> str:
    largest = max(drafts, key=lambda draft: draft.size)
    which = f"the largest of {len(drafts)} documents" if len(drafts) > 1 else "the document"
    return f"{which} is {largest.id}, {largest.size} bytes"


def _by_id(drafts: Sequence[Draft]) -> dict[str, deque[Draft]]:
    waiting: dict[str, deque[Draft]] = defaultdict(deque)
    for draft in drafts:
        waiting[draft.id].append(draft)
    return waiting


def _same(told: str | None, rev: str | None) -> bool:
    return told is None or rev is None or told.lower() == rev.lower()


def _refusal(answer: Answer, row: Mapping[str, JSON], draft: Draft) -> Refused:
    reason = row.get("reason") or ""
    shown = reason if isinstance(reason, str) else dumps(reason).decode()
    return Refused(draft.id, draft.rev, answer.text(row, "error"), shown)
