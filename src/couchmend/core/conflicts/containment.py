"""Which versions others contain already.

A revision tree forgets merges: a revision that took in another branch has one parent, like any
other.  So merges are made again, and where a revision equals what its parent and another version
merge to, it contains that version; what the journal recorded as our own merge need not be guessed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.made_again import Found, MadeAgain, Settle
from couchmend.core.merging.bases import Base, BaseKind, base_at
from couchmend.core.merging.fold import Meeting
from couchmend.core.merging.telling import label
from couchmend.core.paths import readable
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev, RevTree, hash_bytes
from couchmend.core.values import Value

State: TypeAlias = Literal["contained", "new", "untestable", "manual"]

_MOST_TESTS = 2000


@dataclass(frozen=True, slots=True)
class Containment:
    """Whether the winner contains a loser.

    state: `contained`: the loser needs no merge, only its tombstone; `new`: it does not;
        `untestable`: nobody can tell, and merging it once more does no harm; `manual`: nobody
        can tell, and it might do harm, so that a person decides.
    by: the revision that took the loser in, where one did or may have.
    sentence: why.
    """

    loser: Rev
    state: State
    by: Rev | None
    sentence: str


@dataclass(frozen=True, slots=True)
class DeadLeaf:
    """A tombstone, or another leaf that takes no part in a merge, of which nobody can tell
    whether a branch that does contains it.

    parent: what it said last; None where that is forgotten.
    """

    rev: Rev
    parent: Rev | None
    sentence: str


@dataclass(frozen=True, slots=True)
class Outdated:
    """Why the revision at which two branches meet is too old a base for them.

    rev: of one branch; by: of the other, which took it in, or, unless it is `certain`, may have.
    """

    rev: Rev
    by: Rev
    certain: bool

    @property
    def sentence(self) -> str:
        """For people."""
        how = "has" if self.certain else "may have"
        return (
            f"{label(self.by)} {how} taken in {label(self.rev)}: "
            "what was taken back since looks unchanged"
        )


@dataclass(frozen=True, slots=True)
class InferredBase:
    """A revision of one branch that the other contains: a newer base than their ancestor.

    by: the revision of the other branch that took it in.
    """

    rev: Rev
    body: Value
    by: Rev

    @property
    def base(self) -> Base:
        """As a base for suggestions; what is automatic must not rest on a guess."""
        return Base(BaseKind.APPROXIMATE, self.rev, self.body)


class Containments:
    """Answers about one document under one policy; merges that were made again are kept.

    settle: the strategy by which folds that leave something open are decided automatically.
        Without it they are taken for no merge: nobody decided.
    """

    def __init__(
        self, doc: ConflictedDocument, policy: Policy, settle: Settle | None = None
    ) -> None:
        self._doc = doc
        self._policy = policy
        self._merges = MadeAgain(doc, policy, settle)
        self.adds_up = _what_adds_up(doc, policy)
        """The path and the resolver for which taking something in twice does harm, in words."""

    # --- losers

    def of(self, loser: Rev, among: Iterable[Rev] | None = None) -> Containment:
        """Whether the winner contains a loser; `among` are the losers that are present."""
        tree, winner = self._doc.tree, self._doc.winner
        present = self._doc.live if among is None else among
        losers = frozenset(rev for rev in present if rev != winner) | {loser}
        ancestor = tree.common_ancestor(winner, loser)
        below = list(_until(tree, winner, ancestor))
        recorded = self._merges.recorded(below, loser)
        if recorded is not None:
            return Containment(
                loser, "contained", recorded, f"{label(recorded)} is our merge of it"
            )
        line = list(_until(tree, loser, ancestor))
        if any(tree.is_deleted(rev) for rev in line):
            return Containment(loser, "new", None, "it was revived from a tombstone, on purpose")
        base = base_at(tree, ancestor, (winner, loser), self._doc.bodies)
        # The oldest below the ancestor has the ancestor as its parent: it took nothing in.
        candidates = below[:-1] if ancestor is not None else below
        if base.kind is BaseKind.STEMMED:
            return self._untestable(loser, "it is not known where the branches meet")
        found = self._merges.taken_in(candidates, loser, losers)
        if found.by is not None:
            doubt = self._doubt(line, below, ancestor)
            if doubt:
                return self._untestable(loser, doubt)
            return self._equal(loser, found.by)
        if found.unknown is not None:
            return self._untestable(
                loser, f"not all that {label(found.unknown)} may be a merge of is known"
            )
        return Containment(loser, "new", None, "no revision of the winner has taken it in")

    def _doubt(self, line: Sequence[Rev], winning: Sequence[Rev], ancestor: Rev | None) -> str:
        """Why a loser that adds nothing to what the winner says may yet be new; empty if not.

        line, winning: the branches of the loser and the winner below their common ancestor.
        """
        # Replication does not say which inner revisions are tombstones.
        forgotten = next((rev for rev in line if rev not in self._doc.bodies), None)
        if forgotten is not None:
            return f"it may have been revived, for {label(forgotten)} is not known"
        for rev in line[1:]:
            # What the loser took back since looks unchanged.
            if self._merges.recorded(winning, rev) or self._merges.taken_in(winning[:-1], rev).by:
                return f"it has taken in {label(rev)}, which is older"
        unsettled = self.unsettled(ancestor)
        return unsettled[0].sentence if unsettled else ""

    def _equal(self, loser: Rev, by: Rev) -> Containment:
        sentence = f"{label(by)} is what its parent and it merge to"
        if self.adds_up:
            sentence = f"{sentence}, but that may be chance, since {self.adds_up}"
            return Containment(loser, "manual", by, sentence)
        return Containment(loser, "contained", by, sentence)

    def _untestable(self, loser: Rev, why: str) -> Containment:
        sentence = f"nobody can tell whether the winner has taken it in: {why}"
        if self.adds_up:
            return Containment(loser, "manual", None, f"{sentence}; and {self.adds_up}")
        return Containment(loser, "untestable", None, sentence)

    # --- dead leaves

    def unsettled(self, at: Rev | None, left_out: Iterable[Rev] = ()) -> tuple[DeadLeaf, ...]:
        """The dead leaves that one of the branches which meet at a revision may contain, while
        the revision does not: over it, what such a branch took back would look unchanged.

        left_out: live leaves that are not merged; those that cannot be read are always.
        """
        tree = self._doc.tree
        dead = [leaf.rev for leaf in tree.leaves() if leaf.deleted]
        ends = [(rev, tree.parent(rev)) for rev in dead if rev.generation > 1]
        ends += [(rev, rev) for rev in {*left_out, *self._doc.unreadable}]
        above = list(tree.ancestry(at)) if at is not None else []
        return tuple(
            DeadLeaf(rev, parent, why)
            for rev, parent in sorted(ends)
            if (why := self._why_unsettled(rev, parent, above))
        )

    def _why_unsettled(self, rev: Rev, said: Rev | None, above: Sequence[Rev]) -> str:
        """Empty where the meeting point, whose ancestry is `above`, contains what a leaf said."""
        if said is None:
            return f"what {label(rev)} was before its end is forgotten"
        if said in above or self._merges.recorded(above, said) is not None:
            return ""
        end = "" if rev == said else f", which {label(rev)} ended"
        may = f"one of the branches may contain {label(said)}{end}"
        ancestry = {None, *self._doc.tree.ancestry(said)}
        # As for losers: what extends their common ancestor made the same edit, and merged nothing.
        below = [one for one in above if self._doc.tree.parent(one) not in ancestry]
        found = self._merges.taken_in(below, said)
        if found.by is None:
            return f"{may}, and where they meet it was not known"
        if self.adds_up:
            return f"{may}; {label(found.by)} does perhaps by chance, since {self.adds_up}"
        return ""

    # --- bases

    def outdated(self, meeting: Meeting) -> Outdated | None:
        """What makes a meeting point too old a base for the leaves that meet there: a revision
        beneath it that one of them descends from, and another contains.  One that is certain
        comes before one that is possible."""
        perhaps: Outdated | None = None
        for one, other in itertools.permutations(meeting.leaves, 2):
            if self._doc.tree.common_ancestor(one, other) != meeting.at:
                continue
            chain = list(_until(self._doc.tree, other, meeting.at))
            chain = chain[:-1] if meeting.at is not None else chain
            for rev in _until(self._doc.tree, one, meeting.at) if chain else ():
                by = self._merges.recorded(chain, rev)
                present = [rev, *(leaf for leaf in self._doc.live if leaf != one)]
                found = Found(by) if by else self._merges.taken_in(chain, rev, present)
                if found.by is not None:
                    return Outdated(rev, found.by, certain=True)
                if found.unknown is not None and perhaps is None:
                    perhaps = Outdated(rev, found.unknown, certain=False)
        return perhaps

    def inferred_base(self, one: Rev, other: Rev) -> InferredBase | None:
        """The newest revision that is an ancestor of one leaf and contained in the other; None
        where there is none that is newer than their common ancestor."""
        ancestor = self._doc.tree.common_ancestor(one, other)
        sides = [list(_until(self._doc.tree, rev, ancestor)) for rev in (one, other)]
        candidates = [(rev, sides[1]) for rev in sides[0]] + [(rev, sides[0]) for rev in sides[1]]
        candidates.sort(
            key=lambda pair: (pair[0].generation, hash_bytes(pair[0].hash)), reverse=True
        )
        tests = 0
        for rev, chain in candidates:
            if rev not in self._doc.bodies or self._doc.tree.is_deleted(rev):
                continue
            by = self._merges.recorded(chain, rev)
            if by is None and tests < _MOST_TESTS:
                tests += len(chain)
                by = self._merges.taken_in(chain[:-1] if ancestor else chain, rev).by
            if by is not None:
                return InferredBase(rev, self._doc.bodies[rev], by)
        return None

    def overtaken(self, rev: Rev, losers: Iterable[Rev]) -> tuple[Rev, ...]:
        """Those losers, known from before, of which a revision has taken in an older version.

        A loser that said nothing new is only tombstoned.  Somebody who did not know it, but the
        revision that it extends, merges that: the tree is linear then, and what the loser took
        back stands again.  And where something adds up, what several losers added may come to
        nothing: whoever knows one of them adds that alone.
        """
        ancestry = set(self._doc.tree.ancestry(rev))
        found = []
        for loser in sorted(losers):
            line = [one for one in self._doc.tree.ancestry(loser) if one not in ancestry]
            taken = [one for one in line if self._merges.is_merge(rev, frozenset({one}))]
            if taken and (self.adds_up or taken[0] != loser):
                found.append(loser)
        return tuple(found)


def contained(
    doc: ConflictedDocument,
    loser: Rev,
    policy: Policy,
    among: Iterable[Rev] | None = None,
    settle: Settle | None = None,
) -> Containment:
    """Whether the winner contains a loser; see `Containments.of`."""
    return Containments(doc, policy, settle).of(loser, among)


def unsettled_dead_leaves(
    doc: ConflictedDocument,
    at: Rev | None,
    policy: Policy,
    left_out: Iterable[Rev] = (),
    settle: Settle | None = None,
) -> tuple[DeadLeaf, ...]:
    """What a branch that meets others at a revision may contain unknown to it; see
    `Containments.unsettled`."""
    return Containments(doc, policy, settle).unsettled(at, left_out)


def inferred_base(
    doc: ConflictedDocument, one: Rev, other: Rev, policy: Policy, settle: Settle | None = None
) -> InferredBase | None:
    """A newer base of two leaves than their common ancestor; see `Containments.inferred_base`."""
    return Containments(doc, policy, settle).inferred_base(one, other)


def _until(tree: RevTree, rev: Rev, ancestor: Rev | None) -> Iterator[Rev]:
    """A revision and its ancestors below a common one."""
    for one in tree.ancestry(rev):
        if one == ancestor:
            return
        yield one


def _what_adds_up(doc: ConflictedDocument, policy: Policy) -> str:
    found = {
        (readable(path), name)
        for rev in doc.live
        for path, name in policy.uses_non_idempotent(doc.bodies[rev])
    }
    if not found:
        return ""
    path, name = min(found)
    return f"{path} is merged by {name}, which counts twice what it is given twice"
