"""Which strategy is taken, and which suggested."""

from __future__ import annotations

from typing import Any

import pytest

from couchmend.core.conflicts.classify import classify
from couchmend.core.conflicts.eligibility import automatic_strategy
from couchmend.core.conflicts.suggesting import suggested_strategy
from couchmend.core.merging.fold import fold
from couchmend.core.policy.policy import Policy
from couchmend.core.policy.timestamps import instant
from tests.core.conflicts.conflict_trees import doc, tree

NOW = instant("2026-06-01T00:00:00Z") or 0
EARLY, LATE = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z"


@pytest.mark.parametrize(
    ("allowed", "strategy"),
    [("union", "merge"), ("last-write-wins", "last-write-wins"), ("manual", "manual")],
)
def test_without_an_ancestor_the_policy_says_how_to_merge(allowed: Any, strategy: str) -> None:
    one = doc(tree("1-a", "1-b"), {"1-a": {"x": 1}, "1-b": {"y": 1}})
    policy = Policy(no_ancestor=allowed)
    folded = fold(one.tree, one.bodies, policy)
    kind = classify(one, folded, policy)
    assert automatic_strategy(one, folded.meetings, kind, policy) == strategy


def test_timestamps_must_be_sound_on_every_open_path() -> None:
    """3-e and 3-d say when they were written; 2-c, which is in on y, does not."""

    def suggested(last: dict[str, Any]) -> str:
        one = doc(
            tree("1-a 2-b 3-d", "1-a 2-b 3-e", "1-a 2-c"),
            {
                "1-a": {"x": 0, "y": 0},
                "2-b": {"x": 0, "y": 0},
                "3-d": {"x": 1, "y": 0, "updatedAt": EARLY},
                "3-e": {"x": 2, "y": 1, "updatedAt": LATE},
                "2-c": {"x": 0, **last},
            },
        )
        policy = Policy()
        folded = fold(one.tree, one.bodies, policy)
        return suggested_strategy(folded, classify(one, folded, policy), policy, NOW)

    assert suggested({"y": 0}) == "last-write-wins"
    assert suggested({"y": 2}) == "manual"
