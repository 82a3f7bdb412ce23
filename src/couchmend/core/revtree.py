"""Revision trees: what replication makes of a document's history.

A tree has one or more roots; every chain of revisions that arrives is woven into it
(https://docs.couchdb.org/en/stable/replication/conflicts.html).  The rules are those of
CouchDB's `couch_key_tree`, with one difference: a revision stands in a tree once, so a chain
that fills a gap joins the pieces that it connects.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Self

from couchmend.errors import BadRequest

_HEX = frozenset("0123456789abcdef")


class Rev(NamedTuple):
    """A revision: its generation, counted from 1 at the root, and its hash."""

    generation: int
    hash: str

    def __str__(self) -> str:
        return f"{self.generation}-{self.hash}"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read `"3-9f…"`; raises `BadRequest` for anything else."""
        if type(text) is not str:
            raise BadRequest("Invalid rev format")
        generation, dash, digest = text.partition("-")
        if not (dash and generation.isdecimal() and generation.isascii() and len(generation) < 16):
            raise BadRequest("Invalid rev format", hint="a revision looks like 3-9f1c…")
        return cls(int(generation), normal_hash(digest))


def normal_hash(hash: object) -> str:
    """The hash as CouchDB writes it: 32 characters are hexadecimal digits, in lower case.

    Raises:
        BadRequest: not a string, or 32 characters that are not hexadecimal.
    """
    if type(hash) is not str:
        raise BadRequest("Invalid rev format")
    if len(hash) != 32 or _HEX.issuperset(hash):
        return hash
    lower = hash.lower()
    if not _HEX.issuperset(lower):
        raise BadRequest("Invalid rev format")
    return lower


def hash_bytes(hash: str) -> bytes:
    """The bytes by which CouchDB stores, hashes and compares a revision's hash."""
    return bytes.fromhex(hash) if len(hash) == 32 else hash.encode()


@dataclass(slots=True)
class _Node:
    parent: Rev | None
    deleted: bool = False
    children: int = 0


@dataclass(frozen=True, slots=True)
class Leaf:
    """The end of a branch; `deleted` makes it a tombstone."""

    rev: Rev
    deleted: bool

    @property
    def precedence(self) -> tuple[bool, int, bytes]:
        """Larger wins: live before deleted, then the longer branch, then the larger hash."""
        return (not self.deleted, self.rev.generation, hash_bytes(self.rev.hash))


class Inserted(Enum):
    """What a chain did to a tree."""

    NEW_LEAF = "new_leaf"  # it extended a leaf, or started the first root
    NEW_BRANCH = "new_branch"
    INTERNAL_NODE = "internal_node"  # the revision was known, something about its past was not
    NOTHING = "nothing"


class RevTree:
    """The revisions of one document and how they descend from each other."""

    __slots__ = ("_leaves", "_nodes")

    def __init__(self) -> None:
        self._nodes: dict[Rev, _Node] = {}
        self._leaves: tuple[Leaf, ...] | None = None
        """In winner order, until the tree changes."""

    @classmethod
    def of(cls, chains: Iterable[tuple[Sequence[Rev], bool]]) -> Self:
        """A tree of `(chain, deleted)` pairs, each chain newest first."""
        tree = cls()
        for chain, deleted in chains:
            tree.insert(chain, deleted=deleted)
        return tree

    def __contains__(self, rev: object) -> bool:
        return rev in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RevTree):
            return NotImplemented
        return {r: (n.parent, n.deleted) for r, n in self._nodes.items()} == {
            r: (n.parent, n.deleted) for r, n in other._nodes.items()
        }

    __hash__ = None  # type: ignore[assignment]  # a tree grows

    def __repr__(self) -> str:
        return f"RevTree({', '.join(str(leaf.rev) for leaf in self.leaves())})"

    # --- growing and shrinking

    def insert(self, chain: Sequence[Rev], *, deleted: bool = False) -> Inserted:
        """Weave in a chain, newest revision first; `deleted` is the newest one's.

        The generations of a chain fall by one.  A chain that meets the tree extends or
        branches it there; one that does not starts a root of its own.  What is known of a
        revision stays: its parent and whether it is deleted.
        """
        self._leaves = None
        nodes = self._nodes
        newest = nodes.get(chain[0])
        if newest is not None:
            _, learned = self._link(chain)
            if deleted and newest.children and not newest.deleted:
                newest.deleted = learned = True
            return Inserted.INTERNAL_NODE if learned else Inserted.NOTHING
        was_empty = not nodes
        nodes[chain[0]] = _Node(None, deleted)
        met, _ = self._link(chain)
        if was_empty or (met is not None and nodes[met].children == 1):
            return Inserted.NEW_LEAF
        return Inserted.NEW_BRANCH

    def _link(self, chain: Sequence[Rev]) -> tuple[Rev | None, bool]:
        """Make each revision the child of the next; returns the first of those that was known
        already, and whether anything was learned."""
        nodes = self._nodes
        met, learned = None, False
        for child, parent in itertools.pairwise(chain):
            known = parent in nodes
            if known and met is None:
                met = parent
            node = nodes[child]
            if node.parent is None:
                if not known:
                    nodes[parent] = _Node(None)
                node.parent = parent
                nodes[parent].children += 1
                learned = True
            elif node.parent != parent:
                break
        return met, learned

    def stem(self, limit: int) -> list[Rev]:
        """Keep the `limit` newest revisions of every branch; returns those forgotten.

        What two branches share stays as long as either needs it; when neither does, they
        look unrelated from then on, as in CouchDB.
        """
        if len(self._nodes) <= limit:
            return []
        keep: dict[Rev, int] = {}
        for leaf in [rev for rev, node in self._nodes.items() if not node.children]:
            left = limit
            rev: Rev | None = leaf
            while rev is not None and left > keep.get(rev, 0):
                keep[rev] = left
                left -= 1
                rev = self._nodes[rev].parent
        forgotten = [rev for rev in self._nodes if rev not in keep]
        self._forget(forgotten)
        return forgotten

    def purge(self, revs: Iterable[Rev]) -> tuple[list[Rev], list[Rev]]:
        """Remove leaves with what only they needed; returns `(purged leaves, all removed)`.

        Revisions that are no leaves are passed over.
        """
        self._leaves = None
        purged, removed = [], []
        for leaf in revs:
            node = self._nodes.get(leaf)
            if node is None or node.children:
                continue
            purged.append(leaf)
            rev: Rev | None = leaf
            while rev is not None and not self._nodes[rev].children:
                removed.append(rev)
                parent = self._nodes.pop(rev).parent
                if parent is not None:
                    self._nodes[parent].children -= 1
                rev = parent
        return purged, removed

    def _forget(self, revs: Sequence[Rev]) -> None:
        self._leaves = None
        gone = set(revs)
        for rev in revs:
            node = self._nodes.pop(rev)
            if node.parent is not None and node.parent not in gone:
                self._nodes[node.parent].children -= 1
        for node in self._nodes.values():
            if node.parent in gone:
                node.parent = None

    # --- asking

    def is_leaf(self, rev: Rev) -> bool:
        """Whether `rev` is in the tree and nothing descends from it."""
        node = self._nodes.get(rev)
        return node is not None and not node.children

    def is_deleted(self, rev: Rev) -> bool:
        """Whether `rev`, which is in the tree, is known to be a tombstone."""
        return self._nodes[rev].deleted

    def parent(self, rev: Rev) -> Rev | None:
        """The parent of a revision of the tree, or None where a root or a gap begins."""
        return self._nodes[rev].parent

    def leaves(self) -> list[Leaf]:
        """All leaves in winner order, the winner first."""
        if self._leaves is None:
            leaves = [Leaf(rev, n.deleted) for rev, n in self._nodes.items() if not n.children]
            if len(leaves) > 1:
                leaves.sort(key=lambda leaf: leaf.precedence, reverse=True)
            self._leaves = tuple(leaves)
        return list(self._leaves)

    def leaves_in_tree_order(self) -> list[Leaf]:
        """All leaves as CouchDB lists them in `open_revs`: youngest root first, then by hash."""
        keys = {
            leaf: [hash_bytes(rev.hash) for rev in reversed(self.chain(leaf.rev))]
            for leaf in self.leaves()
        }
        roots: dict[tuple[int, bytes], list[Leaf]] = {}
        for leaf, key in keys.items():
            roots.setdefault((leaf.rev.generation - len(key), key[0]), []).append(leaf)
        ordered: list[Leaf] = []
        for root in sorted(roots, reverse=True):
            ordered += sorted(roots[root], key=keys.__getitem__)
        return ordered

    def winner(self) -> Leaf:
        """The leaf that the database shows; the tree is not empty."""
        return self.leaves()[0]

    def chain(self, rev: Rev) -> list[Rev]:
        """`rev` and its ancestors, newest first, as far back as the tree remembers."""
        return list(self.ancestry(rev))

    def ancestry(self, rev: Rev) -> Iterator[Rev]:
        """`rev`, its parent, and so on."""
        step: Rev | None = rev
        while step is not None:
            yield step
            step = self._nodes[step].parent

    def depth(self, rev: Rev) -> int:
        """How many revisions are known from `rev` up to its root."""
        return sum(1 for _ in self.ancestry(rev))

    def leaves_from(self, rev: Rev) -> list[Leaf]:
        """The leaves that descend from `rev`, or `rev` itself, in tree order."""
        if self.is_leaf(rev):
            return [Leaf(rev, self.is_deleted(rev))]
        return [leaf for leaf in self.leaves_in_tree_order() if rev in self.ancestry(leaf.rev)]

    def common_ancestor(self, one: Rev, other: Rev) -> Rev | None:
        """The newest revision in both chains, or None when they share none."""
        known = set(self.ancestry(one))
        return next((rev for rev in self.ancestry(other) if rev in known), None)

    def missing(self, revs: Iterable[Rev]) -> list[Rev]:
        """Those of `revs` that the tree does not know."""
        return [rev for rev in revs if rev not in self._nodes]

    def possible_ancestors(self, missing: Iterable[Rev]) -> list[Rev]:
        """Leaves older than the newest missing revision: where it may attach."""
        newest = max((rev.generation for rev in missing), default=0)
        return [leaf.rev for leaf in self.leaves() if leaf.rev.generation < newest]

    def fold_order(self, among: Iterable[Rev] | None = None) -> list[Meeting]:
        """Where the branches of the live leaves meet, deepest first.

        Each meeting names its revision (None where roots without a common ancestor meet,
        last) and the groups of leaves that come together there, each group best leaf first,
        groups in the winner order of their best leaves.  `among` limits the leaves.
        """
        wanted = None if among is None else set(among)
        live = [
            leaf.rev
            for leaf in self.leaves()
            if not leaf.deleted and (wanted is None or leaf.rev in wanted)
        ]
        rank = {rev: place for place, rev in enumerate(live)}
        under: dict[Rev | None, dict[Rev | None, list[Rev]]] = {}
        for leaf in live:
            step: Rev | None = leaf
            while step is not None:
                parent = self._nodes[step].parent
                under.setdefault(parent, {}).setdefault(step, []).append(leaf)
                step = parent
        meetings = []
        for at, children in under.items():
            groups = [tuple(sorted(group, key=rank.__getitem__)) for group in children.values()]
            if at in rank:
                groups.append((at,))
            if len(groups) > 1:
                groups.sort(key=lambda group: rank[group[0]])
                meetings.append(Meeting(at, tuple(groups)))
        meetings.sort(
            key=lambda m: (m.at.generation if m.at else 0, -rank[m.groups[0][0]]), reverse=True
        )
        return meetings

    # --- as data

    def to_paths(self, ends: Iterable[Rev] | None = None) -> list[tuple[list[Rev], list[bool]]]:
        """The tree as chains, newest first, with each revision's deletion flag.

        A chain ends at a root, or one revision into a chain before it; `from_paths` reads it.

        ends: where the chains begin: the part of the tree that leads there; all leaves if None.
        """
        paths, seen = [], set[Rev]()
        for end in [leaf.rev for leaf in self.leaves()] if ends is None else ends:
            path, flags = [], []
            for rev in self.ancestry(end):
                path.append(rev)
                flags.append(self._nodes[rev].deleted)
                if rev in seen:
                    break
                seen.add(rev)
            paths.append((path, flags))
        return paths

    @classmethod
    def from_paths(cls, paths: Iterable[tuple[Sequence[Rev], Sequence[bool]]]) -> Self:
        """The tree that `to_paths` described."""
        tree = cls()
        nodes = tree._nodes
        for path, flags in paths:
            child: _Node | None = None
            for rev, deleted in zip(path, flags, strict=True):
                if child is not None:
                    child.parent = rev
                node = nodes.get(rev)
                if node is not None:
                    node.children += child is not None
                    break
                node = nodes[rev] = _Node(None, deleted, int(child is not None))
                child = node
        return tree


@dataclass(frozen=True, slots=True)
class Meeting:
    """A place where branches meet; see `RevTree.fold_order`."""

    at: Rev | None
    groups: tuple[tuple[Rev, ...], ...]
