"""Attachments by themselves (https://docs.couchdb.org/en/stable/api/document/attachments.html)."""

from __future__ import annotations

from collections.abc import Iterator

from couchmend.core.document import check_id
from couchmend.errors import Conflict, NotFound
from couchmend.replica.base import Attachment
from couchmend.replica.embedded.attachments import check_name
from couchmend.replica.http_face.calls import Action, Answer, Call, Endpoint
from couchmend.replica.http_face.exchange import (
    FRESH,
    Headers,
    RangeNotSatisfiable,
    Stream,
    json_reply,
    not_modified,
    quoted,
)
from couchmend.replica.http_face.parameters import revision
from couchmend.replica.http_face.routes.document import check_readable, header_rev
from couchmend.replica.http_face.uploads import Upload, take_attachment
from couchmend.replica.multipart import new_boundary, safe_content_type

MAX_RANGES = 9
_SANDBOX = (b"content-security-policy", b"sandbox")


def get(call: Call) -> Answer:
    """`GET /db/doc/name`, whole or the ranges that are asked for."""
    id, name = call.args
    check_readable(id)
    rev = call.query.get("rev")
    if rev is not None:
        revision(rev)
    found = call.replica.attachment(id, name, rev=rev)
    md5 = found.digest.removeprefix("md5-")
    etag = quoted(md5)
    if call.request.matches(etag):
        return not_modified(etag)
    content_type = safe_content_type(found.content_type)
    headers: Headers = [
        (b"etag", etag),
        FRESH,
        (b"content-type", content_type.encode()),
        (b"accept-ranges", b"bytes"),
        _SANDBOX,
    ]
    ranges = _ranges(call.request.header(b"range"), found.length)
    match ranges:
        case [(start, stop)]:
            described = f"bytes {start}-{stop - 1}/{found.length}".encode()
            headers.append((b"content-range", described))
            chunks = stretch(iter(found.chunks), start, stop)
            return Stream(chunks, 206, headers, stop - start)
        case [_, *_] if len(ranges) <= MAX_RANGES:
            return _several(call, found, ranges)
        case _:
            headers.append((b"content-md5", md5.encode()))
            return Stream(iter(found.chunks), 200, headers, found.length)


def _ranges(header: str | None, length: int) -> list[tuple[int, int]]:
    """The stretches that are asked for, as start and stop; none for the whole.

    Raises:
        RangeNotSatisfiable: one lies outside.
    """
    if header is None or not header.startswith("bytes="):
        return []
    found = []
    for item in header.removeprefix("bytes=").split(","):
        first, dash, last = item.strip().partition("-")
        if not dash or not (first + last).isdecimal() or len(item) > 40:
            return []
        if item.strip() == "0-":
            return []  # CouchDB sends the whole as such
        if not first:
            start, stop = max(length - int(last), 0), length
        else:
            start, stop = int(first), min(int(last) + 1 if last else length, length)
        if start >= stop:
            raise RangeNotSatisfiable("Requested range not satisfiable")
        found.append((start, stop))
    return found


def stretch(chunks: Iterator[bytes], start: int, stop: int) -> Iterator[bytes]:
    """The bytes from `start` to before `stop`."""
    place = 0
    for chunk in chunks:
        if place + len(chunk) > start:
            yield chunk[max(start - place, 0) : stop - place]
        place += len(chunk)
        if place >= stop:
            break


def _several(call: Call, first: Attachment, ranges: list[tuple[int, int]]) -> Stream:
    id, name = call.args
    boundary = new_boundary()
    content_type = safe_content_type(first.content_type)

    def parts() -> Iterator[bytes]:
        found = first
        for place, (start, stop) in enumerate(ranges):
            if place:
                found = call.replica.attachment(id, name, rev=call.query.get("rev"))
            yield (
                f"--{boundary}\r\nContent-Type: {content_type}\r\n"
                f"Content-Range: bytes {start}-{stop - 1}/{found.length}\r\n\r\n"
            ).encode()
            yield from stretch(iter(found.chunks), start, stop)
            yield b"\r\n"
        yield f"--{boundary}--".encode()

    kind = f'multipart/byteranges; boundary="{boundary}"'
    return Stream(parts(), 206, [(b"content-type", kind.encode()), _SANDBOX])


def put(call: Call) -> Answer:
    """`PUT /db/doc/name`"""
    id, name = call.args
    call.check_design(id)
    check_name(name)
    check_id(id)
    rev = header_rev(call, call.query.get("rev"))
    upload: Upload = call.body
    content_type = call.request.header(b"content-type") or "application/octet-stream"
    content = upload.content(call.replica.limits.max_attachment_bytes)
    _check_parent(call, id, rev)
    new = call.replica.put_attachment(id, name, content, content_type, rev=rev)
    headers = [(b"location", call.request.url_of(call.name, id, name))]
    return json_reply({"ok": True, "id": id, "rev": new}, 201, headers)


def delete(call: Call) -> Answer:
    """`DELETE /db/doc/name`"""
    id, name = call.args
    check_readable(id)
    call.check_design(id)
    check_name(name)
    rev = header_rev(call, call.query.get("rev"))
    if rev is None:
        if name not in call.replica.get(id).get("_attachments", {}):
            raise NotFound("Document is missing attachment", target=f"{id} {name}")
        raise Conflict
    _check_parent(call, id, rev)
    new = call.replica.delete_attachment(id, name, rev)
    return json_reply({"ok": True, "id": id, "rev": new})


def _check_parent(call: Call, id: str, rev: str | None) -> None:
    """Hold that the revision which is to be extended exists; else CouchDB sees a conflict."""
    if rev is not None:
        try:
            call.replica.get(id, rev=rev)
        except NotFound as problem:
            raise Conflict("missing_rev", error="not_found", target=id) from problem


ENDPOINT = Endpoint(
    {
        "GET": Action(get),
        "PUT": Action(put, intake=take_attachment),
        "DELETE": Action(delete),
    },
    "DELETE,GET,HEAD,PUT",
)
