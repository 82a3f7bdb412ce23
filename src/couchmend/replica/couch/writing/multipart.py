"""A document and its attachments as one streamed body, `multipart/related`
(https://docs.couchdb.org/en/stable/api/document/attachments.html#creating-multiple-attachments,
https://www.rfc-editor.org/rfc/rfc2387).

CouchDB takes the parts in the order in which `_attachments` names those that follow, reads as
many bytes of each as its `length` says, and looks at no part's header.  PouchDB's server goes
by the name in `Content-Disposition`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from couchmend.errors import BadRequest, ReplicaError

_ESCAPED = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A", "\0": "%00"})
_HIDDEN_TYPE = "application/octet-stream"


class WrongLength(BadRequest):
    """An attachment has more or fewer bytes than was said of it."""

    def __init__(self, name: str, said: int) -> None:
        super().__init__(f"attachment {name} does not have the {said} bytes that were announced")


@dataclass(frozen=True, slots=True)
class Part:
    """An attachment that follows its document.

    `content` can be read any number of times, and has `length` bytes.
    """

    name: str
    content_type: str
    length: int
    content: bytes | Iterable[bytes]

    def chunks(self) -> Iterator[bytes]:
        """The content.  The last chunk comes only when everything was read and is as long as
        it was said to be.

        Raises:
            WrongLength: it is not.
            BadRequest: it is no bytes.
            ReplicaError: it cannot be read.
        """
        if isinstance(self.content, bytes):
            yield self.content
            return
        passed = 0
        held = b""
        for chunk in self._read():
            passed += len(chunk)
            if passed > self.length:
                raise WrongLength(self.name, self.length)
            if chunk and held:
                yield held
            held = chunk or held
        if passed != self.length:
            raise WrongLength(self.name, self.length)
        yield held

    def _read(self) -> Iterator[bytes]:
        try:
            for chunk in self.content:
                if not isinstance(chunk, bytes):
                    raise BadRequest(f"Invalid attachment data for {self.name}")
                yield chunk
        except OSError as problem:  # which would pass for trouble with the server
            raise ReplicaError(f"attachment {self.name} cannot be read: {problem}") from problem


class Related:
    """The body of a request: JSON, then the attachments.  It can be sent any number of times.

    What reading a part raises comes out of iterating, before that part's last bytes: no server
    takes it for whole.
    """

    def __init__(self, document: bytes, parts: Sequence[Part]) -> None:
        self._document = document
        self._parts = parts
        self._boundary = secrets.token_hex(16)
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
            fields: Mapping[str, str | int] = {
                "Content-Disposition": (f'attachment; filename="{part.name.translate(_ESCAPED)}"'),
                "Content-Type": _safe(part.content_type),
                "Content-Length": part.length,
            }
            lines = "".join(f"\r\n{name}: {value}" for name, value in fields.items())
            yield f"\r\n--{self._boundary}{lines}\r\n\r\n".encode()

    @property
    def _end(self) -> bytes:
        return f"\r\n--{self._boundary}--".encode()


def _safe(content_type: str) -> str:
    """One that would break the header is left out there; the document has it anyway."""
    return content_type if content_type.isascii() and content_type.isprintable() else _HIDDEN_TYPE
