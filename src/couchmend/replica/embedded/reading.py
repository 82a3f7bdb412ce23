"""Reading documents: revisions, leaves and their bodies."""

from __future__ import annotations

import base64
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

from couchmend.core.document import Doc, loads
from couchmend.core.revtree import Rev, RevTree
from couchmend.errors import BadRequest, NotFound
from couchmend.replica.base import BulkGetRow, Found, Include, Missing
from couchmend.replica.embedded.attachments import read_blob
from couchmend.replica.embedded.records import (
    Record,
    StoredAttachment,
    StoredRevision,
    find_record,
    find_revision,
    find_winners,
)

_WINNERS_AT_ONCE = 50
_LARGE_BYTES = 4 << 20


def get(
    connection: sqlite3.Connection,
    id: str,
    rev: str | None,
    *,
    latest: bool = False,
    **include: Unpack[Include],
) -> Doc:
    """See `Replica.get`."""
    wanted = None if rev is None else Rev.parse(rev)
    record = find_record(connection, id)
    if record is None:
        raise NotFound("missing", target=id)
    if wanted is None:
        if record.deleted:
            raise NotFound("deleted", target=id)
        return winner(connection, record, **include)
    if latest:
        tree = record.revtree()
        descendants = tree.leaves_from(wanted) if wanted in tree else []
        wanted = max(descendants, key=lambda leaf: leaf.precedence).rev if descendants else wanted
    doc = revision(connection, record, wanted, **include)
    if doc is None:
        raise NotFound("missing", target=f"{id} {rev}")
    return doc


def winner(connection: sqlite3.Connection, record: Record, **include: Unpack[Include]) -> Doc:
    """The winning revision of a document, with its conflicts if they are wanted.

    Raises:
        NotFound: the body of the winner is not stored.
    """
    rev = Rev.parse(record.winner)
    doc = revision(connection, record, rev, **include)
    if doc is None:
        raise NotFound("missing", target=record.id)
    if record.leaves > 1:
        losers = record.revtree().leaves()[1:]
        for member, dead in (("conflicts", False), ("deleted_conflicts", True)):
            revs = [str(leaf.rev) for leaf in losers if leaf.deleted is dead]
            if include.get(member) and revs and not (record.deleted and not dead):
                doc[f"_{member}"] = revs
    if "_attachments" in doc:
        doc["_attachments"] = doc.pop("_attachments")  # last, as CouchDB has it
    return doc


def open_revs(
    connection: sqlite3.Connection,
    id: str,
    wanted: Sequence[str] | None,
    *,
    latest: bool = False,
    **include: Unpack[Include],
) -> list[Found | Missing]:
    """See `Replica.open_revs`."""
    revs = None if wanted is None else [Rev.parse(rev) for rev in wanted]
    record = find_record(connection, id)
    if record is None:
        if revs is None:
            raise NotFound("missing", target=id)
        return [Missing(id, str(rev)) for rev in revs]
    tree = record.revtree()
    if revs is None:
        revs = [leaf.rev for leaf in tree.leaves_in_tree_order()]
    elif latest:
        revs = _latest(tree, revs)
    return [_outcome(connection, record, rev, tree, **include) for rev in revs]


def bulk_get(
    connection: sqlite3.Connection,
    items: Sequence[tuple[str, str | None]],
    *,
    latest: bool = False,
    **include: Unpack[Include],
) -> list[BulkGetRow]:
    """See `Replica.bulk_get`; these at one moment, or, where they are large, the first of them."""
    rows: list[BulkGetRow] = []
    while len(rows) < len(items):
        some = items[len(rows) : len(rows) + _WINNERS_AT_ONCE]
        winners = find_winners(connection, dict.fromkeys(id for id, _ in some))
        rows += _rows(connection, some, winners, latest=latest, **include)
        if sum(len(stored.body) for _, stored in winners.values() if stored) > _LARGE_BYTES:
            break
    return rows


def _rows(
    connection: sqlite3.Connection,
    items: Sequence[tuple[str, str | None]],
    winners: Mapping[str, tuple[Record, StoredRevision | None]],
    *,
    latest: bool,
    **include: Unpack[Include],
) -> list[BulkGetRow]:
    """The rows of some items; fewer where what has come is large."""
    trees: dict[str, RevTree] = {}
    rows: list[BulkGetRow] = []
    size = 0
    for id, text in items:
        if size > _LARGE_BYTES:
            break
        record, stored = winners.get(id, (None, None))
        # Other leaves are about as large.
        size += (
            len(stored.body) * (record.leaves if record and text is None else 1) if stored else 0
        )
        if record is None:
            rows.append(BulkGetRow(id, (_nowhere(id, text),)))
            continue
        if record.tree is None and (text is None or text == record.winner):
            rev = Rev.parse(record.winner)
            doc = None if stored is None else _doc(connection, record, rev, stored, None, **include)
            rows.append(BulkGetRow(id, (Missing(id, str(rev)) if doc is None else Found(doc),)))
            continue
        tree = trees.get(id)
        if tree is None:
            tree = trees[id] = record.revtree()
        try:
            revs = _wanted(tree, text, latest)
        except BadRequest as problem:
            rows.append(BulkGetRow(id, (Missing(id, text, problem.error, problem.reason),)))
            continue
        outcomes = tuple(_outcome(connection, record, rev, tree, **include) for rev in revs)
        rows.append(BulkGetRow(id, outcomes))
    return rows


def _wanted(tree: RevTree, text: str | None, latest: bool) -> list[Rev]:
    if text is None:
        return [leaf.rev for leaf in tree.leaves_in_tree_order()]
    revs = [Rev.parse(text)]
    return _latest(tree, revs) if latest else revs


def revision(
    connection: sqlite3.Connection,
    record: Record,
    rev: Rev,
    tree: RevTree | None = None,
    **include: Unpack[Include],
) -> Doc | None:
    """One revision as a document, or None when its body is not stored."""
    stored = find_revision(connection, record.key, str(rev))
    return None if stored is None else _doc(connection, record, rev, stored, tree, **include)


def _doc(
    connection: sqlite3.Connection,
    record: Record,
    rev: Rev,
    stored: StoredRevision,
    tree: RevTree | None,
    **include: Unpack[Include],
) -> Doc:
    text = str(rev)
    doc: Doc = {"_id": record.id, "_rev": text}
    doc.update(loads(stored.body))
    if tree is None and (record.tree is not None or text != record.winner):
        tree = record.revtree()
    if record.deleted if tree is None else tree.is_deleted(rev):
        doc["_deleted"] = True
    if include:
        _include(connection, doc, record, rev, tree, **include)
    if stored.attachments is not None:
        doc["_attachments"] = _attachments(connection, stored, rev, tree, **include)
    return doc


def _include(
    connection: sqlite3.Connection,
    doc: Doc,
    record: Record,
    rev: Rev,
    tree: RevTree | None,
    **include: Unpack[Include],
) -> None:
    chain = [rev] if tree is None else tree.chain(rev)
    if include.get("revs"):
        doc["_revisions"] = {"start": rev.generation, "ids": [step.hash for step in chain]}
    if include.get("revs_info"):
        stored = {
            text
            for (text,) in connection.execute(
                "SELECT rev FROM revisions WHERE document = ?", (record.key,)
            )
        }
        doc["_revs_info"] = [
            {"rev": str(step), "status": _status(step, stored, tree)} for step in chain
        ]
    if include.get("local_seq"):
        doc["_local_seq"] = record.seq


def _status(rev: Rev, stored: set[str], tree: RevTree | None) -> str:
    if str(rev) not in stored:
        return "missing"
    return "deleted" if tree is not None and tree.is_deleted(rev) else "available"


def _attachments(
    connection: sqlite3.Connection,
    stored: StoredRevision,
    rev: Rev,
    tree: RevTree | None,
    **include: Unpack[Include],
) -> Doc:
    since = include.get("atts_since")
    newer_than = -1 if include.get("attachments") else None
    if since is not None:
        chain = {rev} if tree is None else set(tree.ancestry(rev))
        newer_than = max((r.generation for r in map(Rev.parse, since) if r in chain), default=-1)
    return {
        item.name: _attachment(
            connection, item, inline=newer_than is not None and item.revpos > newer_than
        )
        for item in stored.attachment_list()
    }


def _attachment(connection: sqlite3.Connection, item: StoredAttachment, *, inline: bool) -> Doc:
    shown: Doc = {
        "content_type": item.content_type,
        "revpos": item.revpos,
        "digest": f"md5-{item.digest}",
    }
    if inline:
        content = b"".join(read_blob(connection, item.digest))
        shown["data"] = base64.b64encode(content).decode()
    else:
        shown["length"] = item.length
        shown["stub"] = True
    return shown


def _outcome(
    connection: sqlite3.Connection,
    record: Record,
    rev: Rev,
    tree: RevTree | None,
    **include: Unpack[Include],
) -> Found | Missing:
    doc = revision(connection, record, rev, tree, **include)
    return Missing(record.id, str(rev)) if doc is None else Found(doc)


def _latest(tree: RevTree, revs: Iterable[Rev]) -> list[Rev]:
    """The leaves that descend from each revision, or the revision where it is unknown."""
    found: dict[Rev, None] = {}
    for rev in revs:
        if rev in tree:
            found.update((leaf.rev, None) for leaf in tree.leaves_from(rev))
        else:
            found[rev] = None
    return list(found)


def _nowhere(id: str, rev: str | None) -> Missing:
    if rev is not None:
        try:
            Rev.parse(rev)
        except BadRequest as problem:
            return Missing(id, rev, problem.error, problem.reason)
    return Missing(id, rev)
