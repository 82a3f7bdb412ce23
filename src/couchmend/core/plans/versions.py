"""The versions of a document as strategies find them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from couchmend.core.merging.applying import apply_decisions
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.fold import Fold
from couchmend.core.merging.joined import joined
from couchmend.core.merging.merge import Merge
from couchmend.core.merging.sides import Competitor
from couchmend.core.policy.policy import Policy
from couchmend.core.policy.versions import Version
from couchmend.core.values import ABSENT, Value


@dataclass(frozen=True, slots=True)
class Versions:
    """The versions of a document as a strategy finds them: merged as far as they can be.

    decisions: of the merge; what only a person can tell is open.
    left_out: those that were not merged, because the winner contains them.
    """

    folded: Fold
    policy: Policy
    decisions: tuple[Decision, ...]
    left_out: tuple[Version, ...] = ()

    @classmethod
    def of(
        cls,
        folded: Fold,
        policy: Policy,
        left_out: tuple[Version, ...] = (),
        *,
        doubtful: bool = False,
    ) -> Versions:
        """Those that were merged, and those that were not.

        doubtful: whether it is not known of one of them whether another has it already; what
            counts twice when it is taken in twice is then left to a person.
        """
        decisions = joined(folded.side, [meeting.decisions for meeting in folded.meetings])
        if doubtful:
            decisions = tuple(_in_doubt(decision, policy) for decision in decisions)
        return cls(folded, policy, decisions, left_out)

    @property
    def each(self) -> tuple[Version, ...]:
        """The versions, the winner first."""
        return self.folded.side.versions

    @property
    def winner(self) -> Version:
        """The version that is extended."""
        return self.each[0]

    @property
    def base(self) -> Value:
        """What the last of them were merged over."""
        return self.folded.meetings[-1].base.body if self.folded.meetings else ABSENT

    def made_of(self, decisions: Sequence[Decision]) -> Value:
        """The body that decisions make, but for its checksum."""
        return apply_decisions(self.winner.body, decisions)

    def sealed(self, decisions: Sequence[Decision]) -> tuple[tuple[Decision, ...], Value]:
        """The decisions with the one about the right checksum, and the body that they make."""
        merge = Merge(self.folded.side.value, (), self.each, self.policy)
        made = merge.with_decisions(tuple(decisions))
        return made.decisions, made.value

    def with_open(
        self, decide: Callable[[Decision, Sequence[Competitor]], Decision]
    ) -> tuple[Decision, ...]:
        """The decisions, after `decide` was given each that is open with what competes there."""
        opened = self.folded.side.open
        return tuple(
            decide(decision, opened[decision.place])
            if decision.unresolved and decision.place in opened
            else decision
            for decision in self.decisions
        )


def _in_doubt(decision: Decision, policy: Policy) -> Decision:
    rule = policy.rules.at(decision.path)
    if rule is None or rule.resolver.idempotent or decision.aspect == "order":
        return decision
    return replace(
        decision,
        kind="conflict",
        taken=next(iter(decision.versions.values())),
        competing=tuple(decision.versions),
        resolver=rule.resolver.name,
        reason=f"{rule.resolver.name} counts twice what it is given twice, and nobody can tell"
        " whether one version has the other already",
    )
