"""Documents on their way out: as JSON, with what has to follow it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from couchmend.core.document import JSON, body_of, check_id, dumps_checked
from couchmend.core.revtree import Rev
from couchmend.errors import BadRequest
from couchmend.replica.couch.attachments import taken_in
from couchmend.replica.couch.writing.multipart import Part, WrongLength


@dataclass(frozen=True, slots=True)
class Draft:
    """A document to be written.

    place: where it stands among those that were given.
    doc: it as it was given, with an id.
    text: it as JSON.
    parts: attachments that are too large for JSON.
    """

    place: int
    doc: Mapping[str, JSON]
    text: bytes
    parts: tuple[Part, ...]

    @property
    def id(self) -> str:
        """Its `_id`."""
        return str(self.doc.get("_id"))

    @property
    def rev(self) -> str | None:
        """Its `_rev`."""
        rev = self.doc.get("_rev")
        return None if rev is None else str(rev)

    @property
    def size(self) -> int:
        """Bytes to be sent."""
        return len(self.text) + sum(part.length for part in self.parts)


def drafted(
    docs: Sequence[Mapping[str, JSON]], resources: ExitStack, *, new_edits: bool
) -> list[Draft]:
    """The documents, ready to be sent.

    A new one without an `_id` gets one here and not at the server, so that its row is known
    by its id, whatever order the rows come in.

    resources: what closes temporary files.

    Raises:
        BadRequest: what no server would take.
    """
    drafts = []
    for place, doc in enumerate(docs):
        if not isinstance(doc, Mapping):
            raise BadRequest("Document must be a JSON object")
        if new_edits and "_id" not in doc:
            doc = {"_id": uuid.uuid4().hex, **doc}
        draft = _drafted(place, doc, resources)
        if draft.parts:
            _check(doc, new_edits=new_edits)
        drafts.append(draft)
    return drafts


def _drafted(place: int, doc: Mapping[str, JSON], resources: ExitStack) -> Draft:
    entries = doc.get("_attachments")
    if not entries:
        # Each by itself: one that needs the codec's slow way does not slow the others down.
        return Draft(place, doc, dumps_checked(dict(doc)), ())
    try:
        shown, parts = taken_in(entries, resources, measure=False)
    except WrongLength:
        shown, parts = taken_in(entries, resources, measure=True)
    return Draft(place, doc, dumps_checked({**doc, "_attachments": shown}), parts)


def measured(draft: Draft, resources: ExitStack) -> Draft:
    """The same, with the true lengths of its attachments, where those that were said are wrong:
    CouchDB shows the length of what it was sent compressed as it lies there."""
    shown, parts = taken_in(draft.doc["_attachments"], resources, measure=True)
    text = dumps_checked({**draft.doc, "_attachments": shown})
    return Draft(draft.place, draft.doc, text, parts)


def _check(doc: Mapping[str, JSON], *, new_edits: bool) -> None:
    """CouchDB ends the connection where it finds these faults before large attachments."""
    check_id(doc.get("_id"))
    body_of(doc)
    if "_rev" in doc:
        Rev.parse(doc["_rev"])
    elif not new_edits and "_revisions" not in doc:
        raise BadRequest("a document with its own history needs `_rev`", target=str(doc["_id"]))
