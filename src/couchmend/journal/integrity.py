"""Whether what the journal keeps is what was kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import zstandard
from sqlalchemy import Connection, select

from couchmend.journal.columns import unpack
from couchmend.journal.contents import unpacked
from couchmend.journal.opening import Journal
from couchmend.journal.tables import bodies, content_chunks, contents
from couchmend.journal.tallies import counted, tallied

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Checked:
    """What was looked at, and what is wrong, in sentences."""

    bodies: int
    contents: int
    bytes: int
    problems: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def check(journal: Journal, on_progress: Callable[[int], None] | None = None) -> Checked:
    """Read everything that is archived and compare it with its digest; look at the structure of
    the file, and at what is counted.  Others may go on meanwhile.

    on_progress: is told of the bytes that were read, as they are.

    Raises:
        JournalError: the journal cannot be read at all.
    """
    problems = list(_structure(journal))
    progress = on_progress or (lambda _: None)
    found_bodies = _Found(progress)
    after: int | None = 0
    while after is not None:
        after = _check_bodies(journal, after, found_bodies)
    found_contents = _Found(progress)
    with journal.read() as tx:
        whole = tx.execute(
            select(contents.c.id, contents.c.digest, contents.c.length, contents.c.chunks)
            .where(contents.c.digest.is_not(None))
            .order_by(contents.c.id)
        ).all()
    for number, digest, length, chunks in whole:
        _check_content(journal, number, (bytes(digest), length, chunks), found_contents)
    with journal.read() as tx:
        if counted(tx) != tallied(tx):
            problems.append("the numbers of conflicts that are kept are not those that there are")
    return Checked(
        found_bodies.number,
        found_contents.number,
        found_bodies.bytes + found_contents.bytes,
        (*problems, *found_bodies.problems, *found_contents.problems),
    )


class _Found:
    def __init__(self, progress: Callable[[int], None]) -> None:
        self.number = 0
        self.bytes = 0
        self.problems: list[str] = []
        self._progress = progress

    def read(self, length: int) -> None:
        self.bytes += length
        self._progress(length)


def _structure(journal: Journal) -> Iterator[str]:
    """What SQLite itself finds wrong with the file."""
    if not journal.is_sqlite:
        return
    with journal.read() as tx:
        for (said,) in tx.exec_driver_sql("PRAGMA integrity_check(20)"):
            if said != "ok":
                yield f"the file is damaged: {said}"
        for row in tx.exec_driver_sql("PRAGMA foreign_key_check"):
            yield f"a row of {row[0]} refers to one of {row[2]} that is not there"


def _check_bodies(journal: Journal, after: int, found: _Found) -> int | None:
    with journal.read() as tx:
        rows = tx.execute(
            select(bodies).where(bodies.c.id > after).order_by(bodies.c.id).limit(_AT_ONCE)
        ).all()
    for row in rows:
        found.number += 1
        try:
            text = unpack(row.body)
        except zstandard.ZstdError:
            text = b""
        found.read(len(text))
        if hashlib.sha256(text).digest() != bytes(row.digest) or len(text) != row.length:
            found.problems.append(f"body {bytes(row.digest).hex()} is damaged")
    return rows[-1].id if rows else None


def _check_content(
    journal: Journal, number: int, expected: tuple[bytes, int, int], found: _Found
) -> None:
    digest, length, chunks = expected
    found.number += 1
    actual, read = hashlib.sha256(), 0
    for count in range(chunks):
        with journal.read() as tx:
            piece = _piece(tx, number, count)
        actual.update(piece)
        read += len(piece)
        found.read(len(piece))
    if (actual.digest(), read) == (digest, length):
        return
    with journal.read() as tx:  # it may have been forgotten meanwhile
        still = tx.scalar(select(contents.c.id).where(contents.c.id == number)) is not None
    if still:
        found.problems.append(f"content sha256-{digest.hex()} is damaged")


def _piece(tx: Connection, number: int, count: int) -> bytes:
    packed = tx.scalar(
        select(content_chunks.c.data).where(
            content_chunks.c.content_id == number, content_chunks.c.number == count
        )
    )
    try:
        return b"" if packed is None else unpacked(packed)
    except zstandard.ZstdError:
        return b""
