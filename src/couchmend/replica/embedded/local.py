"""Local documents: no revision tree, not replicated, the last write stands."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from couchmend.core.document import LOCAL, Doc, loads
from couchmend.core.revtree import Rev
from couchmend.errors import BadRequest, NotFound

GONE = "0-0"
"""What CouchDB calls the revision of a local document that is deleted."""


def put(connection: sqlite3.Connection, name: str, body: bytes, given: Sequence[Rev] = ()) -> str:
    """Store it whatever was there; its revision counts on from the one that was given."""
    number = 1
    for rev in given:
        if not rev.hash.isdecimal():
            raise BadRequest("Invalid rev format", target=LOCAL + name)
        number = int(rev.hash) + 1
    connection.execute(
        "INSERT OR REPLACE INTO local_documents (name, rev, body) VALUES (?, ?, ?)",
        (name, number, body),
    )
    return f"0-{number}"


def get(connection: sqlite3.Connection, name: str) -> Doc:
    """See `Replica.get_local`."""
    row = connection.execute(
        "SELECT name, rev, body FROM local_documents WHERE name = ?", (name,)
    ).fetchone()
    if row is None:
        raise NotFound("missing", target=LOCAL + name)
    return _doc(*row)


def delete(connection: sqlite3.Connection, name: str) -> None:
    """See `Replica.delete_local`."""
    gone = connection.execute("DELETE FROM local_documents WHERE name = ?", (name,))
    if not gone.rowcount:
        raise NotFound("missing", target=LOCAL + name)


def every(connection: sqlite3.Connection) -> list[Doc]:
    """See `Replica.local_docs`."""
    rows = connection.execute("SELECT name, rev, body FROM local_documents ORDER BY name")
    return [_doc(*row) for row in rows]


def _doc(name: str, rev: int, body: bytes) -> Doc:
    return {"_id": LOCAL + name, "_rev": f"0-{rev}", **loads(body)}
