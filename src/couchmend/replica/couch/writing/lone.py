"""Writing one document by itself, its attachments streamed after it."""

from __future__ import annotations

from couchmend.core.revtree import Rev
from couchmend.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    PreconditionFailed,
    ReplicaError,
    TooLarge,
    Unauthorized,
)
from couchmend.replica.base import Refused, Written
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.address import document_path
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.writing.drafts import Draft
from couchmend.replica.multipart import Related


def write_alone(
    connection: Connection,
    draft: Draft,
    *,
    new_edits: bool,
    among_others: bool,
) -> Written | Refused:
    """Write a document whose attachments follow it.

    among_others: documents of the same call may be stored already, so that nothing about this
        one may be raised as a refusal of the whole.

    Raises:
        BadRequest, PreconditionFailed, TooLarge: where a document alone in a bulk write would.
    """
    try:
        answer = _put(connection, draft, new_edits=new_edits)
    except Conflict as problem:
        return _refused(draft, problem)
    except (Forbidden, Unauthorized) as problem:
        connection.answer("GET")  # raises if it is the database that is refused
        return _refused(draft, problem)
    except (BadRequest, PreconditionFailed, TooLarge) as problem:
        if among_others:
            return _refused(draft, problem)
        raise
    return _written(answer, draft, new_edits=new_edits)


def _put(connection: Connection, draft: Draft, *, new_edits: bool) -> Answer:
    params = {} if new_edits else {"new_edits": False}
    repeatable = None if new_edits else True
    path = document_path(draft.id)
    if not draft.parts:  # CouchDB would wait for one in vain
        return connection.answer("PUT", path, params=params, body=draft.text, repeatable=repeatable)
    body = Related(draft.text, draft.parts)
    return connection.answer(
        "PUT",
        path,
        params=params,
        body=body,
        content_type=body.content_type,
        repeatable=repeatable,
    )


def _refused(draft: Draft, problem: ReplicaError) -> Refused:
    return Refused(draft.id, draft.rev, problem.error, problem.reason)


def _written(answer: Answer, draft: Draft, *, new_edits: bool) -> Written:
    if answer.json == [] and not new_edits:  # as PouchDB's server has it: none is refused
        return Written(draft.id, draft.rev or "")
    told = answer.json_object
    id, rev = answer.text(told, "id"), answer.text(told, "rev")
    if id != draft.id or (not new_edits and draft.rev and rev.lower() != draft.rev.lower()):
        raise answer.bad(f"an answer about {id} {rev} where {draft.id} was written")
    check_rev(answer, rev)
    return Written(id, rev, accepted=answer.status == 202)


def check_rev(answer: Answer, rev: str) -> Rev:
    """Hold that what the server calls a revision is one."""
    try:
        return Rev.parse(rev)
    except BadRequest as problem:
        raise answer.bad(f"{rev!r} is no revision") from problem
