"""What holds of every merge."""

from __future__ import annotations

import copy

from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON, dumps
from couchmend.core.merging.applying import apply_decisions
from couchmend.core.merging.merge import Merge, merge_json
from couchmend.core.merging.serial import from_json, to_json
from couchmend.core.paths import Path, value_at
from couchmend.core.values import ABSENT, same
from tests.core.merging.concurrent_edits import Edited, documents, edits

EXCHANGED = {"current": "other", "other": "current"}


@given(edits())
def test_every_edit_is_there_or_in_conflict(made: Edited) -> None:
    merge = merge_json(made.base, made.current, made.other)
    assert same(merge.value, made.merged)
    assert {decision.path for decision in merge.unresolved} == made.conflicts


@given(edits())
def test_who_changed_what_is_told(made: Edited) -> None:
    decisions = {one.path: one for one in merge_json(made.base, made.current, made.other).decisions}
    for path in made.changed_by_current:
        assert decisions[path].kind == "current"
        assert decisions[path].competing == ("current",)
    for path in made.changed_by_other:
        assert decisions[path].kind == "other"
        assert decisions[path].competing == ("other",)


@given(documents(), documents())
def test_equal_sides_are_the_result(base: JSON, side: JSON) -> None:
    merge = merge_json(base, side, copy.deepcopy(side))
    assert dumps(merge.value) == dumps(side)
    assert not merge.unresolved


@given(documents(), documents())
def test_one_side_left_alone_is_the_other(base: JSON, side: JSON) -> None:
    taken = merge_json(base, copy.deepcopy(base), side)
    assert same(taken.value, side)
    assert not taken.unresolved
    kept = merge_json(base, side, copy.deepcopy(base))
    assert dumps(kept.value) == dumps(side)
    assert not kept.unresolved


@given(documents(), documents(), documents())
def test_exchanging_the_sides_changes_only_what_is_provisional(
    base: JSON, one: JSON, two: JSON
) -> None:
    here, there = merge_json(base, one, two), merge_json(base, two, one)
    assert _about(here) == {
        (path, aspect, EXCHANGED.get(kind, kind)) for path, aspect, kind in _about(there)
    }
    if not here.unresolved:
        assert same(_unordered(here.value), _unordered(there.value))


def _about(merge: Merge) -> set[tuple[Path, str, str]]:
    return {(one.path, one.aspect, one.kind) for one in merge.decisions if one.aspect == "value"}


def _unordered(value: JSON) -> JSON:
    """Lists without their order: where both sides insert at one place, current's come first."""
    if type(value) is dict:
        return {name: _unordered(member) for name, member in value.items()}
    if type(value) is list:
        return sorted((_unordered(element) for element in value), key=dumps)
    return value


@given(st.one_of(st.just(ABSENT), documents()), documents(), documents())
def test_the_decisions_make_the_result_of_current(base: JSON, one: JSON, two: JSON) -> None:
    merge = merge_json(base, one, two)
    assert dumps(apply_decisions(one, merge.decisions)) == dumps(merge.value)
    again = from_json(to_json(merge.decisions))
    assert again == merge.decisions
    assert dumps(apply_decisions(one, again)) == dumps(merge.value)


@given(documents(), documents(), documents())
def test_merging_the_result_again_changes_nothing(base: JSON, one: JSON, two: JSON) -> None:
    merge = merge_json(base, one, two)
    if merge.unresolved:
        return
    for side in (one, two):
        again = merge_json(base, merge.value, side)
        assert same(again.value, merge.value)
        assert not again.unresolved


@given(documents(), documents())
def test_without_a_base_nothing_is_dropped(one: JSON, two: JSON) -> None:
    merge = merge_json(ABSENT, one, two)
    for side in (one, two):
        for name in side:
            assert value_at(merge.value, (name,)) is not ABSENT
    assert not any(decision.taken is ABSENT for decision in merge.decisions)


@given(edits())
def test_what_is_chosen_is_taken(made: Edited) -> None:
    merge = merge_json(made.base, made.current, made.other)
    for decision in merge.unresolved:
        merge = merge.take(decision.path, "other")
        assert same(value_at(merge.value, decision.path), value_at(made.other, decision.path))
    assert not merge.unresolved
