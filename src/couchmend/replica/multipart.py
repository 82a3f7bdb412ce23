"""`multipart/related`: a document, and its attachments as they are, not as base64
(https://docs.couchdb.org/en/stable/api/document/attachments.html#creating-multiple-attachments,
https://www.rfc-editor.org/rfc/rfc2387).

CouchDB takes the parts in the order in which `_attachments` names those that follow, reads as
many bytes of each as its `length` says, and looks at no part's header.  PouchDB's server goes
by the name in `Content-Disposition`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from couchmend.replica.content import WrongLength, only_bytes

_ESCAPED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\0": "%00"})
_HIDDEN_TYPE = "application/octet-stream"


def new_boundary() -> str:
    """A line that no attachment contains."""
    return secrets.token_hex(16)


def escaped(name: str) -> str:
    """A name as a part's header may hold it."""
    return name.translate(_ESCAPED)


def fits_a_header(content_type: str) -> bool:
    """Whether a content type arrives as it is, sent as the value of a header."""
    plain = content_type.isascii() and content_type.isprintable()
    return plain and content_type == content_type.strip() != ""


def safe_content_type(content_type: str) -> str:
    """A stored content type as a header's value; one that would break the header is hidden."""
    return content_type if fits_a_header(content_type) else _HIDDEN_TYPE


@dataclass(frozen=True, slots=True)
class Part:
    """An attachment that follows its document.  `content` has `length` bytes."""

    name: str
    content_type: str
    length: int
    content: bytes | Iterable[bytes]

    def chunks(self) -> Iterator[bytes]:
        """The content.  The last chunk comes only when everything was read and is as long as
        it was said to be.

        Raises:
            WrongLength: it is not.
            BadRequest, ReplicaError: as `only_bytes`.
        """
        if isinstance(self.content, bytes):
            yield self.content
            return
        passed = 0
        held = b""
        for chunk in only_bytes(self.name, self.content):
            passed += len(chunk)
            if passed > self.length:
                raise WrongLength(self.name, self.length)
            if chunk and held:
                yield held
            held = chunk or held
        if passed != self.length:
            raise WrongLength(self.name, self.length)
        yield held


class Related:
    """The bytes of a document and its attachments.  They can be sent as often as the parts'
    content can be read.

    What reading a part raises comes out of iterating, before that part's last bytes: nobody
    takes it for whole.
    """

    def __init__(self, document: bytes, parts: Sequence[Part], boundary: str = "") -> None:
        self._document = document
        self._parts = parts
        self._boundary = boundary or new_boundary()
        self.content_type = f'multipart/related; boundary="{self._boundary}"'
        frame = sum(map(len, self._heads())) + len(self._end)
        self.length = frame + sum(part.length for part in parts)
        """Bytes in all."""

    def __iter__(self) -> Iterator[bytes]:
        heads = self._heads()
        yield next(heads)
        for part, head in zip(self._parts, heads, strict=True):
            yield head
            yield from part.chunks()
        yield self._end

    def _heads(self) -> Iterator[bytes]:
        """The document, then what stands before each attachment."""
        start = f"--{self._boundary}\r\nContent-Type: application/json\r\n\r\n"
        yield start.encode() + self._document
        for part in self._parts:
            yield (
                f"\r\n--{self._boundary}\r\n"
                f'Content-Disposition: attachment; filename="{escaped(part.name)}"\r\n'
                f"Content-Type: {safe_content_type(part.content_type)}\r\n"
                f"Content-Length: {part.length}\r\n\r\n"
            ).encode()

    @property
    def _end(self) -> bytes:
        return f"\r\n--{self._boundary}--".encode()
