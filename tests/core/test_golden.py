"""Golden cases: merges told one by one, each in a file named after what it shows.

Their values were written by hand from what a merge ought to do.  A case is one of two forms:

- versions: `base` (or `"absent": true`), `current`, `other`, and a `policy` if need be, merged
  as documents or, with `"json": true`, as any JSON values;
- a `tree`, its chains from the root on, `†` for a tombstone, with the `bodies` that are known.

A case has the whole `value`, compared with the order of members and the types of numbers, and
every decision: its path as people read it, its kind, and what else the case is about.  Flags
that it does not name are not set.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from couchmend import merge, merge_json
from couchmend.core.conflicts.classify import classify
from couchmend.core.conflicts.containment import (
    Containments,
    contained,
    inferred_base,
    unsettled_dead_leaves,
)
from couchmend.core.conflicts.deletions import concurrent_deletions, leafset, possible_deletions
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import JSON, dumps, loads
from couchmend.core.merging.decisions import Decision
from couchmend.core.merging.fold import fold
from couchmend.core.merging.merge import Merge, merge_leaves
from couchmend.core.merging.serial import from_json, to_json
from couchmend.core.paths import from_readable, readable, value_at
from couchmend.core.plans.choices import choices_from_json
from couchmend.core.plans.plan import plan
from couchmend.core.plans.strategies import automatically
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.values import ABSENT, Value, same
from couchmend.schemas import decisions_schema
from tests.core.conflicts.conflict_trees import doc, r, tree

Case = dict[str, Any]

FOLDER = Path(__file__).parent / "golden"
CASES: Final = {path.stem: loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
VERSIONS = {"base", "absent", "current", "other", "json"}
TREE = {"tree", "bodies", "recorded"}
EXPECTED = {"value", "decisions"}
FLAGS = ("metadata", "timed", "assumed")
SCHEMA = Draft202012Validator(decisions_schema())


def policy_of(case: Case) -> Policy:
    if "policy" in case:
        return Policy.from_data(case["policy"])
    return PLAIN if case.get("json") else Policy()


def texts(revs: object) -> list[str]:
    return [str(rev) for rev in revs]  # type: ignore[attr-defined]


# --- the collection


def test_there_are_cases_of_everything() -> None:
    assert len(CASES) >= 90


def test_every_case_says_in_one_sentence_what_it_shows() -> None:
    shown = Counter(case["shows"] for case in CASES.values())
    assert max(shown.values()) == 1
    for name, case in CASES.items():
        sentence = case["shows"]
        assert sentence[0].isupper() or not sentence[0].isalpha(), name
        assert sentence.endswith("."), name
        assert ". " not in sentence, name


def test_every_name_is_unique_and_made_of_words() -> None:
    names = [path.name.casefold() for path in FOLDER.iterdir()]
    assert len(set(names)) == len(names)
    for name in names:
        assert name.endswith(".json"), name
        assert name.removesuffix(".json").replace("-", "").isalnum(), name
        assert name.isascii(), name


def test_no_two_cases_are_of_the_same_versions() -> None:
    told = Counter(
        dumps([case.get(key) for key in sorted(VERSIONS | TREE | {"policy"})])
        for case in CASES.values()
    )
    assert max(told.values()) == 1


# --- decisions


def assert_decisions(found: tuple[Decision, ...], expected: list[Case], value: Value) -> None:
    """All of them, and nothing else."""

    def place(one: Case) -> tuple[str, str]:
        return one["path"], one.get("aspect", "value")

    by_place: dict[tuple[str, str], Decision] = {
        (readable(one.path), one.aspect): one for one in found
    }
    assert len(by_place) == len(found)
    assert sorted(map(place, expected)) == sorted(by_place)
    for one in expected:
        assert from_readable(one["path"]) == by_place[place(one)].path
        assert_decision(by_place[place(one)], one)
    for decision in found:
        if decision.aspect == "value":
            assert same(decision.taken, value_at(value, decision.path)), decision.path


def assert_decision(decision: Decision, expected: Case) -> None:
    known = {"path", "aspect", "kind", "taken", "resolver", "reason", "competing", *FLAGS}
    assert set(expected) <= known
    assert decision.kind == expected["kind"], expected["path"]
    for flag in FLAGS:
        assert getattr(decision, flag) is expected.get(flag, False), (expected["path"], flag)
    if "taken" in expected:
        assert dumps(decision.taken) == dumps(expected["taken"])
    if "resolver" in expected:
        assert decision.resolver == expected["resolver"]
    if "competing" in expected:
        assert list(decision.competing) == expected["competing"]
    assert expected.get("reason", "") in decision.reason
    assert decision.reason


def assert_is_data(merged: Merge) -> None:
    """Decisions are as their schema has them, and can be read, and applied, again."""
    written = to_json(merged.decisions)
    SCHEMA.validate(written)
    again = from_json(loads(dumps(written)))
    assert again == merged.decisions
    assert dumps(merged.with_decisions(again).value) == dumps(merged.value)


def assert_merge(merged: Merge, case: Case) -> None:
    if "value" in case:
        assert dumps(merged.value) == dumps(case["value"])
    if "decisions" in case:
        assert_decisions(merged.decisions, case["decisions"], merged.value)


# --- versions

BY_VERSIONS = {name: case for name, case in CASES.items() if "tree" not in case}


def merged_versions(case: Case) -> Merge:
    base = ABSENT if case.get("absent") else case["base"]
    how = merge_json if case.get("json") else merge
    return how(base, case["current"], case["other"], policy_of(case))


@pytest.mark.parametrize("name", BY_VERSIONS)
def test_versions(name: str) -> None:
    case = CASES[name]
    assert set(case) <= VERSIONS | EXPECTED | {"shows", "policy"}
    assert ("base" in case) != ("absent" in case)
    before = copy.deepcopy(case)
    merged = merged_versions(case)
    assert_merge(merged, case)
    assert_is_data(merged)
    assert dumps(case) == dumps(before)


# --- trees

BY_TREE = {name: case for name, case in CASES.items() if "tree" in case}


def document(case: Case) -> ConflictedDocument:
    return doc(tree(*case["tree"]), case["bodies"], recorded=case.get("recorded"))


def _open(case: Case, expected: JSON) -> None:
    """Which versions compete on which path that nobody decided."""
    one = document(case)
    side = fold(one.tree, one.bodies, policy_of(case)).side
    found = {
        readable(path): sorted(rival.version.name for rival in rivals)
        for (path, aspect), rivals in side.open.items()
        if aspect == "value"
    }
    assert found == {path: sorted(names) for path, names in expected.items()}


def _meetings(case: Case, expected: JSON) -> None:
    """Where the branches meet, in which order, and what the base is there."""
    one = document(case)
    found = fold(one.tree, one.bodies, policy_of(case)).meetings
    told = [
        {
            "at": None if meeting.at is None else str(meeting.at),
            "leaves": texts(meeting.leaves),
            "base": meeting.base.kind.value,
        }
        for meeting in found
    ]
    assert told == expected


def _supply(case: Case, expected: JSON) -> None:
    """Which leaf supplied what stands at a path."""
    one = document(case)
    supply = fold(one.tree, one.bodies, policy_of(case)).side.supply
    assert {path: supply.newest(from_readable(path)).name for path in expected} == expected


def _deletions(case: Case, expected: JSON) -> None:
    assert texts(concurrent_deletions(document(case).tree)) == expected


def _possible_deletions(case: Case, expected: JSON) -> None:
    assert texts(possible_deletions(document(case).tree)) == expected


def _leafset(case: Case, expected: JSON) -> None:
    assert texts(leafset(document(case).tree)) == expected


def _conflict(case: Case, expected: JSON) -> None:
    """Its type, how grave it is, and the field that makes it so."""
    one, policy = document(case), policy_of(case)
    found = classify(one, fold(one.tree, one.bodies, policy), policy)
    path = None if found.path is None else readable(found.path)
    assert [found.type, found.severity, path] == expected, found.sentence


def _containment(case: Case, expected: JSON) -> None:
    """Whether the winner contains a loser, and through which of its revisions."""
    policy = policy_of(case)
    for loser, wanted in expected.items():
        found = contained(document(case), r(loser), policy, settle=automatically(policy))
        by = None if found.by is None else str(found.by)
        assert [found.state, by] == wanted, found.sentence


def _unsettled(case: Case, expected: JSON) -> None:
    """The dead leaves that a branch may contain though its meeting point does not."""
    policy = policy_of(case)
    for at, wanted in expected.items():
        found = unsettled_dead_leaves(document(case), r(at), policy, settle=automatically(policy))
        assert texts(one.rev for one in found) == wanted


def _inferred_base(case: Case, expected: JSON) -> None:
    policy = policy_of(case)
    one, other = map(r, expected["between"])
    found = inferred_base(document(case), one, other, policy, settle=automatically(policy))
    assert (None if found is None else str(found.rev)) == expected["rev"]


def _overtaken(case: Case, expected: JSON) -> None:
    """The losers known from before of which a revision has taken in an older version only."""
    containments = Containments(document(case), policy_of(case))
    losers = map(r, expected["losers"])
    assert texts(containments.overtaken(r(expected["by"]), losers)) == expected["found"]


def _plans(case: Case, expected: JSON) -> None:
    """What strategies make of it: `body` is what is written, null where nothing is."""
    for wanted in expected:
        made = plan(
            document(case),
            wanted["strategy"],
            policy_of(case),
            revision=wanted.get("revision", ""),
            choices=choices_from_json(wanted.get("choices", {})),
            automatic=wanted.get("automatic", False),
        )
        written = None if made.write is None else made.write.body
        found: dict[str, JSON] = {
            "ready": made.ready,
            "body": written,
            "tombstones": texts(one.rev for one in made.tombstones),
            "acknowledge": texts(made.acknowledge),
            "unresolved": [readable(one.path) for one in made.unresolved],
        }
        for key in found.keys() & wanted.keys():
            assert dumps(found[key]) == dumps(wanted[key]), (wanted["strategy"], key)
        SCHEMA.validate(to_json(made.decisions))


CHECKS: Mapping[str, Callable[[Case, JSON], None]] = {
    "open": _open,
    "meetings": _meetings,
    "supply": _supply,
    "deletions": _deletions,
    "possible_deletions": _possible_deletions,
    "leafset": _leafset,
    "conflict": _conflict,
    "containment": _containment,
    "unsettled": _unsettled,
    "inferred_base": _inferred_base,
    "overtaken": _overtaken,
    "plans": _plans,
}


@pytest.mark.parametrize("name", BY_TREE)
def test_trees(name: str) -> None:
    case = CASES[name]
    expected = case.keys() - TREE - {"shows", "policy"}
    assert expected
    assert expected <= CHECKS.keys() | EXPECTED
    if expected & EXPECTED:
        one = document(case)
        merged = merge_leaves(one.tree, one.bodies, policy_of(case))
        assert_merge(merged, case)
        assert_is_data(merged)
        # In whichever order its branches arrive.
        backwards = tree(*reversed(case["tree"]))
        again = merge_leaves(backwards, one.bodies, policy_of(case))
        assert dumps(again.value) == dumps(merged.value)
        assert again.decisions == merged.decisions
    for key in sorted(expected & CHECKS.keys()):
        CHECKS[key](case, case[key])
