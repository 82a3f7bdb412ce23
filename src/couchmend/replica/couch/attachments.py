"""Attachments: streamed from and to the server, or inline in a document."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack

from couchmend.core.document import JSON, Doc
from couchmend.errors import BadRequest, DocumentInvalid, NotFound, Unavailable
from couchmend.replica.base import Attachment, AttachmentData
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.address import attachment_path
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.connection.stream import Stream
from couchmend.replica.couch.writing.multipart import Part
from couchmend.replica.couch.writing.spool import Spool

DEFAULT_TYPE = "application/octet-stream"
_DIGEST_CHARACTERS = 24

INLINE_BYTES = 1 << 20
"""As much content of one document goes as base64 within JSON; with more, it follows."""

_KEPT_MEMBERS = frozenset({"content_type", "revpos"})
"""What an entry says about its content that is not about the form in which it was read."""


def attachment(connection: Connection, id: str, name: str, rev: str | None) -> Attachment:
    """See `Replica.attachment`.

    Content that does not match its digest raises `Unavailable` where it ends, which is
    transient.  CouchDB keeps compressible types compressed, and their digest is of that form:
    of these, only the length is verified.
    """
    if not name:
        raise _missing(id, name)
    params = {} if rev is None else {"rev": rev}
    stream = connection.stream("GET", attachment_path(id, name), params=params)
    digest = stream.headers.get("etag", "").removeprefix("W/").strip('"')
    digest = digest or stream.headers.get("content-md5", "")
    if not digest:
        stream.close()
        raise stream.answer(b"").bad("an attachment without its digest (ETag)")
    content_type = stream.headers.get("content-type", DEFAULT_TYPE)
    length = stream.headers.get("content-length")
    if length is None:  # it was sent to CouchDB compressed, or something on the way took it out
        content = Spool(_verified(stream, digest))
        return Attachment(content_type, f"md5-{digest}", content.length, content)
    return Attachment(content_type, f"md5-{digest}", int(length), _verified(stream, digest))


def _verified(stream: Stream, digest: str) -> Iterator[bytes]:
    # Of what is kept compressed, CouchDB gives no ranges.
    if stream.headers.get("accept-ranges") != "bytes" or len(digest) != _DIGEST_CHARACTERS:
        yield from stream.chunks()
        return
    seen = hashlib.md5(usedforsecurity=False)
    for chunk in stream.chunks():
        seen.update(chunk)
        yield chunk
    if base64.b64encode(seen.digest()).decode() != digest:
        told = stream.answer(b"")
        raise Unavailable(
            f"the content does not match its digest md5-{digest}",
            operation=told.operation,
            target=told.target,
            hint="it was damaged on the way, or on the server; try again",
            transient=True,
        )


def put_attachment(
    connection: Connection,
    id: str,
    name: str,
    data: AttachmentData,
    content_type: str,
    rev: str | None,
) -> str:
    """See `Replica.put_attachment`.  Bytes are sent with their length, chunks chunked."""
    if not name:
        raise BadRequest("Attachment name must not be empty", target=id)
    body = _decoded(data, name) if isinstance(data, str) else data
    answer = connection.answer(
        "PUT",
        attachment_path(id, name),
        params={} if rev is None else {"rev": rev},
        body=body,
        content_type=content_type,
    )
    return _new_rev(answer, id)


def delete_attachment(connection: Connection, id: str, name: str, rev: str) -> str:
    """See `Replica.delete_attachment`."""
    if not name:
        raise _missing(id, name)
    answer = connection.answer("DELETE", attachment_path(id, name), params={"rev": rev})
    return _new_rev(answer, id)


def taken_in(entries: JSON, resources: ExitStack, *, measure: bool) -> tuple[Doc, tuple[Part, ...]]:
    """A document's `_attachments` as JSON, and the content that follows because it is large.

    Text that is base64 already and stubs stay as they are.

    resources: what closes the temporary files of content whose length nobody says.
    measure: take no entry's word for its `length`.

    Raises:
        BadRequest: no content.
        WrongLength: small content is not as long as its entry says.
    """
    if not isinstance(entries, Mapping):
        raise DocumentInvalid("_attachments must be an object")
    parts = {
        name: _part(name, entry, resources, measure=measure)
        for name, entry in entries.items()
        if _has_content(entry)
    }
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


def _has_content(entry: JSON) -> bool:
    return (
        isinstance(entry, Mapping)
        and "data" in entry
        and entry.get("stub") is not True
        and not isinstance(entry["data"], str)
    )


def _part(name: str, entry: Mapping[str, JSON], resources: ExitStack, *, measure: bool) -> Part:
    data, length = entry["data"], entry.get("length")
    content_type = entry.get("content_type", DEFAULT_TYPE)
    if not isinstance(content_type, str):
        raise DocumentInvalid(f"content_type of attachment {name} must be a string")
    if isinstance(data, bytes):
        return Part(name, content_type, len(data), data)
    if not isinstance(data, Iterable):
        raise BadRequest(f"Invalid attachment data for {name}")
    read_once = isinstance(data, Iterator)  # asked so, nothing is opened to read from
    if measure or read_once or type(length) is not int or length < 0:
        spool = Spool(_only_bytes(name, data))
        resources.callback(spool.close)
        return Part(name, content_type, spool.length, spool)
    return Part(name, content_type, length, data)


def _only_bytes(name: str, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        if not isinstance(chunk, bytes):
            raise BadRequest(f"Invalid attachment data for {name}")
        yield chunk


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as problem:
        raise BadRequest(f"Invalid attachment data for {name}") from problem


def _new_rev(answer: Answer, id: str) -> str:
    value = answer.json
    if answer.text(value, "id") != id:
        raise answer.bad(f"an answer about another document than {id}")
    return answer.text(value, "rev")


def _missing(id: str, name: str) -> NotFound:
    return NotFound("Document is missing attachment", target=f"{id}/{name}")
