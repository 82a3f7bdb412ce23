"""Attachments on their way in: kept aside until the request is complete, so that no
transaction waits for a slow client."""

from __future__ import annotations

import base64
import hashlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from couchmend.core.document import Doc, loads
from couchmend.errors import BadRequest, TooLarge
from couchmend.replica.http_face.exchange import Inflater, UnsupportedMedia

if TYPE_CHECKING:
    from couchmend.replica.http_face.calls import Call

IN_MEMORY_BYTES = 1 << 20
CHUNK_BYTES = 256 * 1024
MAX_PARTS = 10_000
MAX_UPLOAD_BYTES = 4 << 30
"""A document together with all attachments that follow it; each has its own limit too."""


class Spool:
    """Bytes that were written once and are read in any order; gone when it is closed."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115
        self.length = 0

    def write(self, data: bytes) -> None:
        """Add to the end."""
        self._file.write(data)
        self.length += len(data)

    def would_touch_disk(self, size: int) -> bool:
        """Whether writing so many more bytes may wait for a disk."""
        return self.length + size > IN_MEMORY_BYTES

    def chunks(self, start: int, length: int) -> Iterator[bytes]:
        """A stretch of it."""
        while length > 0:
            self._file.seek(start)
            data = self._file.read(min(length, CHUNK_BYTES))
            if not data:
                return
            yield data
            start += len(data)
            length -= len(data)

    def close(self) -> None:
        """Give the space back."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class Upload:
    """One attachment as it came; `digest` is the MD5 of these bytes in base64."""

    spool: Spool
    start: int
    length: int
    digest: str
    encoding: str = "identity"

    def content(self, max_bytes: int) -> Iterator[bytes]:
        """Its bytes, unpacked; raises like `Inflater`."""
        chunks = self.spool.chunks(self.start, self.length)
        if self.encoding == "identity":
            yield from chunks
            return
        inflate = Inflater(max_bytes)
        for chunk in chunks:
            yield from inflate.feed(chunk)
        inflate.finish()


async def take_attachment(call: Call) -> Upload:
    """The whole body as one attachment.

    Raises:
        TooLarge: over the limit for attachments.
        BadRequest: it is not what `Content-MD5` says.
    """
    request = call.request
    encoding = (request.header(b"content-encoding") or "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise UnsupportedMedia("Only gzip and identity content-encodings are supported")
    spool = Spool()
    call.resources.callback(spool.close)
    digest = hashlib.md5(usedforsecurity=False)
    try:
        async for chunk in request.chunks(call.replica.limits.max_attachment_bytes):
            digest.update(chunk)
            await _keep(call, spool, chunk)
    except TooLarge as problem:
        raise _attachment_too_large("/".join(call.args[-1:]), problem) from problem
    upload = Upload(spool, 0, spool.length, _base64(digest))
    declared = request.header(b"content-md5")
    if declared is not None and encoding == "identity" and declared != upload.digest:
        raise _corrupted()
    return upload


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
        raise _corrupted()
    content = Upload(upload.spool, upload.start, upload.length, upload.digest, encoding)
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
    reader = _Reader(spool, boundary, settings.max_request_bytes, limits.max_attachment_bytes)
    async for chunk in call.request.chunks(MAX_UPLOAD_BYTES):
        await _threaded_if(call, reader.spool.would_touch_disk(len(chunk)), reader.feed, chunk)
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


class _Reader:
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
                self.spool,
                part.start,
                part.length,
                _base64(part.digest),
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
            raise problem if is_document else _attachment_too_large("", problem)
        piece = data[start:end]
        if is_document:
            self._document += piece
        else:
            part.digest.update(piece)
            self.spool.write(piece)

    def _end(self) -> None:
        self._complete = True


async def _keep(call: Call, spool: Spool, chunk: bytes) -> None:
    await _threaded_if(call, spool.would_touch_disk(len(chunk)), spool.write, chunk)


async def _threaded_if(
    call: Call, waits: bool, work: Callable[[bytes], None], chunk: bytes
) -> None:
    if waits:
        await call.site.threaded(lambda: work(chunk))
    else:
        work(chunk)


def _attachment_too_large(name: str, problem: TooLarge) -> TooLarge:
    return TooLarge(name or problem.reason, error="attachment_too_large", hint=problem.hint)


def _corrupted() -> BadRequest:
    return BadRequest("Possible message corruption.", error="content_md5_mismatch")


def _base64(digest: hashlib._Hash) -> str:
    return base64.b64encode(digest.digest()).decode()
