"""Deletions against which an edit is kept: they are no matter any more."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete, select

from couchmend.core.revtree import Rev
from couchmend.journal.columns import batches, key
from couchmend.journal.tables import acknowledgements
from couchmend.journal.writing import put


def acknowledge(
    tx: Connection, database_id: int, document: str, revs: Iterable[Rev], by: str, now: int
) -> None:
    """These tombstones of a document are acknowledged."""
    put(
        tx,
        acknowledgements,
        [
            {
                "database_id": database_id,
                "document_key": key(document),
                "revision_key": key(str(rev)),
                "document": document,
                "revision": str(rev),
                "by": by,
                "at": now,
            }
            for rev in sorted(set(revs))
        ],
    )


def unacknowledge(tx: Connection, database_id: int, document: str, revs: Iterable[Rev]) -> None:
    """These tombstones of a document are a matter again."""
    c = acknowledgements.c
    for batch in batches(revs):
        tx.execute(
            delete(acknowledgements).where(
                c.database_id == database_id,
                c.document_key == key(document),
                c.revision_key.in_([key(str(rev)) for rev in batch]),
            )
        )


def acknowledged(
    tx: Connection, database_id: int, documents: Iterable[str]
) -> dict[str, frozenset[Rev]]:
    """The acknowledged tombstones of these documents; documents without any are left out."""
    c = acknowledgements.c
    found: dict[str, set[Rev]] = {}
    for batch in batches(dict.fromkeys(documents)):
        rows = tx.execute(
            select(c.document, c.revision).where(
                c.database_id == database_id,
                c.document_key.in_([key(document) for document in batch]),
            )
        )
        for row in rows:
            found.setdefault(row.document, set()).add(Rev.parse(row.revision))
    return {document: frozenset(revs) for document, revs in found.items()}
