"""Rows of the tables `documents` and `revisions`, as values."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson

from couchmend.core.document import BEYOND_DESIGN, DESIGN
from couchmend.core.revtree import Rev, RevTree
from couchmend.errors import BadRequest

RECORD = "key, id, seq, winner, deleted, leaves, live_leaves, tree"
"""The columns of `Record`, in its order."""


class Record(NamedTuple):
    """A row of `documents`."""

    key: int
    id: str
    seq: int
    winner: str
    deleted: int
    leaves: int
    live_leaves: int
    tree: bytes | None

    def revtree(self) -> RevTree:
        """The document's revision tree."""
        return decode_tree(self.tree, self.winner, bool(self.deleted))


class StoredAttachment(NamedTuple):
    """What a revision says of one attachment; the bytes lie in `blobs` under `digest`."""

    name: str
    content_type: str
    digest: str
    length: int
    revpos: int


class StoredRevision(NamedTuple):
    """A row of `revisions`: the body's JSON, and the attachments in the document's order."""

    body: bytes
    attachments: bytes | None

    def attachment_list(self) -> list[StoredAttachment]:
        """The attachments, in order."""
        return decode_attachments(self.attachments)


def encode_tree(tree: RevTree) -> bytes | None:
    """A tree for the column `tree`; None for a single revision, which `winner` tells."""
    if len(tree) == 1:
        return None
    return orjson.dumps(
        [
            [path[0].generation, [rev.hash for rev in path], [i for i, f in enumerate(dead) if f]]
            for path, dead in tree.to_paths()
        ]
    )


def decode_tree(text: bytes | None, winner: str, deleted: bool) -> RevTree:
    """The tree that `encode_tree` wrote."""
    if text is None:
        return RevTree.of([((Rev.parse(winner),), deleted)])
    paths: list[tuple[list[Rev], list[bool]]] = []
    for newest, hashes, dead in orjson.loads(text):
        flags = [False] * len(hashes)
        for place in dead:
            flags[place] = True
        paths.append(([Rev(newest - i, digest) for i, digest in enumerate(hashes)], flags))
    return RevTree.from_paths(paths)


UPDATE_DOCUMENT = (
    "UPDATE documents SET seq = ?, winner = ?, deleted = ?, leaves = ?, live_leaves = ?, tree = ?"
    " WHERE key = ?"
)
"""Takes a sequence, the columns of `tree_columns`, and a key."""


def tree_columns(tree: RevTree) -> tuple[str, bool, int, int, bytes | None]:
    """The columns `winner`, `deleted`, `leaves`, `live_leaves` and `tree` of a document."""
    leaves = tree.leaves()
    live = sum(not leaf.deleted for leaf in leaves)
    return str(leaves[0].rev), leaves[0].deleted, len(leaves), live, encode_tree(tree)


def encode_attachments(attachments: Sequence[StoredAttachment]) -> bytes | None:
    """For the column `attachments`; None when there are none."""
    return orjson.dumps([list(a) for a in attachments]) if attachments else None


def decode_attachments(text: bytes | None) -> list[StoredAttachment]:
    """What `encode_attachments` wrote."""
    return [] if text is None else [StoredAttachment(*row) for row in orjson.loads(text)]


def find_record(connection: sqlite3.Connection, id: str) -> Record | None:
    """One document's row."""
    row = connection.execute(f"SELECT {RECORD} FROM documents WHERE id = ?", (id,)).fetchone()
    return None if row is None else Record(*row)


def among_ids(ids: Iterable[str]) -> tuple[str, list[str]]:
    """A condition on `documents.id`, and its values: any number of ids are one value.

    SQLite cuts JSON strings at a NUL, so ids with one are values of their own.

    Raises:
        BadRequest: more ids with a NUL than a statement takes.
    """
    plain: list[str] = []
    special: list[str] = []
    for id in ids:
        (special if "\0" in id else plain).append(id)
    if len(special) > 10_000:
        raise BadRequest("too many document ids hold a NUL character")
    condition = "id IN (SELECT value FROM json_each(?))"
    if special:
        condition = f"({condition} OR id IN ({', '.join('?' * len(special))}))"
    return condition, [orjson.dumps(plain).decode(), *special]


def find_records(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Record]:
    """The rows of those documents that exist, by id."""
    among, values = among_ids(ids)
    rows = connection.execute(f"SELECT {RECORD} FROM documents WHERE {among}", values)
    return {row[1]: Record._make(row) for row in rows}


def find_winners(
    connection: sqlite3.Connection, ids: Iterable[str]
) -> dict[str, tuple[Record, StoredRevision | None]]:
    """Like `find_records`, each with the body of its winner."""
    columns = len(Record._fields)
    among, values = among_ids(ids)
    rows = connection.execute(
        f"SELECT {RECORD}, body, attachments FROM documents"
        f" LEFT JOIN revisions ON document = key AND rev = winner WHERE {among}",
        values,
    )
    return {
        row[1]: (
            Record._make(row[:columns]),
            None if row[columns] is None else StoredRevision._make(row[columns:]),
        )
        for row in rows
    }


def find_revision(connection: sqlite3.Connection, key: int, rev: str) -> StoredRevision | None:
    """The body of one revision, if it is stored."""
    row = connection.execute(
        "SELECT body, attachments FROM revisions WHERE document = ? AND rev = ?", (key, rev)
    ).fetchone()
    return None if row is None else StoredRevision(*row)


def design_bodies(connection: sqlite3.Connection) -> Iterator[tuple[str, bytes]]:
    """The design documents that are not deleted, by id, each with its body's JSON."""
    yield from connection.execute(
        "SELECT id, body FROM documents JOIN revisions ON document = key AND rev = winner"
        " WHERE deleted = 0 AND id >= ? AND id < ? ORDER BY id",
        (DESIGN, BEYOND_DESIGN),
    )


class State(NamedTuple):
    """The one row of `state`."""

    instance: str
    created: int
    update_seq: int
    purge_seq: int
    live: int
    deleted: int
    external_bytes: int
    revs_limit: int


def read_state(connection: sqlite3.Connection) -> State:
    """The present state of the database."""
    return State(
        *connection.execute(
            "SELECT instance, created, update_seq, purge_seq, live, deleted, external_bytes,"
            " revs_limit FROM state"
        ).fetchone()
    )


def format_seq(seq: int, instance: str) -> str:
    """A sequence as clients see it: opaque to them, and good for one database's life."""
    return f"{seq}-{instance}"


def parse_seq(text: str, state: State) -> int:
    """Where a feed that has seen `text` goes on.

    A sequence of another database's life, or one that lies ahead because an older copy of
    the file was put back, starts from the beginning: nothing is missed.

    Raises:
        BadRequest: no sequence at all.
    """
    if text == "now":
        return state.update_seq
    number, _, instance = text.partition("-")
    if not (number.isascii() and number.isdecimal()):
        raise BadRequest("Malformed sequence supplied in 'since' parameter.")
    seq = int(number)
    if (instance and instance != state.instance) or seq > state.update_seq:
        return 0
    return seq
