"""Reading `multipart/related`: a document, then the attachments that it says follow it
(https://www.rfc-editor.org/rfc/rfc2387)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from email.message import Message

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from couchmend.core.document import Doc, loads
from couchmend.errors import BadRequest, TooLarge
from couchmend.replica.http_face.calls import Call
from couchmend.replica.http_face.exchange import UnsupportedMedia
from couchmend.replica.http_face.uploads import (
    Upload,
    attachment_too_large,
    corrupted,
    digest_text,
    threaded_if,
)
from couchmend.replica.spool import Spool, Stretch

MAX_PARTS = 10_000
MAX_UPLOAD_BYTES = 4 << 30
"""A document together with all attachments that follow it; each has its own limit too."""


@dataclass(frozen=True, slots=True)
class RelatedBody:
    """A `multipart/related` request: a document, and attachments in the order it names them."""

    document: bytes
    uploads: list[Upload]

    def doc(self, max_attachment_bytes: int) -> Doc:
        """The document, with the content of the attachments that it says follow.

        Raises:
            BadRequest: parts that are missing, or are not what the document says of them.
        """
        doc = loads(self.document)
        if type(doc) is not dict:
            raise BadRequest("Document must be a JSON object")
        entries = doc.get("_attachments")
        if type(entries) is not dict:
            return doc
        uploads = iter(self.uploads)
        for name, entry in entries.items():
            if type(entry) is dict and entry.get("follows") is True:
                upload = next(uploads, None)
                if upload is None:
                    raise BadRequest(f"the attachment {name} does not follow")
                entries[name] = _with_content(name, entry, upload, max_attachment_bytes)
        return doc


def _with_content(name: str, entry: Doc, upload: Upload, max_bytes: int) -> Doc:
    encoding = entry.get("encoding", upload.encoding)
    if encoding not in ("identity", "gzip"):
        raise UnsupportedMedia("Only gzip and identity content-encodings are supported")
    length = entry.get("length" if encoding == "identity" else "encoded_length")
    if type(length) is int and length != upload.length:
        raise BadRequest(f"attachment {name} has {upload.length} bytes, not {length}")
    digest = entry.get("digest")
    if type(digest) is str and digest != f"md5-{upload.digest}":
        raise corrupted()
    content = replace(upload, encoding=encoding)
    kept = {key: value for key, value in entry.items() if key in ("content_type", "revpos")}
    return {**kept, "data": content.content(max_bytes)}


async def take_related(call: Call) -> RelatedBody:
    """The whole body of a `multipart/related` request.

    Raises:
        BadRequest: it is cut off, or no multipart at all.
        TooLarge: a part over its limit.
        UnsupportedMedia: the first part is not JSON.
    """
    settings, limits = call.site.settings, call.replica.limits
    boundary = boundary_of(call.request.header(b"content-type") or "")
    spool = Spool()
    call.resources.callback(spool.close)
    reader = RelatedReader(spool, boundary, settings.max_request_bytes, limits.max_attachment_bytes)
    async for chunk in call.request.chunks(MAX_UPLOAD_BYTES):
        await threaded_if(call, reader.spool.would_touch_disk(len(chunk)), reader.feed, chunk)
    return reader.result()


def boundary_of(content_type: str) -> bytes:
    """The boundary in a content type; raises `BadRequest` when there is none."""
    header = Message()
    header["content-type"] = content_type.replace("\r", " ").replace("\n", " ")
    boundary = header.get_boundary()
    if not boundary:
        raise BadRequest("the Content-Type of a multipart request needs a boundary")
    return boundary.encode("latin-1", "replace")


@dataclass(slots=True)
class _Part:
    start: int
    headers: dict[bytes, bytes] = field(default_factory=dict)
    digest: hashlib._Hash = field(default_factory=lambda: hashlib.md5(usedforsecurity=False))
    length: int = 0


class RelatedReader:
    """Sorts the bytes of a multipart body into a document and attachments."""

    def __init__(
        self, spool: Spool, boundary: bytes, max_document_bytes: int, max_attachment_bytes: int
    ) -> None:
        self.spool = spool
        self._limits = max_document_bytes, max_attachment_bytes
        self._parts: list[_Part] = []
        self._name, self._value = b"", b""
        self._complete = False
        self._document = bytearray()
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._part_begins,
                    "on_header_field": self._header_field,
                    "on_header_value": self._header_value,
                    "on_header_end": self._header_ends,
                    "on_headers_finished": self._headers_end,
                    "on_part_data": self._data,
                    "on_end": self._end,
                },
            )
        except FormParserError as problem:
            raise BadRequest(f"malformed multipart body: {problem}") from problem

    def feed(self, chunk: bytes) -> None:
        """The next bytes."""
        try:
            self._parser.write(chunk)
        except FormParserError as problem:
            raise BadRequest(f"malformed multipart body: {problem}") from problem

    def result(self) -> RelatedBody:
        """What it was; raises `BadRequest` when the end is missing."""
        if not self._complete or not self._parts:
            raise BadRequest("the multipart body is cut off")
        uploads = [
            Upload(
                Stretch(self.spool, part.start, part.length),
                digest_text(part.digest),
                part.headers.get(b"content-encoding", b"identity").decode("latin-1"),
            )
            for part in self._parts[1:]
        ]
        return RelatedBody(bytes(self._document), uploads)

    def _part_begins(self) -> None:
        if len(self._parts) > MAX_PARTS:
            raise BadRequest(f"a multipart body of more than {MAX_PARTS} parts")
        self._parts.append(_Part(self.spool.length))

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        self._parts[-1].headers[self._name.lower()] = self._value.strip()
        self._name, self._value = b"", b""

    def _headers_end(self) -> None:
        if len(self._parts) == 1:
            content_type = self._parts[0].headers.get(b"content-type", b"").split(b";")[0]
            if content_type.strip().lower() != b"application/json":
                raise UnsupportedMedia("Content-Type must be application/json")

    def _data(self, data: bytes, start: int, end: int) -> None:
        part = self._parts[-1]
        part.length += end - start
        is_document = len(self._parts) == 1
        limit = self._limits[0 if is_document else 1]
        if part.length > limit:
            problem = TooLarge(
                "the request entity is too large",
                error="too_large",
                hint=f"the limit is {limit} bytes",
            )
            raise problem if is_document else attachment_too_large("", problem)
        piece = data[start:end]
        if is_document:
            self._document += piece
        else:
            part.digest.update(piece)
            self.spool.write(piece)

    def _end(self) -> None:
        self._complete = True
