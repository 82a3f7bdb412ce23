"""One request and its answer, whatever they are about.

A `Request` reads what came over ASGI; an answer is a `Reply` (all of it at once), a
`Stream` (chunks made by worker threads) or a live feed (`feeds.py`).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, unquote_to_bytes

from couchmend import __version__
from couchmend.core.document import JSON, dumps
from couchmend.errors import BadRequest, ReplicaError, TooLarge

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Headers: TypeAlias = list[tuple[bytes, bytes]]

INFLATED_CHUNK_BYTES = 256 * 1024
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
JSON_TYPE = (b"content-type", b"application/json")
FRESH = (b"cache-control", b"must-revalidate")
SERVER = (b"server", f"couchmend/{__version__}".encode())
NOSNIFF = (b"x-content-type-options", b"nosniff")


class ClientGoneError(Exception):
    """The client hung up before its request was complete; there is nobody to answer."""


class UnsupportedMedia(ReplicaError):
    """The body is not of the content type, or in the encoding, that this address takes."""

    status = 415
    default_error = "bad_content_type"


class MethodNotAllowed(ReplicaError):
    """The address does not know the method; `allowed` lists those that it does."""

    status = 405
    default_error = "method_not_allowed"

    def __init__(self, allowed: str) -> None:
        super().__init__(f"Only {allowed} allowed")
        self.allowed = allowed


class RangeNotSatisfiable(ReplicaError):
    """The range that was asked for lies outside the attachment."""

    status = 416
    default_error = "requested_range_not_satisfiable"


@dataclass(slots=True)
class Reply:
    """An answer that is complete."""

    status: int
    body: bytes
    headers: Headers


@dataclass(slots=True)
class Stream:
    """An answer made piece by piece; `chunks` runs in worker threads and is closed at the
    end if it can be.  Without `length` it is sent chunked.  `first` has been taken already."""

    chunks: Iterator[bytes]
    status: int = 200
    headers: Headers = field(default_factory=lambda: [JSON_TYPE, FRESH])
    length: int | None = None
    first: bytes = b""


def json_reply(value: JSON, status: int = 200, headers: Headers | None = None) -> Reply:
    """A JSON answer, with a line end as CouchDB has it."""
    return Reply(status, dumps(value) + b"\n", [JSON_TYPE, FRESH, *(headers or ())])


def error_reply(problem: ReplicaError) -> Reply:
    """A refusal in CouchDB's form."""
    headers = (
        [(b"allow", problem.allowed.encode())] if isinstance(problem, MethodNotAllowed) else None
    )
    body = {"error": problem.error, "reason": problem.reason}
    return json_reply(body, problem.status, headers)


def not_modified(etag: bytes) -> Reply:
    """The client has it already."""
    return Reply(304, b"", [(b"etag", etag)])


def quoted(text: str) -> bytes:
    """An entity tag from `text`."""
    return b'"' + text.encode() + b'"'


class Request:
    """What a client asked, decoded: path segments, query, headers, and the body on demand.

    Empty path segments do not count and `+` is a space, as in CouchDB.

    Raises:
        BadRequest: percent-encoding or UTF-8 that is none.
    """

    __slots__ = ("_receive", "head", "headers", "method", "query", "scope", "segments")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope = scope
        self._receive = receive
        method: str = scope["method"]
        self.head = method == "HEAD"
        self.method = "GET" if self.head else method
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        search: bytes = scope["query_string"]
        if (b"%" in path and _BAD_ESCAPE.search(path)) or (
            b"%" in search and _BAD_ESCAPE.search(search)
        ):
            raise BadRequest("invalid_url_encoding")
        self.segments = tuple(_decoded(part) for part in path.split(b"/") if part)
        self.query: dict[str, str] = _parse_query(search) if search else {}

    def header(self, name: bytes) -> str | None:
        """A header's value; `name` in small letters."""
        value = self.headers.get(name)
        return None if value is None else value.decode("latin-1")

    def matches(self, etag: bytes) -> bool:
        """Whether the client has the entity with this tag."""
        known = self.headers.get(b"if-none-match")
        if known is None:
            return False
        return any(tag.strip().removeprefix(b"W/") == etag for tag in known.split(b","))

    def accepts(self, content_type: str) -> bool:
        """Whether the client takes this type of answer."""
        accept = self.header(b"accept")
        if accept is None or accept == "*/*":
            return True
        wanted = {content_type, content_type.split("/")[0] + "/*"}
        taken = False
        for item in accept.replace(" ", "").lower().split(","):
            name, *parameters = item.split(";")
            refused = any(_is_zero_quality(parameter) for parameter in parameters)
            if name in wanted and refused:
                return False
            taken = taken or ((name in wanted or name == "*/*") and not refused)
        return taken

    def url_of(self, *segments: str) -> bytes:
        """The absolute address of a path on this server, for `Location`."""
        host = self.header(b"host") or "localhost"
        path = "/".join(quote(segment, safe="") for segment in segments)
        return f"{self.scope['scheme']}://{host}/{path}".encode("latin-1", "replace")

    def require_type(self, content_type: str) -> None:
        """Hold that the body is of this type; raises `UnsupportedMedia`."""
        given = self.headers.get(b"content-type", b"").split(b";")[0].strip()
        if given != content_type.encode():
            raise UnsupportedMedia(f"Content-Type must be {content_type}")

    async def body(self, max_bytes: int) -> bytes | None:
        """All of the body, unpacked, or None when there is no sign of one.

        Raises:
            TooLarge: more than `max_bytes`, as sent or unpacked.
            BadRequest: broken gzip.
        """
        if b"content-length" not in self.headers and b"transfer-encoding" not in self.headers:
            return None
        return b"".join([chunk async for chunk in self.chunks(max_bytes)])

    async def chunks(self, max_bytes: int) -> AsyncIterator[bytes]:
        """The body as it arrives, unpacked; raises like `body`."""
        declared = self.headers.get(b"content-length")
        if declared is not None and declared.isdigit() and int(declared) > max_bytes:
            raise _too_large(max_bytes)
        encoding = (self.header(b"content-encoding") or "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise UnsupportedMedia(f"{encoding} is not a supported content encoding.")
        inflate = Inflater(max_bytes) if encoding == "gzip" else None
        received = 0
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk: bytes = message.get("body", b"")
            more = message.get("more_body", False)
            received += len(chunk)
            if received > max_bytes:
                raise _too_large(max_bytes)
            if inflate is not None:
                for piece in inflate.feed(chunk):
                    yield piece
            elif chunk:
                yield chunk
        if inflate is not None and received:
            inflate.finish()

    async def disconnected(self) -> None:
        """Returns when the client has hung up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


class Inflater:
    """Unpacks gzip piece by piece, to at most `max_bytes` in all."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._length = 0
        self._unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What this much packed data adds, in bounded pieces.

        Raises:
            BadRequest: this is no gzip.
            TooLarge: more than the limit.
        """
        while data:
            if self._unpack.eof:  # one gzip member may follow another
                self._unpack = zlib.decompressobj(16 + zlib.MAX_WBITS)
            try:
                piece = self._unpack.decompress(data, INFLATED_CHUNK_BYTES)
            except zlib.error as problem:
                raise _not_gzip() from problem
            data = self._unpack.unused_data if self._unpack.eof else self._unpack.unconsumed_tail
            self._length += len(piece)
            if self._length > self._max_bytes:
                raise _too_large(self._max_bytes)
            if piece:
                yield piece

    def finish(self) -> None:
        """Hold that the data was complete; raises `BadRequest`."""
        if not self._unpack.eof:
            raise _not_gzip()


def _not_gzip() -> BadRequest:
    return BadRequest("Request body is not properly gzipped.")


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(
        "the request entity is too large",
        error="too_large",
        hint=f"the limit is {max_bytes} bytes",
    )


def _decoded(segment: bytes) -> str:
    if b"+" in segment:
        segment = segment.replace(b"+", b" ")
    if b"%" in segment:
        segment = unquote_to_bytes(segment)
    try:
        return segment.decode()
    except UnicodeDecodeError as problem:
        raise BadRequest("Document id must be valid UTF-8", error="illegal_docid") from problem


def _parse_query(search: bytes) -> dict[str, str]:
    found = {}
    for part in search.split(b"&"):
        name, _, value = part.partition(b"=")
        try:
            found[_unescaped(name)] = _unescaped(value)
        except UnicodeDecodeError as problem:
            raise BadRequest("invalid_url_encoding") from problem
    return found


def _unescaped(text: bytes) -> str:
    text = text.replace(b"+", b" ")
    return (unquote_to_bytes(text) if b"%" in text else text).decode()


def _is_zero_quality(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    if name != "q":
        return False
    try:
        return float(value) <= 0
    except ValueError:
        return True
