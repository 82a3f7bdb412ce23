"""What kind of conflict it is, and how grave."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from couchmend.core.conflicts.deletions import concurrent_deletions, possible_deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.severity import TABLE, Severity, Weighed, weigh, weightiest
from couchmend.core.merging.bases import NO_ANCESTOR, BaseKind
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.fold import Fold
from couchmend.core.merging.joined import joined
from couchmend.core.merging.telling import labels
from couchmend.core.paths import Path, readable
from couchmend.core.policy.metadata import verify
from couchmend.core.policy.parts import ConflictType
from couchmend.core.policy.patterns import Patterns
from couchmend.core.policy.policy import Policy, Rule
from couchmend.core.revtree import Rev
from couchmend.core.values import ABSENT, Value, same


@dataclass(frozen=True, slots=True)
class Classification:
    """What kind of conflict it is.

    path: the weightiest field that it is about; None where it is about none.
    sentence: why it is of that type.
    alike: whether the versions are equal but for metadata, and nothing else is the matter.
    """

    type: ConflictType
    severity: Severity
    path: Path | None
    sentence: str
    alike: bool = False


def deletions(doc: ConflictedDocument, policy: Policy) -> tuple[Rev, ...]:
    """The deletions that a conflict is with: the concurrent ones, and where the policy says so
    the possible ones, but for those that were acknowledged."""
    found = concurrent_deletions(doc.tree)
    if policy.dead_branches == "report":
        found = tuple(sorted({*found, *possible_deletions(doc.tree)}))
    return tuple(rev for rev in found if rev not in doc.acknowledged)


def classify(
    doc: ConflictedDocument,
    folded: Fold,
    policy: Policy,
    decided: Sequence[Decision] | None = None,
) -> Classification:
    """The type and the severity of a conflict.

    folded: the merge of its live versions under the policy, before any strategy.
    decided: what became of each path in it, where that is known already; see `joined`.
    """
    deleted = deletions(doc, policy)
    if not deleted and not folded.side.open and _are_alike(doc, policy):
        sentence = "the versions are equal but for what is about the version"
        return Classification("merge_candidates", "low", None, sentence, alike=True)
    type, why = _type(doc, folded, policy, deleted)
    found = _weightiest(folded, policy, decided, whole=bool(deleted))
    weight, path = found or ("other", None)
    return Classification(type, TABLE[type][weight], path, why)


def _are_alike(doc: ConflictedDocument, policy: Policy) -> bool:
    """Equal but for metadata, with nothing in them that adds up."""
    bodies = [doc.bodies[rev] for rev in doc.live]
    if any(policy.uses_non_idempotent(body) for body in bodies):
        return False
    first, *others = (without_metadata(body, policy.rules) for body in bodies)
    return bool(others) and all(same(first, other) for other in others)


def without_metadata(value: Value, rules: Patterns[Rule]) -> Value:
    """A value without the members that are about the version."""
    if type(value) is dict:
        return {
            name: without_metadata(part, rules.beneath(name))
            for name, part in value.items()
            if not _is_metadata(rules.beneath(name))
        }
    return value


def _is_metadata(rules: Patterns[Rule]) -> bool:
    return rules.value is not None and rules.value.metadata


# --- types


def _type(
    doc: ConflictedDocument, folded: Fold, policy: Policy, deleted: Sequence[Rev]
) -> tuple[ConflictType, str]:
    """The first type that holds, and why."""
    wrong = _wrong_checksums(doc, policy)
    if wrong:
        return "checksum_mismatch", f"the checksum of {labels(wrong)} is not that of its content"
    mismatch = _version_mismatch(doc, folded, policy)
    if mismatch:
        return "version_mismatch", mismatch
    if deleted:
        return "edit_delete", f"{labels(deleted)} deleted the document, and it was edited elsewhere"
    open_at = dict.fromkeys(path for path, _ in folded.side.open)
    removed = next(_removals(folded), None)
    if removed is not None:
        return "edit_delete", f"one version removed {readable(removed)}, another changed it"
    if not open_at:
        return "merge_candidates", "the versions merge with nothing left to decide"
    paths = ", ".join(readable(path) for path in list(open_at)[:3])
    more = f" and {len(open_at) - 3} more" if len(open_at) > 3 else ""
    return "edit_edit", f"the versions changed {paths}{more} in different ways"


def _wrong_checksums(doc: ConflictedDocument, policy: Policy) -> list[Rev]:
    spec = policy.checksum
    if spec is None:
        return []
    return [rev for rev in doc.live if verify(doc.bodies[rev], spec) is False]


def _version_mismatch(doc: ConflictedDocument, folded: Fold, policy: Policy) -> str:
    for meeting in folded.meetings:
        if meeting.base.kind is BaseKind.CREATED:
            return "the document was created more than once: the versions have no common ancestor"
        if meeting.base.kind in NO_ANCESTOR:
            return "the database forgot where the versions come from: no common ancestor is known"
    if schemas_differ(doc, policy):
        return f"the versions differ in {policy.schema_version_field}, the version of their schema"
    return ""


def schemas_differ(doc: ConflictedDocument, policy: Policy) -> bool:
    """Whether the versions are of different versions of their schema."""
    said = [policy.schema_version(doc.bodies[rev]) for rev in doc.live]
    return any(not same(said[0], one) for one in said[1:])


def _removals(folded: Fold) -> Iterator[Path]:
    """The open paths that one version removed and another changed."""
    for (path, _), rivals in folded.side.open.items():
        if any(rival.value is ABSENT for rival in rivals):
            yield path


# --- severity


def _weightiest(
    folded: Fold, policy: Policy, decided: Sequence[Decision] | None, *, whole: bool
) -> Weighed | None:
    """The weightiest path that is open; where none is, that both sides changed.

    whole: whether the document was deleted, which touches every field.
    """
    if whole:
        bodies = [version.body for version in folded.side.versions]
        deleted = weightiest(weigh((), [body, {}], policy) for body in bodies)
        if deleted is not None:
            return deleted
    unresolved = [
        weigh(path, [rival.value for rival in rivals], policy)
        for (path, _), rivals in folded.side.open.items()
    ]
    if unresolved:
        return weightiest(unresolved)
    if decided is None:
        decided = joined(folded.side, [meeting.decisions for meeting in folded.meetings])
    return weightiest(
        weigh(decision.path, _changes(decision), policy)
        for decision in decided
        if decision.contested and not decision.metadata
    )


def _changes(decision: Decision) -> list[Value]:
    """What was made of a value, and what it was before."""
    changed = [decision.versions.get(name, ABSENT) for name in decision.competing]
    return [decision.base, *changed]
