"""A conflict as plans find it: what it is between, what is contained, and the merge of the rest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from couchmend.core.conflicts.containment import Containments, InferredBase
from couchmend.core.conflicts.deletions import concurrent_deletions, leafset, possible_deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import dumps
from couchmend.core.merging.bases import BaseKind
from couchmend.core.merging.fold import Fold, Meeting, fold, merge_sides
from couchmend.core.merging.sides import Side
from couchmend.core.plans.planned import Outcome, PlannedBase
from couchmend.core.plans.strategies import automatically
from couchmend.core.plans.versions import Versions
from couchmend.core.plans.writes import PlanError
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT


@dataclass(frozen=True, slots=True)
class Examined:
    """What every plan for a conflict starts from.

    winner, losers: the live leaves that can be read, in winner order.
    deletions: the tombstones that nobody has acknowledged.
    versions: those that are merged: without the losers that the winner contains.
    adds_up: whether the policy adds up what versions changed, somewhere in one of them.
    tests: which versions others contain, as far as it was asked.
    digest: SHA-256, in hexadecimal, over all that a plan depends on beside the strategy.
    """

    doc: ConflictedDocument
    policy: Policy
    leafset: tuple[Rev, ...]
    winner: Rev
    losers: tuple[Rev, ...]
    deletions: tuple[Rev, ...]
    containment: tuple[Outcome, ...]
    versions: Versions
    bases: tuple[PlannedBase, ...]
    adds_up: bool
    tests: Containments
    digest: str

    @property
    def doubtful(self) -> tuple[Outcome, ...]:
        """The losers of which only a person can tell whether the winner contains them."""
        return tuple(outcome for outcome in self.containment if outcome.state == "manual")

    def with_loser(self, loser: Rev) -> Versions:
        """The versions that are merged, with one that the winner contains."""
        among = [Rev.parse(version.name) for version in self.versions.each]
        if loser in among:
            return self.versions
        folded = fold(self.doc.tree, self.doc.bodies, self.policy, among=[*among, loser])
        return Versions.of(folded, self.policy)


def examine(doc: ConflictedDocument, policy: Policy, *, automatic: bool = False) -> Examined:
    """What the plans for a conflict start from.

    automatic: whether it is for a resolution that no person looks at: then only the body of
        the common ancestor itself is a base.  Else an older one, or one that was inferred,
        serves for a suggestion.

    Raises:
        PlanError: the document is not in conflict, or nothing of it can be read.
    """
    if not doc.live:
        raise PlanError(
            "no live version of the document can be read", target=doc.id, hint="read it again"
        )
    between = leafset(doc.tree)
    deletions = concurrent_deletions(doc.tree)
    if policy.dead_branches == "report":
        deletions += possible_deletions(doc.tree)
    if len({*between, *deletions}) < 2:
        raise PlanError("the document is not in conflict", target=doc.id, hint="read it again")
    winner, *losers = doc.live
    containments = Containments(doc, policy, automatically(policy))
    containment = tuple(_outcome(doc, containments, loser, losers) for loser in losers)
    contained = {outcome.rev for outcome in containment if outcome.state == "contained"}
    doubtful = any(outcome.state == "manual" for outcome in containment)
    among = [winner, *(loser for loser in losers if loser not in contained)]
    folded, inferred = _folded(doc, policy, containments, among, automatic)
    left_out = tuple(
        policy.version(str(loser), doc.bodies[loser]) for loser in losers if loser in contained
    )
    bases = tuple(_base(meeting, inferred) for meeting in folded.meetings)
    not_acknowledged = tuple(sorted(set(deletions) - doc.acknowledged))
    return Examined(
        doc,
        policy,
        between,
        winner,
        tuple(losers),
        not_acknowledged,
        containment,
        Versions.of(folded, policy, left_out, doubtful=doubtful),
        bases,
        bool(containments.adds_up),
        containments,
        _digest(between, not_acknowledged, doc.unreadable, bases, containment, policy),
    )


def for_suggestion(start: Examined) -> Examined:
    """What a suggestion starts from, where a document was examined for a resolution that no
    person looks at: the same, unless an older base, or one that can be inferred, is a better one.
    """
    doc = start.doc
    among = [Rev.parse(version.name) for version in start.versions.each]
    exact = all(base.kind is BaseKind.EXACT for base in start.bases)
    if exact and _inferred_base(doc, start.tests, among) is None:
        return start
    return examine(doc, start.policy)


def _outcome(
    doc: ConflictedDocument, containments: Containments, loser: Rev, losers: Iterable[Rev]
) -> Outcome:
    if doc.winner == doc.live[0]:
        found = containments.of(loser, losers)
        return Outcome(loser, found.state, found.by, found.sentence)
    state = "manual" if containments.adds_up else "untestable"
    return Outcome(loser, state, None, "the winner cannot be read")


def _folded(
    doc: ConflictedDocument,
    policy: Policy,
    containments: Containments,
    among: list[Rev],
    automatic: bool,
) -> tuple[Fold, bool]:
    """The merge, and whether its base was inferred."""
    if not automatic:
        found = _inferred_base(doc, containments, among)
        if found is not None:
            current, other = (
                Side.of(replace(policy.version(str(rev), doc.bodies[rev]), rank=rank))
                for rank, rev in enumerate(among)
            )
            side, decisions = merge_sides(found.base, current, other, policy)
            at = doc.tree.common_ancestor(*among)
            meeting = Meeting(at, tuple(among), found.base, tuple(decisions))
            return Fold(side, (meeting,)), True
    folded = fold(doc.tree, doc.bodies, policy, among=among, approximate=not automatic)
    return folded, False


def _inferred_base(
    doc: ConflictedDocument, containments: Containments, among: Sequence[Rev]
) -> InferredBase | None:
    if len(among) != 2 or _was_revived(doc, *among):
        return None
    return containments.inferred_base(*among)


def _was_revived(doc: ConflictedDocument, one: Rev, other: Rev) -> bool:
    """Whether a branch passes through a tombstone: what another has of it from before was taken
    back on purpose, and is no base."""
    tree = doc.tree
    ancestor = tree.common_ancestor(one, other)
    for leaf in (one, other):
        for rev in tree.ancestry(leaf):
            if rev == ancestor:
                break
            if tree.is_deleted(rev):
                return True
    return False


def _base(meeting: Meeting, inferred: bool) -> PlannedBase:
    base = meeting.base
    rev = None if base.body is ABSENT else base.rev
    return PlannedBase(meeting.at, meeting.leaves, base.kind, rev, inferred)


def _digest(
    between: tuple[Rev, ...],
    deletions: tuple[Rev, ...],
    unreadable: tuple[Rev, ...],
    bases: tuple[PlannedBase, ...],
    containment: tuple[Outcome, ...],
    policy: Policy,
) -> str:
    rests_on = {
        "leafset": list(map(str, between)),
        "deletions": list(map(str, deletions)),
        "unreadable": list(map(str, unreadable)),
        "bases": [base.to_json() for base in bases],
        "containment": [
            [str(one.rev), one.state, None if one.by is None else str(one.by)]
            for one in containment
        ],
        "policy": policy.digest,
    }
    return hashlib.sha256(dumps(rests_on)).hexdigest()
