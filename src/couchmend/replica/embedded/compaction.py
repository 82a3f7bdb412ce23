"""Compaction and purging: forgetting what need not be known any more."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from couchmend.core.revtree import Rev
from couchmend.replica.embedded.connections import Connections
from couchmend.replica.embedded.records import (
    RECORD,
    UPDATE_DOCUMENT,
    Record,
    find_records,
    read_state,
    tree_columns,
)
from couchmend.replica.embedded.writing import forget

DOCUMENTS_A_STEP = 500
_BLOBS_A_STEP = 50
_PAGES_A_STEP = 2000


def compact(connections: Connections) -> None:
    """Drop the bodies of inner revisions and unused attachments, and give the space back.

    Each step is a short transaction of its own, so writers wait for milliseconds only; a
    compaction that is killed has done part of the work and no harm.
    """
    after = external = 0
    while True:
        with connections.write() as connection:
            last, kept = _drop_inner_bodies(connection, after)
        external += kept
        if last is None:
            break
        after = last
    while True:
        with connections.write() as connection:
            if not _drop_unused_blobs(connection):
                connection.execute("UPDATE state SET external_bytes = ?", (external,))
                break
    if connections.in_memory:
        return
    while True:
        with connections.write() as connection:
            (free,) = connection.execute("PRAGMA freelist_count").fetchone()
            if not free:
                break
            connection.execute(f"PRAGMA incremental_vacuum({_PAGES_A_STEP})").fetchall()
    connections.checkpoint()


def _drop_inner_bodies(connection: sqlite3.Connection, after: int) -> tuple[int | None, int]:
    """One step; returns the last document's key (None at the end) and the bytes of bodies kept."""
    records = [
        Record(*row)
        for row in connection.execute(
            f"SELECT {RECORD} FROM documents WHERE key > ? ORDER BY key LIMIT ?",
            (after, DOCUMENTS_A_STEP),
        )
    ]
    if not records:
        return None, 0
    last = records[-1].key
    kept = {record.key: {record.winner} for record in records}
    for record in records:
        if record.leaves > 1:
            kept[record.key] = {str(leaf.rev) for leaf in record.revtree().leaves()}
    inner, size = [], 0
    for key, rev, length in connection.execute(
        "SELECT document, rev, length(body) FROM revisions WHERE document > ? AND document <= ?",
        (after, last),
    ):
        if key in kept and rev in kept[key]:
            size += length
        else:
            inner.append((key, rev))
    forget(connection, inner)
    return last, size


def _drop_unused_blobs(connection: sqlite3.Connection) -> bool:
    """One step; False when there was nothing left to drop."""
    unused = connection.execute(
        "SELECT digest FROM blobs WHERE NOT EXISTS"
        " (SELECT 1 FROM blob_uses WHERE blob_uses.digest = blobs.digest) LIMIT ?",
        (_BLOBS_A_STEP,),
    ).fetchall()
    connection.executemany("DELETE FROM blob_chunks WHERE digest = ?", unused)
    connection.executemany("DELETE FROM blobs WHERE digest = ?", unused)
    return bool(unused)


def purge(
    connection: sqlite3.Connection, revs: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """See `Replica.purge`; a document that keeps a leaf counts as changed."""
    wanted = {id: [Rev.parse(rev) for rev in texts] for id, texts in revs.items()}
    records = find_records(connection, wanted)
    seq = read_state(connection).update_seq
    purged: dict[str, tuple[str, ...]] = {}
    live = dead = 0
    for id, leaves in wanted.items():
        record = records.get(id)
        tree = None if record is None else record.revtree()
        gone, removed = ([], []) if tree is None else tree.purge(leaves)
        purged[id] = tuple(str(rev) for rev in gone)
        if record is None or tree is None or not gone:
            continue
        seq += 1
        forget(connection, [(record.key, str(rev)) for rev in removed])
        connection.execute("DELETE FROM mango_rows WHERE document = ?", (record.key,))
        live -= not record.deleted
        dead -= record.deleted
        if not len(tree):
            connection.execute("DELETE FROM documents WHERE key = ?", (record.key,))
            continue
        columns = tree_columns(tree)
        live += not columns[1]
        dead += columns[1]
        connection.execute(UPDATE_DOCUMENT, (seq, *columns, record.key))
    connection.execute(
        "UPDATE state SET update_seq = ?, purge_seq = purge_seq + ?, live = live + ?,"
        " deleted = deleted + ?",
        (seq, sum(map(bool, purged.values())), live, dead),
    )
    return purged
