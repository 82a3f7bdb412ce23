"""Documents with their history, as far as the database still has it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from couchmend.core.chain import chain_of
from couchmend.core.conflicts.deletions import concurrent_deletions
from couchmend.core.document import Doc, dumps
from couchmend.core.merging.attachments import version_body
from couchmend.core.revtree import Rev, RevTree
from couchmend.engine.studying.sampling import Picked
from couchmend.errors import DocumentInvalid
from couchmend.replica.base import Found, Replica

BATCH = 100
MAX_LEAVES = 100
"""Of a document with more, only the winner is looked at."""
MAX_BYTES = 256 * 1024
"""Of a document with more, older revisions are not looked at."""
GENERATIONS = 3
"""How many edits of a document are looked at, the last ones."""


@dataclass(slots=True)
class Studied:
    """A document: its winner, and what is known of its past.

    in_conflict: whether it has several live leaves, or a deletion beside an edit.
    bodies: of leaves and ancestors, by revision.
    """

    id: str
    winner: Doc
    tree: RevTree
    bodies: dict[Rev, Doc] = field(default_factory=dict)
    in_conflict: bool = False
    wanted: list[Rev] = field(default_factory=list)

    @property
    def live(self) -> list[Rev]:
        """The live leaves that were read, the winner first."""
        leaves = [leaf.rev for leaf in self.tree.leaves() if not leaf.deleted]
        return [rev for rev in leaves if rev in self.bodies]

    def edits(self) -> Iterator[tuple[Doc, Doc]]:
        """What people edited: pairs of bodies, before and after.

        For a document in conflict from where its branches meet to each leaf, so that an edit is
        told once; else from revision to revision.
        """
        if self.in_conflict:
            at = self.meeting
            if at is not None and at in self.bodies:
                yield from ((self.bodies[at], self.bodies[leaf]) for leaf in self.live)
            return
        for new, old in itertools.pairwise(self.tree.ancestry(self.live[0])):
            if old not in self.bodies or new not in self.bodies:
                return
            yield self.bodies[old], self.bodies[new]

    @property
    def meeting(self) -> Rev | None:
        """The revision that all live leaves descend from, where there are several."""
        first, *others = self.live
        at: Rev | None = first
        for other in others:
            at = self.tree.common_ancestor(at, other) if at is not None else None
        return at if others else None


def read(
    replica: Replica,
    picked: Sequence[Picked],
    on_progress: Callable[[int], None] = lambda amount: None,
) -> Iterator[Studied]:
    """Read documents, a batch at a time; one that is gone or cannot be read is passed over."""
    for start in range(0, len(picked), BATCH):
        batch = picked[start : start + BATCH]
        found = list(_leaves(replica, batch))
        _past(replica, found)
        yield from found
        on_progress(len(batch))


def _leaves(replica: Replica, batch: Sequence[Picked]) -> Iterator[Studied]:
    wanted = [(one.id, None if one.leaves <= MAX_LEAVES else one.winner) for one in batch]
    for row in replica.bulk_get(wanted, revs=True):
        docs = [outcome.doc for outcome in row.outcomes if isinstance(outcome, Found)]
        try:
            studied = _studied(row.id, docs)
        except DocumentInvalid:  # what cannot be merged teaches nothing about merging
            continue
        if studied is not None:
            yield studied


def _studied(id: str, docs: list[Doc]) -> Studied | None:
    tree = RevTree.of((list(chain_of(doc)), bool(doc.get("_deleted"))) for doc in docs)
    live = {Rev.parse(doc["_rev"]): doc for doc in docs if not doc.get("_deleted")}
    if not live:
        return None
    best = next(leaf.rev for leaf in tree.leaves() if leaf.rev in live)
    studied = Studied(id, version_body(live[best]), tree)
    studied.in_conflict = len(live) > 1 or bool(concurrent_deletions(tree))
    if sum(len(dumps(doc)) for doc in docs) > MAX_BYTES:
        studied.bodies[best] = studied.winner
        return studied
    studied.bodies |= {rev: version_body(doc) for rev, doc in live.items()}
    if studied.in_conflict:
        studied.wanted = [studied.meeting] if studied.meeting is not None else []
    else:
        chain = itertools.islice(tree.ancestry(best), 1, 1 + GENERATIONS)
        studied.wanted = list(itertools.takewhile(lambda rev: not tree.is_deleted(rev), chain))
    return studied


def _past(replica: Replica, batch: Sequence[Studied]) -> None:
    """Add the older bodies that the database still has."""
    each = [(studied, rev) for studied in batch for rev in studied.wanted]
    rows = replica.bulk_get([(studied.id, str(rev)) for studied, rev in each])
    for (studied, rev), row in zip(each, rows, strict=True):
        for outcome in row.outcomes:
            if isinstance(outcome, Found) and not outcome.doc.get("_deleted"):
                studied.bodies[rev] = version_body(outcome.doc)
