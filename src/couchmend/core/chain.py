"""The history of a revision as documents carry it: `_revisions`, newest first.

https://docs.couchdb.org/en/stable/replication/protocol.html#fetch-changed-documents
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from couchmend.core.document import JSON
from couchmend.core.revtree import Rev
from couchmend.errors import DocumentInvalid


class History(NamedTuple):
    """`_revisions`: the generation of the newest revision, and the hashes back from it."""

    start: int
    hashes: list[str]


def history_of(doc: Mapping[str, JSON]) -> History:
    """What the `_revisions` of a document say.

    Raises:
        DocumentInvalid: there are none, or they cannot be a history.
    """
    given = doc.get("_revisions")
    start = given.get("start") if isinstance(given, Mapping) else None
    if type(start) is not int:
        raise DocumentInvalid("_revisions.start isn't an integer.")
    hashes = given.get("ids") if isinstance(given, Mapping) else None
    if not isinstance(hashes, list):
        raise DocumentInvalid("_revisions.ids isn't a array.")
    if start < len(hashes):
        raise DocumentInvalid("_revisions.start is less than the number of _revisions.ids")
    if not all(type(hash) is str for hash in hashes):
        raise DocumentInvalid("RevId isn't a string")
    return History(start, hashes)


def chain_of(doc: Mapping[str, JSON]) -> Iterator[Rev]:
    """The revisions that the `_revisions` of a document name, as they are written there.

    Raises:
        DocumentInvalid: as `history_of`, and at once.
    """
    start, hashes = history_of(doc)
    return (Rev(start - age, hash) for age, hash in enumerate(hashes))
