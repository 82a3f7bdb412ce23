"""Revision hashes as Apache CouchDB computes them.

A hash is the MD5 of the Erlang external term (minor version 1) of
`[deleted, parent generation, parent hash or 0, body, attachments]`
(`couch_db:new_revid/1`).
So the same edit of the same parent is the same revision on every replica that hashes alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from couchmend.core.document import MAX_DEPTH, Doc
from couchmend.core.erlang_term import FALSE, TRUE, binary, integer, json_term, list_of, tuple_of
from couchmend.core.revtree import Rev, hash_bytes

_HEADER = b"\x83l\x00\x00\x00\x05"
_DEAD, _LIVE = _HEADER + TRUE, _HEADER + FALSE


class HashedAttachment(NamedTuple):
    """What of an attachment enters the hash: `md5` is the digest of its bytes, 16 bytes."""

    name: str
    content_type: str
    md5: bytes


def new_rev(
    parent: Rev | None,
    deleted: bool,
    body: Doc,
    attachments: Sequence[HashedAttachment] = (),
    *,
    max_depth: int = MAX_DEPTH,
) -> Rev:
    """The revision that extends `parent` with `body`, attachments in the document's order.

    Raises:
        DocumentInvalid: `body` is not JSON, or nested more than `max_depth` levels.
    """
    before = b"a\0a\0"
    if parent is not None:
        before = integer(parent.generation) + binary(hash_bytes(parent.hash))
    kept = [
        tuple_of(binary(name.encode()), binary(content_type.encode()), binary(md5))
        for name, content_type, md5 in reversed(attachments)
    ]
    term = b"".join(
        (_DEAD if deleted else _LIVE, before, json_term(body, max_depth), list_of(kept), b"j")
    )
    digest = hashlib.md5(term, usedforsecurity=False).hexdigest()
    return Rev(1 if parent is None else parent.generation + 1, digest)
