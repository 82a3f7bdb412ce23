"""Whether a conflict may be resolved without a person."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

from couchmend.core.conflicts.classify import Classification, schemas_differ
from couchmend.core.conflicts.containment import Containment, Containments
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.made_again import Settle
from couchmend.core.conflicts.severity import SEVERITIES
from couchmend.core.document import dumps
from couchmend.core.merging.attachments import MEMBER
from couchmend.core.merging.bases import NO_ANCESTOR, BaseKind
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.fold import Fold, Meeting, fold
from couchmend.core.merging.merge import MAX_BYTES
from couchmend.core.merging.telling import label
from couchmend.core.paths import readable
from couchmend.core.policy.policy import Policy
from couchmend.core.policy.timestamps import SECOND
from couchmend.core.policy.versions import Version
from couchmend.core.revtree import Rev
from couchmend.core.values import canonical

Mode: TypeAlias = Literal["observe", "suggest", "auto"]

MAX_LEAVES: Final = 50
MAX_RESOLUTIONS_AN_HOUR: Final = 5
_NO_LIMIT: Final = "critical"
_NAMED = 3


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What beside the document decides whether it may be resolved automatically.

    recent_resolutions: of this document, in the last hour.
    now: in microseconds since 1970.
    other_engines: whether anybody else resolves conflicts of this database's replicas; what the
        journal does not know as a merge may be one of theirs then.
    """

    mode: Mode
    now: int
    paused: bool = False
    rollout_percent: float = 100
    recent_resolutions: int = 0
    snoozed: bool = False
    excluded: bool = False
    other_engines: bool = True


@dataclass(frozen=True, slots=True)
class Check:
    """One condition, whether it is met, and what to do about it."""

    name: str
    passed: bool
    sentence: str


class Resolved(Protocol):
    """What a strategy made of a conflict."""

    @property
    def decisions(self) -> tuple[Decision, ...]:
        """What became of each path."""

    @property
    def unresolved(self) -> tuple[Decision, ...]:
        """What is left to decide."""


def in_rollout(database: str, id: str, percent: float) -> bool:
    """Whether a document is among the given part of all.  Raising it only adds documents."""
    digest = hashlib.sha256(f"{database}\0{id}".encode()).digest()
    return int.from_bytes(digest, "big") % 10_000 < percent * 100


def automatic_strategy(
    doc: ConflictedDocument, meetings: Sequence[Meeting], kind: Classification, policy: Policy
) -> str:
    """The strategy by which a conflict is resolved automatically."""
    if kind.alike:
        return "merge"
    if _is_without_ancestor(doc, meetings, kind, policy):
        return "merge" if policy.no_ancestor == "union" else policy.no_ancestor
    return policy.auto.strategy[kind.type]


def _is_without_ancestor(
    doc: ConflictedDocument, meetings: Sequence[Meeting], kind: Classification, policy: Policy
) -> bool:
    """Whether there is no common ancestor, that is all there is to it, and the policy says how
    to merge then."""
    return (
        kind.type == "version_mismatch"
        and any(meeting.base.kind in NO_ANCESTOR for meeting in meetings)
        and policy.no_ancestor != "manual"
        and not schemas_differ(doc, policy)
    )


def eligibility(
    doc: ConflictedDocument,
    resolved: Resolved,
    kind: Classification,
    policy: Policy,
    circumstances: Circumstances,
    settle: Settle | None = None,
    *,
    problems: Sequence[str] = (),
    tests: Containments | None = None,
    merged: Fold | None = None,
) -> tuple[Check, ...]:
    """All conditions under which a conflict is resolved without a person, each with whether it is
    met; all must be.

    resolved: what the strategy for the type of conflict makes of it, over exact bases only.
    kind: its classification.
    settle: as `Containments` has it.
    problems: why the plan with that strategy cannot be carried out.
    tests: of this document under this policy, where there are some already.
    merged: its live versions but for those that the winner contains, over exact bases only, where
        they are merged already.
    """
    tests = tests or Containments(doc, policy, settle)
    conditions = _Conditions(doc, resolved, kind, policy, circumstances, tests, problems, merged)
    return tuple(Check(name, *condition()) for name, condition in conditions.all())


_Answer: TypeAlias = tuple[bool, str]


class _Conditions:
    def __init__(
        self,
        doc: ConflictedDocument,
        resolved: Resolved,
        kind: Classification,
        policy: Policy,
        circumstances: Circumstances,
        tests: Containments,
        problems: Sequence[str],
        merged: Fold | None,
    ) -> None:
        self.problems = problems
        self.doc, self.resolved, self.kind = doc, resolved, kind
        self.policy, self.now = policy, circumstances
        self.tests = tests
        losers = [rev for rev in doc.live if rev != doc.winner]
        self.losers: list[Containment] = [self.tests.of(loser, losers) for loser in losers]
        self.left_out = [one.loser for one in self.losers if one.state == "contained"]
        among = [rev for rev in doc.live if rev not in self.left_out]
        made = merged or fold(doc.tree, doc.bodies, policy, among=among, approximate=False)
        self.meetings = made.meetings
        self.open = made.side.open

    def all(self) -> Iterator[tuple[str, Callable[[], _Answer]]]:
        """Every condition, in the order in which they are shown."""
        yield from (
            ("mode", self.mode),
            ("paused", self.paused),
            ("design", self.design),
            ("resolved", self.nothing_open),
            ("severity", self.severity),
            ("timestamps", self.timestamps),
            ("base", self.base),
            ("dead leaves", self.dead_leaves),
            ("containment", self.containment),
            ("attachments", self.attachments),
            ("leaves", self.leaves),
            ("size", self.size),
            ("loop", self.loop),
            ("rollout", self.rollout),
            ("snoozed", self.snoozed),
            ("excluded", self.excluded),
        )

    # --- the database and the document

    def mode(self) -> _Answer:
        mode = self.now.mode
        if mode == "auto":
            return True, "the mode of the database is auto"
        return False, f"the mode of the database is {mode}; in mode auto it would be resolved"

    def paused(self) -> _Answer:
        if self.now.paused:
            return False, "resolving is paused; couchmend resume goes on with it"
        return True, "resolving is not paused"

    def design(self) -> _Answer:
        if self.doc.is_design:
            return False, "it is a design document: a person decides what runs in a database"
        return True, "it is no design document"

    # --- what is to be decided

    def nothing_open(self) -> _Answer:
        strategy = automatic_strategy(self.doc, self.meetings, self.kind, self.policy)
        if strategy == "manual":
            setting = f"auto.strategy.{self.kind.type}"
            return False, f"{setting} is manual: a person decides"
        left = [one for one in self.resolved.unresolved if not _is_attachment(one)]
        if left:
            return False, f"after {strategy}, {_paths(left)} is left to decide"
        if self.problems:
            return False, "; ".join(self.problems)
        return True, f"after {strategy}, nothing is left to decide"

    def severity(self) -> _Answer:
        severity, type = self.kind.severity, self.kind.type
        if self.kind.alike:
            return True, "there is nothing to lose: the versions are equal"
        limit = self.policy.auto.max_severity[type]
        setting = f"auto.max_severity.{type}"
        if limit == "never" and _is_without_ancestor(
            self.doc, self.meetings, self.kind, self.policy
        ):
            limit, setting = _NO_LIMIT, f"no_ancestor = {self.policy.no_ancestor}"
        if limit == "never":
            return False, f"{setting} is never: a person decides"
        if SEVERITIES.index(severity) > SEVERITIES.index(limit):
            about = "" if self.kind.path is None else f", for {readable(self.kind.path)}"
            return False, f"its severity is {severity}{about}; {setting} is {limit}"
        return True, f"its severity is {severity}, and {setting} allows {limit}"

    def timestamps(self) -> _Answer:
        timed = [one for one in self.resolved.decisions if one.timed and not one.metadata]
        if not timed:
            return True, "no decision rests on timestamps"
        versions = {
            str(rev): self.policy.version(str(rev), self.doc.bodies[rev]) for rev in self.doc.live
        }
        for decision in timed:
            rivals = [versions[name] for name in decision.competing if name in versions]
            why = unsound(rivals, self.policy, self.now.now)
            if why:
                return False, f"{readable(decision.path)} rests on timestamps, and {why}"
        return True, "the timestamps on which decisions rest are sound"

    # --- what it rests on

    def base(self) -> _Answer:
        if self.kind.alike:
            return True, "the versions are equal, whatever was before"
        allowed = self.policy.no_ancestor
        for meeting in self.meetings:
            base = meeting.base
            if base.kind is BaseKind.EXACT:
                continue
            what = f"{_BASES[base.kind]} ({', '.join(map(label, meeting.leaves))})"
            if self.tests.adds_up:
                return False, f"{what}, and {self.tests.adds_up}"
            if allowed == "manual":
                return False, f"{what}; no_ancestor = union or last-write-wins would allow it"
        if all(meeting.base.kind is BaseKind.EXACT for meeting in self.meetings):
            return True, "the body of the common ancestor is known"
        return True, f"it is not known what was before, and no_ancestor = {allowed} allows that"

    def dead_leaves(self) -> _Answer:
        if self.kind.alike:
            return True, "the versions are equal, whatever they contain"
        for meeting in self.meetings:
            for dead in self.tests.unsettled(meeting.at, self.left_out):
                return False, dead.sentence
            outdated = self.tests.outdated(meeting)
            if outdated is not None and outdated.certain:
                return False, outdated.sentence
            if outdated is not None and not self._doubts_allowed():
                return False, f"{outdated.sentence}; {_TRUSTING}"
        return True, "no branch contains what the common ancestor does not know"

    def containment(self) -> _Answer:
        if self.kind.alike:
            return True, "the versions are equal, whatever they contain"
        twins = self._twins()
        if twins and self.tests.adds_up:
            return False, (
                f"{' and '.join(map(label, twins))} are the same edit of one revision, which may"
                f" have been made once, and {self.tests.adds_up}"
            )
        for one in self.losers:
            if one.state == "manual":
                return False, f"{label(one.loser)}: {one.sentence}"
            if one.state == "untestable" and not self._doubts_allowed():
                return False, f"{label(one.loser)}: {one.sentence}; {_TRUSTING}"
        if self.left_out:
            return True, f"the winner contains {', '.join(map(label, self.left_out))}"
        return True, "the winner contains none of the others, as far as anybody can tell"

    def _twins(self) -> list[Rev]:
        """Versions with one parent and equal bodies: what two servers that name revisions in
        different ways make of one edit."""
        seen: dict[tuple[Rev | None, bytes], Rev] = {}
        for rev in self.doc.live:
            edit = (self.doc.tree.parent(rev), canonical(self.doc.bodies[rev]))
            if edit in seen:
                return [seen[edit], rev]
            seen[edit] = rev
        return []

    def _doubts_allowed(self) -> bool:
        """Whether what nobody can tell is taken to be as it most likely is."""
        return not self.now.other_engines or self.policy.no_ancestor != "manual"

    def attachments(self) -> _Answer:
        # Whatever the strategy makes of them: nobody looks into what is replaced.
        left = [path for path, _ in self.open.beneath((MEMBER,))]
        if left:
            names = ", ".join(readable(path) for path in left)
            return False, f"the contents of {names} differ; attachments = keep-both keeps them all"
        return True, "the attachments merge"

    def leaves(self) -> _Answer:
        count = len(self.doc.live) + len(self.doc.unreadable)
        if count > MAX_LEAVES:
            return False, f"it has {count} versions; up to {MAX_LEAVES} are resolved automatically"
        told = "1 version" if count == 1 else f"{count} versions"
        return True, f"it has {told}, and up to {MAX_LEAVES} are allowed"

    def size(self) -> _Answer:
        size = max(len(dumps(self.doc.bodies[rev])) for rev in self.doc.live)
        if size > MAX_BYTES:
            return False, f"a version has {size:,} bytes; up to {MAX_BYTES:,} are merged"
        return True, f"no version has more than {MAX_BYTES:,} bytes"

    # --- what happened, and what was ordered

    def loop(self) -> _Answer:
        count = self.now.recent_resolutions
        times = "once" if count == 1 else f"{count} times"
        said = f"it was resolved {times} in the last hour"
        if count > MAX_RESOLUTIONS_AN_HOUR:
            return False, (
                f"{said}, more than {MAX_RESOLUTIONS_AN_HOUR}: something keeps bringing it back"
            )
        return True, said

    def rollout(self) -> _Answer:
        percent = self.now.rollout_percent
        if in_rollout(self.doc.database, self.doc.id, percent):
            return True, f"it is among the {percent:g} % of the rollout"
        return False, f"it is not among the {percent:g} % of the rollout; a larger rollout adds it"

    def snoozed(self) -> _Answer:
        if self.now.snoozed:
            return False, "it is snoozed"
        return True, "it is not snoozed"

    def excluded(self) -> _Answer:
        if self.now.excluded:
            return False, "it is excluded from automatic resolution"
        return True, "it is not excluded"


_BASES: Final = {
    BaseKind.APPROXIMATE: "only an older ancestor's body is known",
    BaseKind.GONE: "the body of the common ancestor is not known",
    BaseKind.CREATED: "the versions have no common ancestor",
    BaseKind.STEMMED: "the database forgot the common ancestor",
}
_TRUSTING: Final = "a database whose conflicts nobody else resolves need not mind"


def unsound(rivals: Sequence[Version], policy: Policy, now: int) -> str:
    """Why versions' timestamps cannot decide between them; empty where they can."""
    for version in rivals:
        if version.timestamp is None:
            return f"{version.label} has none"
        if policy.is_suspect(version, now):
            return (
                f"that of {version.label} is more than {policy.clock_skew_seconds:g} seconds"
                " ahead of now (clock_skew_seconds)"
            )
    times = sorted((version.timestamp or 0 for version in rivals), reverse=True)
    gap = policy.auto.min_time_gap_seconds
    if len(times) > 1 and times[0] - times[1] < gap * SECOND:
        apart = (times[0] - times[1]) / SECOND
        return f"the newest are {apart:g} seconds apart; auto.min_time_gap_seconds is {gap:g}"
    return ""


def _is_attachment(decision: Decision) -> bool:
    return decision.path[:1] == (MEMBER,)


def _paths(decisions: Sequence[Decision]) -> str:
    shown = ", ".join(readable(one.path) for one in decisions[:_NAMED])
    more = len(decisions) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
