"""Several versions: what holds however the tree looks."""

from __future__ import annotations

import random

from hypothesis import assume, given
from hypothesis import strategies as st

from couchmend.core.document import dumps
from couchmend.core.merging.applying import apply_decisions
from couchmend.core.merging.bases import BaseKind
from couchmend.core.merging.fold import fold
from couchmend.core.merging.joined import joined
from couchmend.core.merging.merge import merge_json, merge_leaves
from couchmend.core.merging.serial import to_json
from couchmend.core.paths import covers, value_at
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.revtree import RevTree
from couchmend.core.values import ABSENT, same
from tests.core.merging.trees import FIELDS, History, histories, live, rev


@given(histories(), st.randoms(use_true_random=False))
def test_the_order_in_which_leaves_arrive_is_no_matter(
    history: History, shuffle: random.Random
) -> None:
    assume(live(history))
    before = merge_leaves(history.tree, history.bodies, PLAIN)
    chains, bodies = list(history.chains), list(history.bodies.items())
    shuffle.shuffle(chains)
    shuffle.shuffle(bodies)
    after = merge_leaves(RevTree.of(chains), dict(bodies), PLAIN)
    assert dumps(before.value) == dumps(after.value)
    assert dumps(to_json(before.decisions)) == dumps(to_json(after.decisions))


@given(histories())
def test_the_decisions_make_the_result_of_the_winner(history: History) -> None:
    assume(live(history))
    merge = merge_leaves(history.tree, history.bodies, PLAIN)
    assert merge.versions[0].name == str(live(history)[0])
    made = apply_decisions(merge.versions[0].body, merge.decisions)
    assert dumps(made) == dumps(merge.value)


@given(histories())
def test_what_is_open_stays_open(history: History) -> None:
    assume(live(history))
    folded = fold(history.tree, history.bodies, PLAIN)
    opened = {
        decision.path
        for meeting in folded.meetings
        for decision in meeting.decisions
        if decision.unresolved
    }
    for path in opened:
        assert any(covers(still, path) for still, _ in folded.side.open)
    for (path, _), rivals in folded.side.open.items():
        assert len({rival.version.name for rival in rivals}) == len(rivals) > 1
        for rival in rivals:
            assert same(rival.value, value_at(rival.version.body, path))


@given(histories())
def test_every_path_has_the_version_that_supplied_it(history: History) -> None:
    assume(live(history))
    side = fold(history.tree, history.bodies, PLAIN).side
    for name in FIELDS:
        supplier = side.supply.at((name,))
        assert same(value_at(supplier.body, (name,)), value_at(side.value, (name,)))


@given(histories())
def test_a_field_takes_a_value_that_competes_for_it(history: History) -> None:
    """What only one branch changed is taken; what several changed alike is, too; else it is
    open."""
    leaves = live(history)
    assume(len(leaves) > 1)
    tree = history.tree
    side = fold(tree, history.bodies, PLAIN).side
    root = tree.chain(leaves[0])[-1]
    for name in FIELDS:
        before = value_at(history.bodies[root], (name,))
        values = [value_at(history.bodies[leaf], (name,)) for leaf in leaves]
        if all(same(value, values[0]) for value in values):
            assert same(value_at(side.value, (name,)), values[0])
        never_changed = all(
            same(value_at(history.bodies[rev], (name,)), before)
            for leaf in leaves
            for rev in tree.chain(leaf)
        )
        if never_changed:
            assert ((name,), "value") not in side.open


@given(histories())
def test_of_two_leaves_it_is_the_merge_over_where_they_meet(history: History) -> None:
    two = live(history)[:2]
    assume(len(two) == 2)
    ancestor = history.tree.common_ancestor(*two)
    assert ancestor is not None
    folded = fold(history.tree, history.bodies, PLAIN, among=two)
    merged = merge_json(*(history.bodies[rev] for rev in (ancestor, *two)))
    assert dumps(folded.side.value) == dumps(merged.value)
    (meeting,) = folded.meetings
    assert [(one.path, one.kind) for one in meeting.decisions] == [
        (one.path, one.kind) for one in merged.decisions
    ]


@given(histories())
def test_tombstones_take_no_part(history: History) -> None:
    assume(live(history))
    without = [(chain, dead) for chain, dead in history.chains if not dead]
    all_of_it = merge_leaves(history.tree, history.bodies, PLAIN)
    assert dumps(all_of_it.value) == dumps(
        merge_leaves(RevTree.of(without), history.bodies, PLAIN).value
    )


@given(histories(st.fixed_dictionaries({"x": st.just(1)})))
def test_equal_changes_are_no_conflict(history: History) -> None:
    assume(live(history))
    side = fold(history.tree, history.bodies, PLAIN).side
    changed = any(history.bodies[leaf]["x"] == 1 for leaf in live(history))
    assert side.value["x"] == (1 if changed else 0)
    assert not side.open


@given(histories(), st.data())
def test_a_base_that_is_not_known_is_not_exact(history: History, data: st.DataObject) -> None:
    leaves = live(history)
    assume(len(leaves) > 1)
    meetings = fold(history.tree, history.bodies, PLAIN).meetings
    assert all(meeting.base.kind is BaseKind.EXACT for meeting in meetings)
    lost = data.draw(st.sampled_from(meetings)).at
    assume(lost not in leaves)
    bodies = {rev: body for rev, body in history.bodies.items() if rev != lost}
    for meeting in fold(history.tree, bodies, PLAIN).meetings:
        assert (meeting.base.kind is BaseKind.EXACT) == (meeting.at != lost)
    for meeting in fold(history.tree, bodies, PLAIN, approximate=False).meetings:
        assert (meeting.base.body is ABSENT) == (meeting.at == lost)


def test_roots_without_a_common_ancestor_meet_last_without_a_base() -> None:
    history = History()
    chains = [["2-a", "1-a"], ["2-b", "1-a"], ["1-c"]]
    history.chains = [([rev(text) for text in chain], False) for chain in chains]
    history.bodies = {
        rev("1-a"): {"x": 0},
        rev("2-a"): {"x": 1},
        rev("2-b"): {"x": 0, "y": 1},
        rev("1-c"): {"x": 1, "z": 1},
    }
    folded = fold(history.tree, history.bodies, Policy())
    assert [meeting.base.kind for meeting in folded.meetings] == [
        BaseKind.EXACT,
        BaseKind.CREATED,
    ]
    assert folded.side.value == {"x": 1, "y": 1, "z": 1}
    decisions = joined(folded.side, [meeting.decisions for meeting in folded.meetings])
    assert {one.path: one.assumed for one in decisions}[("z",)]
