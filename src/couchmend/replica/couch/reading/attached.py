"""The content of an attachment as it comes, held to the digest that the server says of it.

CouchDB keeps compressible types compressed, and everything that it was sent so.  It says the
MD5 of the bytes that it keeps, and gives these to whoever takes gzip.  Something on the way
may have unpacked them, or packed others; then the digest is that of a form that did not come.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator

from couchmend.errors import Unavailable
from couchmend.replica.base import Attachment
from couchmend.replica.couch.connection import Connection, Stream
from couchmend.replica.couch.connection.request import Params
from couchmend.replica.spool import Spool

_DEFAULT_TYPE = "application/octet-stream"
_MD5 = re.compile(r"[A-Za-z0-9+/]{22}==")
_DAMAGED = "it was damaged on the way, or on the server; try again"
_REPACKED = f"{_DAMAGED}; a proxy must not pack anew what CouchDB keeps packed"
_UNPACKED = f"{_DAMAGED}; a proxy must pass Accept-Encoding on, for the digest to be of any use"


def attached(connection: Connection, path: str, params: Params) -> Attachment:
    """The attachment at `path`.

    What came packed or without a length is read here to its end, since its length is not
    known before; other content is read by whoever reads it.

    Raises:
        Unavailable: it is not whole, or not what the server says of it; that is transient.
    """
    stream = connection.stream("GET", path, params=params, gzip=True)
    try:
        digest, length = _digest(stream), _length(stream)
        if _is_packed(stream):
            content, length = _unpacked(stream, digest), None
        elif _MD5.fullmatch(digest) and stream.headers.get("accept-ranges", "").lower() != "none":
            content = _matching(stream, digest)
        else:  # CouchDB gives no ranges of what it keeps packed: the digest is of another form
            content = _framed(stream, _length_besides(connection, path, params))
        if length is not None:
            return Attachment(_content_type(stream), f"md5-{digest}", length, content)
        kept = Spool().take(content)
        return Attachment(_content_type(stream), f"md5-{digest}", kept.length, kept)
    except BaseException:
        stream.close()
        raise


def _digest(stream: Stream) -> str:
    """What the server says of what it keeps.  Servers that pack on the way change the tag."""
    tag = stream.headers.get("etag", "").removeprefix("W/").strip('"').removesuffix("-gzip")
    told = stream.headers.get("content-md5", "")
    digest = tag if not told or _MD5.fullmatch(tag) else told
    if not digest:
        raise stream.answer(b"").bad("an attachment without its digest (ETag)")
    return digest


def _length(stream: Stream) -> int | None:
    """How many bytes come; None if nobody says so."""
    length = stream.headers.get("content-length")
    if length is None or "transfer-encoding" in stream.headers:
        return None
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise stream.answer(b"").bad(f"the Content-Length {length!r}")
    return int(length)


def _length_besides(connection: Connection, path: str, params: Params) -> int | None:
    """How long the server says that the plain content is; None if it does not know."""
    with connection.stream("HEAD", path, params=params) as told:
        return _length(told) or None


def _is_packed(stream: Stream) -> bool:
    return stream.headers.get("content-encoding", "").strip().lower() not in ("", "identity")


def _content_type(stream: Stream) -> str:
    """CouchDB writes it in UTF-8, which headers are not read as."""
    shown = stream.headers.get("content-type", _DEFAULT_TYPE)
    try:
        return shown.encode("latin-1").decode()
    except UnicodeError:
        return shown


def _unpacked(stream: Stream, digest: str) -> Iterator[bytes]:
    """Plain content of what is kept packed, or of what was packed on the way."""
    sent, plain = hashlib.md5(usedforsecurity=False), hashlib.md5(usedforsecurity=False)
    stream.watch = sent.update
    for chunk in stream.chunks():
        plain.update(chunk)
        yield chunk
    if _MD5.fullmatch(digest) and digest not in (_shown(sent), _shown(plain)):
        raise _damaged(stream, f"the content does not match its digest md5-{digest}", _REPACKED)


def _matching(stream: Stream, digest: str) -> Iterator[bytes]:
    """Content that is sent as it is kept."""
    seen = hashlib.md5(usedforsecurity=False)
    for chunk in stream.chunks():
        seen.update(chunk)
        yield chunk
    if _shown(seen) != digest:
        raise _damaged(stream, f"the content does not match its digest md5-{digest}", _DAMAGED)


def _framed(stream: Stream, said: int | None) -> Iterator[bytes]:
    """Content that nothing vouches for but its frame, and the length that is said besides."""
    if not stream.framed:
        raise _damaged(stream, "nothing tells whether the content was cut off", _UNPACKED)
    came = 0
    for chunk in stream.chunks():
        came += len(chunk)
        yield chunk
    if said not in (None, came):
        raise _damaged(stream, f"{came} bytes came of {said}", _UNPACKED)


def _shown(digest: hashlib._Hash) -> str:
    return base64.b64encode(digest.digest()).decode()


def _damaged(stream: Stream, what: str, hint: str) -> Unavailable:
    told = stream.answer(b"")
    return Unavailable(
        what, operation=told.operation, target=told.target, hint=hint, transient=True
    )
