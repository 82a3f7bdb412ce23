"""What a read of a revision came to, held to what was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from couchmend.core.chain import history_of
from couchmend.core.document import JSON, Doc, dumps
from couchmend.errors import DocumentInvalid, Unsupported
from couchmend.replica.base import Found, Include, Missing
from couchmend.replica.couch.connection.answers import Answer

# What CouchDB's bulk reads can add; that leaves have no conflicts is no lack.
TO_LEAVES = frozenset(
    {"revs", "attachments", "atts_since", "att_encoding_info", "conflicts", "deleted_conflicts"}
)
TO_WINNERS = frozenset({"conflicts", "attachments", "att_encoding_info"})


def outcomes(
    answer: Answer,
    entries: Sequence[JSON],
    id: str,
    rev: str | None,
    *,
    latest: bool = False,
    include: Include,
) -> tuple[Found | Missing, ...]:
    """All that is told about one document, or one revision of it.

    Raises:
        ReplicaError: `bad_answer` when it is about something else, or tells a thing twice.
    """
    found = tuple([_outcome(answer, entry, id, rev, latest, include) for entry in entries])
    if len(found) > 1:
        if rev is not None and not latest:
            raise answer.bad(f"{len(found)} answers for {id} {rev}")
        revs = {str(it.doc["_rev"]) if isinstance(it, Found) else it.rev for it in found}
        if len(revs) < len(found):
            raise answer.bad(f"a revision of {id} is there twice")
    return found


def _outcome(
    answer: Answer, entry: JSON, id: str, rev: str | None, latest: bool, include: Include
) -> Found | Missing:
    match entry:
        case {"ok": value}:
            doc = answer.document(value, id, None if latest else rev)
            if include.get("revs"):
                check_chain(answer, doc)
            return Found(doc)
        case {"missing": str(missing)} if rev is None or missing.lower() == rev.lower():
            return Missing(id, missing)
        case {"error": {"error": str(error), "reason": str(reason), **more}} if (
            more.get("id", id) == id
        ):
            return Missing(id, rev, error, reason)
    raise answer.bad(f"neither {id} {rev or ''} nor an error about it: {str(entry)[:100]}")


def check_chain(answer: Answer, doc: Doc) -> None:
    """Hold that a document has its `_revisions`: written elsewhere without them, an edit would
    become a conflict."""
    try:
        start, hashes = history_of(doc)
    except DocumentInvalid as problem:
        raise answer.bad(f"{doc['_id']} {doc['_rev']}: {problem.message}") from problem
    if not hashes or f"{start}-{hashes[0]}".lower() != doc["_rev"].lower():
        raise answer.bad(f"{doc['_id']} {doc['_rev']} with `_revisions` of something else")


_REV = re.compile(r"[1-9][0-9]*-.")


def is_rev(text: str) -> bool:
    """Whether a string can be a document's revision."""
    return _REV.match(text) is not None


def flags(include: Include) -> dict[str, str | bool]:
    """What is to be added, as parameters."""
    return {name: True for name, value in include.items() if value is True}


def since_parameter(include: Include) -> dict[str, str | bool]:
    """`atts_since` as a parameter."""
    if "atts_since" not in include:
        return {}
    return {"atts_since": dumps(list(include["atts_since"])).decode()}


def params_for_winners(include: Include) -> dict[str, str | int | bool]:
    """What asks for documents in a listing.

    Raises:
        Unsupported: CouchDB's listings do not add this to their documents.
    """
    refuse_others(include, TO_WINNERS)
    return {"include_docs": True, **flags(include)}


def refuse_others(include: Include, known: Iterable[str]) -> None:
    """Hold that the server adds what is asked for.

    Raises:
        Unsupported: it does not.
    """
    for name, value in include.items():
        if value and name not in known:
            raise not_added(name, "read the document by itself with `get`")


def not_added(name: str, hint: str) -> Unsupported:
    """The error for asking what CouchDB does not add in that place."""
    return Unsupported(f"the server does not add `{name}` here", hint=hint)
