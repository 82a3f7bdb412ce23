"""Suggested policies with their figures, for programs."""

from __future__ import annotations

from collections.abc import Sequence

from couchmend.core.document import JSON
from couchmend.engine.studying.study import Study
from couchmend.engine.studying.suggestion import SuggestedPolicy
from couchmend.errors import without_credentials


def as_json(made: Study, policies: Sequence[SuggestedPolicy]) -> JSON:
    """What was read, and for each policy its table and every line with what it rests on."""
    return {
        "database": without_credentials(made.url),
        "documents": made.sample.documents,
        "read": made.read,
        "in_conflict": made.in_conflict,
        "several_leaves": made.sample.several,
        "policies": [
            {
                "name": one.name,
                "documents": one.documents,
                "conflicts": one.conflicts,
                "policy": one.table(),
                "collisions": {
                    name: {"contested": both, "open": left}
                    for name, (both, left) in one.collisions.items()
                },
                "suggestions": [
                    {
                        "key": list(said.key),
                        "value": said.value,
                        "certain": said.certain,
                        "reason": said.reason,
                        "figures": dict(said.figures),
                    }
                    for said in one.suggestions
                ],
            }
            for one in policies
        ],
    }
