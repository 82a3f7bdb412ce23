"""What may be resolved without a person: each condition, met and not met."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.conflicts.classify import classify, deletions
from couchmend.core.conflicts.containment import Containments
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.conflicts.eligibility import (
    Check,
    Circumstances,
    automatic_strategy,
    eligibility,
    in_rollout,
)
from couchmend.core.conflicts.suggesting import suggested_strategy
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.fold import fold
from couchmend.core.merging.joined import joined
from couchmend.core.policy.policy import Policy
from couchmend.core.policy.timestamps import instant
from tests.core.conflicts.conflict_trees import doc, tree

NAMES = [
    "mode", "paused", "design", "resolved", "severity", "timestamps", "base", "dead leaves",
    "containment", "attachments", "leaves", "size", "loop", "rollout", "snoozed", "excluded",
]  # fmt: skip
NOW = instant("2026-06-01T00:00:00Z") or 0
AUTO = Circumstances("auto", NOW)
PLAIN = Policy()
TWO = tree("1-a 2-c", "1-a 2-b")
MERGING = {"1-a": {"x": 1, "y": 1}, "2-c": {"x": 2, "y": 1}, "2-b": {"x": 1, "y": 2}}


@dataclass(frozen=True)
class Made:
    """What a strategy made."""

    decisions: tuple[Decision, ...]

    @property
    def unresolved(self) -> tuple[Decision, ...]:
        return tuple(decision for decision in self.decisions if decision.unresolved)


def checks(
    document: ConflictedDocument, policy: Policy = PLAIN, now: Circumstances = AUTO
) -> dict[str, Check]:
    folded = fold(document.tree, document.bodies, policy, among=document.live, approximate=False)
    kind = classify(document, folded, policy)
    decisions = joined(folded.side, [meeting.decisions for meeting in folded.meetings])
    strategy = automatic_strategy(document, folded.meetings, kind, policy)
    if strategy == "last-write-wins":  # enough of it for what is asked here
        decisions = tuple(
            replace(one, kind="current", timed=True) if one.unresolved else one for one in decisions
        )
    found = eligibility(document, Made(decisions), kind, policy, now)
    assert [check.name for check in found] == NAMES
    assert all(check.sentence for check in found)
    return {check.name: check for check in found}


def failing(
    document: ConflictedDocument, policy: Policy = PLAIN, now: Circumstances = AUTO
) -> list[str]:
    return [check.name for check in checks(document, policy, now).values() if not check.passed]


def timed(one: str | None, other: str | None, field: str = "colour") -> ConflictedDocument:
    """Two versions that changed a field, each at a time."""
    bodies: dict[str, dict[str, Any]] = {"1-a": {field: 0}, "2-c": {field: 1}, "2-b": {field: 2}}
    for rev, at in (("2-c", one), ("2-b", other)):
        if at is not None:
            bodies[rev]["updatedAt"] = at
    return doc(TWO, bodies)


def test_all_conditions_are_met() -> None:
    assert failing(doc(TWO, MERGING)) == []
    assert failing(timed("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z")) == []


CIRCUMSTANCES: list[tuple[dict[str, Any], str, str]] = [
    ({"mode": "observe"}, "mode", "the mode of the database is observe"),
    ({"mode": "suggest"}, "mode", "the mode of the database is suggest"),
    ({"paused": True}, "paused", "resolving is paused"),
    ({"recent_resolutions": 6}, "loop", "resolved 6 times in the last hour, more than 5"),
    ({"rollout_percent": 0}, "rollout", "not among the 0 %"),
    ({"snoozed": True}, "snoozed", "it is snoozed"),
    ({"excluded": True}, "excluded", "it is excluded"),
]


@pytest.mark.parametrize(("given", "name", "sentence"), CIRCUMSTANCES)
def test_circumstances(given: dict[str, Any], name: str, sentence: str) -> None:
    now = replace(AUTO, **given)
    assert failing(doc(TWO, MERGING), now=now) == [name]
    assert sentence in checks(doc(TWO, MERGING), now=now)[name].sentence


def test_a_loop_is_more_than_five() -> None:
    assert failing(doc(TWO, MERGING), now=replace(AUTO, recent_resolutions=5)) == []


def test_a_design_document() -> None:
    assert failing(doc(TWO, MERGING, id="_design/app")) == ["design"]
    assert failing(doc(TWO, MERGING, id="_designs")) == []


def test_something_is_left_after_the_strategy() -> None:
    policy = Policy(auto={"strategy": {"edit_edit": "merge"}})
    found = checks(timed(None, None), policy)
    assert not found["resolved"].passed
    assert found["resolved"].sentence == "after merge, colour is left to decide"
    manual = Policy(auto={"strategy": {"merge_candidates": "manual"}})
    assert failing(doc(TWO, MERGING), manual) == ["resolved"]
    assert (
        "auto.strategy.merge_candidates" in checks(doc(TWO, MERGING), manual)["resolved"].sentence
    )


SEVERITIES = [
    # field that both changed, may it be resolved: edit_edit up to medium
    ("colour", True),
    ("tags", True),
    ("priority", False),
    ("title", False),
]


@pytest.mark.parametrize(("field", "may"), SEVERITIES)
def test_severity_of_edits(field: str, may: bool) -> None:
    document = timed("2026-01-01", "2026-01-02", field)
    assert failing(document) == ([] if may else ["severity"])
    if not may:
        said = checks(document)["severity"].sentence
        assert f"for {field}; auto.max_severity.edit_edit is medium" in said
        higher = Policy(auto={"max_severity": {"edit_edit": "critical"}})
        assert failing(document, higher) == []


def test_merges_of_any_severity_and_no_others() -> None:
    same_change = {"1-a": {"title": 1}, "2-c": {"title": 2, "x": 1}, "2-b": {"title": 2}}
    assert failing(doc(TWO, same_change)) == []
    removed = doc(TWO, {"1-a": {"x": 1}, "2-c": {"x": 2}, "2-b": {}})
    assert failing(removed) == ["resolved", "severity"]
    hidden = doc(tree("1-a 2-b", "1-a 2-c†"), {"1-a": {"x": 1}, "2-b": {"x": 2}})
    assert failing(hidden) == ["resolved", "severity"]
    assert "is never" in checks(hidden)["severity"].sentence


TIMES: list[tuple[str | None, str | None, str]] = [
    # one version's, the other's, what is wrong
    ("2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z", ""),
    ("2026-01-01T00:00:00Z", "2026-01-01T00:00:59Z", "59 seconds apart"),
    ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", "0 seconds apart"),
    ("2026-01-01T00:00:00Z", None, "2-b has none"),
    (None, "2026-01-01T00:00:00Z", "2-c has none"),
    ("2026-01-01T00:00:00Z", "yesterday", "2-b has none"),
    ("2026-01-01T00:00:00Z", "2026-06-01T00:05:00Z", ""),
    ("2026-01-01T00:00:00Z", "2026-06-01T00:05:01Z", "2-b is more than 300 seconds ahead of now"),
]


@pytest.mark.parametrize(("one", "other", "wrong"), TIMES)
def test_timestamps(one: str | None, other: str | None, wrong: str) -> None:
    document = timed(one, other)
    assert failing(document) == (["timestamps"] if wrong else [])
    assert wrong in checks(document)["timestamps"].sentence


def test_timestamps_count_only_where_something_rests_on_them() -> None:
    bodies = {"1-a": {"x": 1}, "2-c": {"x": 2, "updatedAt": "2026-01-01T00:00:00Z"},
              "2-b": {"x": 1, "y": 1, "updatedAt": "2026-01-01T00:00:01Z"}}  # fmt: skip
    assert failing(doc(TWO, bodies)) == []
    close = timed("2026-01-01T00:00:00Z", "2026-01-01T00:00:59Z")
    assert failing(close, Policy(auto={"min_time_gap_seconds": 59})) == []
    assert failing(close, Policy(fields={"colour": "latest"})) == ["timestamps"]
    assert failing(close, Policy(fields={"colour": "max"})) == []


def without(rev: str, bodies: dict[str, Any]) -> dict[str, Any]:
    return {other: body for other, body in bodies.items() if other != rev}


def test_the_base() -> None:
    grown = tree("1-z 2-a 3-c", "1-z 2-a 3-b")
    bodies = {"1-z": {"x": 1, "y": 1}, "3-c": {"x": 2, "y": 1}, "3-b": {"x": 2, "y": 1, "z": 1}}
    for known in (bodies, without("1-z", bodies)):  # approximate, and gone
        document = doc(grown, known)
        assert failing(document) == ["base"]
        assert "no_ancestor" in checks(document)["base"].sentence
        assert failing(document, Policy(no_ancestor="union")) == []
        assert failing(document, Policy(no_ancestor="last-write-wins")) == []
    # At every meeting point.
    three = tree("1-z 2-a 3-c", "1-z 2-a 3-b", "1-z 2-d")
    known = {**bodies, "2-d": {"x": 1, "y": 1, "w": 1}}
    assert "base" in failing(doc(three, known))
    assert failing(doc(three, {**known, "2-a": {"x": 1, "y": 1}})) == []


def test_what_adds_up_needs_an_exact_base_whatever_the_policy_says() -> None:
    policy = Policy(fields={"c": "counter"}, no_ancestor="union")
    same_count = {"2-c": {"c": 1, "x": 1}, "2-b": {"c": 1}}
    assert failing(doc(TWO, same_count), policy) == ["base"]
    assert "c is merged by counter" in checks(doc(TWO, same_count), policy)["base"].sentence
    assert failing(doc(TWO, {**same_count, "1-a": {"c": 1}}), policy) == []


@pytest.mark.parametrize("root", ["1-b", "7-b"])
def test_created_twice_or_stemmed(root: str) -> None:
    document = doc(tree(root, "1-a"), {root: {"title": 1}, "1-a": {"x": 2}})
    assert {"resolved", "severity", "base"} <= set(failing(document))
    union = failing(document, Policy(no_ancestor="union"))
    assert union == []  # it supplies the strategy and the limit of severity, too
    # A schema of another version is another matter.
    policy = Policy(no_ancestor="union", schema_version_field="v")
    other = doc(tree(root, "1-a"), {root: {"v": 1}, "1-a": {"v": 2}})
    assert {"resolved", "severity"} <= set(failing(other, policy))


def test_equal_versions_whatever_the_base() -> None:
    for grown in (TWO, tree("1-b", "1-a"), tree("7-b", "1-a"), tree("1-q 2-b", "1-q 2-a", "9-x†")):
        bodies = {
            str(leaf.rev): {"title": 1, "updatedAt": f"2026-01-0{day}"}
            for day, leaf in enumerate(grown.leaves(), 1)
        }
        assert failing(doc(grown, bodies)) == []


def test_dead_leaves() -> None:
    grown = tree("1-a 2-c", "1-a 2-b", "1-a 2-0 3-x†")
    document = doc(grown, MERGING)
    assert failing(document) == ["dead leaves"]
    assert "may contain 2-0, which 3-x ended" in checks(document)["dead leaves"].sentence
    # Nothing allows it.
    lax = replace(AUTO, other_engines=False)
    assert failing(document, Policy(no_ancestor="union"), lax) == ["dead leaves"]


LONG = tree("1-a 2-c 3-c 4-c", "1-a 2-b")


def test_what_cannot_be_tested_waits_where_others_resolve_as_well() -> None:
    document = doc(LONG, {"1-a": {"x": 1}, "4-c": {"x": 2}, "2-b": {"x": 1, "y": 1}})
    assert failing(document) == ["dead leaves", "containment"]
    assert failing(document, now=replace(AUTO, other_engines=False)) == []
    assert failing(document, Policy(no_ancestor="union")) == []
    counting = Policy(fields={"x": "counter"}, no_ancestor="union")
    alone = replace(AUTO, other_engines=False)
    assert failing(document, counting, alone) == ["containment"]


def test_a_contained_loser_needs_only_its_tombstone() -> None:
    bodies = {"1-a": {"x": 1, "y": 1}, "2-c": {"x": 2, "y": 1}, "2-b": {"x": 1, "y": 2},
              "3-m": {"x": 2, "y": 2}}  # fmt: skip
    document = doc(tree("1-a 2-c 3-m", "1-a 2-b"), bodies)
    assert failing(document) == []
    assert "contains 2-b" in checks(document)["containment"].sentence
    # With another branch, that may contain it, too.
    third = doc(
        tree("1-a 2-c 3-m", "1-a 2-b", "1-a 2-d"), {**bodies, "2-d": {"x": 1, "y": 1, "z": 1}}
    )
    assert Containments(third, PLAIN).of(third.live[2]).state == "contained"
    assert failing(third) == ["dead leaves"]


def test_attachments() -> None:
    def file(digest: str) -> dict[str, Any]:
        return {"_attachments": {"a.txt": {"content_type": "text/plain", "digest": digest}}}

    document = doc(TWO, {"1-a": file("md5-0"), "2-c": file("md5-1"), "2-b": file("md5-2")})
    policy = Policy(auto={"strategy": {"edit_edit": "merge"}})
    assert failing(document, policy) == ["attachments"]
    both = Policy(attachments="keep-both", auto={"strategy": {"edit_edit": "merge"}})
    assert failing(document, both) == []
    # Neither does the newest content replace another by itself.
    times = {
        rev: {**document.bodies[rev], "updatedAt": 1_700_000_000 + 4_000 * place}
        for place, rev in enumerate(document.bodies)
    }
    newest = replace(document, bodies=times)
    assert "attachments" in failing(newest)


def test_a_plan_that_cannot_be_carried_out() -> None:
    document = doc(TWO, MERGING)
    folded = fold(document.tree, document.bodies, PLAIN)
    kind = classify(document, folded, PLAIN)
    found = eligibility(document, Made(()), kind, PLAIN, AUTO, problems=["a deletion is open"])
    assert {one.name: one.sentence for one in found if not one.passed} == {
        "resolved": "a deletion is open"
    }


def test_the_same_edit_twice_where_something_adds_up() -> None:
    counters = Policy(fields={"n": "counter"})
    document = doc(TWO, {"1-a": {"n": 1}, "2-c": {"n": 2}, "2-b": {"n": 2}})
    assert "containment" in failing(document, counters)
    assert failing(document) == []
    apart = doc(TWO, {"1-a": {"n": 1}, "2-c": {"n": 2}, "2-b": {"n": 3}})
    assert "containment" not in failing(apart, counters)


@pytest.mark.parametrize(("count", "may"), [(50, True), (51, False)])
def test_many_leaves(count: int, may: bool) -> None:
    names = [f"2-{number:04d}" for number in range(count)]
    bodies: dict[str, Any] = {name: {"x": 1, name: 1} for name in names}
    document = doc(tree(*(f"1-a {name}" for name in names)), {"1-a": {"x": 1}, **bodies})
    assert failing(document) == ([] if may else ["leaves"])


def test_a_large_document() -> None:
    large = {**MERGING, "2-c": {"x": 2, "y": "a" * (32 << 20)}}
    assert "size" in failing(doc(TWO, large))


@given(st.text(), st.text(), st.floats(0, 100), st.floats(0, 100))
def test_raising_the_rollout_only_adds(database: str, id: str, one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert in_rollout(database, id, more) or not in_rollout(database, id, less)
    assert in_rollout(database, id, 100)
    assert not in_rollout(database, id, 0)


def test_the_rollout_is_a_part_of_all() -> None:
    count = sum(in_rollout("tasks", f"task-{number}", 12.5) for number in range(4000))
    assert 400 < count < 600


def test_the_rollout_is_the_same_in_any_language() -> None:
    """SHA-256 of the database's name, NUL, and the id, as a number, modulo 10,000."""
    place = int(hashlib.sha256(b"db\0doc").hexdigest(), 16) % 10_000
    assert not in_rollout("db", "doc", place / 100)
    assert in_rollout("db", "doc", (place + 1) / 100)


# --- suggestions


def suggested(document: ConflictedDocument, policy: Policy = PLAIN) -> str:
    folded = fold(document.tree, document.bodies, policy, among=document.live)
    kind = classify(document, folded, policy)
    found = deletions(document, policy)
    doubtful = any(
        Containments(document, policy).of(loser).state == "manual" for loser in document.live[1:]
    )
    return suggested_strategy(folded, kind, policy, NOW, deleted=found, doubtful=doubtful)


def test_suggestions() -> None:
    assert suggested(doc(TWO, MERGING)) == "merge"
    assert suggested(timed("2026-01-01", "2026-01-02", "title")) == "last-write-wins"
    assert suggested(timed("2026-01-01", None)) == "manual"
    assert suggested(timed("2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z")) == "manual"
    hidden = tree("1-a 2-b", "1-a 2-c†")
    assert suggested(doc(hidden, {"1-a": {}, "2-b": {"x": 1}})) == "preserve-non-deleted"
    removed = doc(TWO, {"1-a": {"x": 1}, "2-c": {"x": 2}, "2-b": {}})
    assert suggested(removed) == "preserve-non-deleted"
    both = doc(TWO, {"1-a": {"x": 1, "y": 1}, "2-c": {"x": 2, "y": 2}, "2-b": {"y": 3}})
    assert suggested(both) == "manual"
    doubtful = doc(
        tree("1-1 2-284 3-3d5", "1-1 2-221"),
        {"1-1": {"c": 0}, "2-284": {"c": -1}, "3-3d5": {"c": 0}, "2-221": {"c": 1}},
    )
    assert suggested(doubtful, Policy(fields={"c": "counter"})) == "manual"
