"""What commands tell programs."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from couchmend.cli.moments import iso
from couchmend.core.conflicts.eligibility import Check
from couchmend.core.document import JSON, Doc
from couchmend.core.merging.serial import to_json
from couchmend.core.plans.examine import Examined
from couchmend.core.revtree import RevTree

if TYPE_CHECKING:
    from couchmend.engine.deciding.views import View
    from couchmend.journal.conflicts import Conflict
    from couchmend.journal.resolutions import Resolution

_INSTANTS = (
    "first_seen", "changed_at", "closed_at", "snoozed_until", "next_attempt_at", "started_at",
    "finished_at",
)  # fmt: skip
_INNER = ("database_id", "row_digest", "policy_digest")


def conflict(one: Conflict) -> Doc:
    """A conflict of the queue; instants are in ISO 8601."""
    told = _plain(one)
    told["leafset"] = [str(rev) for rev in one.leafset]
    return told


def resolution(one: Resolution) -> Doc:
    """A resolution or an undo; `elapsed` in microseconds."""
    told = _plain(one)
    del told["plan"]
    told["written"] = None if one.written is None else str(one.written)
    told["tombstones"] = {str(loser): str(dead) for loser, dead in one.tombstones.items()}
    told["merged"] = [str(rev) for rev in one.merged]
    told["elapsed"] = one.elapsed
    return told


def _plain(one: Any) -> Doc:
    told: Doc = {
        field.name: getattr(one, field.name)
        for field in dataclasses.fields(one)
        if field.name not in _INNER
    }
    for key in _INSTANTS:
        if key in told:
            told[key] = iso(told[key])
    return {key: list(value) if isinstance(value, tuple) else value for key, value in told.items()}


def checks(every: Sequence[Check]) -> JSON:
    """Conditions, each with whether it is met."""
    return [
        {"name": check.name, "passed": check.passed, "sentence": check.sentence} for check in every
    ]


def view(found: View) -> Doc:
    """A conflict with the document as it is now."""
    told: Doc = {"conflict": conflict(found.conflict), "digest": found.digest}
    told["tree"] = tree(found.doc.tree)
    assessment = found.assessment
    if assessment is None:
        return {**told, "in_conflict": False}
    return {
        **told,
        "in_conflict": True,
        **examined(assessment.examined),
        "eligible": assessment.eligible,
        "strategy": assessment.strategy,
        "suggested": assessment.suggested,
        "checks": checks(assessment.checks),
        "plan": assessment.plan.to_json(),
    }


def examined(start: Examined) -> Doc:
    """What a conflict is between, and what is known of what was before."""
    doc = start.doc
    return {
        "winner": str(start.winner),
        "others": [str(rev) for rev in start.losers],
        "deletions": [str(rev) for rev in start.deletions],
        "unreadable": [str(rev) for rev in doc.unreadable],
        "bodies": {str(rev): doc.bodies[rev] for rev in doc.live},
        "bases": [base.to_json() for base in start.bases],
        "decisions": to_json(start.versions.decisions),
    }


def tree(of: RevTree) -> JSON:
    """A revision tree: its leaves with their ancestors, the winner first."""
    return [
        {
            "rev": str(leaf.rev),
            "deleted": leaf.deleted,
            "revisions": [str(rev) for rev in of.ancestry(leaf.rev)],
        }
        for leaf in of.leaves()
    ]
