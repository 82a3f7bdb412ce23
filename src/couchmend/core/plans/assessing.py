"""What there is to say of a document in conflict: what kind it is, what would be done without a
person, and what is suggested to one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from couchmend.core.conflicts.classify import Classification, classify, deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.eligibility import (
    Check,
    Circumstances,
    automatic_strategy,
    eligibility,
)
from couchmend.core.conflicts.suggesting import suggested_strategy
from couchmend.core.paths import Path, readable
from couchmend.core.plans.examine import Examined, examine, for_suggestion
from couchmend.core.plans.plan import plan_for
from couchmend.core.plans.planned import Plan
from couchmend.core.policy.policy import Policy
from couchmend.errors import UsageError


@dataclass(frozen=True, slots=True)
class Classified:
    """What kind of conflict a document is in.

    kind: its type and severity.
    hidden: whether only one version is live, and the others are deletions: CouchDB does not
        list it in `_conflicts`.
    paths: what two or more versions changed, or what is left to decide; without metadata.
    devices: that wrote the versions, as these say, the winner's first.
    """

    kind: Classification
    hidden: bool
    paths: tuple[Path, ...]
    devices: tuple[str, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The paths for people."""
        return tuple(dict.fromkeys(map(readable, self.paths)))


@dataclass(frozen=True, slots=True)
class Assessment:
    """All that is said of a conflict, before anybody decides.

    examined: what the suggestion starts from; its digest is what a decision refers to.
    suggested: the strategy for a person.
    strategy: the one by which it would be resolved automatically.
    checks: the conditions for that, each with whether it is met.
    plan: the automatic one where all are met; else what the suggested strategy gives, which may
        leave something to decide.
    """

    doc: ConflictedDocument
    policy: Policy
    classified: Classified
    examined: Examined
    suggested: str
    strategy: str
    checks: tuple[Check, ...]
    plan: Plan

    @property
    def kind(self) -> Classification:
        """Its type and severity."""
        return self.classified.kind

    @property
    def hidden(self) -> bool:
        """Whether CouchDB does not list it in `_conflicts`."""
        return self.classified.hidden

    @property
    def fields(self) -> tuple[str, ...]:
        """What is contested, for people."""
        return self.classified.fields

    @property
    def devices(self) -> tuple[str, ...]:
        """That wrote the versions, the winner's first."""
        return self.classified.devices

    @property
    def digest(self) -> str:
        """Of all that a suggestion rests on."""
        return self.examined.digest

    @property
    def eligible(self) -> bool:
        """Whether it may be resolved without a person."""
        return all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """Why it may not; empty where it may."""
        return next((check.sentence for check in self.checks if not check.passed), "")


def is_in_conflict(doc: ConflictedDocument, policy: Policy) -> bool:
    """Whether somebody has to decide something: between live versions that can be read, or
    between one of them and a deletion that nobody acknowledged."""
    live = len(doc.live)
    return live > 1 or (live == 1 and bool(deletions(doc, policy)))


def classified(doc: ConflictedDocument, policy: Policy) -> Classified | None:
    """What kind of conflict it is; None where it is in none.

    Raises:
        DocumentInvalid: it is nested too deep to be merged.
    """
    if not is_in_conflict(doc, policy):
        return None
    return _classified(examine(doc, policy, automatic=True))


def assess(
    doc: ConflictedDocument, policy: Policy, circumstances: Circumstances
) -> Assessment | None:
    """All that is said of a conflict; None where the document is in none, once what was
    acknowledged is left out.

    Raises:
        DocumentInvalid: it is nested too deep to be merged.
    """
    if not is_in_conflict(doc, policy):
        return None
    start = examine(doc, policy, automatic=True)
    found = _classified(start)
    strategy = automatic_strategy(doc, start.versions.folded.meetings, found.kind, policy)
    made, problems = _automatic(start, strategy)
    checks = eligibility(
        doc,
        made,
        found.kind,
        policy,
        circumstances,
        problems=problems,
        tests=start.tests,
        # With a winner that cannot be read, a plan is about the best of the others.
        merged=start.versions.folded if doc.winner == start.winner else None,
    )
    suggestion = for_suggestion(start)
    suggested = suggested_strategy(
        suggestion.versions.folded,
        found.kind,
        policy,
        circumstances.now,
        deleted=suggestion.deletions,
        doubtful=bool(suggestion.doubtful),
    )
    eligible = all(check.passed for check in checks)
    plan = made if eligible else plan_for(suggestion, suggested)
    return Assessment(doc, policy, found, suggestion, suggested, strategy, checks, plan)


def _automatic(start: Examined, strategy: str) -> tuple[Plan, tuple[str, ...]]:
    """The plan by a policy's strategy, and why it cannot be carried out."""
    try:
        made = plan_for(start, strategy)
    except UsageError as problem:  # the policy names a resolver that it does not have
        return plan_for(start, "merge"), (problem.message,)
    return made, made.problems


def _classified(start: Examined) -> Classified:
    doc, policy, versions = start.doc, start.policy, start.versions
    kind = classify(doc, versions.folded, policy, versions.decisions)
    paths = dict.fromkeys(
        decision.path
        for decision in versions.decisions
        if (decision.contested or decision.unresolved) and not decision.metadata
    )
    paths.update(dict.fromkeys(path for path, _ in versions.folded.side.open))
    written = (version.device for version in (*versions.each, *versions.left_out))
    return Classified(
        kind,
        len(doc.live) + len(doc.unreadable) == 1,
        tuple(paths),
        tuple(_told_apart(written)),
    )


def _told_apart(devices: Iterable[str | None]) -> Iterable[str]:
    return dict.fromkeys(device for device in devices if device)
