"""What each strategy makes of a conflict."""

from __future__ import annotations

from typing import Any

import pytest

from couchmend.core.document import JSON
from couchmend.core.paths import readable
from couchmend.core.plans.choices import Put, Take
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.writes import PlanError
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.policy.resolvers import UNRESOLVED, Context
from couchmend.core.revtree import Rev
from couchmend.core.values import Value
from couchmend.errors import UsageError
from tests.core.plans.growing import Growing, ranked

EARLY, LATE, LATEST = "2024-01-01T10:00:00Z", "2024-01-01T11:00:00Z", "2024-01-01T12:00:00Z"


def body_of(made: Plan) -> JSON:
    assert made.write is not None, made.sentence
    return made.write.body


def by_path(made: Plan) -> dict[str, tuple[str, JSON]]:
    return {readable(one.path): (one.kind, one.taken) for one in made.decisions}


# --- merge


def test_disjoint_edits_are_merged_over_the_winner() -> None:
    document = Growing()
    root, winner, loser = document.forked(
        {"a": 1, "b": 1, "c": 1}, {"a": 2, "b": 1, "c": 1}, {"a": 1, "b": 2, "c": 1}
    )
    made = document.plan("merge")
    assert made.ready
    assert made.winner == winner
    assert made.write is not None
    assert made.write.parent == winner
    assert body_of(made) == {"a": 2, "b": 2, "c": 1}
    assert [one.rev for one in made.tombstones] == [loser]
    assert made.leafset == tuple(sorted([winner, loser]))
    assert made.expected == made.write.expected
    assert made.expected.generation == winner.generation + 1
    assert [(base.at, base.kind.value, base.rev) for base in made.bases] == [(root, "exact", root)]
    assert made.acknowledge == ()
    assert not made.deletes


def test_what_is_open_leaves_no_writes() -> None:
    document = Growing()
    document.forked({"a": 1}, {"a": 2}, {"a": 3})
    made = document.plan("merge")
    assert not made.ready
    assert [readable(one.path) for one in made.unresolved] == ["a"]
    assert made.write is None
    assert made.tombstones == ()
    assert "a is left to decide" in made.sentence


def test_what_equals_the_winner_needs_no_write() -> None:
    """Key order and the type of a number are no difference: nothing is written for them."""
    document = Growing()
    _, winner, loser = document.forked({"a": 1, "b": 0}, {"a": 2, "b": 0}, {"b": 0.0, "a": 2})
    made = document.plan("merge")
    assert made.ready
    assert made.write is None
    assert made.expected == winner
    assert [one.rev for one in made.tombstones] == [loser]


def test_the_result_has_the_winners_key_order_then_that_of_others() -> None:
    document = Growing()
    root = document.edit(None, b=1, a=1)
    one = document.edit(root, z=1, b=2, a=1)
    two = document.edit(root, y=1, x=1, b=1, a=2)
    winner, _ = ranked(document, one, two)
    order = ["z", "b", "a", "y", "x"] if winner == one else ["y", "x", "b", "a", "z"]
    assert list(body_of(document.plan("merge"))) == order


def test_the_checksum_is_right() -> None:
    policy = Policy(checksum={"field": "sum", "algorithm": "md5"})
    document = Growing()
    document.forked(
        {"a": 1, "b": 1, "sum": "0"}, {"a": 2, "b": 1, "sum": "1"}, {"a": 1, "b": 2, "sum": "2"}
    )
    body = body_of(document.plan("merge", policy))
    assert body == policy.sealed({"a": 2, "b": 2, "sum": ""})
    assert len(body["sum"]) == 32


# --- last-write-wins


def test_an_open_path_takes_the_value_of_the_newest_version() -> None:
    document = Growing()
    document.forked(
        {"a": 1, "b": 1, "at": EARLY},
        {"a": 2, "b": 1, "at": LATEST},
        {"a": 3, "b": 2, "at": LATE},
    )
    policy = Policy(timestamp_fields=["at"])
    made = document.plan("last-write-wins", policy)
    assert made.ready
    body = made.write.body if made.write else document.bodies[made.winner]
    assert body == {"a": 2, "b": 2, "at": LATEST}
    (decision,) = (one for one in made.decisions if one.path == ("a",))
    assert decision.timed
    assert decision.resolver == "last-write-wins"


def test_no_whole_version_is_thrown_away() -> None:
    """The older version keeps every field that only it changed."""
    document = Growing()
    document.forked(
        {"a": 1, "b": 1, "c": 1, "at": EARLY},
        {"a": 2, "b": 2, "c": 1, "at": LATE},
        {"a": 3, "b": 1, "c": 3, "at": LATEST},
    )
    made = document.plan("last-write-wins", Policy(timestamp_fields=["at"]))
    assert body_of(made) == {"a": 3, "b": 2, "c": 3, "at": LATEST}


def three_leaves(order: tuple[int, int, int]) -> Growing:
    """Two versions that changed `a`, and the newest of all, which left it alone."""
    document = Growing()
    root = document.edit(None, a=1, b=1, at=EARLY, n=0)
    sides = [
        {"a": 2, "b": 1, "at": EARLY},
        {"a": 3, "b": 1, "at": LATE},
        {"a": 1, "b": 2, "at": LATEST},
    ]
    for place, number in enumerate(order):
        document.edit(root, **sides[number], n=0, **{f"only{place}": number})
    return document


@pytest.mark.parametrize(
    "order", [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
)
def test_who_left_a_path_alone_does_not_compete_there(order: tuple[int, int, int]) -> None:
    """The newest of all versions instead of the newest of those that compete loses edits."""
    document = three_leaves(order)
    body = body_of(document.plan("last-write-wins", Policy(timestamp_fields=["at"])))
    assert body["a"] == 3
    assert body["b"] == 2
    assert body["at"] == LATEST


def test_equal_timestamps_and_none_take_the_winners() -> None:
    for stamps in ((LATE, LATE), (None, None)):
        document = Growing()
        _, winner, _ = document.forked(
            {"a": 1}, *({"a": number, "at": at} for number, at in enumerate(stamps, 2))
        )
        made = document.plan("last-write-wins", Policy(timestamp_fields=["at"]))
        assert made.write is None
        assert made.decisions[0].taken == document.bodies[winner]["a"]
        assert made.expected == winner


def test_a_version_without_a_timestamp_is_the_oldest() -> None:
    document = Growing()
    document.forked({"a": 1}, {"a": 2}, {"a": 3, "at": EARLY})
    made = document.plan("last-write-wins", Policy(timestamp_fields=["at"]))
    assert by_path(made)["a"][1] == 3


def test_a_removal_competes_too() -> None:
    document = Growing()
    document.forked({"a": 1, "at": EARLY}, {"at": LATEST}, {"a": 2, "at": LATE})
    made = document.plan("last-write-wins", Policy(timestamp_fields=["at"]))
    assert made.ready
    body = made.write.body if made.write else document.bodies[made.winner]
    assert body == {"at": LATEST}


def test_the_newest_arrangement_of_a_list() -> None:
    """What the merge removed or added is not in the arrangement that is taken, or is: the list
    has what the merge has."""
    one, two, three, four = ({"id": letter} for letter in "abcd")
    document = Growing()
    document.forked(
        {"l": [one, two, three], "at": EARLY},
        {"l": [three, one, two], "at": LATEST},
        {"l": [two, three, one, four], "at": LATE},
    )
    made = document.plan("last-write-wins", Policy(timestamp_fields=["at"]))
    assert made.ready, made.sentence
    (order,) = (one for one in made.decisions if one.aspect == "order")
    assert order.timed
    body = made.write.body if made.write else document.bodies[made.winner]
    ids = [element["id"] for element in body["l"]]
    assert sorted(ids) == ["a", "b", "c", "d"]
    assert [id for id in ids if id != "d"] == ["c", "a", "b"]


# --- whole versions


@pytest.mark.parametrize("name", ["keep-current", "local"])
def test_keep_current_leaves_the_winner_as_it_is(name: str) -> None:
    document = Growing()
    _, winner, loser = document.forked({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 3, "b": 2})
    made = document.plan(name)
    assert made.strategy == "keep-current"
    assert made.write is None
    assert made.expected == winner
    assert [one.rev for one in made.tombstones] == [loser]
    kept = document.bodies[winner]
    assert {path: value for path, (_, value) in by_path(made).items()} == {
        name: kept[name] for name in by_path(made)
    }
    assert {one.resolver for one in made.decisions} == {"keep-current"}


@pytest.mark.parametrize("name", ["keep-other", "remote"])
def test_keep_other_writes_its_body_over_the_winner(name: str) -> None:
    document = Growing()
    _, winner, loser = document.forked({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"b": 2, "a": 3})
    made = document.plan(name)
    assert made.strategy == "keep-other"
    assert made.write is not None
    assert made.write.parent == winner
    assert list(made.write.fields.items()) == list(document.bodies[loser].items())
    assert [one.rev for one in made.tombstones] == [loser]


def test_of_several_others_one_is_named() -> None:
    document = Growing()
    _, winner, second, third = document.forked({"a": 1}, {"a": 2}, {"a": 3}, {"a": 4})
    with pytest.raises(UsageError, match="several other versions") as problem:
        document.plan("keep-other")
    assert str(second) in problem.value.hint
    assert str(third) in problem.value.hint
    for name in (str(third), str(third)[:8]):
        made = document.plan("keep-other", revision=name)
        assert body_of(made) == document.bodies[third]
        assert [one.rev for one in made.tombstones] == [second, third]
    for name in ("2-", str(winner), "4-abc", "other", "3"):
        with pytest.raises(UsageError):
            document.plan("keep-other", revision=name)


def test_a_revision_is_named_for_keep_other_only() -> None:
    document = Growing()
    _, _, loser = document.forked({"a": 1}, {"a": 2}, {"a": 3})
    with pytest.raises(UsageError, match="takes no revision"):
        document.plan("merge", revision=str(loser))


# --- deletions


def deleted_elsewhere() -> tuple[Growing, Rev, Rev]:
    document = Growing()
    root = document.edit(None, a=1)
    return document, document.edit(root, a=2), document.delete(root)


@pytest.mark.parametrize("strategy", ["merge", "last-write-wins"])
def test_a_deletion_is_no_path_that_a_merge_decides(strategy: str) -> None:
    document, live, tombstone = deleted_elsewhere()
    made = document.plan(strategy)
    assert not made.ready
    assert made.acknowledge == ()
    assert made.leafset == tuple(sorted([live, tombstone]))
    assert "preserve-non-deleted" in made.sentence


@pytest.mark.parametrize("strategy", ["preserve-non-deleted", "keep-current"])
def test_keeping_the_edit_needs_no_write(strategy: str) -> None:
    document, live, tombstone = deleted_elsewhere()
    made = document.plan(strategy)
    assert made.ready
    assert made.write is None
    assert made.tombstones == ()
    assert made.acknowledge == (tombstone,)
    assert made.expected == live


@pytest.mark.parametrize("strategy", ["delete", "keep-other"])
def test_confirming_the_deletion_tombstones_the_live_leaf(strategy: str) -> None:
    document, live, _ = deleted_elsewhere()
    made = document.plan(strategy)
    assert made.ready
    assert made.deletes
    assert made.write is None
    assert [one.rev for one in made.tombstones] == [live]
    assert made.acknowledge == ()
    assert made.expected is None
    (decision,) = made.decisions
    assert decision.path == ()
    assert decision.versions[str(live)] == {"a": 2}


def test_an_acknowledged_deletion_is_no_matter_any_more() -> None:
    document, _, tombstone = deleted_elsewhere()
    before = document.plan("preserve-non-deleted")
    document.acknowledged.add(tombstone)
    made = document.plan("merge")
    assert made.ready
    assert made.acknowledge == ()
    assert made.leafset == before.leafset
    assert made.digest != before.digest


def test_an_edit_of_what_was_removed_is_kept() -> None:
    document = Growing()
    document.forked({"a": 1, "b": 1}, {"b": 2}, {"a": 2, "b": 1})
    made = document.plan("preserve-non-deleted")
    assert made.ready
    body = made.write.body if made.write else document.bodies[made.winner]
    assert body == {"a": 2, "b": 2}


def test_two_edits_against_a_removal_stay_open() -> None:
    document = Growing()
    document.forked({"a": 1}, {}, {"a": 2}, {"a": 3})
    assert not document.plan("preserve-non-deleted").ready


def test_a_deletion_tombstones_the_losers_first_and_the_winner_last() -> None:
    """Deleting the winner brings another leaf to light."""
    document = Growing()
    _, winner, second, third = document.forked({"a": 1}, {"a": 2}, {"a": 3}, {"a": 4})
    made = document.plan("delete")
    assert [one.rev for one in made.tombstones] == [second, third, winner]
    document.carry_out(made)
    assert document.tree.winner().deleted


def test_possible_deletions_are_acknowledged_where_they_are_reported() -> None:
    document = Growing()
    _, winner, loser = document.forked({"a": 1}, {"a": 2}, {"a": 3})
    tombstone = document.delete(loser)
    with pytest.raises(PlanError, match="not in conflict"):
        document.plan("preserve-non-deleted")
    made = document.plan("preserve-non-deleted", Policy(dead_branches="report"))
    assert made.acknowledge == (tombstone,)
    assert made.expected == winner


# --- a resolver of one's own


def least(base: Value, current: Value, other: Value, context: Context) -> Any:
    """The smaller of two."""
    return min(current, other)


def test_a_strategy_of_ones_own_decides_what_is_open() -> None:
    document = Growing()
    document.forked({"a": 9, "b": 1}, {"a": 7, "b": 1}, {"a": 3, "b": 2}, {"a": 5, "b": 1})
    made = document.plan("custom:least", Policy(resolvers={"least": least}))
    assert made.ready, made.sentence
    assert by_path(made)["a"][1] == 3
    assert by_path(made)["b"][1] == 2


def test_it_may_leave_a_path_open_and_fail() -> None:
    def broken(*given: Any) -> Any:
        raise ValueError("no idea")

    document = Growing()
    document.forked({"a": 9}, {"a": 7}, {"a": 3})
    for resolver, reason in ((broken, "no idea"), (lambda *given: UNRESOLVED, "cannot tell")):
        made = document.plan("custom:mine", Policy(resolvers={"mine": resolver}))
        assert not made.ready
        assert reason in made.unresolved[0].reason


def test_one_that_is_not_there() -> None:
    document = Growing()
    document.forked({"a": 9}, {"a": 7}, {"a": 3})
    with pytest.raises(UsageError, match="did you mean least"):
        document.plan("custom:leats", Policy(resolvers={"least": least}))
    with pytest.raises(UsageError):
        document.plan("custom:latest")


# --- what cannot be planned


def test_strategies_that_do_not_exist() -> None:
    document = Growing()
    document.forked({"a": 1}, {"a": 2}, {"a": 3})
    for name in ("last-wriet-wins", "", "custom:", "MERGE"):
        with pytest.raises(UsageError, match="there is no strategy"):
            document.plan(name)
    with pytest.raises(UsageError, match="did you mean last-write-wins"):
        document.plan("last-wriet-wins")


def test_a_document_without_a_conflict_is_left_alone() -> None:
    document = Growing()
    root = document.edit(None, a=1)
    for strategy in ("merge", "delete", "keep-current"):
        with pytest.raises(PlanError, match="not in conflict"):
            document.plan(strategy)
    document.delete(root)
    with pytest.raises(PlanError):
        document.plan("delete")


@pytest.mark.parametrize("strategy", ["merge", "keep-current", "delete"])
def test_a_leaf_that_cannot_be_read_is_left_alone(strategy: str) -> None:
    document = Growing()
    _, winner, second, third = document.forked(
        {"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 1, "c": 1}
    )
    for lost in (winner, second, third):
        body = document.bodies.pop(lost)
        made = document.plan(strategy)
        assert made.ready, made.sentence
        assert made.unreadable == (lost,)
        assert made.winner == (second if lost == winner else winner)
        assert lost not in [one.rev for one in made.tombstones]
        assert lost in made.leafset
        assert f"{lost.generation}-{lost.hash[:6]} cannot be read" in made.sentence
        if made.write:
            assert made.write.parent != lost
        document.bodies[lost] = body


# --- bases


def test_an_older_base_is_for_suggestions_only() -> None:
    """Over an older base a change and its reversal look like no change."""
    document = Growing()
    root = document.edit(None, a=1, b=1)
    inner = document.edit(root, a=2, b=1)
    document.edit(inner, a=2, b=2)
    document.edit(inner, a=3, b=1)
    document.forget(inner)
    suggested = document.plan("merge")
    assert suggested.ready is False  # both changed `a`, as far as the older base tells
    assert [(base.kind.value, base.rev) for base in suggested.bases] == [("approximate", root)]
    automatic = document.plan("merge", automatic=True)
    assert [(base.kind.value, base.rev) for base in automatic.bases] == [("approximate", None)]
    assert automatic.digest != suggested.digest


def test_versions_without_a_common_ancestor_are_united() -> None:
    document = Growing()
    document.edit(None, a=1, b=1)
    document.edit(None, a=1, c=1)
    made = document.plan("merge")
    assert made.ready
    assert body_of(made) == {"a": 1, "b": 1, "c": 1}
    assert [(base.at, base.kind.value, base.rev) for base in made.bases] == [
        (None, "created", None)
    ]


# --- containment


def test_what_is_contained_is_only_tombstoned() -> None:
    document = Growing()
    _, winner, loser = document.forked({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2})
    merged = document.edit(winner, a=2, b=2)
    later = document.edit(merged, a=2, b=1)  # somebody who knew the merge took `b` back
    made = document.plan("merge")
    assert [(one.rev, one.state, one.by) for one in made.containment] == [
        (loser, "contained", merged)
    ]
    assert made.write is None
    assert made.expected == later
    assert [one.rev for one in made.tombstones] == [loser]
    assert "is in it already" in made.sentence


def test_the_others_are_merged_all_the_same() -> None:
    document = Growing()
    root = document.edit(None, a=1, b=1, c=1)
    mine = document.edit(root, a=2, b=1, c=1)
    contained = document.edit(root, a=1, b=2, c=1)
    new = document.edit(root, a=1, b=1, c=2)
    merged = document.edit(mine, a=2, b=2, c=1)
    document.edit(merged, a=2, b=1, c=1)
    made = document.plan("merge")
    assert {one.rev: one.state for one in made.containment} == {contained: "contained", new: "new"}
    assert body_of(made) == {"a": 2, "b": 1, "c": 2}
    assert {one.rev for one in made.tombstones} == {contained, new}


def test_a_contained_loser_may_be_kept_by_name() -> None:
    document = Growing()
    _, winner, loser = document.forked({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2})
    document.edit(winner, a=2, b=2)
    made = document.plan("keep-other")
    assert body_of(made) == document.bodies[loser]
    assert {path: value for path, (_, value) in by_path(made).items()} == document.bodies[loser]


def test_its_values_may_be_chosen_by_a_person() -> None:
    document = Growing()
    _, winner, loser = document.forked({"a": 1, "b": 1}, {"a": 2, "b": 1}, {"a": 1, "b": 2})
    document.edit(winner, a=2, b=2)
    made = document.plan("manual", choices={"a": Take("other"), "b": Take(str(loser))})
    assert body_of(made) == document.bodies[loser]


def test_a_suggestion_goes_by_what_one_branch_has_of_another() -> None:
    """3.9 b: the tree forgets merges.  Over the first revision, `y` looks unchanged on 3-3ff, so
    that the old removal would win over the user's edit."""
    document = Growing()
    root = document.edit(None, x=1, y=1, z=1)
    merged_in = document.edit(root, z=1)
    other = document.edit(root, x=1, y=1)
    document.edit(other)  # the merge of the two: nothing is left
    user = document.edit(merged_in, y=1, z=1)
    suggested = document.plan("merge")
    (base,) = suggested.bases
    assert (base.rev, base.inferred, base.kind.value) == (merged_in, True, "approximate")
    assert suggested.ready
    body = suggested.write.body if suggested.write else document.bodies[suggested.winner]
    assert body == {"y": 1}
    assert user in suggested.leafset
    automatic = document.plan("merge", automatic=True)
    assert [(one.rev, one.inferred) for one in automatic.bases] == [(root, False)]
    assert automatic.digest != suggested.digest


def counted() -> Growing:
    """3.9 c: a counter, no timestamps; -1 + 1 = 0 equals the fold."""
    document = Growing()
    root = document.edit(None, c=0)
    one = document.edit(root, c=-1)
    document.edit(root, c=1)
    document.edit(one, c=0)
    return document


COUNTER = Policy(fields={"c": "counter"}, timestamp_fields=())


@pytest.mark.parametrize("strategy", ["merge", "last-write-wins", "preserve-non-deleted"])
def test_contained_by_coincidence_is_for_a_person(strategy: str) -> None:
    document = counted()
    made = document.plan(strategy, COUNTER)
    assert [one.state for one in made.containment] == ["manual"]
    assert not made.ready
    assert made.problems
    assert "may be in the winner already" in made.sentence
    assert [one.path for one in made.unresolved] == [("c",)]


def test_a_person_decides_it() -> None:
    document = counted()
    loser = document.plan("merge", COUNTER).containment[0].rev
    kept = document.plan("keep-current", COUNTER)
    assert kept.ready
    chosen = document.plan("manual", COUNTER, choices={"c": Put(1)})
    assert chosen.ready
    assert body_of(chosen) == {"c": 1}
    taken = document.plan("manual", COUNTER, choices={"c": Take(str(loser))})
    assert body_of(taken) == {"c": 1}
    assert not document.plan("manual", COUNTER, choices={"d": Put(1)}).ready


def test_what_the_journal_recorded_is_known() -> None:
    document = counted()
    winner = document.tree.winner().rev
    loser = document.plan("merge", COUNTER).containment[0].rev
    document.recorded[winner] = frozenset({loser})
    made = document.plan("merge", COUNTER)
    assert made.ready
    assert [one.state for one in made.containment] == ["contained"]
    assert made.write is None


def test_a_conflict_that_was_decided_is_recognised() -> None:
    """Resolving twice is resolving once: a second engine that sees the first one's merge and
    the loser only tombstones it."""
    policy = Policy(timestamp_fields=["at"])
    document = Growing()
    _, _, loser = document.forked(
        {"a": 1, "b": 1, "c": 1, "at": EARLY},
        {"a": 2, "b": 1, "c": 2, "at": LATE},
        {"a": 3, "b": 2, "c": 1, "at": LATEST},
    )
    made = document.plan("last-write-wins", policy)
    assert made.write is not None
    document.write(made.write)
    again = document.plan("last-write-wins", policy)
    assert [(one.rev, one.state) for one in again.containment] == [(loser, "contained")]
    assert again.write is None


def test_metadata_is_nothing_to_decide() -> None:
    document = Growing()
    stamps = (EARLY, LATE, LATEST)
    document.forked(*({"a": 1, "updatedAt": stamp} for stamp in stamps))
    assert not document.plan("merge", PLAIN).ready
    made = document.plan("merge", Policy())
    assert made.ready
    body = made.write.body if made.write else document.bodies[made.winner]
    assert body["updatedAt"] == LATEST


def test_what_adds_up_to_nothing_leaves_a_trace() -> None:
    """Else another engine, to which a loser is still alive, would add that one alone."""
    document = Growing()
    root = document.edit(None, c=0, k=0)
    document.edit(document.edit(root, c=0, k=1), c=0, k=2)
    document.edit(root, c=1, k=0)
    document.edit(root, c=-1, k=0)
    made = document.plan("merge", COUNTER)
    assert made.write is not None
    assert made.write.body == document.bodies[made.winner] == {"c": 0, "k": 2}
    assert document.plan("keep-current", COUNTER).write is None
