"""Undo plans: what takes a resolution back.

`restore` puts the body of the old winner over what the resolution wrote; `reopen` brings the
versions that it tombstoned back, too, and so the conflict.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from couchmend.core.conflicts.deletions import leafset
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import JSON, Doc
from couchmend.core.merging import serial
from couchmend.core.merging.bases import Base, BaseKind
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.fold import merge_sides
from couchmend.core.merging.reading import Reader
from couchmend.core.merging.sides import Side
from couchmend.core.merging.telling import are, label, labels, listed
from couchmend.core.paths import readable
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.writes import PlanError, Write, write_over
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import Leaf, Rev
from couchmend.core.values import same

How: TypeAlias = Literal["restore", "reopen"]


@dataclass(frozen=True, slots=True)
class Resolution:
    """A plan that was carried out.

    written: the revision that its write became; None where it had none.
    tombstones: by leaf, the tombstone that was written over it.
    bodies: of the leaves that there were, and of what was written.
    """

    plan: Plan
    written: Rev | None
    tombstones: Mapping[Rev, Rev]
    bodies: Mapping[Rev, Doc]

    @classmethod
    def as_expected(cls, plan: Plan, bodies: Mapping[Rev, Doc]) -> Resolution:
        """One whose revisions are those that the plan expected."""
        known, write = dict(bodies), plan.write
        if write is not None:
            known[write.expected] = write.body
        tombstones = {tombstone.rev: tombstone.expected for tombstone in plan.tombstones}
        return cls(plan, None if write is None else write.expected, tombstones, known)

    @property
    def kept(self) -> Rev:
        """The revision that it left as the winner; where it deleted the document, the last one
        before."""
        return self.plan.winner if self.written is None else self.written


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """How a resolution is taken back.

    writes: in this order, each after the one before it is confirmed.
    decisions: where the document was changed since: what became of each path; what is open
        there cannot be taken back, and stays as it is now.
    unacknowledge: tombstones that were acknowledged, and are open again.
    leafset: what the document was when this was made.
    winner: the revision that has what is restored in the end, and precedes all that is revived.
    """

    id: str
    how: How
    leafset: tuple[Rev, ...]
    winner: Rev
    writes: tuple[Write, ...]
    decisions: tuple[Decision, ...]
    unacknowledge: tuple[Rev, ...]
    sentence: str

    @property
    def irreversible(self) -> tuple[Decision, ...]:
        """What cannot be taken back, since it was changed again."""
        return tuple(decision for decision in self.decisions if decision.unresolved)

    def to_json(self) -> Doc:
        """It as JSON."""
        return {
            "id": self.id,
            "how": self.how,
            "leafset": [str(rev) for rev in self.leafset],
            "winner": str(self.winner),
            "writes": [write.to_json() for write in self.writes],
            "decisions": serial.to_json(self.decisions),
            "unacknowledge": [str(rev) for rev in self.unacknowledge],
            "sentence": self.sentence,
        }

    @classmethod
    def from_json(cls, given: JSON) -> UndoPlan:
        """Read what `to_json` wrote.

        Raises:
            UsageError: it is no undo plan; says what of it is wrong.
        """
        read = Reader(given, "undo")
        how: How = "reopen" if read.one_of("how", get_args(How)) == "reopen" else "restore"
        return cls(
            id=read.text("id"),
            how=how,
            leafset=read.revs("leafset"),
            winner=read.rev("winner"),
            writes=read.each("writes", Write.from_json),
            decisions=serial.from_json(read.member("decisions", list, "a list")),
            unacknowledge=read.revs("unacknowledge"),
            sentence=read.text("sentence"),
        )


def undo_plan(
    resolution: Resolution, now: ConflictedDocument, policy: Policy, how: How = "restore"
) -> UndoPlan:
    """How a resolution is taken back as the document is now.

    Where it was changed since, what the resolution did is taken back by a three-way merge of
    the document now and the old winner over what was written.  A branch that is revived grows
    longer and might win: the revisions are computed beforehand, and the old winner is written
    once more, as often as it takes, before.

    Raises:
        PlanError: what was written is gone, or a body that is needed is not kept any more.
    """
    return _Undo(resolution, now, policy).plan(how)


class _Undo:
    def __init__(self, resolution: Resolution, now: ConflictedDocument, policy: Policy) -> None:
        self._resolution = resolution
        self._now = now
        self._policy = policy
        self._sources: dict[Rev, Doc] = {**now.bodies, **resolution.bodies}
        self._decisions: tuple[Decision, ...] = ()
        self._said: list[str] = []

    def plan(self, how: How) -> UndoPlan:
        done = self._resolution.plan
        live = [leaf.rev for leaf in self._now.tree.leaves() if not leaf.deleted]
        at = self._where()
        if how == "restore" and live and self._now.tree.is_deleted(at):
            raise PlanError(
                f"the document was created again since, as {label(live[0])}",
                target=self._now.id,
                hint="reopen makes a conflict of it and of what was deleted",
            )
        revivals = self._revivals() if how == "reopen" else []
        restored = self._winners(at, revivals)
        writes = [*restored, *revivals]
        if not live:
            # A database takes no edit of a document's tombstone while nothing of it is live.
            writes[:1] = [self._as_replicated(write) for write in writes[:1]]
        unacknowledge = done.acknowledge if how == "reopen" else ()
        if unacknowledge:
            self._said.append(f"the deletion {labels(unacknowledge)} is open again")
        if not writes and not unacknowledge:
            self._said.append("there is nothing to take back")
        return UndoPlan(
            done.id,
            how,
            leafset(self._now.tree),
            restored[-1].expected if restored else at,
            tuple(writes),
            self._decisions,
            unacknowledge,
            "; ".join(self._said),
        )

    # --- the winner

    def _winners(self, at: Rev, revivals: Sequence[Write]) -> list[Write]:
        """What is written over the winner: the old one's body, and once more until it wins."""
        body = self._restored(at)
        last = at
        writes: list[Write] = []
        if body is not None:
            last = self._written(writes, at, body)
        else:
            body = self._now.bodies[at]
        best = max((_precedence(write.expected) for write in revivals), default=None)
        while best is not None and _precedence(last) <= best:
            last = self._written(writes, last, body)
        return writes

    def _written(self, writes: list[Write], parent: Rev, body: Doc) -> Rev:
        write = self._over(parent, body)
        writes.append(write)
        self._sources[write.expected] = body
        return write.expected

    def _where(self) -> Rev:
        """The leaf that is there now of what the resolution left."""
        kept = self._resolution.kept
        tree = self._now.tree
        if self._resolution.plan.deletes:
            kept = self._resolution.tombstones.get(kept, kept)
        found = [leaf for leaf in tree.leaves() if kept in tree and kept in tree.ancestry(leaf.rev)]
        live = [leaf.rev for leaf in found if leaf.rev in self._now.bodies and not leaf.deleted]
        if live:
            return live[0]
        if self._resolution.plan.deletes and any(leaf.rev == kept for leaf in found):
            return kept
        what = "was deleted since" if found else "is not there any more"
        raise PlanError(
            f"what the resolution left, {label(kept)}, {what}",
            target=self._now.id,
            hint="a version can be put back from the archive",
        )

    def _restored(self, at: Rev) -> Doc | None:
        """The body that takes the resolution back; None where what is there is that."""
        winner = self._resolution.plan.winner
        old = self._kept_body(winner)
        if self._now.tree.is_deleted(at):
            self._said.append(f"{label(winner)} is written over its tombstone")
            return old
        present = self._now.bodies[at]
        if self._resolution.plan.deletes:
            self._said.append(f"{label(winner)} is there again: {label(at)} was written since")
            return None
        before = self._kept_body(self._resolution.kept)
        if same(present, before):
            if same(present, old):
                return None
            self._said.append(f"{label(winner)} is written over {label(at)}")
            return old
        return self._reverted(at, before, present, old)

    def _reverted(self, at: Rev, before: Doc, present: Doc, old: Doc) -> Doc | None:
        """What is there now, without what the resolution did."""
        pairs = ((at, present), (self._resolution.plan.winner, old))
        versions = [
            replace(self._policy.version(str(rev), body), rank=rank)
            for rank, (rev, body) in enumerate(pairs)
        ]
        base = Base(BaseKind.EXACT, self._resolution.kept, before)
        current, other = map(Side.of, versions)
        side, decisions = merge_sides(base, current, other, self._policy)
        self._decisions = tuple(decisions)
        left = [readable(decision.path) for decision in decisions if decision.unresolved]
        self._said.append(f"{label(at)} was written since, and what was merged is taken out of it")
        if left:
            self._said.append(f"{listed(left)} {are(left, 'left as it is')}: it was changed again")
        body: Doc = self._policy.sealed(side.value)
        return None if same(body, present) else body

    # --- the others

    def _revivals(self) -> list[Write]:
        """The tombstoned losers, in winner order, each over its tombstone."""
        revived, gone = [], []
        plan, tree = self._resolution.plan, self._now.tree
        for loser in (tombstone.rev for tombstone in plan.tombstones):
            if loser == plan.winner:
                continue
            tombstone = self._resolution.tombstones.get(loser)
            if tombstone is None or not tree.is_leaf(tombstone):
                gone.append(loser)
                continue
            revived.append(loser)
        if revived:
            self._said.append(
                f"{labels(revived)} {are(revived, 'there again')}, and so is the conflict;"
                " another installation may resolve it again"
            )
        if gone:
            self._said.append(
                f"{labels(gone)} {are(gone, 'left alone')}: the tombstone is no leaf any more"
            )
        return [
            self._over(self._resolution.tombstones[loser], self._kept_body(loser))
            for loser in revived
        ]

    def _over(self, parent: Rev, body: Doc) -> Write:
        return write_over(parent, body, self._sources)

    def _as_replicated(self, write: Write) -> Write:
        return write_over(write.parent, write.body, self._sources, as_replicated=True)

    def _kept_body(self, rev: Rev) -> Doc:
        if rev not in self._sources:
            raise PlanError(
                f"the body of {label(rev)} is not kept any more",
                target=self._now.id,
                hint="a resolution can be undone until the archive is cleaned up",
            )
        return self._sources[rev]


def _precedence(rev: Rev) -> tuple[bool, int, bytes]:
    return Leaf(rev, deleted=False).precedence
