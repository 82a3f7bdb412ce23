"""Revisions as replication brings them, and what is asked about them in many tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from couchmend.core.document import JSON, Doc
from couchmend.replica.base import Found, Missing, Replica

TREE = "x"
"""The document of `grow`: 1-aaaa, beneath it 2-bbbb, the winner 2-cccc, and 3-dddd deleted."""


def chained(id: str, *revs: str, deleted: bool = False, **fields: JSON) -> Doc:
    """A revision with its ancestors, newest first, to be written with `new_edits=False`."""
    generations = [int(rev.partition("-")[0]) for rev in revs]
    assert generations == list(range(generations[0], generations[0] - len(revs), -1)), revs
    doc: Doc = {"_id": id, "_rev": revs[0], **fields}
    doc["_revisions"] = {
        "start": generations[0],
        "ids": [rev.partition("-")[2] for rev in revs],
    }
    if deleted:
        doc["_deleted"] = True
    return doc


def grow(replica: Replica) -> None:
    """Write the document `TREE`."""
    store(
        replica,
        chained(TREE, "1-aaaa", v="base"),
        chained(TREE, "2-bbbb", "1-aaaa", v="left"),
        chained(TREE, "2-cccc", "1-aaaa", v="right"),
        chained(TREE, "3-dddd", "2-eeee", "1-aaaa", deleted=True),
    )


def store(replica: Replica, *docs: Doc) -> None:
    """Write revisions as replication does; none may be refused."""
    assert replica.bulk_docs(docs, new_edits=False) == []


def leaves(replica: Replica, id: str) -> set[str]:
    """All leaf revisions, tombstones included."""
    return {str(doc["_rev"]) for doc in found(replica.open_revs(id))}


def found(outcomes: Iterable[Found | Missing]) -> list[Doc]:
    """The documents of outcomes that must all be found."""
    docs = []
    for outcome in outcomes:
        assert isinstance(outcome, Found), outcome
        docs.append(outcome.doc)
    return docs


def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what a server does in its own time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def compact(replica: Replica) -> None:
    """Compact, and wait until it is done."""
    replica.compact()
    until(lambda: not replica.info().compact_running)
