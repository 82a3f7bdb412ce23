"""In which order the decisions about several versions are told."""

from __future__ import annotations

from typing import Any

from couchmend.core.conflicts.classify import classify
from couchmend.core.merging.fold import fold
from couchmend.core.merging.merge import merge_leaves
from couchmend.core.paths import readable
from couchmend.core.policy.policy import PLAIN, Policy
from tests.core.conflicts.conflict_trees import doc, tree


def test_elements_are_told_as_they_stand_in_the_result() -> None:
    """The other side's order; what is gone comes last."""

    def listed(**numbers: int) -> dict[str, Any]:
        return {"l": [{"id": name, "n": number} for name, number in numbers.items()]}

    one = doc(
        tree("1-a 2-b", "1-a 2-c"),
        {
            "1-a": listed(p=0, q=0, r=0, s=0),
            "2-c": listed(p=1, q=0, r=1),
            "2-b": listed(r=0, q=2, p=0, s=0),
        },
    )
    merged = merge_leaves(one.tree, one.bodies, PLAIN)
    assert [element["id"] for element in merged.value["l"]] == ["r", "q", "p"]
    told = [readable(decision.path) for decision in merged.decisions if decision.path != ("l",)]
    assert told == ['l[id="r"].n', 'l[id="q"].n', 'l[id="p"].n', 'l[id="s"]']


def test_one_version_is_not_alike() -> None:
    """There is nothing that it could be like."""
    one = doc(tree("1-a 2-b"), {"1-a": {"x": 1}, "2-b": {"x": 2}})
    policy = Policy()
    assert not classify(one, fold(one.tree, one.bodies, policy), policy).alike
