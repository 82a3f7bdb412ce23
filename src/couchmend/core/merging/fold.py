"""Several versions: the tree is folded where its branches meet, deepest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from couchmend.core.merging.attachments import arranged, keep_both
from couchmend.core.merging.bases import Base, BaseKind, base_at
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.sides import OpenPaths, Side, Supply
from couchmend.core.merging.three_way import ThreeWay
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Rev, RevTree
from couchmend.core.values import ABSENT, Value


@dataclass(frozen=True, slots=True)
class Meeting:
    """A place where branches were merged.

    at: the revision, or None for roots without a common ancestor.
    leaves: that came together there, the best first.
    decisions: of this merge; a value that was merged before counts as one version's.
    """

    at: Rev | None
    leaves: tuple[Rev, ...]
    base: Base
    decisions: tuple[Decision, ...]


@dataclass(frozen=True, slots=True)
class Fold:
    """The live versions of a document as one.

    side: the result, with which version supplied what, and what is open.
    meetings: where branches were merged, in the order in which it was done.
    """

    side: Side
    meetings: tuple[Meeting, ...]

    @property
    def is_exact(self) -> bool:
        """Whether the base is exact at every meeting point."""
        return all(meeting.base.kind is BaseKind.EXACT for meeting in self.meetings)


def fold(
    tree: RevTree,
    bodies: Mapping[Rev, Value],
    policy: Policy,
    *,
    among: Iterable[Rev] | None = None,
    approximate: bool = True,
) -> Fold:
    """Merge the live leaves of a tree over the revisions at which their branches meet.

    bodies: of the leaves, and of whatever ancestors are known.
    among: the live leaves to be merged; None for all.
    approximate: whether an older common ancestor serves where the body of the newest is not
        known.  Over it, a change and its reversal look like no change.
    """
    leaves = [leaf.rev for leaf in tree.leaves() if not leaf.deleted]
    if among is not None:
        wanted = set(among)
        leaves = [leaf for leaf in leaves if leaf in wanted]
    rank = {leaf: place for place, leaf in enumerate(leaves)}
    sides: dict[tuple[Rev, ...], Side] = {
        (leaf,): Side.of(replace(policy.version(str(leaf), bodies[leaf]), rank=rank[leaf]))
        for leaf in leaves
    }
    meetings = []
    for meeting in tree.fold_order(leaves):
        together = tuple(
            sorted((leaf for group in meeting.groups for leaf in group), key=rank.__getitem__)
        )
        base = base_at(tree, meeting.at, together, bodies)
        if base.kind is BaseKind.APPROXIMATE and not approximate:
            base = Base(base.kind, base.rev, ABSENT)
        side = sides.pop(meeting.groups[0])
        decisions: list[Decision] = []
        for group in meeting.groups[1:]:
            side, decided = merge_sides(base, side, sides.pop(group), policy)
            decisions += decided
        sides[together] = side
        meetings.append(Meeting(meeting.at, together, base, tuple(decisions)))
    (side,) = sides.values()
    return Fold(side, tuple(meetings))


def merge_sides(
    base: Base, current: Side, other: Side, policy: Policy, *, is_document: bool = True
) -> tuple[Side, list[Decision]]:
    """Merge two sides to one.

    is_document: whether what is merged are documents, whose `_attachments` has a rule of its own.
    """
    exact = base.kind is BaseKind.EXACT
    merge = ThreeWay(base.body, current, other, policy, base_exact=exact, is_document=is_document)
    outcome = merge.outcome
    side = Side(
        merge.value,
        (*current.versions, *other.versions),
        Supply.merged(current.supply, other.supply, outcome.decisions),
        OpenPaths(outcome.open),
    )
    decisions = outcome.decisions
    if is_document:
        if policy.attachments == "keep-both":
            side, decisions = keep_both(side, decisions)
        side = replace(side, value=arranged(side.value))
    return side, decisions
