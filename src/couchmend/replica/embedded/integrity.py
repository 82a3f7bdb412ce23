"""Looking for damage: what SQLite can tell, and what only we know must hold."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterator

import orjson

from couchmend.core.document import loads
from couchmend.errors import BadRequest
from couchmend.replica.embedded.attachments import read_blob
from couchmend.replica.embedded.records import (
    RECORD,
    Record,
    decode_attachments,
    read_state,
)


def check(connection: sqlite3.Connection) -> list[str]:
    """Every problem as a sentence; nothing when the database is sound."""
    problems = [
        f"SQLite: {text}"
        for (text,) in connection.execute("PRAGMA integrity_check")
        if text != "ok"
    ]
    if problems:
        return problems
    return [*_documents(connection), *_revisions(connection), *_blobs(connection)]


def _documents(connection: sqlite3.Connection) -> Iterator[str]:
    state = read_state(connection)
    live = dead = 0
    for row in connection.execute(f"SELECT {RECORD} FROM documents ORDER BY key"):
        record = Record(*row)
        live += not record.deleted
        dead += record.deleted
        if not 0 < record.seq <= state.update_seq:
            yield f"{record.id}: its sequence {record.seq} is not one of the database's"
        try:
            leaves = record.revtree().leaves()
        except (orjson.JSONDecodeError, BadRequest, ValueError, TypeError) as problem:
            yield f"{record.id}: its revision tree cannot be read: {problem}"
            continue
        found = (str(leaves[0].rev), int(leaves[0].deleted), len(leaves))
        if found != (record.winner, record.deleted, record.leaves) or record.live_leaves != sum(
            not leaf.deleted for leaf in leaves
        ):
            yield f"{record.id}: what is listed of it does not agree with its revision tree"
        for leaf in leaves:
            if not connection.execute(
                "SELECT 1 FROM revisions WHERE document = ? AND rev = ?",
                (record.key, str(leaf.rev)),
            ).fetchone():
                yield f"{record.id}: the body of leaf {leaf.rev} is missing"
    if (live, dead) != (state.live, state.deleted):
        yield f"the counts of documents are {state.live} and {state.deleted}, not {live} and {dead}"


def _revisions(connection: sqlite3.Connection) -> Iterator[str]:
    for id, document, rev, body, kept in connection.execute(
        "SELECT id, document, rev, body, attachments FROM revisions"
        " LEFT JOIN documents ON key = document"
    ):
        if id is None:
            yield f"a body belongs to no document: revision {rev} of number {document}"
            continue
        try:
            loads(body)
            attachments = decode_attachments(kept)
        except (BadRequest, ValueError, TypeError) as problem:
            yield f"{id} {rev}: its body cannot be read: {problem}"
            continue
        for item in attachments:
            used = connection.execute(
                "SELECT length FROM blobs JOIN blob_uses USING (digest)"
                " WHERE digest = ? AND document = ? AND rev = ?",
                (item.digest, document, rev),
            ).fetchone()
            if used != (item.length,):
                yield f"{id} {rev}: attachment {item.name} is missing or has another length"


def _blobs(connection: sqlite3.Connection) -> Iterator[str]:
    for digest, length in connection.execute("SELECT digest, length FROM blobs").fetchall():
        md5, size = hashlib.md5(usedforsecurity=False), 0
        for chunk in read_blob(connection, digest):
            md5.update(chunk)
            size += len(chunk)
        if size != length or base64.b64encode(md5.digest()).decode() != digest:
            yield f"the attachment with digest {digest} is damaged"
