"""Contents of attachments: streamed in and out, kept once, found by their SHA-256.

While a content is written it has no digest, and nobody sees it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import zstandard
from sqlalchemy import Connection, delete, func, insert, select, update

from couchmend.errors import JournalError
from couchmend.journal.failures import damaged
from couchmend.journal.opening import Journal
from couchmend.journal.tables import content_chunks, contents

CHUNK_BYTES: Final = 1 << 20
"""How much of a content is in memory at once."""

ABANDONED_AFTER: Final = 3600 * 1_000_000
"""Microseconds without progress after which a content that is being written is given up."""

_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Content:
    """A content that is kept: its SHA-256, in hexadecimal digits, and its length in bytes."""

    digest: str
    length: int

    def number(self, tx: Connection) -> int:
        """Its number among the contents.

        Raises:
            JournalError: it is not kept, or not any more.
        """
        found: int | None = tx.scalar(
            select(contents.c.id).where(contents.c.digest == bytes.fromhex(self.digest))
        )
        if found is None:
            raise JournalError(
                "the content is not kept any more",
                operation="journal",
                target=f"sha256-{self.digest}",
                hint="fetch the attachment again",
            )
        return found


def keep_content(journal: Journal, chunks: Iterable[bytes]) -> Content:
    """Keep a content, in transactions of its own; `attach` says in another whose it is.

    At most a megabyte and one of the given chunks are in memory.  When `chunks` raises, nothing
    is kept of it.

    Raises:
        JournalError: the journal cannot be written.
    """
    discard_partial(journal, _now() - ABANDONED_AFTER)
    with journal.write() as tx:
        made = tx.execute(
            insert(contents).values(length=0, chunks=0, touched_at=_now())
        ).inserted_primary_key
    assert made is not None
    number: int = made[0]
    try:
        digest, length, count = hashlib.sha256(), 0, 0
        for piece in _pieces(chunks):
            digest.update(piece)
            length += len(piece)
            packed = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(piece)
            with journal.write() as tx:
                tx.execute(
                    insert(content_chunks).values(content_id=number, number=count, data=packed)
                )
                tx.execute(
                    update(contents).where(contents.c.id == number).values(touched_at=_now())
                )
            count += 1
        _finish(journal, number, digest.digest(), length, count)
    except BaseException:
        with suppress(JournalError):  # what is left of it is discarded later
            _discard(journal, number)
        raise
    return Content(digest.hexdigest(), length)


def _finish(journal: Journal, number: int, digest: bytes, length: int, count: int) -> None:
    with journal.write() as tx:
        known = tx.scalar(select(contents.c.id).where(contents.c.digest == digest))
        if known is not None:
            tx.execute(update(contents).where(contents.c.id == known).values(touched_at=_now()))
            tx.execute(delete(contents).where(contents.c.id == number))
            return
        done = tx.execute(
            update(contents)
            .where(contents.c.id == number)
            .values(digest=digest, length=length, chunks=count, touched_at=_now())
        )
        if done.rowcount != 1:
            raise JournalError(
                "a content was given up while it was written",
                operation="journal",
                target=journal.url,
                hint="try again",
            )


def _discard(journal: Journal, number: int) -> None:
    with journal.write() as tx:
        tx.execute(delete(contents).where(contents.c.id == number, contents.c.digest.is_(None)))


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of one size."""
    held = bytearray()
    for chunk in chunks:
        view = memoryview(chunk)
        while view:
            taken = view[: CHUNK_BYTES - len(held)]
            held += taken
            view = view[len(taken) :]
            if len(held) == CHUNK_BYTES:
                yield bytes(held)
                held.clear()
    if held:
        yield bytes(held)


def content(journal: Journal, digest: str) -> Iterator[bytes]:
    """A content that is kept, in pieces of a megabyte; no transaction is open between them.

    Raises:
        JournalError: it is not kept, or damaged: before the piece that is.
    """
    with journal.read() as tx:
        row = tx.execute(
            select(contents.c.id, contents.c.length, contents.c.chunks).where(
                contents.c.digest == bytes.fromhex(digest)
            )
        ).one_or_none()
    if row is None:
        raise _missing(digest)
    found, length = hashlib.sha256(), 0
    for count in range(row.chunks):
        piece = _piece(journal, row.id, count, digest)
        found.update(piece)
        length += len(piece)
        if count == row.chunks - 1 and (found.hexdigest(), length) != (digest, row.length):
            raise damaged(f"sha256-{digest}")
        yield piece


def _piece(journal: Journal, number: int, count: int, digest: str) -> bytes:
    with journal.read() as tx:
        packed = tx.scalar(
            select(content_chunks.c.data).where(
                content_chunks.c.content_id == number, content_chunks.c.number == count
            )
        )
    if packed is None:
        raise _missing(digest)
    try:
        return unpacked(packed)
    except zstandard.ZstdError as problem:
        raise damaged(f"sha256-{digest}") from problem


def unpacked(packed: bytes) -> bytes:
    """A piece of a content.

    Raises:
        zstandard.ZstdError: it is damaged.
    """
    return zstandard.ZstdDecompressor().decompress(bytes(packed), max_output_size=CHUNK_BYTES)


def _missing(digest: str) -> JournalError:
    return JournalError("the content is not kept", operation="journal", target=f"sha256-{digest}")


# --- what nobody needs


def discard_partial(journal: Journal, before: int) -> int:
    """Discard contents whose writing came to a halt before an instant; tells how many."""
    which = contents.c.digest.is_(None) & (contents.c.touched_at < before)
    with journal.read() as tx:
        if tx.scalar(select(contents.c.id).where(which).limit(1)) is None:
            return 0
    with journal.write() as tx:
        return tx.execute(delete(contents).where(which)).rowcount


def stored_sizes(tx: Connection) -> tuple[int, int, int]:
    """How many contents there are, their bytes, and the bytes that they take."""
    number, length = tx.execute(
        select(func.count(), func.coalesce(func.sum(contents.c.length), 0)).where(
            contents.c.digest.is_not(None)
        )
    ).one()
    stored = tx.scalar(select(func.coalesce(func.sum(func.length(content_chunks.c.data)), 0)))
    return number, int(length), int(stored or 0)


def _now() -> int:
    return time.time_ns() // 1000
