"""Plans: what a strategy makes of a conflict, as the writes that resolve it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import JSON, Doc
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.telling import are, label, labels, listed
from couchmend.core.paths import readable
from couchmend.core.plans import strategies
from couchmend.core.plans.choices import Choice, Choices, version_named
from couchmend.core.plans.examine import Examined, examine
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.strategies import CUSTOM
from couchmend.core.plans.writes import PlanError, Tombstone, Write, write_over
from couchmend.core.policy.data import did_you_mean
from couchmend.core.policy.parts import STRATEGIES, STRATEGY_ALIASES
from couchmend.core.policy.policy import Policy
from couchmend.core.policy.versions import Version
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT, same
from couchmend.errors import UsageError

_NO_CHOICES: Final[Mapping[str, Choice]] = MappingProxyType({})
_SHOWN_PATHS = 5


def plan(
    doc: ConflictedDocument,
    strategy: str,
    policy: Policy,
    *,
    revision: str = "",
    choices: Choices = _NO_CHOICES,
    body: Mapping[str, JSON] | None = None,
    automatic: bool = False,
) -> Plan:
    """How a strategy resolves a conflict.

    revision: for `keep-other`, which one is kept, by its revision or the beginning of it.
    choices, body: for `manual`, what was chosen; see `choices` and `whole_body`.
    automatic: see `examine`.

    What is left to decide leaves the plan without writes, and not `ready`.

    Raises:
        PlanError: the document is not in conflict, or nothing of it can be read.
        UsageError: there is no such strategy, revision or version, or a choice is about
            nothing.
        DocumentInvalid: what was chosen is no document.
    """
    return plan_for(
        examine(doc, policy, automatic=automatic),
        strategy,
        revision=revision,
        choices=choices,
        body=body,
    )


def plan_for(
    examined: Examined,
    strategy: str,
    *,
    revision: str = "",
    choices: Choices = _NO_CHOICES,
    body: Mapping[str, JSON] | None = None,
) -> Plan:
    """How a strategy resolves a conflict that was examined; see `plan`."""
    name = strategy_named(strategy)
    if name != "manual" and (choices or body is not None):
        raise UsageError(f"the strategy {name} takes no choices", hint="the strategy manual does")
    if name != "keep-other" and revision:
        raise UsageError(f"the strategy {name} takes no revision", hint="keep-other does")
    match name:
        case "manual":
            decided = _by_hand(examined, choices, body)
        case "keep-current":
            decided = _kept(examined, examined.winner, name)
        case "keep-other":
            decided = _other_kept(examined, revision)
        case "delete":
            decided = _deleted(examined)
        case _:
            decided = _merged(examined, name)
    return _planned(examined, name, decided)


def strategy_named(name: str) -> str:
    """The one name of a strategy.

    Raises:
        UsageError: there is none of that name.
    """
    found = STRATEGY_ALIASES.get(name, name)
    if found in STRATEGIES or (found.startswith(CUSTOM) and found != CUSTOM):
        return found
    known = [*STRATEGIES, *STRATEGY_ALIASES, f"{CUSTOM}<name>"]
    raise UsageError(
        f"there is no strategy {name!r}{did_you_mean(name, known)}",
        hint=f"there are {', '.join(known)}",
    )


# --- what is decided


@dataclass(frozen=True, slots=True)
class _Decided:
    """What a strategy decided.

    body: None where the document is deleted.
    kept: the revision whose body it is, where it is one's as a whole.
    problems: why it cannot be carried out.
    """

    decisions: tuple[Decision, ...]
    body: Doc | None
    kept: Rev | None = None
    problems: tuple[str, ...] = ()


def _merged(examined: Examined, strategy: str) -> _Decided:
    versions = examined.versions
    decisions, body = versions.sealed(strategies.of_open(versions, strategy))
    problems = [_doubt(outcome.rev, outcome.sentence) for outcome in examined.doubtful]
    if strategy != "preserve-non-deleted":
        problems += _undecided(examined)
    return _Decided(decisions, body, problems=tuple(problems))


def _doubt(rev: Rev, why: str) -> str:
    return f"{label(rev)} may be in the winner already: {why}"


def _undecided(examined: Examined) -> list[str]:
    return [
        f"{label(rev)} deleted what {label(examined.winner)} went on with: the edit is to be kept"
        " (preserve-non-deleted) or the deletion confirmed (delete)"
        for rev in examined.deletions
    ]


def _kept(examined: Examined, rev: Rev, strategy: str) -> _Decided:
    body = examined.doc.bodies[rev]
    versions = examined.with_loser(rev)
    return _Decided(strategies.keep(versions, str(rev), body, strategy), body, rev)


def _other_kept(examined: Examined, revision: str) -> _Decided:
    names = [Version(str(rev), ABSENT) for rev in (*examined.losers, *examined.deletions)]
    if not names:
        raise PlanError("there is no other version that can be read", target=examined.doc.id)
    if not revision and len(names) > 1:
        raise UsageError(
            "there are several other versions: name one by its revision",
            target=examined.doc.id,
            hint=f"there are {', '.join(version.name for version in names)}",
        )
    found = version_named(revision or names[0].name, names, aliases=False)
    rev = Rev.parse(found.name)
    return _deleted(examined) if rev in examined.deletions else _kept(examined, rev, "keep-other")


def _deleted(examined: Examined) -> _Decided:
    decisions = strategies.delete(examined.versions, list(map(str, examined.deletions)))
    return _Decided(decisions, None)


def _by_hand(examined: Examined, choices: Choices, body: Mapping[str, JSON] | None) -> _Decided:
    decisions, made = strategies.by_hand(examined.versions, choices, body)
    if not choices and body is None:
        return _Decided(decisions, made, problems=("nothing was chosen yet",))
    return _Decided(decisions, made)


# --- what is written


def _planned(examined: Examined, strategy: str, decided: _Decided) -> Plan:
    doc, winner, losers = examined.doc, examined.winner, examined.losers
    problems = list(decided.problems)
    write: Write | None = None
    body = decided.body
    # What adds up leaves a revision behind also where it comes to nothing: without that trace
    # another engine, to which a loser is still alive, would add it once more.
    merges = len(examined.versions.each) > 1 and decided.kept is None
    leaves_trace = examined.adds_up and merges
    if body is not None and (leaves_trace or not same(body, doc.bodies[winner])):
        try:
            write = write_over(winner, body, {rev: doc.bodies[rev] for rev in doc.live})
        except PlanError as problem:
            problems.append(problem.message)
    doomed = losers if body is not None else (*losers, winner)
    ready = not problems and not any(decision.unresolved for decision in decided.decisions)
    return Plan(
        id=doc.id,
        strategy=strategy,
        digest=examined.digest,
        policy=examined.policy.digest,
        leafset=examined.leafset,
        winner=winner,
        bases=examined.bases,
        containment=examined.containment,
        unreadable=doc.unreadable,
        decisions=decided.decisions,
        problems=tuple(problems),
        write=write if ready else None,
        tombstones=tuple(map(Tombstone.over, doomed)) if ready else (),
        acknowledge=examined.deletions if ready and body is not None else (),
        sentence=_sentence(examined, strategy, decided, write, problems),
    )


def _sentence(
    examined: Examined,
    strategy: str,
    decided: _Decided,
    write: Write | None,
    problems: list[str],
) -> str:
    """What the plan does, for people."""
    left = [readable(one.path) for one in decided.decisions if one.unresolved]
    if left:
        shown = left[:_SHOWN_PATHS]
        more = f" and {len(left) - len(shown)} more" if len(left) > len(shown) else ""
        names = ", ".join(shown) if more else listed(shown)
        problems = [f"{names}{more} {are(left, 'left to decide')}", *problems]
    parts = problems or _done(examined, strategy, decided, write)
    unreadable = examined.doc.unreadable
    if unreadable:
        parts = [
            *parts,
            f"{labels(unreadable)} cannot be read, and {are(unreadable, 'left alone')}",
        ]
    return "; ".join(parts)


def _done(examined: Examined, strategy: str, decided: _Decided, write: Write | None) -> list[str]:
    winner, losers = examined.winner, examined.losers
    contained = [one.rev for one in examined.containment if one.state == "contained"]
    if decided.body is None:
        return [f"the document is deleted: {labels([*losers, winner])}"]
    if decided.kept is not None and decided.kept != winner:
        parts = [f"what {label(decided.kept)} says is written over {label(winner)}"]
    elif write is None:
        parts = [f"{label(winner)} stays as it is"]
    elif strategy == "manual":
        parts = [f"what was chosen is written over {label(winner)}"]
    else:
        merged = [rev for rev in losers if rev not in contained]
        parts = [f"{labels(merged)} {are(merged, 'merged into')} {label(winner)}"]
    if contained:
        parts.append(f"what {labels(contained)} changed is in it already")
    if losers:
        parts.append(f"{labels(losers)} {are(losers, 'deleted')}")
    if examined.deletions:
        parts.append(f"the edit is kept against the deletion {labels(examined.deletions)}")
    return parts
