"""Documents on their way out: as JSON, with what has to follow it."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from couchmend.core.document import JSON, Doc, body_of, check_id, dumps_checked
from couchmend.core.revtree import Rev
from couchmend.errors import BadRequest, DocumentInvalid
from couchmend.replica.content import Keeper, is_given, is_read_once, plain_length
from couchmend.replica.multipart import Part
from couchmend.replica.spool import Stretch

DEFAULT_TYPE = "application/octet-stream"

INLINE_BYTES = 1 << 20
"""As much content of one document goes as base64 within JSON; with more, it follows."""

_KEPT_MEMBERS = frozenset({"content_type", "revpos"})
"""What an entry says about its content that is not about the form in which it was read."""


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
    def generation(self) -> int | None:
        """That of the revision which it becomes; None if its `_rev` is none."""
        if self.rev is None:
            return 1
        try:
            return Rev.parse(self.rev).generation + 1
        except BadRequest:
            return None

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

    Content that can be read only once is read here, and never again.

    Raises:
        BadRequest: what no server would take, or content that is not as long as its entry says.
        ReplicaError: content cannot be read.
    """
    keeper = Keeper(resources)
    drafts = []
    for place, doc in enumerate(docs):
        if not isinstance(doc, Mapping):
            raise BadRequest("Document must be a JSON object")
        if new_edits and "_id" not in doc:
            doc = {"_id": uuid.uuid4().hex, **doc}
        draft = _drafted(place, doc, keeper)
        if draft.parts:
            _check(doc, new_edits=new_edits)
        drafts.append(draft)
    return drafts


def _drafted(place: int, doc: Mapping[str, JSON], keeper: Keeper) -> Draft:
    entries = doc.get("_attachments")
    if not entries:
        # Each by itself: one that needs the codec's slow way does not slow the others down.
        return Draft(place, doc, dumps_checked(dict(doc)), ())
    shown, parts = _taken_in(entries, keeper)
    return Draft(place, doc, dumps_checked({**doc, "_attachments": shown}), parts)


def _taken_in(entries: JSON, keeper: Keeper) -> tuple[Doc, tuple[Part, ...]]:
    """A document's `_attachments` as JSON, and the content that follows because it is large.

    Text that is base64 already and stubs stay as they are.
    """
    if not isinstance(entries, Mapping):
        raise DocumentInvalid("_attachments must be an object")
    parts = {name: _part(name, entry, keeper) for name, entry in entries.items() if is_given(entry)}
    following = sum(part.length for part in parts.values()) > INLINE_BYTES
    shown: Doc = {}
    for name, entry in entries.items():
        part = parts.get(name)
        if part is None:
            shown[name] = entry
            continue
        kept = {member: value for member, value in entry.items() if member in _KEPT_MEMBERS}
        shown[name] = {"content_type": part.content_type, **kept}
        if following:
            shown[name] |= {"follows": True, "length": part.length}
        else:
            shown[name]["data"] = base64.b64encode(b"".join(part.chunks())).decode()
    return shown, tuple(parts.values()) if following else ()


def _part(name: str, entry: Mapping[str, JSON], keeper: Keeper) -> Part:
    data = entry["data"]
    content_type = entry.get("content_type", DEFAULT_TYPE)
    if not isinstance(content_type, str):
        raise DocumentInvalid(f"content_type of attachment {name!r} must be a string")
    if isinstance(data, bytes):
        return Part(name, content_type, len(data), data)
    if not isinstance(data, Iterable):
        raise BadRequest(f"Invalid attachment data for {name!r}")
    length = plain_length(entry)
    if isinstance(data, Stretch):
        return Part(name, content_type, data.length, data)
    if length is None or is_read_once(data):
        data = keeper.keep(name, data, length)
        return Part(name, content_type, data.length, data)
    return Part(name, content_type, length, data)


def _check(doc: Mapping[str, JSON], *, new_edits: bool) -> None:
    """CouchDB ends the connection where it finds these faults before large attachments."""
    check_id(doc.get("_id"))
    body_of(doc)
    if "_rev" in doc:
        Rev.parse(doc["_rev"])
    elif not new_edits and "_revisions" not in doc:
        raise BadRequest("a document with its own history needs `_rev`", target=str(doc["_id"]))
