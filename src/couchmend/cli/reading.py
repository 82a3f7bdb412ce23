"""What `couchmend replica get`, `changes` and `info` read, in the words of CouchDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from couchmend.core.chain import chain_of
from couchmend.core.document import Doc
from couchmend.core.revtree import Rev, RevTree
from couchmend.errors import NotFound
from couchmend.replica.base import (
    ChangeRow,
    ChangesQuery,
    DatabaseInfo,
    Found,
    Heartbeat,
    Include,
    Replica,
)

ROWS_AT_ONCE = 1000


def document(replica: Replica, id: str, rev: str | None, include: Include) -> Doc:
    """The winner or one revision; the error for a deleted document says how to see it."""
    try:
        return replica.get(id, rev=rev, **include)
    except NotFound as problem:
        if problem.reason != "deleted" or problem.hint:
            raise
        raise NotFound(
            "deleted", target=id, hint="--all-leaves shows the tombstone, --tree the history"
        ) from problem


def leaves_of(replica: Replica, id: str, include: Include) -> list[Doc]:
    """All leaves of a document that can be read, the winner first."""
    docs = {
        Rev.parse(row.doc["_rev"]): row.doc
        for row in replica.open_revs(id, **include)
        if isinstance(row, Found)
    }
    if not docs:
        raise NotFound("no leaf of it can be read", target=id)
    order = RevTree.of(([rev], bool(doc.get("_deleted"))) for rev, doc in docs.items()).leaves()
    return [docs[leaf.rev] for leaf in order]


def tree_of(docs: Sequence[Doc]) -> RevTree:
    """The revision tree of leaves that were read with their `_revisions`."""
    return RevTree.of((list(chain_of(doc)), bool(doc.get("_deleted"))) for doc in docs)


def tree_as_json(docs: Sequence[Doc]) -> Doc:
    """The leaves of a revision tree with their ancestors, the winner first."""
    leaves = [
        {
            "rev": doc["_rev"],
            "deleted": bool(doc.get("_deleted")),
            "revisions": [str(rev) for rev in chain_of(doc)],
        }
        for doc in docs
    ]
    return {"id": docs[0]["_id"], "winner": docs[0]["_rev"], "leaves": leaves}


def changes(replica: Replica, query: ChangesQuery, *, follow: bool) -> Iterator[ChangeRow]:
    """What changed so far, page after page; with `follow`, also what changes from now on."""
    if follow:
        yield from (row for row in replica.follow(query) if not isinstance(row, Heartbeat))
        return
    left = query.limit
    while left is None or left > 0:
        at_once = ROWS_AT_ONCE if left is None else min(left, ROWS_AT_ONCE)
        page = replica.changes(replace(query, limit=at_once))
        yield from page.rows
        if not page.rows or not page.pending:
            return
        left = None if left is None else left - len(page.rows)
        query = replace(query, since=page.last_seq)


def info_as_json(told: DatabaseInfo, replica: Replica) -> Doc:
    """What is known of a database, in the words of CouchDB's `GET /db`."""
    return {
        "db_name": told.name,
        "url": replica.url,
        "doc_count": told.documents,
        "doc_del_count": told.deleted_documents,
        "update_seq": told.update_seq,
        "purge_seq": told.purge_seq,
        "sizes": {
            "file": told.sizes.file,
            "active": told.sizes.active,
            "external": told.sizes.external,
        },
        "compact_running": told.compact_running,
        "notices": list(told.notices),
    }
