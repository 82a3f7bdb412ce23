"""Types and severities, as the tables have them."""

from __future__ import annotations

from typing import Any

import pytest

from couchmend.core.conflicts.classify import Classification, classify, deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.severity import CLASSES, SEVERITIES, TABLE, weigh
from couchmend.core.merging.fold import fold
from couchmend.core.paths import Element, readable
from couchmend.core.policy.metadata import checksum_of
from couchmend.core.policy.policy import Policy
from couchmend.core.values import ABSENT
from tests.core.conflicts.conflict_trees import doc, r, revs, tree

PLAIN = Policy()
TWO = tree("1-a 2-c", "1-a 2-b")
HIDDEN = tree("1-a 2-b", "1-a 2-c†")


def classified(document: ConflictedDocument, policy: Policy = PLAIN) -> Classification:
    folded = fold(document.tree, document.bodies, policy, among=document.live)
    return classify(document, folded, policy)


def two(base: Any, current: Any, other: Any, policy: Policy = PLAIN) -> Classification:
    bodies = {"1-a": base, "2-c": current, "2-b": other}
    if base is None:
        del bodies["1-a"]
    return classified(doc(TWO, bodies), policy)


# --- types


def test_0_equal_but_for_metadata() -> None:
    early = {"title": "Milk", "updatedAt": "2026-01-01T00:00:00Z", "deviceId": "phone"}
    late = {"title": "Milk", "updatedAt": "2026-01-02T00:00:00Z", "deviceId": "desk"}
    for base in ({"title": "Bread"}, {"title": "Milk"}, None):
        found = two(base, early, late)
        assert (found.type, found.severity, found.alike) == ("merge_candidates", "low", True)
        assert found.path is None
    # Whatever is weighty about it: nothing is at stake.
    created = classified(doc(tree("1-a", "1-b"), {"1-a": early, "1-b": late}))
    assert (created.type, created.severity) == ("merge_candidates", "low")
    # Metadata of a field deep in the document counts as well.
    policy = Policy(ignore_fields=["sync.state"])
    assert two({}, {"sync": {"state": 1, "of": 2}}, {"sync": {"of": 2}}, policy).alike
    assert not two({}, {"sync": {"state": 1, "of": 2}}, {"sync": {"of": 3}}, policy).alike


def test_0_not_where_what_is_to_be_a_time_is_none() -> None:
    found = two({}, {"x": 1, "updated": "by Ann"}, {"x": 1, "updated": "by Bob"})
    assert (found.type, found.alike) == ("edit_edit", False)


def test_0_not_with_a_concurrent_deletion() -> None:
    grown = tree("1-a 2-c", "1-a 2-b", "1-a 2-d†")
    found = classified(doc(grown, {"1-a": {}, "2-c": {"x": 1}, "2-b": {"x": 1}}))
    assert (found.type, found.alike) == ("edit_delete", False)


def test_0_not_where_something_adds_up() -> None:
    policy = Policy(fields={"c": "counter"})
    assert not two({"c": 0}, {"c": 1}, {"c": 1}, policy).alike
    assert two({"c": 0}, {"x": 1}, {"x": 1}, policy).alike


def test_1_a_checksum_that_does_not_verify() -> None:
    policy = Policy(checksum={"field": "sum"}, schema_version_field="v")
    assert policy.checksum is not None
    good: dict[str, Any] = {"x": 1, "v": 1}
    good["sum"] = checksum_of(good, policy.checksum)
    bad = {"x": 2, "v": 2, "sum": "0" * 64}
    found = two({"x": 0}, good, bad, policy)
    assert found.type == "checksum_mismatch"  # though the versions of the schema differ as well
    assert "2-b" in found.sentence
    other: dict[str, Any] = {"x": 2, "v": 1}
    other["sum"] = checksum_of(other, policy.checksum)
    assert two({"x": 0, "v": 1}, good, other, policy).type == "edit_edit"
    assert two({"x": 0, "v": 1}, good, {"x": 2, "v": 1}, policy).type == "edit_edit"  # none said
    assert two({"x": 0}, good, bad, PLAIN).type != "checksum_mismatch"  # off by default


def test_2_no_common_ancestor_or_another_schema() -> None:
    bodies = {"1-b": {"x": 1}, "1-a": {"x": 2}}
    assert classified(doc(tree("1-b", "1-a"), bodies)).type == "version_mismatch"
    stemmed = classified(doc(tree("7-b", "1-a"), {"7-b": {"x": 1}, "1-a": {"x": 2}}))
    assert stemmed.type == "version_mismatch"
    assert "forgot" in stemmed.sentence
    # A common ancestor that is a tombstone: created on both sides.
    again = tree("1-a 2-b† 3-c", "1-a 2-b† 3-d")
    assert classified(doc(again, {"3-c": {"x": 1}, "3-d": {"x": 2}})).type == "version_mismatch"
    # An ancestor whose body is lost is one all the same.
    assert two(None, {"x": 1}, {"x": 2}).type == "edit_edit"

    policy = Policy(schema_version_field="meta.schema")
    old, new = {"meta": {"schema": 1}, "x": 1}, {"meta": {"schema": 2}, "x": 1}
    assert two(old, old, new, policy).type == "version_mismatch"
    assert two(old, {"x": 2}, old, policy).type == "version_mismatch"
    assert two({"meta": {"schema": 1}}, old, {"meta": {"schema": 1.0}, "y": 1}, policy).type == (
        "merge_candidates"
    )
    # Before a deletion.
    deleted = tree("1-b", "1-c 2-a", "1-c 2-z†")
    document = doc(deleted, {"1-b": {}, "2-a": {"x": 1}})
    assert deletions(document, PLAIN) == revs("2-z")
    assert classified(document).type == "version_mismatch"


def test_3_an_edit_against_a_deletion() -> None:
    bodies: dict[str, Any] = {"1-a": {"x": 1}, "2-b": {"x": 2}}
    found = classified(doc(HIDDEN, bodies))
    assert found.type == "edit_delete"
    assert "2-c deleted the document" in found.sentence
    assert deletions(doc(HIDDEN, bodies), PLAIN) == revs("2-c")
    # Acknowledged, it counts no more.
    assert deletions(doc(HIDDEN, bodies, acknowledged="2-c"), PLAIN) == ()
    # A path that one side removed and the other changed.
    assert two({"x": 1}, {"x": 2}, {}).type == "edit_delete"
    assert two({"x": {"y": 1}}, {"x": {}}, {"x": {"y": 2}}).type == "edit_delete"
    parts = {"l": [{"id": 1, "n": 1}, {"id": 2}]}
    assert two(parts, {"l": [{"id": 2}]}, {"l": [{"id": 1, "n": 2}, {"id": 2}]}).type == (
        "edit_delete"
    )
    # Not where the policy decides it, and not where nobody changed it.
    decided = Policy(fields={"x": "current"})
    assert two({"x": 1}, {"x": 2}, {}, decided).type == "merge_candidates"
    assert two({"x": 1, "y": 1}, {"x": 1, "y": 2}, {"y": 1}).type == "merge_candidates"


def test_3_possible_deletions_only_where_the_policy_reports_them() -> None:
    grown = tree("1-a 2-c", "1-a 2-b 3-x†")
    document = doc(grown, {"1-a": {"x": 1}, "2-c": {"x": 2}})
    assert deletions(document, PLAIN) == ()
    reporting = Policy(dead_branches="report")
    assert deletions(document, reporting) == revs("3-x")
    assert classified(document, reporting).type == "edit_delete"


def test_4_and_5_nothing_left_to_decide_or_something() -> None:
    assert two({"x": 1, "y": 1}, {"x": 2, "y": 1}, {"x": 1, "y": 2}).type == "merge_candidates"
    found = two({"x": 1}, {"x": 2}, {"x": 3})
    assert found.type == "edit_edit"
    assert "x" in found.sentence
    many = two({}, dict.fromkeys("abcde", 1), dict.fromkeys("abcde", 2))
    assert many.sentence == "the versions changed a, b, c and 2 more in different ways"


# --- severity


ROWS = """
edit_edit         critical high     medium low
edit_delete       critical high     high   medium
merge_candidates  high     medium   low    low
version_mismatch  critical high     high   high
checksum_mismatch critical critical high   high
"""
CELLS = [
    (type, weight, severity)
    for type, *row in map(str.split, ROWS.strip().splitlines())
    for weight, severity in zip(("critical", "high", "medium", "other"), row, strict=True)
]
FIELD = {"critical": "status", "high": "priority", "medium": "tags", "other": "colour"}


@pytest.mark.parametrize(("type", "weight", "severity"), CELLS)
def test_the_table(type: str, weight: str, severity: str) -> None:
    assert TABLE[type][weight] == severity  # type: ignore[index]
    name = FIELD[weight]
    one, other = {name: 1, "q": 1}, {name: 2, "q": 1}
    match type:
        case "edit_edit":
            found = two({name: 0, "q": 1}, one, other)
        case "edit_delete":
            found = two({name: 0, "q": 1}, one, {"q": 1})
        case "merge_candidates":
            found = two({name: 0, "q": 1}, one, other, Policy(fields={name: "max"}))
        case "version_mismatch":
            found = classified(doc(tree("1-b", "1-a"), {"1-b": one, "1-a": other}))
        case _:
            policy = Policy(checksum={"field": "sum"})
            found = two({name: 0, "q": 1, "sum": ""}, {**one, "sum": "0"}, other, policy)
    assert (found.type, found.severity) == (type, severity)
    if weight != "other" or type != "checksum_mismatch":
        assert found.path == (name,)


def test_every_cell_is_in_the_table() -> None:
    assert len(CELLS) == 20
    assert {weight for _, weight, _ in CELLS} == set(CLASSES)
    assert {severity for _, _, severity in CELLS} == set(SEVERITIES)


@pytest.mark.parametrize(
    ("name", "weight"),
    [
        *((name, "critical") for name in ("id", "title", "status")),
        *((name, "high") for name in ("dueDate", "priority", "completed", "projectId")),
        *((name, "medium") for name in ("description", "tags", "subtasks", "assignee")),
        *((name, "other") for name in ("colour", "Title", "note", "nested")),
    ],
)
def test_default_classes(name: str, weight: str) -> None:
    assert PLAIN.severity_of((name,)) == weight
    assert PLAIN.severity_of((name, "beneath", "it")) == weight
    assert PLAIN.severity_of(("nested", name)) == "other"


def test_the_weightiest_unresolved_path_counts() -> None:
    base = {"title": "a", "priority": 1, "colour": 1}
    current = {"title": "b", "priority": 2, "colour": 2}
    other = {"title": "a", "priority": 3, "colour": 3}
    found = two(base, current, other)
    assert (found.path, found.severity) == (("priority",), "high")  # the title merged


def test_if_none_is_unresolved_the_weightiest_that_both_changed() -> None:
    policy = Policy(fields={"priority": "max"})
    base = {"title": "a", "priority": 1, "colour": 1}
    found = two(base, {**base, "title": "b", "priority": 2}, {**base, "priority": 3}, policy)
    assert (found.type, found.path, found.severity) == (
        "merge_candidates",
        ("priority",),
        "medium",
    )
    same_change = two(base, {**base, "title": "b", "colour": 2}, {**base, "title": "b"})
    assert (same_change.path, same_change.severity) == (("title",), "high")


def test_if_none_was_changed_by_both_it_is_other() -> None:
    found = two({"title": "a", "status": 1}, {"title": "b", "status": 1}, {"title": "a"})
    assert (found.type, found.path, found.severity) == ("merge_candidates", None, "low")


def test_a_deletion_of_the_document_touches_every_field() -> None:
    bodies: dict[str, Any] = {"1-a": {"colour": 1}, "2-b": {"colour": 1, "tags": []}}
    assert classified(doc(HIDDEN, bodies)).severity == "high"
    bodies["2-b"] = {"colour": 1, "deep": {"title": "no"}}
    assert classified(doc(HIDDEN, bodies)).severity == "medium"
    bodies["2-b"] = {"colour": 1, "title": ""}
    found = classified(doc(HIDDEN, bodies))
    assert (found.severity, found.path) == ("critical", ("title",))
    bodies["2-b"] = {}
    assert classified(doc(HIDDEN, bodies)).severity == "medium"


def test_metadata_takes_no_part() -> None:
    policy = Policy(severity={"critical": ["updatedAt", "deviceId"]})
    base: dict[str, Any] = {"colour": 1, "updatedAt": "2026-01-01", "deviceId": "a"}
    current = {"colour": 2, "updatedAt": "2026-01-02", "deviceId": "b"}
    other = {"colour": 3, "updatedAt": "2026-01-03", "deviceId": "c"}
    found = two(base, current, other, policy)
    assert (found.type, found.severity, found.path) == ("edit_edit", "low", ("colour",))
    merged = two(base, current, {**base, "q": 1, "updatedAt": "2026-01-03"}, policy)
    assert (merged.type, merged.severity) == ("merge_candidates", "low")
    bodies = {"1-a": base, "2-b": current}
    assert classified(doc(HIDDEN, bodies), policy).severity == "medium"


def test_what_lies_beneath_an_open_path_counts_where_it_differs() -> None:
    policy = Policy(
        severity={"critical": ["part.title", "steps[].done"]}, fields={"part": "atomic"}
    )
    base = {"part": {"title": "a", "n": 0}, "steps": [{"id": 1, "done": False, "n": 1}]}

    def of(one: Any, another: Any, name: str) -> str:
        return two(base, {**base, name: one}, {**base, name: another}, policy).severity

    assert of({"title": "a", "n": 1}, {"title": "a", "n": 2}, "part") == "low"
    assert of({"title": "b", "n": 1}, {"title": "a", "n": 2}, "part") == "critical"
    assert of([], [{"id": 1, "done": False, "n": 2}], "steps") == "critical"


def test_weighing_values() -> None:
    steps = ("subtasks", Element("id", 1), "note")
    assert weigh(steps, [1, 2], PLAIN) == ("medium", steps)
    assert weigh((), [{"a": {"b": 1}}, {"a": {"b": 1.0}}], PLAIN) == ("other", ())
    weight, path = weigh((), [{"a": 1, "x": [{"y": 1}]}, ABSENT], Policy(
        severity={"high": ["x[].y"]}))  # fmt: skip
    assert (weight, readable(path)) == ("high", "x[0].y")


def test_three_versions() -> None:
    grown = tree("1-a 2-d", "1-a 2-c", "1-a 2-b")
    base = {"title": 0, "priority": 0}
    bodies = {
        "1-a": base,
        "2-d": {**base, "priority": 1},
        "2-c": {**base, "priority": 2},
        "2-b": {**base, "title": 3},
    }
    found = classified(doc(grown, bodies))
    assert (found.type, found.path) == ("edit_edit", ("priority",))
    assert r("2-d") == doc(grown, bodies).winner
