"""Bulk writes in which one document does not stop the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack

from couchmend.core.document import JSON
from couchmend.errors import BadRequest, Conflict, PreconditionFailed, TooLarge
from couchmend.replica.base import Refused, Replica, Written
from couchmend.replica.content import kept


def bulk_docs_each(
    replica: Replica, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
) -> list[Written | Refused]:
    """As `Replica.bulk_docs`, except that what would refuse the whole batch is told as the
    `Refused` row of the document that caused it, found by halving.

    A refusal of the whole batch leaves nothing of it stored, so the halves are sent anew.
    """
    with ExitStack() as resources:
        return _halved(replica, kept(docs, resources), new_edits=new_edits)


def _halved(
    replica: Replica, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool
) -> list[Written | Refused]:
    if not docs:
        return []
    try:
        return replica.bulk_docs(docs, new_edits=new_edits)
    except (BadRequest, Conflict, PreconditionFailed, TooLarge) as problem:
        if len(docs) > 1:
            half = len(docs) // 2
            return [
                *_halved(replica, docs[:half], new_edits=new_edits),
                *_halved(replica, docs[half:], new_edits=new_edits),
            ]
        (doc,) = docs
        return [Refused(str(doc.get("_id", "")), doc.get("_rev"), problem.error, problem.reason)]
