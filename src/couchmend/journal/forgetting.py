"""Erasing what the journal keeps of a document, for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, select, update

from couchmend.errors import EngineRefused
from couchmend.journal import tables
from couchmend.journal.columns import batches, key
from couchmend.journal.opening import erased
from couchmend.journal.records import record_access
from couchmend.journal.writing import hold_contents, hold_database


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was erased."""

    revisions: int
    bodies: int
    attachments: int
    contents: int
    plans: int


def forget(tx: Connection, database_id: int, document: str, by: str, now: int) -> Forgotten:
    """Erase bodies, attachments, plans and decisions of a document from the journal.

    What another document needs as well stays.  That conflicts were found and resolved, when and
    by whom, is still known, and that this was done is recorded.

    Raises:
        EngineRefused: a resolution of it is under way.
    """
    hold_database(tx, database_id)
    hold_contents(tx, alone=True)
    if _is_under_way(tx, database_id, document):
        raise EngineRefused(
            "a resolution of it is under way, and needs what is kept",
            operation="forget",
            target=document,
            hint="try again when it is done; `couchmend doctor` shows what runs",
        )
    plans = _forget_decisions(tx, database_id, document)
    revisions, bodies = _forget_bodies(tx, database_id, document)
    attachments, contents = _forget_attachments(tx, database_id, document)
    done = Forgotten(revisions, bodies, attachments, contents, plans)
    name = tx.scalar(select(tables.databases.c.name).where(tables.databases.c.id == database_id))
    record_access(tx, now, by, "forgot", f"{name}/{document}", details=asdict(done))
    erased(tx)
    return done


def _is_under_way(tx: Connection, database_id: int, document: str) -> bool:
    c = tables.resolutions.c
    which = select(c.id).where(
        c.database_id == database_id,
        c.document_key == key(document),
        c.finished_at.is_(None),
    )
    return tx.execute(which.limit(1)).first() is not None


def _forget_decisions(tx: Connection, database_id: int, document: str) -> int:
    r, c = tables.resolutions.c, tables.conflicts.c
    plans = tx.execute(
        update(tables.resolutions)
        .where(r.database_id == database_id, r.document_key == key(document), r.plan.is_not(None))
        .values(plan=None, error="")
    ).rowcount
    mine = (c.database_id == database_id) & (c.document_key == key(document))
    tx.execute(
        update(tables.conflict_versions)
        .where(tables.conflict_versions.c.conflict_id.in_(select(c.id).where(mine)))
        .values(details=None)
    )
    tx.execute(update(tables.conflicts).where(mine).values(sentence="", reason="", last_error=""))
    return plans


def _forget_bodies(tx: Connection, database_id: int, document: str) -> tuple[int, int]:
    k = tables.kept_revisions.c
    mine = (k.database_id == database_id) & (k.document_key == key(document))
    ids = [one for one in tx.scalars(select(k.body_id).where(mine)) if one is not None]
    revisions = tx.execute(delete(tables.kept_revisions).where(mine)).rowcount
    return revisions, discard_bodies(tx, ids)


def discard_bodies(tx: Connection, ids: Iterable[int]) -> int:
    """Erase those of some bodies that no revision has; tells how many."""
    used = select(tables.kept_revisions.c.body_id).where(
        tables.kept_revisions.c.body_id == tables.bodies.c.id
    )
    return sum(
        tx.execute(
            delete(tables.bodies).where(tables.bodies.c.id.in_(batch), ~used.exists())
        ).rowcount
        for batch in batches(dict.fromkeys(ids))
    )


def _forget_attachments(tx: Connection, database_id: int, document: str) -> tuple[int, int]:
    a = tables.attachments.c
    mine = (a.database_id == database_id) & (a.document_key == key(document))
    ids = list(dict.fromkeys(tx.scalars(select(a.content_id).where(mine))))
    attachments = tx.execute(delete(tables.attachments).where(mine)).rowcount
    return attachments, discard_contents(tx, ids)


def discard_contents(tx: Connection, ids: Iterable[int]) -> int:
    """Erase those of some contents that no attachment has; tells how many."""
    used = select(tables.attachments.c.id).where(
        tables.attachments.c.content_id == tables.contents.c.id
    )
    return sum(
        tx.execute(
            delete(tables.contents).where(tables.contents.c.id.in_(batch), ~used.exists())
        ).rowcount
        for batch in batches(ids)
    )
