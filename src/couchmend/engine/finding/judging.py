"""What is to be said of each document that was read: whether it is in conflict, and what then."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from couchmend.core.conflicts.deletions import leafset
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.eligibility import Circumstances, Mode
from couchmend.core.document import JSON, dumps
from couchmend.core.plans.assessing import Assessment, assess
from couchmend.core.policy.policy import Policy
from couchmend.engine.finding.choosing import Choosing
from couchmend.engine.finding.targets import Target
from couchmend.errors import CouchmendError
from couchmend.journal.conflicts import Conflict
from couchmend.journal.queueing import Finding
from couchmend.policies import Policies

_MOST_DETAILS: Final = 256 << 10
"""Bytes of decisions that are kept with a conflict; they can be made again."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What of a database and its settings decides how its documents are judged.

    names: of the policies; None for all that say what they match.
    only_us: whether nobody else resolves conflicts of this database and its replicas.
    """

    database: str
    mode: Mode
    rollout: float
    names: tuple[str, ...] | None
    only_us: bool
    policies: Policies

    @classmethod
    def of(cls, target: Target, policies: Policies) -> Ground:
        """That of a database."""
        return cls(
            target.name, target.mode, target.rollout, target.policies, target.only_us, policies
        )

    def policy(self, doc: ConflictedDocument) -> Policy:
        """The policy of a document, by the best of its versions that can be read."""
        if not doc.live:
            return self.policies.default
        return Choosing(self.policies, self.names).policy_for(doc)

    def circumstances(
        self, now: int, known: Conflict | None, recent: int, *, paused: bool = False
    ) -> Circumstances:
        """What beside a document decides about it.

        known: its open conflict.
        recent: how often it was resolved in the last hour.
        """
        return Circumstances(
            mode=self.mode,
            now=now,
            paused=paused,
            rollout_percent=self.rollout,
            recent_resolutions=recent,
            snoozed=known is not None
            and known.snoozed_until is not None
            and known.snoozed_until > now,
            excluded=known is not None and known.excluded,
            other_engines=not self.only_us,
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """A document in conflict; `assessment` is None where it could not be assessed."""

    doc: ConflictedDocument
    assessment: Assessment | None
    finding: Finding


def judge(
    ground: Ground, doc: ConflictedDocument, circumstances: Circumstances, row_digest: str
) -> Judged | None:
    """What there is to say of a document; None where it is in no conflict.

    A policy that fails leaves the conflict to a person.
    """
    try:
        policy = ground.policy(doc)
        found = assess(doc, policy, circumstances)
    except Exception as problem:  # noqa: BLE001  # a policy's own code may raise; it is told of
        return Judged(doc, None, not_assessed(doc, row_digest, problem))
    if found is None:
        return None
    return Judged(doc, found, _finding(doc, policy, found, row_digest))


def _finding(
    doc: ConflictedDocument, policy: Policy, found: Assessment, row_digest: str
) -> Finding:
    return Finding(
        document=doc.id,
        type=found.kind.type,
        severity=found.kind.severity,
        hidden=found.hidden,
        leaves=len(doc.tree.leaves()),
        fields=found.fields,
        devices=found.devices,
        suggested=found.suggested,
        eligible=found.eligible,
        reason=found.reason,
        sentence=found.kind.sentence,
        policy=policy.name,
        policy_digest=policy.digest,
        digest=found.digest,
        leafset=found.examined.leafset,
        row_digest=row_digest,
        details=details(found),
    )


def details(found: Assessment) -> JSON:
    """What was examined and decided, as JSON."""
    told = found.plan.to_json()
    about: dict[str, JSON] = {
        "strategy": found.strategy,
        "checks": [
            {"name": check.name, "passed": check.passed, "sentence": check.sentence}
            for check in found.checks
        ],
        "planned": told["strategy"],
        "bases": told["bases"],
        "containment": told["containment"],
        "decisions": told["decisions"],
        "sentence": told["sentence"],
    }
    if len(dumps(about["decisions"])) > _MOST_DETAILS:
        about["decisions"] = None
    return about


def not_assessed(doc: ConflictedDocument, row_digest: str, problem: Exception) -> Finding:
    """A conflict of which no more can be said than that it is there."""
    why = problem.message if isinstance(problem, CouchmendError) else str(problem)
    return for_a_person(
        doc,
        row_digest,
        sentence="it could not be examined",
        reason=f"examining it failed: {type(problem).__name__}: {why}",
    )


def for_a_person(
    doc: ConflictedDocument, row_digest: str, *, sentence: str, reason: str, digest: str = ""
) -> Finding:
    """A finding that only a person can do something about."""
    live = sum(not leaf.deleted for leaf in doc.tree.leaves())
    return Finding(
        document=doc.id,
        type="edit_edit",
        severity="high",
        hidden=live < 2,
        leaves=len(doc.tree.leaves()),
        fields=(),
        devices=(),
        suggested="manual",
        eligible=False,
        reason=reason,
        sentence=sentence,
        policy="",
        policy_digest="",
        digest=digest or row_digest,
        leafset=leafset(doc.tree),
        row_digest=row_digest,
        details=None,
    )


def first_failed(found: Assessment) -> str:
    """The name of the first check that was not passed; empty where all were."""
    return next((check.name for check in found.checks if not check.passed), "")
