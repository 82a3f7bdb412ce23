"""What is open in a list stays open, by whatever member a later meeting knows its elements; and
the decisions make what was merged."""

from __future__ import annotations

from couchmend.core.document import JSON, dumps
from couchmend.core.merging.fold import fold
from couchmend.core.merging.merge import Merge, merge_leaves
from couchmend.core.paths import Element
from couchmend.core.policy.policy import DEFAULT, Policy
from couchmend.core.revtree import Rev
from tests.core.merging.trees import History, rev


def merged(bodies: dict[str, JSON], chains: list[str], policy: Policy = DEFAULT) -> Merge:
    history = History(
        [([rev(one) for one in reversed(chain.split())], False) for chain in chains],
        {rev(one): body for one, body in bodies.items()},
    )
    found = merge_leaves(history.tree, history.bodies, policy)
    assert dumps(found.with_decisions(found.decisions).value) == dumps(found.value)
    opened = set(fold(history.tree, history.bodies, policy).side.open)
    assert opened == {decision.place for decision in found.unresolved}
    return found


CHAINS = ["1-a 2-b 3-c", "1-a 2-b 3-d", "1-a 2-e"]


def item(**members: JSON) -> JSON:
    return {"l": [members]}


def test_a_list_whose_elements_are_known_by_another_member_later() -> None:
    found = merged(
        {
            "1-a": item(_id="p", id=1, t=0, z=0),
            "2-b": {"l": [{"id": 1, "t": 0, "z": 0}, {"id": 2}]},
            "3-c": item(_id="p", id=1, t=1, z=0),
            "3-d": item(_id="p", id=1, t=2, z=0),
            "2-e": item(_id="p", id=1, t=0, z=1),
        },
        CHAINS,
    )
    (left,) = found.unresolved
    assert left.path == ("l",)
    assert set(left.competing) == {str(Rev(3, "c" * 32)), str(Rev(3, "d" * 32)), str(rev("2-e"))}


def test_a_list_that_is_a_sequence_later_keeps_every_element() -> None:
    found = merged(
        {
            "1-a": {},
            "2-b": {"l": [{"id": 1, "n": 0}]},
            "3-c": {"l": [{"id": 1, "n": 0}, {"id": 3, "n": 1}]},
            "3-d": {"l": [{"id": 1, "n": 0}], "x": 1},
            "2-e": {"l": [{"id": 1, "n": 0}, {"id": 1, "n": 9}]},
        },
        CHAINS,
    )
    if not found.unresolved:
        assert {"id": 1, "n": 9} in found.value["l"]
    else:
        assert found.unresolved[0].path == ("l",)


def test_what_a_provisional_removal_hides_is_open_further_up() -> None:
    found = merged(
        {"1-a": {}, "2-b": {"l": [{"id": 1, "t": 0}, {"id": 2}]}, "3-c": {"l": [{"id": 2}]},
         "3-d": {"l": [{"id": 1, "t": 1}, {"id": 2}]}, "2-e": {"x": 1}},
        CHAINS,
    )  # fmt: skip
    assert [one.path for one in found.unresolved] == [("l", Element("id", 1))]


def test_rules_for_metadata_names_decide_or_leave_open() -> None:
    bodies = {"1-a": {"modified": []}, "2-b": {"modified": ["a"]}, "2-c": {"modified": ["b"]}}
    chains = ["1-a 2-b", "1-a 2-c"]
    as_set = merged(bodies, chains, Policy(fields={"modified": "set"}))
    assert sorted(as_set.value["modified"]) == ["a", "b"]
    by_hand = merged(bodies, chains, Policy(fields={"modified": "manual"}))
    assert [one.path for one in by_hand.unresolved] == [("modified",)]


def test_a_rule_for_every_member_takes_no_attachments_as_a_whole() -> None:
    def file(digest: str) -> JSON:
        return {"content_type": "image/png", "digest": f"md5-{digest}"}

    bodies = {
        "1-a": {"updatedAt": 1},
        "2-b": {"updatedAt": 2, "_attachments": {"b": file("b")}},
        "2-c": {"updatedAt": 3, "_attachments": {"c": file("c")}},
    }
    found = merged(bodies, ["1-a 2-b", "1-a 2-c"], Policy(fields={"*": "latest"}))
    assert found.value["_attachments"] == {"b": file("b"), "c": file("c")}
