"""Which leaves of a tree are in conflict, and which of its tombstones are deletions by users.

All of it is told from the tree alone, so that it is the same on every machine.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable

from couchmend.core.document import dumps
from couchmend.core.revtree import Leaf, Rev, RevTree


def concurrent_deletions(tree: RevTree) -> tuple[Rev, ...]:
    """The tombstones by which somebody deleted what somebody else went on editing.

    A dead leaf is one when its parent is an ancestor of a live leaf and no live revision
    outside the subtree of the parent precedes the parent in winner order.  Whoever tombstones
    the loser of a conflict keeps a leaf that precedes it, and that revision stays in the tree:
    this witness tells a resolution from a deletion.  A tombstone is no witness.
    """
    if not _has_both(tree):
        return ()
    shape = _Shape(tree)
    found = []
    for rev in shape.dead:
        parent = tree.parent(rev)
        if parent is not None and parent in shape.above_live and shape.has_no_witness(parent):
            found.append(rev)
    return tuple(sorted(found))


def possible_deletions(tree: RevTree) -> tuple[Rev, ...]:
    """The other dead leaves with edits of their own: losers of a conflict that was resolved,
    or deletions of what somebody else edited, too.  Nothing tells which."""
    if not _has_both(tree):
        return ()
    shape = _Shape(tree)
    concurrent = set(concurrent_deletions(tree))
    return tuple(
        sorted(rev for rev in shape.dead if rev not in concurrent and shape.has_own_edits(rev))
    )


def leafset(tree: RevTree) -> tuple[Rev, ...]:
    """The live leaves and the concurrent deletions: what a conflict is between."""
    live = (leaf.rev for leaf in tree.leaves() if not leaf.deleted)
    return tuple(sorted([*live, *concurrent_deletions(tree)]))


def is_open(tree: RevTree) -> bool:
    """Whether there are two or more live leaves."""
    return sum(not leaf.deleted for leaf in tree.leaves()) > 1


def is_hidden(tree: RevTree) -> bool:
    """Whether there is one live leaf, and a concurrent deletion: a conflict that CouchDB does
    not list in `_conflicts`."""
    live = sum(not leaf.deleted for leaf in tree.leaves())
    return live == 1 and bool(concurrent_deletions(tree))


def row_digest(revs: Iterable[Rev | str]) -> str:
    """SHA-256, in hexadecimal, over all leaf revisions of a row of the changes feed."""
    return hashlib.sha256(dumps(sorted(map(str, revs)))).hexdigest()


def _has_both(tree: RevTree) -> bool:
    """Whether there are live leaves and dead ones: else no deletion is in conflict."""
    leaves = tree.leaves()
    return bool(leaves) and not leaves[0].deleted and leaves[-1].deleted


class _Shape:
    """What of a tree can be said in one walk over it."""

    def __init__(self, tree: RevTree) -> None:
        self._tree = tree
        leaves = tree.leaves()
        self.dead = [leaf.rev for leaf in leaves if leaf.deleted]
        self.above_live: set[Rev] = set()
        """The live leaves and all of their ancestors."""
        for leaf in leaves:
            if not leaf.deleted:
                for rev in tree.ancestry(leaf.rev):
                    if rev in self.above_live:
                        break
                    self.above_live.add(rev)
        revs = {
            rev: gone
            for path, flags in tree.to_paths()
            for rev, gone in zip(path, flags, strict=True)
        }
        # Where each live revision stands in winner order, and how many descend from each.
        alive = sorted(
            (Leaf(rev, deleted=False) for rev, gone in revs.items() if not gone),
            key=lambda leaf: leaf.precedence,
            reverse=True,
        )
        self._before = {leaf.rev: place for place, leaf in enumerate(alive)}
        self._alive_beneath = Counter[Rev]()
        for rev in sorted(revs, key=lambda rev: rev.generation, reverse=True):
            parent = tree.parent(rev)
            if parent is not None:
                self._alive_beneath[parent] += self._alive_beneath[rev] + (not revs[rev])

    def has_no_witness(self, parent: Rev) -> bool:
        """Whether all live revisions that precede one descend from it."""
        # All that are alive precede a tombstone.
        before = self._before.get(parent, len(self._before))
        return before == self._alive_beneath[parent]

    def has_own_edits(self, dead: Rev) -> bool:
        """Whether a branch says something before its end that no live leaf descends from."""
        for rev in self._tree.ancestry(dead):
            if rev in self.above_live:
                return False
            if not self._tree.is_deleted(rev):
                return True
        return False
