"""How values are kept in columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import zstandard
from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

from couchmend.core.document import JSON, dumps, loads
from couchmend.core.revtree import Rev

if TYPE_CHECKING:
    TextType = TypeDecorator[str]
    JsonType = TypeDecorator[Any]
    RevsType = TypeDecorator[tuple[Rev, ...]]
else:
    TextType = JsonType = RevsType = TypeDecorator

T = TypeVar("T")

BATCH: Final = 500
"""How many rows are asked for, or written, in one statement."""

_MAGIC = b"\x28\xb5\x2f\xfd"
_WORTH_PACKING = 256
_LEVEL = 3
_NUL, _ESCAPE = "\0", "\x1a"

Number = BigInteger().with_variant(Integer, "sqlite")
"""A whole number, also as a key that counts up by itself."""


class Words(TextType):
    """A text.  PostgreSQL holds no NUL, which a document's id may have; it is escaped."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """As it is kept."""
        if value is None or not (_NUL in value or _ESCAPE in value):
            return value
        return value.replace(_ESCAPE, _ESCAPE + "1").replace(_NUL, _ESCAPE + "0")

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        """As it was given."""
        if value is None or _ESCAPE not in value:
            return value
        return value.replace(_ESCAPE + "0", _NUL).replace(_ESCAPE + "1", _ESCAPE)


class Packed(JsonType):
    """A JSON value, compressed where that is worth it."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: JSON, dialect: Dialect) -> bytes | None:
        """As it is kept."""
        return None if value is None else pack(dumps(value))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> JSON:
        """As it was given."""
        return None if value is None else loads(unpack(value))


class Revisions(RevsType):
    """Revisions in their order."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Sequence[Rev] | None, dialect: Dialect) -> bytes | None:
        """As they are kept."""
        return None if value is None else pack(dumps([str(rev) for rev in value]))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> tuple[Rev, ...] | None:
        """As they were given."""
        return None if value is None else tuple(map(Rev.parse, loads(unpack(value))))


def pack(text: bytes) -> bytes:
    """JSON compressed, where that is worth it; with a checksum."""
    if len(text) < _WORTH_PACKING:
        return text
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(text)


def unpack(kept: bytes) -> bytes:
    """What `pack` was given.

    Raises:
        zstandard.ZstdError: it is damaged.
    """
    kept = bytes(kept)
    if kept.startswith(_MAGIC):
        return zstandard.ZstdDecompressor().decompress(kept)
    return kept


def key(*parts: str) -> bytes:
    """What texts of any length are found by, since an index takes short ones only."""
    text = "\0".join(part.replace("\0", "\0\0") for part in parts) if len(parts) > 1 else parts[0]
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def batches(items: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """The items in lists of at most `size`."""
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
