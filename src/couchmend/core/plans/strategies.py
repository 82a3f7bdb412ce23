"""Strategies: what is made of the versions of a document, and of what the merge leaves open."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from couchmend.core.document import JSON, Doc
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.bases import NO_ANCESTOR, BaseKind
from couchmend.core.merging.deciding import arranged_as, taken
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.fold import Fold
from couchmend.core.merging.sides import Competitor
from couchmend.core.paths import value_at
from couchmend.core.plans.choices import Choices, choose, of_body, whole_body
from couchmend.core.plans.versions import Versions
from couchmend.core.policy.data import did_you_mean
from couchmend.core.policy.policy import Policy
from couchmend.core.policy.resolvers import Context, Resolver, Unresolved
from couchmend.core.policy.versions import Version, newest
from couchmend.core.values import ABSENT, Value, same
from couchmend.errors import UsageError

CUSTOM = "custom:"


# --- last-write-wins


def last_write_wins(versions: Versions) -> tuple[Decision, ...]:
    """Each open path takes, among the values that compete there, the one whose supplying
    version has the newest timestamp."""

    def decide(decision: Decision, rivals: Sequence[Competitor]) -> Decision:
        found = newest(rival.version for rival in rivals)
        value = next(rival.value for rival in rivals if rival.version is found)
        return _as(decision, found, value, versions, "last-write-wins", _why(found, rivals), True)

    return versions.with_open(decide)


def _why(found: Version, rivals: Sequence[Competitor]) -> str:
    if found.timestamp is None:
        return f"none of the versions that changed it says when; {found.label} is the better"
    if any(
        rival.version.timestamp == found.timestamp and rival.version is not found
        for rival in rivals
    ):
        return f"of the versions that changed it at the same time, {found.label} is the better"
    return f"of the versions that changed it, {found.label} is the newest"


def _as(
    decision: Decision,
    found: Version,
    value: Value,
    versions: Versions,
    resolver: str,
    reason: str,
    timed: bool,
) -> Decision:
    if decision.aspect == "order":
        return arranged_as(decision, found, resolver, reason, timed=timed)
    return taken(decision, value, versions.winner.name, resolver, reason, timed=timed)


# --- the edit against the deletion


def preserve_non_deleted(versions: Versions) -> tuple[Decision, ...]:
    """Each open path that one version removed keeps what the others made of it, where they
    agree."""

    def decide(decision: Decision, rivals: Sequence[Competitor]) -> Decision:
        kept = [rival for rival in rivals if rival.value is not ABSENT]
        if decision.aspect == "order" or not kept or len(kept) == len(rivals):
            return decision
        if any(not same(rival.value, kept[0].value) for rival in kept):
            return decision
        reason = f"what {kept[0].version.label} changed is kept against its removal"
        return taken(decision, kept[0].value, versions.winner.name, "preserve-non-deleted", reason)

    return versions.with_open(decide)


# --- a resolver of one's own


def custom(versions: Versions, name: str) -> tuple[Decision, ...]:
    """Each open path is given to a resolver of one's own, two competing values at a time, the
    best first; where it cannot tell, the path stays open.

    Raises:
        UsageError: the policy has no resolver of that name.
    """
    own = versions.policy.resolvers
    resolver = own.get(name)
    if resolver is None:
        known = f"it has {', '.join(own)}" if own else "it has none"
        raise UsageError(
            f"the policy has no resolver {name!r} of its own{did_you_mean(name, own)}", hint=known
        )

    def decide(decision: Decision, rivals: Sequence[Competitor]) -> Decision:
        if decision.aspect == "order":
            return decision
        value = _decided(versions.folded, decision, resolver, rivals)
        if isinstance(value, Unresolved):
            reason = f"{name}: {value.reason or 'it cannot tell'}"
            return replace(decision, resolver=name, reason=reason)
        reason = f"decided by {name}"
        return taken(decision, value, versions.winner.name, name, reason, timed=resolver.timed)

    return versions.with_open(decide)


def _decided(
    folded: Fold, decision: Decision, resolver: Resolver, rivals: Sequence[Competitor]
) -> Value | Unresolved:
    """What a resolver makes of all that competes on a path."""
    meeting = next(
        meeting
        for meeting in reversed(folded.meetings)
        if any(one.place == decision.place for one in meeting.decisions)
    )
    exact = meeting.base.kind is BaseKind.EXACT
    value, supplier = rivals[0].value, rivals[0].version
    for rival in rivals[1:]:
        context = Context(decision.path, supplier, rival.version, meeting.base.body, exact)
        found = resolver.decide(decision.base, value, rival.value, context)
        if isinstance(found, Unresolved):
            return found
        if not same(found, value):
            supplier = rival.version if same(found, rival.value) else newest(
                [supplier, rival.version]
            )  # fmt: skip
        value = found
    return value


# --- whole versions


def keep(versions: Versions, name: str, body: Doc, strategy: str) -> tuple[Decision, ...]:
    """Each path as one version has it; `name` is its revision."""
    label = next((one.label for one in versions.each if one.name == name), name)
    kept = []
    for decision in versions.decisions:
        if decision.aspect == "order":
            continue
        value = value_at(body, decision.path)
        if decision.kind == "same" and same(value, decision.taken):
            kept.append(decision)
            continue
        reason = f"{label} is kept as a whole"
        kept.append(taken(decision, value, versions.winner.name, strategy, reason))
    return tuple(kept)


def delete(versions: Versions, deletions: Sequence[str]) -> tuple[Decision, ...]:
    """The document is gone; `deletions` are the tombstones that say so."""
    values: dict[str, Value] = {one.name: one.body for one in versions.each}
    values.update(dict.fromkeys(deletions, ABSENT))
    reason = "the deletion is confirmed" if deletions else "the document is deleted"
    kind = Decision(
        (), "other" if deletions else "combined", values, versions.base, ABSENT, tuple(values),
        "delete", reason,
    )  # fmt: skip
    return (kind,)


# --- by hand


def by_hand(
    versions: Versions, choices: Choices, body: Mapping[str, JSON] | None
) -> tuple[tuple[Decision, ...], Doc]:
    """The decisions with what a person chose, and the body that they make.

    Raises:
        UsageError, DocumentInvalid: what is wrong with the choices or the body.
    """
    if body is None:
        decisions, value = versions.sealed(
            choose(
                versions.decisions,
                choices,
                versions.each,
                versions.left_out,
                versions.base,
                versions.made_of,
            )
        )
        return decisions, _document(value)
    if choices:
        raise UsageError(
            "choices and a whole body exclude each other", hint="give either the one or the other"
        )
    merged = _document(versions.made_of(versions.decisions))
    whole = _document(versions.policy.sealed(whole_body(body, merged)))
    decisions = of_body(
        versions.decisions, whole, versions.each, versions.base, attachments=MEMBER in body
    )
    return decisions, whole


def _document(value: Value) -> Doc:
    if type(value) is dict:
        return value
    raise UsageError("a document is an object", hint="choose the strategy delete to delete it")


# --- what engines decide


def automatically(policy: Policy) -> Callable[[Fold], Value | None]:
    """What the strategy that a policy has for a type of conflict makes of a fold that leaves
    something open; None where that is a person's to decide."""

    def settle(folded: Fold) -> Value | None:
        strategy = _strategy_for(folded, policy)
        name = strategy.removeprefix(CUSTOM)
        if name != strategy and name not in policy.resolvers:
            return None
        versions = Versions.of(folded, policy)
        decisions = of_open(versions, strategy)
        if any(decision.unresolved for decision in decisions):
            return None
        return versions.sealed(decisions)[1]

    return settle


def _strategy_for(folded: Fold, policy: Policy) -> str:
    """The strategy for the type of conflict that a fold which leaves something open is."""
    if any(meeting.base.kind in NO_ANCESTOR for meeting in folded.meetings):
        if policy.no_ancestor == "last-write-wins":
            return policy.no_ancestor
        return policy.auto.strategy["version_mismatch"]
    rivals = [rival for competing in folded.side.open.values() for rival in competing]
    removed = any(rival.value is ABSENT for rival in rivals)
    return policy.auto.strategy["edit_delete" if removed else "edit_edit"]


def of_open(versions: Versions, strategy: str) -> tuple[Decision, ...]:
    """What a strategy that merges makes of what is open; of others, nothing.

    Raises:
        UsageError: the policy has no resolver of that name.
    """
    if strategy == "last-write-wins":
        return last_write_wins(versions)
    if strategy == "preserve-non-deleted":
        return preserve_non_deleted(versions)
    if strategy.startswith(CUSTOM):
        return custom(versions, strategy.removeprefix(CUSTOM))
    return versions.decisions
