"""What a plan is: the writes that resolve a conflict, and what was decided, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from couchmend.core.document import JSON, Doc
from couchmend.core.merging import serial
from couchmend.core.merging.bases import BaseKind
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.reading import Reader, as_rev, as_text
from couchmend.core.plans.writes import Tombstone, Write
from couchmend.core.revtree import Rev


@dataclass(frozen=True, slots=True)
class PlannedBase:
    """What branches were merged over.

    at: the revision at which they meet; None for roots without a common ancestor.
    rev: the revision whose body was the base; None where there was no base.
    inferred: whether it was inferred from what one branch has of the other.
    """

    at: Rev | None
    leaves: tuple[Rev, ...]
    kind: BaseKind
    rev: Rev | None
    inferred: bool = False

    def to_json(self) -> Doc:
        """It as JSON."""
        return {
            "at": _text(self.at),
            "leaves": _texts(self.leaves),
            "kind": self.kind.value,
            "base": _text(self.rev),
            "inferred": self.inferred,
        }

    @classmethod
    def from_json(cls, given: JSON, where: str = "base") -> PlannedBase:
        """Read what `to_json` wrote; raises `UsageError`."""
        read = Reader(given, where)
        kind = BaseKind(read.one_of("kind", (kind.value for kind in BaseKind)))
        at, leaves = read.maybe("at", as_rev), read.revs("leaves")
        return cls(at, leaves, kind, read.maybe("base", as_rev), read.flag("inferred"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether what a loser says is in the winner already.

    state: `contained`, `new`, `untestable`, or `manual`: only a person can tell.
    by: the revision of the winner's chain that has it.
    """

    rev: Rev
    state: str
    by: Rev | None
    sentence: str

    def to_json(self) -> Doc:
        """It as JSON."""
        return {
            "revision": str(self.rev),
            "state": self.state,
            "by": _text(self.by),
            "sentence": self.sentence,
        }

    @classmethod
    def from_json(cls, given: JSON, where: str = "outcome") -> Outcome:
        """Read what `to_json` wrote; raises `UsageError`."""
        read = Reader(given, where)
        by = read.maybe("by", as_rev)
        return cls(read.rev("revision"), read.text("state"), by, read.text("sentence"))


@dataclass(frozen=True, slots=True)
class Plan:
    """How a conflict is to be resolved.  It does not depend on who made it, when or where.

    digest: what the conflict was when it was made; the same for every strategy.
    policy: the digest of the policy.
    leafset: what the conflict was between.
    winner: the leaf that is kept or extended: the winner, or where that cannot be read, the
        best that can be.
    bases, containment: what the merge rests on.
    unreadable: leaves that cannot be read; they are left alone.
    decisions: what becomes of each path on which the versions differ.
    problems: sentences; while there is one, there is nothing to carry out.
    write: None where the winner's body stays as it is.
    tombstones: what to delete, in this order, after the write is confirmed.
    acknowledge: tombstones against which the edit is kept; nothing is written for them.
    """

    id: str
    strategy: str
    digest: str
    policy: str
    leafset: tuple[Rev, ...]
    winner: Rev
    bases: tuple[PlannedBase, ...]
    containment: tuple[Outcome, ...]
    unreadable: tuple[Rev, ...]
    decisions: tuple[Decision, ...]
    problems: tuple[str, ...]
    write: Write | None
    tombstones: tuple[Tombstone, ...]
    acknowledge: tuple[Rev, ...]
    sentence: str

    @property
    def unresolved(self) -> tuple[Decision, ...]:
        """What is left to decide."""
        return tuple(decision for decision in self.decisions if decision.unresolved)

    @property
    def ready(self) -> bool:
        """Whether it can be carried out: nothing is left to decide."""
        return not self.unresolved and not self.problems

    @property
    def deletes(self) -> bool:
        """Whether it deletes the document."""
        return any(tombstone.rev == self.winner for tombstone in self.tombstones)

    @property
    def expected(self) -> Rev | None:
        """The revision that wins when it was carried out; None where the document is deleted."""
        if self.deletes:
            return None
        return self.winner if self.write is None else self.write.expected

    def to_json(self) -> Doc:
        """It as JSON; the same plan is the same bytes."""
        return {
            "id": self.id,
            "strategy": self.strategy,
            "digest": self.digest,
            "policy": self.policy,
            "leafset": _texts(self.leafset),
            "winner": str(self.winner),
            "bases": [base.to_json() for base in self.bases],
            "containment": [outcome.to_json() for outcome in self.containment],
            "unreadable": _texts(self.unreadable),
            "decisions": serial.to_json(self.decisions),
            "problems": list(self.problems),
            "write": None if self.write is None else self.write.to_json(),
            "tombstones": [tombstone.to_json() for tombstone in self.tombstones],
            "acknowledge": _texts(self.acknowledge),
            "sentence": self.sentence,
        }

    @classmethod
    def from_json(cls, given: JSON) -> Plan:
        """Read what `to_json` wrote.

        Raises:
            UsageError: it is no plan; says what of it is wrong.
        """
        read = Reader(given, "plan")
        return cls(
            id=read.text("id"),
            strategy=read.text("strategy"),
            digest=read.text("digest"),
            policy=read.text("policy"),
            leafset=read.revs("leafset"),
            winner=read.rev("winner"),
            bases=read.each("bases", PlannedBase.from_json),
            containment=read.each("containment", Outcome.from_json),
            unreadable=read.revs("unreadable"),
            decisions=serial.from_json(read.member("decisions", list, "a list")),
            problems=read.each("problems", as_text),
            write=read.maybe("write", Write.from_json),
            tombstones=read.each("tombstones", Tombstone.from_json),
            acknowledge=read.revs("acknowledge"),
            sentence=read.text("sentence"),
        )


def _text(rev: Rev | None) -> str | None:
    return None if rev is None else str(rev)


def _texts(revs: Iterable[Rev]) -> list[str]:
    return [str(rev) for rev in revs]
