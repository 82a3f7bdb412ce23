"""Requests that write: their size, and what is known afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from couchmend.core.document import JSON, Doc
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.plans.writes import Write
from couchmend.engine.carrying.operations import Running
from couchmend.engine.carrying.site import Site
from couchmend.engine.carrying.work import Contents
from couchmend.errors import Forbidden, ReplicaError, Unauthorized
from couchmend.journal.contents import Content, content
from couchmend.journal.opening import Journal
from couchmend.replica.base import Refused, Written
from couchmend.replica.refusals import bulk_docs_each

T = TypeVar("T")

INLINE_BYTES = 1 << 20
"""A document that carries more content than this is written by itself."""

REQUEST_BYTES = 8 << 20
"""About so much goes into one request."""

REQUEST_DOCUMENTS = 500

# What a database says of a document, and not of itself.
_ABOUT_THE_DOCUMENT = frozenset(
    {
        "bad_request",
        "conflict",
        "doc_validation",
        "document_too_large",
        "attachment_too_large",
        "forbidden",
        "illegal_docid",
        "missing_stub",
        "precondition_failed",
        "too_large",
        "unauthorized",
    }
)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody knows whether it is stored."""

    problem: ReplicaError


Row: TypeAlias = Written | Refused | Unknown


class KeptContent:
    """Content out of the journal, as often as it is needed."""

    def __init__(self, journal: Journal, kept: Content) -> None:
        self._journal = journal
        self._kept = kept

    def __iter__(self) -> Iterator[bytes]:
        return content(self._journal, self._kept.digest)


def document_of(site: Site, id: str, write: Write, contents: Contents) -> Doc:
    """What is sent for a write, with what it carries."""
    doc = write.document(id)
    for one in write.attachments:
        if one.carried:
            kept = contents[one.source, one.source_name]
            doc[MEMBER][one.name] |= {
                "data": KeptContent(site.journal, kept),
                "length": kept.length,
            }
    return doc


def carried_bytes(write: Write, contents: Contents) -> int:
    """How much content a write carries."""
    return sum(
        contents[one.source, one.source_name].length for one in write.attachments if one.carried
    )


def grouped(items: Iterable[tuple[T, int]]) -> Iterator[list[T]]:
    """Items with their sizes, in groups that make a request each.  What is larger than
    `INLINE_BYTES` is by itself."""
    group: list[T] = []
    total = 0
    for item, size in items:
        if size > INLINE_BYTES:
            yield [item]
            continue
        if group and (total + size > REQUEST_BYTES or len(group) == REQUEST_DOCUMENTS):
            yield group
            group, total = [], 0
        group.append(item)
        total += size
    if group:
        yield group


def clear(site: Site, running: Running) -> None:
    """Before each request that writes: whether it may.

    Raises:
        EngineRefused, TimedOut: it may not.
    """
    running.check()
    site.may_write()


def send(site: Site, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True) -> list[Row]:
    """Write documents; a row for each, in their order.  Without `new_edits` those that were not
    refused are told as written, under their own revisions: whether they are is to be looked up.
    """
    try:
        rows = bulk_docs_each(site.replica, docs, new_edits=new_edits)
    except (Forbidden, Unauthorized) as problem:
        return [
            Refused(str(doc["_id"]), str(doc["_rev"]), problem.error, problem.reason)
            for doc in docs
        ]
    except ReplicaError as problem:
        return [Unknown(problem)] * len(docs)
    if not new_edits:
        refused = {(row.id, row.rev): row for row in rows if isinstance(row, Refused)}
        return [
            _known(refused.get((doc["_id"], doc["_rev"])) or Written(doc["_id"], doc["_rev"]))
            for doc in docs
        ]
    return [_known(row) for row in rows]


def _known(row: Written | Refused) -> Row:
    if isinstance(row, Refused) and row.error not in _ABOUT_THE_DOCUMENT:
        # Of a cluster that lost a node in the middle of it, for one.
        problem = ReplicaError(row.reason, error=row.error, target=row.id, transient=True)
        return Unknown(problem)
    return row
