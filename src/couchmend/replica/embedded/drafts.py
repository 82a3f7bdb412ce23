"""What a caller asks to be written, checked and taken apart before any lock is held."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from couchmend.core.chain import chain_of
from couchmend.core.document import JSON, LOCAL, Doc, body_of, check_id, dumps_checked
from couchmend.core.revtree import Rev, normal_hash
from couchmend.errors import BadRequest, DocumentInvalid, TooLarge
from couchmend.replica.embedded.attachments import Given, take_in
from couchmend.replica.embedded.limits import Limits


@dataclass(slots=True)
class Draft:
    """A document to be written: `chain` is the parent's revision for an edit (or nothing),
    and the new revision with its ancestors, newest first, for a replicated one."""

    id: str
    chain: tuple[Rev, ...]
    deleted: bool
    body: Doc
    text: bytes
    given: tuple[Given, ...] | None


def drafts_of(
    docs: Iterable[Mapping[str, JSON]], *, new_edits: bool, limits: Limits, resources: ExitStack
) -> list[Draft]:
    """Check every document of a bulk write; see `Replica.bulk_docs` for what is raised."""
    return [_draft(doc, new_edits, limits, resources) for doc in docs]


def _draft(doc: Mapping[str, JSON], new_edits: bool, limits: Limits, resources: ExitStack) -> Draft:
    if type(doc) is not dict and not isinstance(doc, Mapping):
        raise BadRequest("Document must be a JSON object")
    id = doc.get("_id")
    id = uuid.uuid4().hex if id is None else check_id(id, limits.max_id_bytes)
    body = body_of(doc)
    chain = _parent(doc) if new_edits or id.startswith(LOCAL) else _chain(doc)
    deleted = doc.get("_deleted", False)
    if type(deleted) is not bool:
        raise DocumentInvalid("Bad special document member: _deleted", target=id)
    text = dumps_checked(body, limits.max_depth)
    if len(text) > limits.max_document_bytes:
        raise TooLarge(id, hint=f"the limit `max_document_bytes` is {limits.max_document_bytes}")
    given = (
        take_in(id, doc["_attachments"], limits.max_attachment_bytes, resources)
        if "_attachments" in doc
        else None
    )
    return Draft(id, chain, deleted, body, text, given)


def _parent(doc: Mapping[str, JSON]) -> tuple[Rev, ...]:
    return (_rev(doc),) if "_rev" in doc else _revisions(doc)[:1]


def _chain(doc: Mapping[str, JSON]) -> tuple[Rev, ...]:
    chain = _revisions(doc)
    if not chain and "_rev" in doc:
        chain = (_rev(doc),)
    if not chain:
        raise BadRequest(
            "When `new_edits: false`, the document needs `_rev` or `_revisions` specified"
        )
    return chain


def _rev(doc: Mapping[str, JSON]) -> Rev:
    rev = Rev.parse(doc["_rev"])
    if rev.generation == 0 and not str(doc.get("_id")).startswith(LOCAL):
        raise BadRequest("Invalid rev format", hint="generations begin at 1")
    return rev


def _revisions(doc: Mapping[str, JSON]) -> tuple[Rev, ...]:
    if doc.get("_revisions") is None:
        return ()
    return tuple([Rev(rev.generation, normal_hash(rev.hash)) for rev in chain_of(doc)])
