"""Merges made again: which revision is what its parent and another version merge to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.bases import BaseKind
from couchmend.core.merging.fold import Fold, fold
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Leaf, Rev, RevTree
from couchmend.core.values import Value, same
from couchmend.errors import DocumentInvalid

Settle: TypeAlias = Callable[[Fold], Value | None]
"""What a strategy makes of a fold that leaves something open; None where it cannot tell."""

KNOWN_BASES = frozenset({BaseKind.EXACT, BaseKind.CREATED})
"""Those over which a merge that somebody made can be made again."""


@dataclass(frozen=True, slots=True)
class Found:
    """The revision of a chain that took a version in; where there is none, one of which
    nobody can tell, because a body is missing."""

    by: Rev | None
    unknown: Rev | None = None


class MadeAgain:
    """The merges of one document under one policy; what was made once is kept.

    settle: the strategy by which folds that leave something open are decided automatically.
        Without it they are taken for no merge: nobody decided.
    """

    def __init__(
        self, doc: ConflictedDocument, policy: Policy, settle: Settle | None = None
    ) -> None:
        self._doc = doc
        self._policy = policy
        self._settle = settle
        self._answers: dict[tuple[Rev, frozenset[Rev]], bool | None] = {}

    def recorded(self, chain: Iterable[Rev], version: Rev) -> Rev | None:
        """The revision of a chain that the journal knows as our merge of a version."""
        nothing = frozenset[Rev]()
        return next((rev for rev in chain if version in self._doc.recorded.get(rev, nothing)), None)

    def taken_in(self, chain: Iterable[Rev], version: Rev, present: Iterable[Rev] = ()) -> Found:
        """Which revision of a chain, newest first, equals the merge of its parent with a version,
        or with all that are present."""
        lines = {one: set(self._doc.tree.ancestry(one)) for one in present}
        unknown = None
        for rev in chain:
            parent = self._doc.tree.parent(rev)
            if parent is None:
                continue
            tests = [frozenset({version})]
            if rev not in self._doc.recorded:
                # What descends from the parent was not there when it was extended.
                there = frozenset(one for one, line in lines.items() if parent not in line)
                tests += [there] if version in there else []
            answers = [self.is_merge(rev, others) for others in tests]
            if any(answers):
                return Found(rev)
            if unknown is None and None in answers and self._may_be_merge(rev, parent, version):
                unknown = rev
        return Found(None, unknown)

    def _may_be_merge(self, rev: Rev, parent: Rev, version: Rev) -> bool:
        """Whether somebody may have merged a version into a revision: whoever does so extends
        the winner.  What the journal knows is a merge of others is not one."""
        precedes = Leaf(parent, deleted=False).precedence > Leaf(version, deleted=False).precedence
        return precedes and rev not in self._doc.recorded

    def is_merge(self, rev: Rev, others: frozenset[Rev]) -> bool | None:
        """Whether a revision equals the merge of its parent with others; None: cannot tell."""
        key = (rev, others)
        if key not in self._answers:
            self._answers[key] = self._made_again(rev, others)
        return self._answers[key]

    def _made_again(self, rev: Rev, others: frozenset[Rev]) -> bool | None:
        tree, bodies = self._doc.tree, self._doc.bodies
        parent = tree.parent(rev)
        if parent is None:
            return None
        together = [parent, *sorted(others)]
        if rev not in bodies or any(one not in bodies for one in together):
            return None
        if any(tree.is_deleted(one) for one in (rev, *together)):
            return False
        try:
            part = RevTree.from_paths(tree.to_paths(together))
            made = fold(part, bodies, self._policy, approximate=False)
        except DocumentInvalid:  # nested too deep to be merged
            return None
        if any(meeting.base.kind not in KNOWN_BASES for meeting in made.meetings):
            return None
        value: Value | None = made.side.value
        if made.side.open:
            value = self._settle(made) if self._settle is not None else None
            if value is None:
                return False
        return same(self._policy.sealed(value), bodies[rev])
