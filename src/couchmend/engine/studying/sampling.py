"""Which documents of a database are looked at: all, or a sample where there are many.

The sample is drawn by a hash of the id, so it is the same each time, and read in that order: a
beginning of it is a sample, too.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable
from dataclasses import dataclass, field

from couchmend.core.document import DESIGN
from couchmend.replica.base import ChangeRow, ChangesQuery, Replica

DOCUMENTS = 10_000
"""How many documents are looked at, unless told otherwise."""
CONFLICTS = 2_000
"""How many documents with several leaves are looked at beside them."""

_Ranked = tuple[int, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Picked:
    """A document to be looked at: its id, the winner and how many leaves it has."""

    id: str
    winner: str
    leaves: int


@dataclass(frozen=True, slots=True)
class Sample:
    """What is looked at.

    documents: how many the database has, design documents and deleted ones left out.
    several: how many of its rows list several leaf revisions, so that they may be in conflict.
    picked: a sample of the documents, and of those with several leaves.
    """

    documents: int
    several: int
    sampled: int
    picked: tuple[Picked, ...]

    @property
    def is_whole(self) -> bool:
        """Whether it has every document."""
        return self.sampled == self.documents


@dataclass(slots=True)
class _Smallest:
    """Those with the smallest hashes, at most so many."""

    most: int
    heap: list[_Ranked] = field(default_factory=list)
    seen: int = 0

    def offer(self, rank: int, row: ChangeRow) -> None:
        self.seen += 1
        item = (-rank, row.id, row.revs)
        if len(self.heap) < self.most:
            heapq.heappush(self.heap, item)
        elif self.heap and item > self.heap[0]:
            heapq.heapreplace(self.heap, item)


def sample(
    replica: Replica,
    *,
    documents: int = DOCUMENTS,
    conflicts: int = CONFLICTS,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> Sample:
    """Draw a sample; every row of the feed of changes is read, and no document.

    documents, conflicts: how many at most.
    on_progress: told how many rows were read, and how many there are in all.
    """
    any_, several = _Smallest(documents), _Smallest(conflicts)
    done = 0
    with_all = ChangesQuery(style="all_docs")
    for page in replica.change_pages(with_all):
        for row in page.rows:
            if row.id.startswith(DESIGN):
                continue
            rank = int.from_bytes(hashlib.sha256(row.id.encode(errors="replace")).digest()[:8])
            if not row.deleted:
                any_.offer(rank, row)
            if len(row.revs) > 1 and not row.deleted:
                several.offer(rank, row)
        done += len(page.rows)
        on_progress(done, done + page.pending)
    chosen = {item[1]: item for item in (*any_.heap, *several.heap)}
    picked = tuple(map(_picked, sorted(chosen.values(), reverse=True)))
    return Sample(any_.seen, several.seen, len(any_.heap), picked)


def _picked(item: _Ranked) -> Picked:
    _, id, revs = item
    return Picked(id, revs[0], len(revs))
