"""Attachments by themselves: streamed from and to the server."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from couchmend.errors import BadRequest, NotFound
from couchmend.replica.base import Attachment, AttachmentData
from couchmend.replica.content import Checked, is_read_once, only_bytes
from couchmend.replica.couch.connection import Connection
from couchmend.replica.couch.connection.address import attachment_path
from couchmend.replica.couch.connection.answers import Answer
from couchmend.replica.couch.reading.attached import attached
from couchmend.replica.multipart import fits_a_header


def attachment(connection: Connection, id: str, name: str, rev: str | None) -> Attachment:
    """See `Replica.attachment`.

    What CouchDB keeps compressed is asked for as it is kept, since the digest is of that form.
    Content that does not match its digest raises `Unavailable`, which is transient: here when
    it came compressed or without a length, else where it ends.
    """
    if not name:
        raise _missing(id, name)
    return attached(connection, _path(id, name), {} if rev is None else {"rev": rev})


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
    path = _path(id, name)
    if not fits_a_header(content_type):
        raise BadRequest(
            f"the content type {content_type!r} of attachment {name!r} fits in no header",
            target=id,
            hint="write it with the document, in `_attachments`, or use ASCII only",
        )
    answer = connection.answer(
        "PUT",
        path,
        params={} if rev is None else {"rev": rev},
        body=_body(name, data),
        content_type=content_type,
    )
    return _new_rev(answer, id)


def delete_attachment(connection: Connection, id: str, name: str, rev: str) -> str:
    """See `Replica.delete_attachment`."""
    if not name:
        raise _missing(id, name)
    answer = connection.answer("DELETE", _path(id, name), params={"rev": rev})
    return _new_rev(answer, id)


def _path(id: str, name: str) -> str:
    try:
        return attachment_path(id, name)
    except UnicodeEncodeError as problem:
        raise BadRequest(
            f"no attachment can be called {name!r} of {id!r}", hint="a lone surrogate is no text"
        ) from problem


def _body(name: str, data: AttachmentData) -> bytes | Iterable[bytes]:
    match data:
        case bytes():
            return data
        case str():
            return _decoded(data, name)
        case _ if not isinstance(data, Iterable):
            raise BadRequest(f"Invalid attachment data for {name!r}")
    return only_bytes(name, data) if is_read_once(data) else Checked(name, data)


def _decoded(text: str, name: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError as problem:
        raise BadRequest(f"Invalid attachment data for {name!r}") from problem


def _new_rev(answer: Answer, id: str) -> str:
    value = answer.json
    if answer.text(value, "id") != id:
        raise answer.bad(f"an answer about another document than {id}")
    return answer.text(value, "rev")


def _missing(id: str, name: str) -> NotFound:
    return NotFound("Document is missing attachment", target=f"{id}/{name}")
