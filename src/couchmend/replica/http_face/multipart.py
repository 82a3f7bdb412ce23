"""Answers in several parts: documents with their attachments as they are, not as base64.

`multipart/related` is one document and its attachments, `multipart/mixed` several documents
(https://docs.couchdb.org/en/stable/api/document/attachments.html,
https://www.rfc-editor.org/rfc/rfc2387).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from couchmend.core.document import JSON, Doc, dumps
from couchmend.replica.base import Include
from couchmend.replica.embedded import EmbeddedReplica

_ESCAPED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\0": "%00"})


def new_boundary() -> str:
    """A line that no attachment contains."""
    return secrets.token_hex(16)


def safe_content_type(content_type: str) -> str:
    """A stored content type as a header's value; one that would break the header is hidden."""
    if content_type.isascii() and content_type.isprintable() and content_type:
        return content_type
    return "application/octet-stream"


class Related(NamedTuple):
    """A document with the attachments that follow it, ready to be sent."""

    content_type: str
    length: int
    chunks: Iterator[bytes]


def related(
    replica: EmbeddedReplica, doc: Doc, since: Iterable[str] | None, include: Include, boundary: str
) -> Related:
    """A document that was read with `revs`, and its attachments newer than `since`.

    `_revisions` is shown if `include` has it.  Without attachments that follow, it is plain
    JSON.
    """
    names = _following(doc, since)
    doc = _shown(doc, names, include)
    text = dumps(doc)
    if not names:
        return Related("application/json", len(text), iter((text,)))
    head = f"--{boundary}\r\nContent-Type: application/json\r\n\r\n".encode() + text
    heads = [_attachment_head(name, doc["_attachments"][name], boundary) for name in names]
    end = f"\r\n--{boundary}--".encode()
    size = sum(int(doc["_attachments"][name]["length"]) for name in names)
    length = len(head) + sum(map(len, heads)) + size + len(end)
    kind = f'multipart/related; boundary="{boundary}"'

    def chunks() -> Iterator[bytes]:
        yield head
        for name, part in zip(names, heads, strict=True):
            yield part
            yield from replica.attachment(doc["_id"], name, rev=doc["_rev"]).chunks
        yield end

    return Related(kind, length, chunks())


def _following(doc: Doc, since: Iterable[str] | None) -> list[str]:
    """The attachments that are newer than the newest of `since` in the document's history."""
    attachments: Mapping[str, Doc] = doc.get("_attachments", {})
    newest = -1
    if since is not None:
        revisions = doc["_revisions"]
        chain = {f"{revisions['start'] - i}-{hash}" for i, hash in enumerate(revisions["ids"])}
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


def _attachment_head(name: str, entry: Doc, boundary: str) -> bytes:
    return (
        f"\r\n--{boundary}\r\n"
        f'Content-Disposition: attachment; filename="{name.translate(_ESCAPED)}"\r\n'
        f"Content-Type: {safe_content_type(entry['content_type'])}\r\n"
        f"Content-Length: {entry['length']}\r\n\r\n"
    ).encode()


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
            f"X-Doc-Id: {doc['_id'].translate(_ESCAPED)}\r\nX-Rev-Id: {doc['_rev']}\r\n"
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
