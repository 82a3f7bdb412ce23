"""Answers in several parts: documents with their attachments as they are, not as base64.

`multipart/related` is one document and its attachments, `multipart/mixed` several documents
(https://docs.couchdb.org/en/stable/api/document/attachments.html,
https://www.rfc-editor.org/rfc/rfc2387).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from couchmend.core.chain import chain_of
from couchmend.core.document import JSON, Doc, dumps
from couchmend.replica.base import Include
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.multipart import Part, Related, escaped, new_boundary


class Body(NamedTuple):
    """A document with the attachments that follow it, ready to be sent."""

    content_type: str
    length: int
    chunks: Iterator[bytes]


def related(
    replica: EmbeddedReplica, doc: Doc, since: Iterable[str] | None, include: Include, boundary: str
) -> Body:
    """A document that was read with `revs`, and its attachments newer than `since`.

    `_revisions` is shown if `include` has it.  Without attachments that follow, it is plain
    JSON.
    """
    names = _following(doc, since)
    doc = _shown(doc, names, include)
    text = dumps(doc)
    if not names:
        return Body("application/json", len(text), iter((text,)))
    parts = [_part(replica, doc, name) for name in names]
    body = Related(text, parts, boundary)
    return Body(body.content_type, body.length, iter(body))


def _part(replica: EmbeddedReplica, doc: Doc, name: str) -> Part:
    entry = doc["_attachments"][name]
    content = _Stored(replica, doc["_id"], name, doc["_rev"])
    return Part(name, entry["content_type"], int(entry["length"]), content)


@dataclass(frozen=True, slots=True)
class _Stored:
    """An attachment's content, read when it is its turn."""

    replica: EmbeddedReplica
    id: str
    name: str
    rev: str

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.replica.attachment(self.id, self.name, rev=self.rev).chunks)


def _following(doc: Doc, since: Iterable[str] | None) -> list[str]:
    """The attachments that are newer than the newest of `since` in the document's history."""
    attachments: Mapping[str, Doc] = doc.get("_attachments", {})
    newest = -1
    if since is not None:
        chain = set(map(str, chain_of(doc)))
        newest = max((int(rev.partition("-")[0]) for rev in since if rev in chain), default=-1)
    return [name for name, entry in attachments.items() if entry["revpos"] > newest]


def _shown(doc: Doc, names: Iterable[str], include: Include) -> Doc:
    shown = {k: v for k, v in doc.items() if k != "_revisions" or include.get("revs")}
    if "_attachments" in doc:
        entries = dict(doc["_attachments"])
        for name in names:
            entry = {k: v for k, v in entries[name].items() if k != "stub"}
            entries[name] = {**entry, "follows": True}
        shown["_attachments"] = entries
    return shown


class MixedWriter:
    """Writes `multipart/mixed`: documents, each with its attachments, and errors."""

    def __init__(self, replica: EmbeddedReplica, include: Include) -> None:
        self.replica = replica
        self.boundary = new_boundary()
        self._inner = new_boundary()
        self._include = include

    def document(self, doc: Doc, since: Iterable[str] | None) -> Iterator[bytes]:
        """A part for a document that was read with `revs`, with all its attachments, whether
        they are asked for or not: replicators rely on it.  With `since`, or `atts_since` in
        what is included, with those that are newer."""
        since = since or self._include.get("atts_since")
        part = related(self.replica, doc, since, self._include, self._inner)
        names = (
            f"X-Doc-Id: {escaped(doc['_id'])}\r\nX-Rev-Id: {doc['_rev']}\r\n"
            if part.content_type.startswith("multipart/")
            else ""
        )
        yield f"--{self.boundary}\r\n{names}Content-Type: {part.content_type}\r\n\r\n".encode()
        yield from part.chunks
        yield b"\r\n"

    def error(self, told: JSON) -> Iterator[bytes]:
        """A part for something that is not there."""
        head = f'--{self.boundary}\r\nContent-Type: application/json; error="true"\r\n\r\n'
        yield head.encode() + dumps(told) + b"\r\n"

    def end(self) -> bytes:
        """The last line."""
        return f"--{self.boundary}--".encode()
