"""Stores revisions of one's own making, as replication does, the ancestors with their bodies."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from couchmend.replica.base import Replica


def rev_of(generation: int, *parts: object) -> str:
    """A revision that differs where what it is made of differs."""
    return f"{generation}-{hashlib.md5(repr(parts).encode()).hexdigest()}"


def revision(
    id: str, chain: Sequence[str], body: Mapping[str, Any], *, deleted: bool = False
) -> dict[str, Any]:
    """A document as replication brings it; the chain begins with its own revision."""
    start = int(chain[0].partition("-")[0])
    ids = [rev.partition("-")[2] for rev in chain]
    doc = {"_id": id, "_rev": chain[0], "_revisions": {"start": start, "ids": ids}, **body}
    return {**doc, "_deleted": True} if deleted else doc


def store(replica: Replica, *docs: Mapping[str, Any]) -> None:
    """Write them in this order."""
    for doc in docs:
        refused = replica.bulk_docs([doc], new_edits=False)
        assert refused == []


def fork(
    replica: Replica,
    id: str,
    base: Mapping[str, Any] | None,
    *sides: Mapping[str, Any] | None,
) -> list[str]:
    """A revision and others over it, None being a deletion; returns the leaves' revisions.

    base: None for a first revision whose body is not known.
    """
    root = rev_of(1, id)
    docs = [] if base is None else [revision(id, [root], base)]
    leaves = []
    for number, side in enumerate(sides):
        leaf = rev_of(2, id, number)
        leaves.append(leaf)
        docs.append(revision(id, [leaf, root], side or {}, deleted=side is None))
    store(replica, *docs)
    return leaves
