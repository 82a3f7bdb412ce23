"""Which inner revisions' bodies are wanted, beside those of the leaves, to assess a conflict.

Merges are made again along the branches that meet, so what is beneath a meeting point is wanted
with it; and of dead leaves what they said last, with where the live branches leave them behind.
A body also tells whether an inner revision is a tombstone, which a chain does not.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator

from couchmend.core.revtree import Leaf, Rev, RevTree

MOST = 100
"""How many inner revisions of one document are wanted at most."""
_OLDER_AT_ONCE = 20


def needed_ancestors(
    tree: RevTree, *, dead_branches: bool = False, most: int = MOST
) -> tuple[Rev, ...]:
    """The inner revisions whose bodies are wanted: the places where live branches meet, the
    branches beneath them, and what shows which dead leaves are deletions; the most important
    first.  What a body told, that a revision is a tombstone, may make others wanted.

    dead_branches: whether possible deletions matter, too.
    """
    wanted = _Wanted(tree)
    found = dict.fromkeys(wanted.meetings())
    others = {*wanted.branches(), *wanted.of_dead_leaves(), *wanted.witnesses()}
    if dead_branches:
        others.update(wanted.own_edits())
    found.update(dict.fromkeys(sorted(others - found.keys(), reverse=True)))
    inner = (rev for rev in found if not tree.is_leaf(rev))
    return tuple(rev for rev, _ in zip(inner, range(most), strict=False))


def older_ancestors(
    tree: RevTree, bodies: Container[Rev], asked: Container[Rev] = ()
) -> tuple[Rev, ...]:
    """For every place where live branches meet and whose body is not known, the next older
    ancestors, nearest first: one of them may serve for a suggestion.

    bodies: the revisions of which it is known what they say.
    asked: those of which nobody can tell.
    """
    found: dict[Rev, None] = {}
    for at in _Wanted(tree).meetings():
        if tree.is_deleted(at):
            continue
        older: list[Rev] = []
        for rev in tree.ancestry(at):
            if (rev in bodies and not tree.is_deleted(rev)) or len(older) == _OLDER_AT_ONCE:
                break
            if rev not in asked and rev not in bodies:
                older.append(rev)
        found.update(dict.fromkeys(older))
    return tuple(found)


class _Wanted:
    """What is wanted, each part for its own reason."""

    def __init__(self, tree: RevTree) -> None:
        self._tree = tree
        leaves = tree.leaves()
        self._live = [leaf.rev for leaf in leaves if not leaf.deleted]
        self._dead = [leaf.rev for leaf in leaves if leaf.deleted]
        self._above_live = set(self._above(self._live))
        meetings = tree.fold_order() if len(self._live) > 1 else []
        self._meetings = [meeting.at for meeting in meetings if meeting.at is not None]
        self._apart = any(meeting.at is None for meeting in meetings)

    def _above(self, ends: Iterable[Rev]) -> Iterator[Rev]:
        """Some revisions and all of their ancestors, each once."""
        seen = set[Rev]()
        for end in ends:
            for rev in self._tree.ancestry(end):
                if rev in seen:
                    break
                seen.add(rev)
                yield rev

    def meetings(self) -> list[Rev]:
        """Where live branches meet."""
        return self._meetings

    def branches(self) -> Iterator[Rev]:
        """The live branches, up to and including where they meet the last of the others."""
        if self._apart:
            yield from self._above_live
            return
        if not self._meetings:
            return
        # All live branches meet at one place last, since there is nothing that is apart.
        last = set(self._tree.ancestry(self._meetings[-1])) - {self._meetings[-1]}
        yield from (rev for rev in self._above_live if rev not in last)

    def of_dead_leaves(self) -> Iterator[Rev]:
        """What dead leaves said last, and of the meeting points' own chains the part on which
        somebody may have merged that."""
        if not self._meetings and not self._apart:
            return
        for dead in self._dead:
            said = self._tree.parent(dead)
            if said is None:
                continue
            yield said
            ancestry = set(self._tree.ancestry(said))
            for at in self._meetings:
                for rev in self._tree.ancestry(at):
                    yield rev
                    if rev in ancestry:
                        break

    def witnesses(self) -> Iterator[Rev]:
        """Of dead leaves on a live branch what they deleted, and the inner revisions which show
        that it was not a user who did, unless they are tombstones themselves; none where a live
        leaf shows it."""
        inner: list[Rev] | None = None
        for dead in self._dead:
            parent = self._tree.parent(dead)
            if parent is None or parent not in self._above_live:
                continue
            yield parent
            gone = self._tree.is_deleted(parent)
            mine = Leaf(parent, deleted=gone).precedence
            if any(
                Leaf(rev, deleted=False).precedence > mine and not self._descends(rev, parent)
                for rev in self._live
            ):
                continue
            if inner is None:
                inner = [rev for rev in self._all() if not self._tree.is_leaf(rev)]
            for rev in inner:
                precedes = Leaf(rev, deleted=False).precedence > mine
                if precedes and not self._descends(rev, parent):
                    yield rev

    def own_edits(self) -> Iterator[Rev]:
        """Of dead branches what they said last before their end."""
        for dead in self._dead:
            for rev in self._tree.ancestry(dead):
                if rev in self._above_live:
                    break
                if not self._tree.is_deleted(rev):
                    yield rev
                    break

    def _all(self) -> Iterator[Rev]:
        return self._above([*self._live, *self._dead])

    def _descends(self, rev: Rev, ancestor: Rev) -> bool:
        return ancestor in self._tree.ancestry(rev)
