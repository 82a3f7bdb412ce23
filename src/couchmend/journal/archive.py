"""The archive: what couchmend keeps of a document before it takes anything out of a database.

Bodies are kept once, however many documents and revisions have them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from couchmend.core.document import Doc, dumps, loads
from couchmend.core.revtree import Rev
from couchmend.journal.columns import batches, key, pack, unpack
from couchmend.journal.contents import Content, content, keep_content, stored_sizes
from couchmend.journal.forgetting import Forgotten, forget
from couchmend.journal.tables import attachments as attachments_table
from couchmend.journal.tables import bodies, contents, kept_revisions
from couchmend.journal.writing import hold_contents, put

__all__ = [
    "Archived", "Content", "Forgotten", "KeptAttachment", "Size", "attach", "attachments",
    "attachments_of", "content", "forget", "keep", "keep_content", "kept", "kept_content", "size",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Archived:
    """A revision that is kept.

    chain: newest first, beginning with `rev`.
    body: as `version_body` gives it; None where only the chain is known.
    """

    rev: Rev
    chain: tuple[Rev, ...]
    deleted: bool
    body: Doc | None


@dataclass(frozen=True, slots=True)
class KeptAttachment:
    """An attachment of a revision, whose content is kept.

    server_digest: as the database names the content, such as `md5-…`.
    """

    rev: Rev
    name: str
    content_type: str
    server_digest: str
    content: Content


@dataclass(frozen=True, slots=True)
class Size:
    """How much the archive holds, in numbers and in bytes.

    length: of the bodies as JSON; `stored` is what they take, compressed.
    """

    documents: int
    revisions: int
    bodies: int
    length: int
    stored: int
    contents: int
    contents_length: int
    contents_stored: int


def keep(
    tx: Connection,
    database_id: int,
    documents: Mapping[str, Iterable[Archived]],
    now: int,
) -> None:
    """Keep revisions, by document.  What is kept already stays; a body or the older part of a
    chain that was not known is added."""
    hold_contents(tx)
    rows = [(document, one) for document, many in documents.items() for one in many]
    for batch in batches(rows):
        _keep(tx, database_id, batch, now)


def _keep(
    tx: Connection, database_id: int, batch: Sequence[tuple[str, Archived]], now: int
) -> None:
    texts = [None if one.body is None else dumps(one.body) for _, one in batch]
    body_ids = _keep_bodies(tx, [text for text in texts if text is not None])
    new: dict[tuple[bytes, bytes], dict[str, Any]] = {}
    for (document, one), text in zip(batch, texts, strict=True):
        at = (key(document), key(str(one.rev)))
        row = {
            "database_id": database_id,
            "document_key": at[0],
            "revision_key": at[1],
            "document": document,
            "revision": str(one.rev),
            "deleted": one.deleted,
            "chain": one.chain,
            "body_id": None if text is None else body_ids[hashlib.sha256(text).digest()],
            "kept_at": now,
        }
        new[at] = _completed(new.get(at), row)
    known = _known(tx, database_id, [document for document, _ in batch])
    fresh = [row for at, row in sorted(new.items()) if at not in known]
    put(tx, kept_revisions, fresh)
    changes = [
        (known[at], _completed(known[at], row)) for at, row in sorted(new.items()) if at in known
    ]
    changed = [
        {"which": row["id"], "longer": row["chain"], "body": row["body_id"]}
        for old, row in changes
        if row != old
    ]
    if changed:
        tx.execute(
            update(kept_revisions)
            .where(kept_revisions.c.id == bindparam("which"))
            .values(chain=bindparam("longer"), body_id=bindparam("body")),
            changed,
        )


def _completed(old: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    """What is kept, with what it lacks and another has."""
    if old is None:
        return new
    completed = dict(old)
    if len(new["chain"]) > len(old["chain"]):
        completed["chain"] = new["chain"]
    if old["body_id"] is None:
        completed["body_id"] = new["body_id"]
    return completed


def _known(
    tx: Connection, database_id: int, documents: Iterable[str]
) -> dict[tuple[bytes, bytes], dict[str, Any]]:
    c = kept_revisions.c
    keys = list(dict.fromkeys(key(document) for document in documents))
    rows = tx.execute(
        select(c.id, c.document_key, c.revision_key, c.chain, c.body_id).where(
            c.database_id == database_id, c.document_key.in_(keys)
        )
    )
    return {
        (bytes(row.document_key), bytes(row.revision_key)): {
            "id": row.id,
            "chain": row.chain,
            "body_id": row.body_id,
        }
        for row in rows
    }


def _keep_bodies(tx: Connection, texts: Iterable[bytes]) -> dict[bytes, int]:
    """The numbers of bodies, by digest; those that are new are kept."""
    by_digest = {hashlib.sha256(text).digest(): text for text in texts}
    if not by_digest:
        return {}
    known = _body_ids(tx, by_digest)
    fresh = [digest for digest in sorted(by_digest) if digest not in known]
    if not fresh:
        return known
    put(
        tx,
        bodies,
        [
            {
                "digest": digest,
                "length": len(by_digest[digest]),
                "body": pack(by_digest[digest]),
            }
            for digest in fresh
        ],
    )
    return known | _body_ids(tx, fresh)


def _body_ids(tx: Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    rows = tx.execute(
        select(bodies.c.digest, bodies.c.id).where(bodies.c.digest.in_(list(digests)))
    )
    return {bytes(row.digest): row.id for row in rows}


def kept(
    tx: Connection, database_id: int, documents: Iterable[str]
) -> dict[str, dict[Rev, Archived]]:
    """What is kept of these documents, by document and revision; nothing is left out."""
    c = kept_revisions.c
    found: dict[str, dict[Rev, Archived]] = {}
    for batch in batches(dict.fromkeys(documents)):
        rows = tx.execute(
            select(c.document, c.revision, c.deleted, c.chain, bodies.c.body)
            .join_from(kept_revisions, bodies, isouter=True)
            .where(
                c.database_id == database_id,
                c.document_key.in_([key(document) for document in batch]),
            )
            .order_by(c.id)
        )
        for row in rows:
            rev = Rev.parse(row.revision)
            body = None if row.body is None else loads(unpack(row.body))
            one = Archived(rev, row.chain, row.deleted, body)
            found.setdefault(row.document, {})[rev] = one
    return found


# --- attachments


def attach(
    tx: Connection,
    database_id: int,
    document: str,
    rev: Rev,
    name: str,
    content_type: str,
    server_digest: str,
    content: Content,
) -> None:
    """Say of which attachment some content is that was kept.

    Raises:
        JournalError: the content is not kept.
    """
    hold_contents(tx)
    content_id = content.number(tx)
    row = {
        "database_id": database_id,
        "document_key": key(document),
        "attachment_key": key(str(rev), name),
        "document": document,
        "revision": str(rev),
        "name": name,
        "content_type": content_type,
        "server_digest": server_digest,
        "content_id": content_id,
    }
    put(tx, attachments_table, [row])


def attachments(tx: Connection, database_id: int, document: str) -> list[KeptAttachment]:
    """The attachments of a document whose contents are kept."""
    return attachments_of(tx, database_id, [document]).get(document, [])


def attachments_of(
    tx: Connection, database_id: int, documents: Iterable[str]
) -> dict[str, list[KeptAttachment]]:
    """The attachments of documents whose contents are kept; documents without any are left
    out."""
    c = attachments_table.c
    found: dict[str, list[KeptAttachment]] = {}
    for batch in batches(dict.fromkeys(documents)):
        rows = tx.execute(
            select(attachments_table, contents.c.digest, contents.c.length)
            .join_from(attachments_table, contents)
            .where(
                c.database_id == database_id,
                c.document_key.in_([key(document) for document in batch]),
            )
            .order_by(c.id)
        )
        for row in rows:
            one = KeptAttachment(
                Rev.parse(row.revision),
                row.name,
                row.content_type,
                row.server_digest,
                Content(bytes(row.digest).hex(), row.length),
            )
            found.setdefault(row.document, []).append(one)
    return found


def kept_content(tx: Connection, database_id: int, server_digest: str) -> Content | None:
    """The content that a database names so, if some attachment of that database has it; it need
    not be fetched again.  Only `md5-…` of a whole content names one."""
    c = attachments_table.c
    row = tx.execute(
        select(contents.c.digest, contents.c.length)
        .join_from(attachments_table, contents)
        .where(c.database_id == database_id, c.server_digest == server_digest)
        .limit(1)
    ).one_or_none()
    return None if row is None else Content(bytes(row.digest).hex(), row.length)


# --- how much there is


def size(tx: Connection) -> Size:
    """How much the archive holds.  It looks at every row: seconds where there are a million."""
    documents, revisions = tx.execute(
        select(func.count(func.distinct(kept_revisions.c.document_key)), func.count()).select_from(
            kept_revisions
        )
    ).one()
    number, length, stored = tx.execute(
        select(
            func.count(),
            func.coalesce(func.sum(bodies.c.length), 0),
            func.coalesce(func.sum(func.length(bodies.c.body)), 0),
        ).select_from(bodies)
    ).one()
    return Size(documents, revisions, number, int(length), int(stored), *stored_sizes(tx))
