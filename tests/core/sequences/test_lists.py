"""Lists by identities, as sets and as sequences."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON, dumps
from couchmend.core.sequences.budget import Budget, TooMuchWork
from couchmend.core.sequences.lists import (
    Identity,
    are_sets,
    identity_key,
    merge_sequence,
    merge_set,
)
from couchmend.core.values import canonical, same
from tests.core.sequences.sequence_strategies import SEQUENCES, UNIQUE, budget, edits_apart

NAMES = ("_id", "id", "uuid", "key")

# --- identities


@pytest.mark.parametrize(
    ("lists", "key"),
    [
        ([[{"id": 1}, {"id": 2}], [{"id": 2}]], "id"),
        ([[{"id": "a"}], [], [{"id": "a", "_id": 3}]], "id"),
        ([[{"_id": "a", "id": 1}], [{"id": 1, "_id": "b"}]], "_id"),
        ([[{"_id": "a", "id": 1}], [{"id": 1}]], "id"),
        ([[{"id": 1, "key": "k"}, {"id": 1, "key": "l"}]], "key"),
        ([[{"id": "1"}, {"id": 1}]], "id"),
        ([[{"id": 1.5}, {"id": 2}]], "id"),
        ([[{"id": 10**30}, {"id": 2}]], "id"),
        ([[], [{"uuid": ""}]], "uuid"),
    ],
)
def test_the_first_name_that_tells_all_elements_apart(lists: list[list[JSON]], key: str) -> None:
    assert identity_key(lists, NAMES) == Identity(key, "")


@pytest.mark.parametrize(
    ("lists", "why"),
    [
        ([[{"id": 1}], [{"id": 2}, {"x": 1}]], "an element of the other side has no id"),
        ([[{"x": 1}], [{"id": 2}]], "an element of the current side has no id"),
        ([[{"id": 1}], [{"id": 1}], [{}]], "an element of the base has no id"),
        ([[{"id": 7}, {"id": 7}], [{"id": 2}]], "two elements of the current side have the id 7"),
        ([[{"id": 1}, {"id": 1.0}]], "two elements of the current side have the id 1.0"),
        (
            [[{"id": True}]],
            "the id of an element of the current side is neither a string nor a number",
        ),
        (
            [[{"id": 1}], [{"id": [1]}]],
            "the id of an element of the other side is neither a string nor a number",
        ),
        ([[{"id": 1}], [{"id": 2}, "text"]], "an element of the other side is no object"),
        ([[{"id": 1}], ["text"]], "an element of the other side is no object"),
        ([["text"], [{"id": 1}]], "an element of the current side is no object"),
        ([[{"x": 1}], [{"y": 1}]], "the elements have no _id or id or uuid or key"),
        # Of lists that have no objects there is nothing to say.
        ([["a"], ["b"]], ""),
        ([[1, 2], [[]], [None]], ""),
        ([[], []], ""),
        ([], ""),
    ],
)
def test_why_there_is_none(lists: list[list[JSON]], why: str) -> None:
    assert identity_key(lists, NAMES) == Identity(None, why)


def test_a_long_identity_is_cut_short() -> None:
    assert len(identity_key([[{"id": "x" * 999}] * 2], NAMES).why) < 100


def test_without_names_there_is_none() -> None:
    assert identity_key([[{"id": 1}]], ()).key is None


# --- sets


@pytest.mark.parametrize(
    ("lists", "sets"),
    [
        ([["a", "b"], ["b"], []], True),
        ([[], []], True),
        ([["a", "a"], ["a"]], False),
        ([["a"], ["a", "b", "b"]], False),
        ([["a"], ["b", 1]], False),
        ([[10, 20], [10, 30]], False),
        ([[True], [False]], False),
        ([[["a"]], [["b"]]], False),
        ([[None]], False),
    ],
)
def test_only_strings_make_sets(lists: list[list[JSON]], sets: bool) -> None:
    assert are_sets(lists) is sets


@pytest.mark.parametrize(
    ("base", "current", "other", "merged"),
    [
        (["a"], ["a", "b"], ["a", "c"], ["a", "b", "c"]),
        (["a", "b", "c"], ["a", "c"], ["a", "b"], ["a"]),
        (["a", "b"], ["a"], ["a", "b", "c"], ["a", "c"]),
        (["a", "b"], ["a"], ["b"], []),
        (["a", "b"], ["b", "a"], ["a", "b", "c"], ["b", "c", "a"]),
        (["a", "b", "c"], ["b", "a", "c"], ["a", "c", "b"], ["b", "a", "c"]),
        (None, ["a", "b"], ["c", "b"], ["a", "c", "b"]),
        ([], [1], [1.0, True], [1, True]),
        ([{"x": 1, "y": 2}], [{"y": 2, "x": 1}, {"z": 1}], [{"x": 1.0, "y": 2}], None),
        ([0], [], [False], [False]),
        ([10**30], [10**30, "a"], [10**30, "b"], [10**30, "a", "b"]),
        ([[10**30]], [[10**30], "a"], [[10**30]], [[10**30], "a"]),
    ],
)
def test_removed_by_either_is_gone_added_by_either_is_there(
    base: list[JSON] | None, current: list[JSON], other: list[JSON], merged: list[JSON] | None
) -> None:
    expected = current if merged is None else merged
    assert dumps(merge_set(base, current, other, budget())) == dumps(expected)


@given(UNIQUE, UNIQUE, UNIQUE)
def test_a_set_has_what_the_law_says_once(
    base: list[int], current: list[int], other: list[int]
) -> None:
    merged = merge_set(base, current, other, budget())
    was, mine, theirs = set(base), set(current), set(other)
    assert Counter(merged) == Counter((mine & theirs) | ((mine | theirs) - was))
    assert set(merge_set(base, other, current, budget())) == set(merged)


@given(UNIQUE, UNIQUE)
def test_sets_with_one_side_unchanged_or_both_alike(base: list[int], side: list[int]) -> None:
    assert merge_set(base, base, side, budget()) == side
    assert merge_set(base, side, base, budget()) == side
    assert merge_set(base, side, list(side), budget()) == side
    assert merge_set(None, side, list(side), budget()) == side


# --- sequences


@pytest.mark.parametrize(
    ("base", "current", "other", "merged"),
    [
        ([1, 2, 3], [1, 2, 3, 4], [0, 1, 2, 3], [0, 1, 2, 3, 4]),
        ([1, 2, 3], [9, 2, 3], [1, 2, 8], [9, 2, 8]),
        ([1, 2, 3], [9, 2, 3], [8, 2, 3], None),
        ([1, 2], [1, 2, 3], [1, 2, 4], None),
        ([1, 2], [1, 2, 3], [1, 2, 3], [1, 2, 3]),
        ([1, 2, 3], [1, 3], [1, 5, 3], None),
        ([10, 20], [10, 21], [11, 20], None),
        ([0, 0, 0], [0, 0, 0, 0], [0, 0], None),
        ([None, True, 1], [None, True, 1, 0], [False, True, 1], [False, True, 1, 0]),
        ([{"a": 1}, 2, 3], [{"a": 1}, 2, 4], [{"b": 1}, 2, 3], [{"b": 1}, 2, 4]),
        # Moved on both sides, to different places: to compare by places would double it.
        ([1, 2, 3, 4], [2, 3, 1, 4], [2, 3, 4, 1], None),
        ([1, 2, 3, 4], [2, 3, 4, 1], [2, 3, 4, 1], [2, 3, 4, 1]),
        # Moved on one side and removed on the other: it would be back.
        ([1, 2, 3, 4], [2, 3, 1, 4], [2, 3, 4], None),
        ([1, 2, 3, 4], [2, 3, 4], [2, 3, 4, 1], None),
        # Added on both sides is no move, nor is it told of equal elements.
        ([1, 2], [9, 1, 2], [1, 2, 9], [9, 1, 2, 9]),
        ([0, 1, 2, 0], [1, 0, 2, 0], [1, 2, 0], [1, 0, 2, 0]),
    ],
)
def test_sequences(
    base: list[JSON], current: list[JSON], other: list[JSON], merged: list[JSON] | None
) -> None:
    assert merge_sequence(base, current, other, budget()) == merged
    assert merge_sequence(base, other, current, budget()) == merged


def test_true_is_not_one_but_one_is_one_point_zero() -> None:
    merged = merge_sequence([1, 5, True], [1.0, 5, True, 3], [1, 5, 1], budget())
    assert merged is None
    merged = merge_sequence([1, 5, True], [1.0, 5, True], [1, 5, 1], budget())
    assert dumps(merged) == b"[1.0,5,1]"


def test_what_nobody_changed_is_currents() -> None:
    base: list[JSON] = [{"a": 1, "b": 2}, 5]
    merged = merge_sequence(base, [{"b": 2, "a": 1}, 5], [{"a": 1, "b": 2.0}, 5, 6], budget())
    assert dumps(merged) == b'[{"b":2,"a":1},5,6]'


JSONS: st.SearchStrategy[JSON] = st.sampled_from(
    [
        0,
        0.0,
        1,
        True,
        False,
        None,
        "",
        "1",
        [],
        [1],
        [True],
        {},
        {"a": 1},
        {"a": 1.0},
        10**30,
        [1e22],
        [10**22],
        ["1.0"],
        {"a": 1, "b": 2},
        {"b": 2.0, "a": 1},
        {"b": 2, "a": 1},
    ]
)


@given(st.lists(JSONS, max_size=6), st.lists(JSONS, max_size=6))
def test_with_one_side_unchanged_it_is_the_others(base: list[JSON], side: list[JSON]) -> None:
    assert same(merge_sequence(base, base, side, budget()), side)
    assert same(merge_sequence(base, side, base, budget()), side)
    assert same(merge_sequence(base, side, list(side), budget()), side)


@given(SEQUENCES, SEQUENCES, SEQUENCES)
def test_sides_change_places(base: list[int], current: list[int], other: list[int]) -> None:
    merged = merge_sequence(base, current, other, budget())
    assert merge_sequence(base, other, current, budget()) == merged


@given(SEQUENCES, SEQUENCES, SEQUENCES)
def test_what_no_side_has_twice_is_as_often_there_as_the_law_of_sets_says(
    base: list[int], current: list[int], other: list[int]
) -> None:
    merged = merge_sequence(base, current, other, budget())
    if merged is None:
        return
    was, mine, theirs = Counter(base), Counter(current), Counter(other)
    now = Counter(merged)
    for element in {*base, *current, *other}:
        times = was[element], mine[element], theirs[element]
        if was[element] == 1 and max(times) == 1:
            assert now[element] == min(times)
        elif was[element] == 0:
            assert max(times) <= now[element] <= sum(times)


@given(UNIQUE, UNIQUE, UNIQUE)
def test_what_both_sides_left_is_there_once(
    base: list[int], current: list[int], other: list[int]
) -> None:
    merged = merge_sequence(base, current, other, budget())
    if merged is not None:
        now = Counter(merged)
        assert all(now[element] == 1 for element in {*base} & {*current} & {*other})


@given(edits_apart())
def test_edits_apart_combine(
    made: tuple[list[str], list[str], list[str], list[str]],
) -> None:
    base, current, other, merged = made
    assert merge_sequence(base, current, other, budget()) == merged
    was, mine, theirs, both = (
        [{"said": one} for one in side] for side in (base, current, other, merged)
    )
    assert merge_sequence(was, mine, theirs, budget()) == both


@given(JSONS, JSONS)
def test_elements_are_equal_as_json(one: JSON, other: JSON) -> None:
    merged = merge_set([], [one], [other], budget())
    assert len(merged) == (1 if canonical(one) == canonical(other) else 2)


# --- bounds


def test_long_lists_with_few_changes_merge() -> None:
    rolled = random.Random(4)
    base: list[JSON] = [{"n": rolled.randrange(100)} for _ in range(20_000)]
    current, other = list(base), list(base)
    current[5_000:5_001] = ["new", "new"]
    other[15_000:15_002] = []
    merged = merge_sequence(base, current, other, Budget(200_000))
    assert merged == [*current[:15_001], *base[15_002:]]


def test_long_lists_changed_everywhere_are_too_much_work() -> None:
    rolled = random.Random(4)
    base: list[JSON] = [rolled.randrange(100) for _ in range(20_000)]
    current, other = (rolled.sample(base, len(base)) for _ in range(2))
    with pytest.raises(TooMuchWork):
        merge_sequence(base, current, other, Budget(200_000))
