"""Attachments: taken in before a write, kept by content, read in chunks."""

from __future__ import annotations

import base64
import binascii
import hashlib
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import IO, NamedTuple

from couchmend.core.document import JSON
from couchmend.core.revid import HashedAttachment
from couchmend.core.revtree import Rev
from couchmend.errors import BadRequest, DocumentInvalid, NotFound, PreconditionFailed, TooLarge
from couchmend.replica.base import AttachmentData
from couchmend.replica.content import WrongLength, plain_length
from couchmend.replica.embedded.records import StoredAttachment, find_record, find_revision

CHUNK_BYTES = 256 * 1024
_SPOOL_BYTES = 1 << 20
DEFAULT_TYPE = "application/octet-stream"


class Content(NamedTuple):
    """An attachment that came with a write.  Small ones are in memory, large ones in a
    temporary file that is gone when the write ends."""

    digest: str
    length: int
    source: bytes | IO[bytes]


class Given(NamedTuple):
    """One entry of a written document's `_attachments`: new content, or a stub."""

    name: str
    content_type: str
    content: Content | None
    revpos: int | None = None
    digest: str | None = None
    length: int | None = None


def take_in(
    id: str, entries: JSON, max_bytes: int, resources: ExitStack
) -> tuple[Given, ...] | None:
    """Read a written document's `_attachments`; None when there is none.

    Temporary files live until `resources` is closed.

    Raises:
        BadRequest: not the shape of attachments, or data that is not base64.
        TooLarge: more than `max_bytes`.
    """
    if not isinstance(entries, dict):
        raise DocumentInvalid("Bad special document member: _attachments", target=id)
    if not entries:
        return None
    return tuple(_take_in(id, name, entry, max_bytes, resources) for name, entry in entries.items())


def _take_in(id: str, name: str, entry: JSON, max_bytes: int, resources: ExitStack) -> Given:
    if not isinstance(entry, Mapping):
        raise DocumentInvalid(f"attachment {name} must be an object", target=id)
    check_name(name)
    content_type = entry.get("content_type", DEFAULT_TYPE)
    if type(content_type) is not str:
        raise DocumentInvalid(f"content_type of attachment {name} must be a string", target=id)
    revpos = entry.get("revpos")
    if revpos is not None and type(revpos) is not int:
        raise DocumentInvalid(f"revpos of attachment {name} must be an integer", target=id)
    if entry.get("stub") is True:
        return Given(name, content_type, None, revpos, _digest(entry), entry.get("length"))
    if "data" not in entry:
        raise BadRequest(
            f"Invalid attachment data for {name}",
            target=id,
            hint="an attachment needs `data`, or `stub: true`",
        )
    content = stage(entry["data"], name, max_bytes, resources)
    said = None if isinstance(entry["data"], str | bytes) else plain_length(entry)
    if said not in (None, content.length):
        raise WrongLength(name, said)
    return Given(name, content_type, content, revpos)


def check_name(name: str) -> None:
    """Hold that an attachment may be called so; raises `BadRequest`."""
    if not name:
        raise BadRequest("Attachment name must not be empty")
    if name[0] == "_":
        raise BadRequest(
            f"Attachment name '{name}' starts with prohibited character '_'",
        )


def stage(data: AttachmentData, name: str, max_bytes: int, resources: ExitStack) -> Content:
    """Take in one attachment's content and compute its digest.

    Raises:
        BadRequest: text that is not base64.
        TooLarge: more than `max_bytes`.
    """
    if isinstance(data, str):
        try:
            data = base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as problem:
            raise BadRequest(f"Invalid attachment data for {name}") from problem
    if isinstance(data, bytes):
        _check_size(len(data), name, max_bytes)
        return Content(_md5(hashlib.md5(data, usedforsecurity=False)), len(data), data)
    if not isinstance(data, Iterable):
        raise BadRequest(f"Invalid attachment data for {name}")
    spool = tempfile.SpooledTemporaryFile(max_size=_SPOOL_BYTES)  # noqa: SIM115 - lives on
    resources.enter_context(spool)
    digest, length = hashlib.md5(usedforsecurity=False), 0
    for chunk in data:
        if not isinstance(chunk, bytes):
            raise BadRequest(f"Invalid attachment data for {name}")
        length += len(chunk)
        _check_size(length, name, max_bytes)
        digest.update(chunk)
        spool.write(chunk)
    return Content(_md5(digest), length, spool)


def resolve(
    id: str, given: tuple[Given, ...], generation: int | None, known: Iterable[StoredAttachment]
) -> tuple[StoredAttachment, ...]:
    """What a new revision of `generation` keeps, stubs resolved among `known`.

    `generation` is None for a replicated revision, which says itself when each attachment
    came (0 when it does not).

    Raises:
        PreconditionFailed: a stub that names nothing in `known`, or something else.
    """
    by_name = {item.name: item for item in known}
    kept = []
    for item in given:
        if item.content is not None:
            revpos = (item.revpos or 0) if generation is None else generation
            kept.append(
                StoredAttachment(
                    item.name, item.content_type, item.content.digest, item.content.length, revpos
                )
            )
            continue
        there = by_name.get(item.name)
        if there is None or not _same(item, there):
            raise PreconditionFailed(
                f"Invalid attachment stub in {id} for {item.name}",
                error="missing_stub",
                hint="a stub refers to the revision that is extended; send the data instead",
            )
        kept.append(there)
    return tuple(kept)


def _same(stub: Given, there: StoredAttachment) -> bool:
    return (
        (stub.digest is None or stub.digest == there.digest)
        and (stub.length is None or stub.length == there.length)
        and (stub.revpos is None or stub.revpos == there.revpos)
    )


def hashed(attachments: Iterable[StoredAttachment]) -> list[HashedAttachment]:
    """Attachments as they enter the revision hash."""
    return [
        HashedAttachment(a.name, a.content_type, base64.b64decode(a.digest)) for a in attachments
    ]


def store(
    connection: sqlite3.Connection,
    document: int,
    rev: str,
    attachments: Iterable[StoredAttachment],
    contents: Mapping[str, Content],
) -> None:
    """Keep a revision's attachments; `contents` holds the new ones by digest."""
    for item in attachments:
        connection.execute(
            "INSERT OR IGNORE INTO blob_uses (digest, document, rev) VALUES (?, ?, ?)",
            (item.digest, document, rev),
        )
        content = contents.get(item.digest)
        if content is not None:
            added = connection.execute(
                "INSERT OR IGNORE INTO blobs (digest, length) VALUES (?, ?)",
                (item.digest, content.length),
            )
            if added.rowcount:
                connection.executemany(
                    "INSERT INTO blob_chunks (digest, part, data) VALUES (?, ?, ?)",
                    ((item.digest, n, chunk) for n, chunk in enumerate(_chunks(content.source))),
                )


def find(connection: sqlite3.Connection, id: str, name: str, rev: str | None) -> StoredAttachment:
    """What the winner or revision `rev` says of an attachment; raises `NotFound`."""
    wanted = None if rev is None else str(Rev.parse(rev))
    record = find_record(connection, id)
    if record is None:
        raise NotFound("missing", target=id)
    if wanted is None and record.deleted:
        raise NotFound("deleted", target=id)
    stored = find_revision(connection, record.key, wanted or record.winner)
    if stored is None:
        raise NotFound("missing", target=f"{id} {wanted}")
    for item in stored.attachment_list():
        if item.name == name:
            return item
    raise NotFound("Document is missing attachment", target=f"{id}/{name}")


def read_blob(connection: sqlite3.Connection, digest: str) -> Iterator[bytes]:
    """The content with this digest, in chunks."""
    for (chunk,) in connection.execute(
        "SELECT data FROM blob_chunks WHERE digest = ? ORDER BY part", (digest,)
    ):
        yield chunk


def _chunks(source: bytes | IO[bytes]) -> Iterator[bytes]:
    if isinstance(source, bytes):
        for start in range(0, len(source), CHUNK_BYTES):
            yield source[start : start + CHUNK_BYTES]
        return
    source.seek(0)
    while chunk := source.read(CHUNK_BYTES):
        yield chunk


def _check_size(length: int, name: str, max_bytes: int) -> None:
    if length > max_bytes:
        raise TooLarge(
            name,
            error="attachment_too_large",
            hint=f"the limit `max_attachment_bytes` is {max_bytes}",
        )


def _digest(entry: Mapping[str, JSON]) -> str | None:
    digest = entry.get("digest")
    return None if digest is None else str(digest).removeprefix("md5-")


def _md5(digest: hashlib._Hash) -> str:
    return base64.b64encode(digest.digest()).decode()
