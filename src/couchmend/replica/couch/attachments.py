"""Attachments: streamed from and to the server, or inline in a document."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping

from couchmend.core.document import JSON, Doc
from couchmend.errors import BadRequest, DocumentInvalid, NotFound
from couchmend.replica.base import Attachment, AttachmentData
from couchmend.replica.couch.address import attachment_path
from couchmend.replica.couch.answers import Answer
from couchmend.replica.couch.connection import Connection

DEFAULT_TYPE = "application/octet-stream"


def attachment(connection: Connection, id: str, name: str, rev: str | None) -> Attachment:
    """See `Replica.attachment`."""
    if not name:
        raise _missing(id, name)
    params = {} if rev is None else {"rev": rev}
    stream = connection.stream("GET", attachment_path(id, name), params=params)
    digest = stream.headers.get("etag", "").removeprefix("W/").strip('"')
    content_type = stream.headers.get("content-type", DEFAULT_TYPE)
    length = stream.headers.get("content-length")
    if length is None:  # something on the way took it out
        content = b"".join(stream.chunks())
        return Attachment(content_type, f"md5-{digest}", len(content), [content])
    return Attachment(content_type, f"md5-{digest}", int(length), stream.chunks())


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


def inlined(entries: JSON) -> JSON:
    """A document's `_attachments` as JSON: bytes and chunks become base64 text."""
    if not isinstance(entries, Mapping):
        raise DocumentInvalid("_attachments must be an object")
    return {name: _inlined(name, entry) for name, entry in entries.items()}


def _inlined(name: str, entry: JSON) -> JSON:
    if not isinstance(entry, Mapping) or "data" not in entry or entry.get("stub") is True:
        return entry
    data = entry["data"]
    if isinstance(data, str):
        return entry
    if not isinstance(data, bytes):
        if not isinstance(data, Iterable):
            raise BadRequest(f"Invalid attachment data for {name}")
        data = b"".join(data)
    shown: Doc = {"content_type": DEFAULT_TYPE, **entry, "data": base64.b64encode(data).decode()}
    return shown


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
