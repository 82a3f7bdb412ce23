"""What contains what: the counterexamples that were found by playing histories, each as the
smallest tree that shows it, and the rules one by one."""

from __future__ import annotations

import pytest

from couchmend.core.conflicts.containment import (
    Containment,
    Containments,
    contained,
    inferred_base,
    unsettled_dead_leaves,
)
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.merging.bases import BaseKind
from couchmend.core.merging.fold import Fold, fold
from couchmend.core.policy.policy import Policy
from couchmend.core.values import Value
from tests.core.conflicts.conflict_trees import doc, r, tree
from tests.core.conflicts.histories import COUNTERS, PLAIN_FIELDS

COUNTER = Policy(fields={"c": "counter"})
PLAIN = Policy()


def of(document: ConflictedDocument, loser: str, policy: Policy = PLAIN) -> Containment:
    return contained(document, r(loser), policy)


def merged(document: ConflictedDocument, policy: Policy) -> Fold:
    return fold(document.tree, document.bodies, policy, among=document.live, approximate=False)


# --- the counterexamples


def test_the_tree_forgets_merges() -> None:
    """Counterexample b: `y` looks unchanged on 3-3ff, where the user set it back."""
    bodies = {
        "1-1": {"x": 1, "y": 1, "z": 1},
        "2-222": {"z": 1},
        "3-3ff": {"y": 1, "z": 1},
        "2-283": {"x": 1, "y": 0},
        "3-324": {},
    }
    grown = tree("1-1 2-222 3-aaa†", "1-1 2-222 3-3ff", "1-1 2-283 3-324")
    document = doc(grown, bodies)
    made = merged(document, PLAIN_FIELDS)
    assert made.is_exact
    assert not made.side.open
    assert made.side.value == {}  # the user's `y` is gone, and nobody was asked

    (dead,) = unsettled_dead_leaves(document, r("1-1"), PLAIN_FIELDS)
    assert (dead.rev, dead.parent) == (r("3-aaa"), r("2-222"))
    assert "may contain 2-222" in dead.sentence

    found = inferred_base(document, r("3-3ff"), r("3-324"), PLAIN_FIELDS)
    assert found is not None
    assert (found.rev, found.by) == (r("2-222"), r("3-324"))
    assert inferred_base(document, r("3-324"), r("3-3ff"), PLAIN_FIELDS) == found
    assert found.base.kind is BaseKind.APPROXIMATE  # nothing automatic rests on it
    assert found.body == {"z": 1}


def test_the_same_before_the_tombstone_is_written() -> None:
    """What b is while the engine has not tombstoned 2-222 yet: no dead leaf tells of it."""
    bodies = {
        "1-1": {"x": 1, "y": 1, "z": 1},
        "2-222": {"z": 1},
        "3-3ff": {"y": 1, "z": 1},
        "2-283": {"x": 1, "y": 0},
        "3-324": {},
    }
    grown = tree("1-1 2-222 3-3ff", "1-1 2-283 3-324")
    document = doc(grown, bodies)
    tests = Containments(document, PLAIN_FIELDS)
    (meeting,) = merged(document, PLAIN_FIELDS).meetings
    assert tests.unsettled(r("1-1")) == ()
    outdated = tests.outdated(meeting)
    assert outdated is not None
    assert (outdated.rev, outdated.by, outdated.certain) == (r("2-222"), r("3-324"), True)

    # A replica that never had 2-222 or 2-283 cannot know.
    for gone in ("2-222", "2-283"):
        rest = {rev: body for rev, body in bodies.items() if rev != gone}
        doubt = Containments(doc(grown, rest), PLAIN_FIELDS).outdated(meeting)
        assert doubt is not None
        assert not doubt.certain
        assert "may have taken in" in doubt.sentence


@pytest.mark.parametrize("recorded", [True, False])
def test_contained_by_coincidence(recorded: bool) -> None:
    """Counterexample c: −1 + 1 = 0, which is what merging the other −1 and +1 would give."""
    document = doc(
        tree("1-1 2-284 3-3d5", "1-1 2-221"),
        {"1-1": {"c": 0}, "2-284": {"c": -1}, "3-3d5": {"c": 0}, "2-221": {"c": 1}},
        recorded={"3-3d5": "2-284 2-221"} if recorded else {},
    )
    found = of(document, "2-221", COUNTER)
    assert found.by == r("3-3d5")
    assert found.state == ("contained" if recorded else "manual")
    if not recorded:
        assert "may be chance" in found.sentence
        assert "c is merged by counter" in found.sentence
    assert of(document, "2-221", PLAIN).state != "manual"


def test_counted_twice() -> None:
    """Counterexample d: over f57 both leaves contain the +1 of a32, which hangs beside it."""
    bodies = {
        "1-1": {"c": 0, "x": 1, "y": 1},
        "2-a32": {"c": 1, "x": 1, "y": 1},
        "2-f57": {"c": 0, "x": 0, "y": 1},
        "3-502": {"c": 1, "x": 0, "y": 1},
        "3-d5f": {"c": 0, "x": 0, "y": 0},
        "4-41e": {"c": 1, "x": 0, "y": 0},
    }
    grown = tree("1-1 2-a32 3-bbb†", "1-1 2-f57 3-502", "1-1 2-f57 3-d5f 4-41e")
    document = doc(grown, bodies)
    made = merged(document, COUNTER)
    assert made.is_exact
    assert not made.side.open
    assert made.side.value["c"] == 2  # of one +1
    (dead,) = unsettled_dead_leaves(document, r("2-f57"), COUNTER)
    assert dead.rev == r("3-bbb")
    assert of(document, "3-502", COUNTER).state == "manual"

    # The journal that wrote 4-41e knows what is in it, not what is in 3-502.
    knowing = doc(grown, bodies, recorded={"4-41e": "3-d5f 2-a32"})
    assert len(unsettled_dead_leaves(knowing, r("2-f57"), COUNTER)) == 1


def test_a_resolution_without_a_body_leaves_no_trace() -> None:
    """Counterexample f: L′ took `y` back, so only its tombstone was written; elsewhere L, its
    parent, is merged, and `y` is as L had it."""
    grown = tree("1-1 2-aaa 3-ccc 4-ddd", "1-1 2-bbb 3-abc 4-eee†")
    bodies = {
        "1-1": {"x": 1, "y": 1},
        "2-bbb": {"x": 1, "y": 0},
        "3-abc": {"x": 1, "y": 1},
        "2-aaa": {"x": 0, "y": 1},
        "3-ccc": {"x": 2, "y": 1},
        "4-ddd": {"x": 2, "y": 0},
    }
    tests = Containments(doc(grown, bodies), PLAIN)
    assert tests.overtaken(r("4-ddd"), [r("3-abc")]) == (r("3-abc"),)
    assert tests.overtaken(r("3-ccc"), [r("3-abc")]) == ()
    assert tests.overtaken(r("4-ddd"), []) == ()
    # An edit that merges nothing is none of it.
    edited = {**bodies, "4-ddd": {"x": 3, "y": 1}}
    assert Containments(doc(grown, edited), PLAIN).overtaken(r("4-ddd"), [r("3-abc")]) == ()


def test_losers_that_cancel_each_other_out_leave_no_trace_either() -> None:
    """+1 and −1 were tombstoned without a body; elsewhere only −1 was known, and is merged."""
    grown = tree("1-1 2-fff 3-ddd", "1-1 2-aaa 3-aa†", "1-1 2-bbb 3-bb†")
    bodies = {
        "1-1": {"c": 0, "x": 1},
        "2-aaa": {"c": 1, "x": 1},
        "2-bbb": {"c": -1, "x": 1},
        "2-fff": {"c": 0, "x": 0},
        "3-ddd": {"c": -1, "x": 0},
    }
    tests = Containments(doc(grown, bodies), COUNTER)
    assert tests.overtaken(r("3-ddd"), [r("2-aaa"), r("2-bbb")]) == (r("2-bbb"),)


REOPENED = {
    "1-1": {"x": 1, "y": 1},
    "2-fff": {"x": 0, "y": 1},
    "2-aaa": {"x": 1, "y": 0},
    "3-ccc": {"x": 0, "y": 0},
    "4-ccd": {"x": 0, "y": 1},
    "4-abc": {"x": 1, "y": 0},
}


def test_what_was_reopened_is_not_contained() -> None:
    """Counterexample g: the loser of 3-ccc was revived, and the old winner written once more."""
    grown = tree("1-1 2-fff 3-ccc 4-ccd", "1-1 2-aaa 3-eee† 4-abc")
    document = doc(grown, REOPENED)
    assert of(document, "4-abc").state == "new"
    assert "revived" in of(document, "4-abc").sentence

    # By its body alone it would be.
    fresh = tree("1-1 2-fff 3-ccc 4-ccd", "1-1 2-aaa")
    assert of(doc(fresh, REOPENED), "2-aaa").state == "contained"

    # A replica that got the branch by replication does not know which revisions were tombstones.
    unknown = tree("1-1 2-fff 3-ccc 4-ccd", "1-1 2-aaa 3-eee 4-abc")
    found = of(doc(unknown, REOPENED), "4-abc")
    assert found.state == "untestable"
    assert "may have been revived" in found.sentence

    # The journal's word about the revived revision itself counts.
    merged_again = doc(grown, REOPENED, recorded={"4-ccd": "3-ccc 4-abc"})
    assert of(merged_again, "4-abc").state == "contained"


# --- the rules


def test_a_merge_whose_tombstone_is_missing() -> None:
    bodies = {"1-1": {"x": 1, "y": 1}, "2-b": {"x": 0, "y": 1}, "2-a": {"x": 1, "y": 0},
              "3-c": {"x": 0, "y": 0}}  # fmt: skip
    document = doc(tree("1-1 2-b 3-c", "1-1 2-a"), bodies)
    assert of(document, "2-a") == Containment(
        r("2-a"), "contained", r("3-c"), "3-c is what its parent and it merge to"
    )
    # An edit since changes nothing about that.
    edited = doc(tree("1-1 2-b 3-c 4-d", "1-1 2-a"), {**bodies, "4-d": {"x": 5, "y": 5}})
    assert of(edited, "2-a").by == r("3-c")
    # What the loser said since is new.
    moved = doc(tree("1-1 2-b 3-c", "1-1 2-a 3-b"), {**bodies, "3-b": {"x": 1, "y": 7}})
    assert of(moved, "3-b").state == "new"


def test_timestamps_count() -> None:
    bodies = {
        "1-1": {"x": 1, "y": 1, "updatedAt": "2026-01-01T00:00:00Z"},
        "2-b": {"x": 0, "y": 1, "updatedAt": "2026-01-02T00:00:00Z"},
        "2-a": {"x": 1, "y": 0, "updatedAt": "2026-01-03T00:00:00Z"},
        "3-c": {"x": 0, "y": 0, "updatedAt": "2026-01-03T00:00:00Z"},
    }
    grown = tree("1-1 2-b 3-c", "1-1 2-a")
    assert of(doc(grown, bodies), "2-a").state == "contained"
    by_hand = {**bodies, "3-c": {"x": 0, "y": 0, "updatedAt": "2026-01-04T00:00:00Z"}}
    assert of(doc(grown, by_hand), "2-a").state == "new"


def test_a_set_of_leaves_that_contains_the_loser() -> None:
    bodies = {
        "1-1": {"x": 1, "y": 1, "z": 1},
        "2-c": {"x": 0, "y": 1, "z": 1},
        "2-b": {"x": 1, "y": 0, "z": 1},
        "2-a": {"x": 1, "y": 1, "z": 0},
        "3-m": {"x": 0, "y": 0, "z": 0},
    }
    grown = tree("1-1 2-c 3-m", "1-1 2-b", "1-1 2-a")
    assert {of(doc(grown, bodies), loser).state for loser in ("2-a", "2-b")} == {"contained"}
    # Only what is present can be tried; the journal knows the rest.
    rest = tree("1-1 2-c 3-m", "1-1 2-b")
    assert of(doc(rest, bodies), "2-b").state == "new"
    knowing = doc(rest, bodies, recorded={"3-m": "2-c 2-b 2-a"})
    assert of(knowing, "2-b") == Containment(
        r("2-b"), "contained", r("3-m"), "3-m is our merge of it"
    )
    # A fork of the merge was not there when it was made.
    forked = tree("1-1 2-c 3-m", "1-1 2-c 3-f", "1-1 2-b", "1-1 2-a")
    assert of(doc(forked, {**bodies, "3-f": {"x": 5}}), "2-a").state == "contained"


def test_the_parent_lies_below_the_common_ancestor() -> None:
    """The same edit made twice is not a merge: nobody took anything in."""
    document = doc(
        tree("1-1 2-b 3-d", "1-1 2-a"),
        {"1-1": {"x": 1}, "2-b": {"x": 0}, "2-a": {"x": 0}, "3-d": {"x": 7}},
    )
    assert of(document, "2-a").state == "new"


def test_a_decision_that_nobody_took_is_no_merge() -> None:
    """Both set x, one adds y to it; that the winner did so, too, does not mean that it knew."""
    bodies = {"1-1": {"x": 0, "y": 0}, "2-b": {"x": 1, "y": 0}, "2-a": {"x": 2, "y": 1},
              "3-c": {"x": 1, "y": 1}}  # fmt: skip
    document = doc(tree("1-1 2-b 3-c", "1-1 2-a"), bodies)
    assert of(document, "2-a").state == "new"

    def settle(folded: Fold) -> Value:
        return folded.side.value

    # A strategy that decides the same way for all makes it one.
    assert contained(document, r("2-a"), PLAIN, settle=settle).state == "contained"
    assert contained(document, r("2-a"), PLAIN, settle=lambda folded: None).state == "new"
    # So does a person's decision that the journal knows, whatever it was.
    decided = doc(tree("1-1 2-b 3-c", "1-1 2-a"), {**bodies, "3-c": {"x": 9, "y": 9}},
                  recorded={"3-c": "2-b 2-a"})  # fmt: skip
    assert of(decided, "2-a").state == "contained"


@pytest.mark.parametrize("missing", ["1-1", "2-b", "3-c"])
def test_what_cannot_be_tested(missing: str) -> None:
    bodies = {"1-1": {"x": 1, "y": 1}, "2-b": {"x": 0, "y": 1}, "2-a": {"x": 1, "y": 0},
              "3-c": {"x": 0, "y": 0}, "4-d": {"x": 3, "y": 0}}  # fmt: skip
    known = {rev: body for rev, body in bodies.items() if rev != missing}
    grown = tree("1-1 2-b 3-c 4-d", "1-1 2-a")
    assert of(doc(grown, known), "2-a").state == "untestable"
    counting = Policy(fields={"x": "counter"})
    found = of(doc(grown, known), "2-a", counting)
    assert found.state == "manual"
    assert "x is merged by counter" in found.sentence
    # The journal's word needs no bodies.
    recorded = doc(grown, known, recorded={"3-c": "2-b 2-a"})
    assert of(recorded, "2-a", counting).state == "contained"
    # Nor does a revision that the journal knows as a merge of others.
    others = doc(grown, known, recorded={"3-c": "2-b 2-9", "4-d": "3-c 2-8"})
    assert of(others, "2-a").state == "new"


def test_who_merges_extends_the_winner() -> None:
    """3-d extends 2-b, which 3-c preceded already: it cannot be a merge of that."""
    grown = tree("1-1 2-b 3-d", "1-1 2-a 3-c")
    document = doc(grown, {"1-1": {"x": 1}, "3-d": {"x": 2}, "3-c": {"x": 3}})
    assert of(document, "3-c").state == "new"


def test_one_edit_on_each_side_needs_no_test() -> None:
    document = doc(tree("1-1 2-b", "1-1 2-a"), {"2-b": {"c": 2}, "2-a": {"c": 3}})
    assert of(document, "2-a", COUNTER).state == "new"


def test_stemmed_branches_cannot_be_tested() -> None:
    document = doc(tree("7-b", "1-a"), {"7-b": {"x": 1}, "1-a": {"x": 0}})
    assert of(document, "1-a").state == "untestable"


def test_documents_that_were_created_twice() -> None:
    bodies = {"1-b": {"x": 1}, "1-a": {"y": 1}, "2-m": {"x": 1, "y": 1}}
    assert of(doc(tree("1-b 2-m", "1-a"), bodies), "1-a").state == "contained"
    other = {**bodies, "2-m": {"x": 2}}
    assert of(doc(tree("1-b 2-m", "1-a"), other), "1-a").state == "new"


def test_what_a_loser_took_back_is_not_contained_because_it_looks_unchanged() -> None:
    """3-819 merged 2-14e; 3-16c set `y` back, and so adds nothing over 1-1.  That 4-7a3 is the
    same edit as 3-0bd makes it equal to the merge of all."""
    bodies = {
        "1-1": {"x": 1, "y": 1, "z": 1},
        "2-14e": {"x": 1, "z": 1},
        "3-16c": {"x": 1, "y": 1, "z": 1},
        "2-e1a": {"x": 1, "y": 1, "z": 0},
        "3-819": {"x": 1, "z": 0},
        "4-7a3": {"x": 0, "z": 0},
        "3-0bd": {"x": 0, "y": 1, "z": 0},
    }
    branches = ["1-1 2-e1a 3-819 4-7a3", "1-1 2-e1a 3-0bd", "1-1 2-14e 3-16c"]
    for document in (
        doc(tree(*branches), bodies),
        doc(tree(*branches, "1-1 2-14e 3-aaa†"), bodies),
        doc(tree(*branches), bodies, recorded={"3-819": "2-e1a 2-14e"}),
    ):
        found = of(document, "3-16c", PLAIN_FIELDS)
        assert found.state in ("new", "untestable")


# --- dead leaves


def test_a_dead_leaf_is_settled_where_the_meeting_point_contains_it() -> None:
    bodies = {
        "1-1": {"x": 1, "y": 1},
        "2-b": {"x": 0, "y": 1},
        "2-a": {"x": 1, "y": 0},
        "3-m": {"x": 0, "y": 0},
        "4-p": {"x": 5, "y": 0},
        "4-q": {"x": 0, "y": 5},
    }
    branches = ["1-1 2-b 3-m 4-p", "1-1 2-b 3-m 4-q", "1-1 2-a 3-x†"]
    document = doc(tree(*branches), bodies)
    assert unsettled_dead_leaves(document, r("3-m"), PLAIN) == ()
    # For what adds up equality may be chance, and only the journal's word counts.
    counting = Policy(fields={"x": "counter"})
    (dead,) = unsettled_dead_leaves(document, r("3-m"), counting)
    assert "by chance" in dead.sentence
    recorded = doc(tree(*branches), bodies, recorded={"3-m": "2-b 2-a"})
    assert unsettled_dead_leaves(recorded, r("3-m"), counting) == ()
    # A merge that decided otherwise is known to the journal alone.
    decided = {**bodies, "3-m": {"x": 9, "y": 9}}
    assert len(unsettled_dead_leaves(doc(tree(*branches), decided), r("3-m"), PLAIN)) == 1
    recorded = doc(tree(*branches), decided, recorded={"3-m": "2-b 2-a"})
    assert unsettled_dead_leaves(recorded, r("3-m"), PLAIN) == ()
    # A body that is not known is not known to contain anything.
    for gone in ("1-1", "2-a", "2-b", "3-m"):
        rest = {rev: body for rev, body in bodies.items() if rev != gone}
        assert len(unsettled_dead_leaves(doc(tree(*branches), rest), r("3-m"), PLAIN)) == 1


def test_the_same_edit_made_twice_settles_nothing() -> None:
    """2-m did what 2-a did, knowing nothing of it: a branch may have taken in 2-a all the same."""
    bodies = {"1-1": {"x": 1}, "2-m": {"x": 0}, "2-a": {"x": 0}, "3-b": {"x": 2}, "3-c": {"x": 3}}
    grown = tree("1-1 2-m 3-b", "1-1 2-m 3-c", "1-1 2-a 3-x†")
    assert len(unsettled_dead_leaves(doc(grown, bodies), r("2-m"), PLAIN)) == 1


def test_a_deletion_of_the_meeting_point_or_of_its_ancestor_is_settled() -> None:
    grown = tree("1-1 2-m 3-a", "1-1 2-m 3-b", "1-1 2-m 3-x†", "1-1 2-y†")
    assert unsettled_dead_leaves(doc(grown, {"3-a": {}, "3-b": {}}), r("2-m"), PLAIN) == ()


def test_a_dead_leaf_on_a_branch_or_of_unknown_origin_is_not_settled() -> None:
    grown = tree("1-1 2-a 3-a", "1-1 2-a 3-x†", "1-1 2-b", "5-x†", "1-x†")
    document = doc(grown, {"3-a": {}, "2-b": {}})
    found = unsettled_dead_leaves(document, r("1-1"), PLAIN)
    assert [dead.rev for dead in found] == [r("3-x"), r("5-x")]
    assert "forgotten" in found[1].sentence
    # Where nothing is known of a common past, everything may be.
    assert len(unsettled_dead_leaves(document, None, PLAIN)) == 2


def test_leaves_that_take_no_part_are_as_good_as_dead() -> None:
    """3-m contains 2-a, which is not tombstoned yet; so may the other branch."""
    bodies = {"1-1": {"x": 1, "y": 1}, "2-b": {"x": 0, "y": 1}, "2-a": {"x": 1, "y": 0},
              "3-m": {"x": 0, "y": 0}, "2-c": {"x": 1, "y": 1, "z": 1}}  # fmt: skip
    grown = tree("1-1 2-b 3-m", "1-1 2-a", "1-1 2-c")
    document = doc(grown, bodies)
    assert unsettled_dead_leaves(document, r("1-1"), PLAIN) == ()
    (left,) = unsettled_dead_leaves(document, r("1-1"), PLAIN, left_out=[r("2-a")])
    assert (left.rev, left.parent) == (r("2-a"), r("2-a"))
    # A leaf whose body cannot be read always is.
    unread = doc(grown, {rev: body for rev, body in bodies.items() if rev != "2-c"})
    assert unread.unreadable == (r("2-c"),)
    assert unread.live == (r("3-m"), r("2-a"))
    assert [dead.rev for dead in unsettled_dead_leaves(unread, r("1-1"), PLAIN)] == [r("2-c")]


def test_no_newer_base_than_the_common_ancestor() -> None:
    bodies = {"1-1": {"x": 1}, "2-b": {"x": 2}, "2-a": {"x": 3}}
    document = doc(tree("1-1 2-b", "1-1 2-a"), bodies)
    assert inferred_base(document, r("2-a"), r("2-b"), COUNTERS) is None
