"""Orders of keys that both sides arranged."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.sequences.budget import Budget
from couchmend.core.sequences.order import merge_order
from tests.core.sequences.sequence_strategies import UNIQUE, budget


def shown(base: str | None, current: str, other: str) -> str:
    found = merge_order(None if base is None else list(base), list(current), list(other), budget())
    return "".join(found.keys) + ("!" if found.clash else "")


@pytest.mark.parametrize(
    ("base", "current", "other", "merged"),
    [
        ("abc", "abc", "abc", "abc"),
        ("abc", "cab", "abc", "cab"),
        ("abc", "abc", "cab", "cab"),
        ("abc", "cab", "cab", "cab"),
        # Both, in different ways that go together.
        ("abcdef", "bacdef", "abcdfe", "bacdfe"),
        # And that do not.
        ("abc", "bac", "acb", "bac!"),
        ("abcd", "bcda", "bcad", "bcda!"),
        ("ab", "", "ba", "ba"),
        # What only one side has stands after what it stands after there.
        ("abc", "abcX", "abc", "abcX"),
        ("abc", "abc", "Xabc", "Xabc"),
        ("abc", "aXbc", "abYc", "aXbYc"),
        ("abc", "abcX", "abcY", "abcXY"),
        ("abc", "XabWc", "YZabc", "XYZabWc"),
        ("abc", "aXYbc", "aZbc", "aXYZbc"),
        ("", "XY", "Z", "XYZ"),
        ("abc", "aXbc", "cab", "caXb"),
        # Both have something new, in the same place and in another.
        ("ab", "aNb", "aNb", "aNb"),
        ("ab", "Nab", "abN", "Nab!"),
        ("abc", "Nabc", "cabN", "cabN"),
        # What one side removed is in, what both removed is not.
        ("abc", "ac", "abc", "abc"),
        ("abc", "ac", "ab", "acb"),
        ("abc", "ac", "ac", "ac"),
        ("abc", "c", "aXb", "caXb"),
        ("abc", "ca", "abc", "cab"),
        # Without a base.
        (None, "abc", "cba", "abc"),
        (None, "abc", "aXc", "abXc"),
        (None, "", "ab", "ab"),
        (None, "b", "ab", "ab"),
    ],
)
def test_examples(base: str | None, current: str, other: str, merged: str) -> None:
    assert shown(base, current, other) == merged


BASES = st.none() | UNIQUE


@given(BASES, UNIQUE, UNIQUE)
def test_every_key_of_the_sides_is_there_once(
    base: list[int] | None, current: list[int], other: list[int]
) -> None:
    keys = merge_order(base, current, other, budget()).keys
    assert len(keys) == len(set(keys))
    assert set(keys) == {*current, *other}


@given(BASES, UNIQUE, UNIQUE)
def test_a_clash_leaves_what_both_have_as_in_current(
    base: list[int] | None, current: list[int], other: list[int]
) -> None:
    found = merge_order(base, current, other, budget())
    swapped = merge_order(base, other, current, budget())
    assert found.clash == swapped.clash
    shared = set(current) & set(other)
    if found.clash:
        assert only(shared, found.keys) == only(shared, current)
    elif base is not None:
        assert only(shared, found.keys) == only(shared, swapped.keys)


@given(UNIQUE, UNIQUE)
def test_where_the_sides_agree_both_are_kept(current: list[int], other: list[int]) -> None:
    shared = set(current) & set(other)
    other = [*only(shared, current), *only(set(other) - shared, other)]
    keys = merge_order(current, current, other, budget()).keys
    assert only(set(current), keys) == current
    assert only(set(other), keys) == other


@given(UNIQUE, UNIQUE)
def test_with_one_side_unchanged_all_is_as_on_the_other(base: list[int], side: list[int]) -> None:
    for current, other in ((base, side), (side, base)):
        found = merge_order(base, current, other, budget())
        assert not found.clash
        assert only(set(side), found.keys) == side


@given(UNIQUE, UNIQUE)
def test_alike_sides_are_it(base: list[int], side: list[int]) -> None:
    assert merge_order(base, side, list(side), budget()) == (side, False)


@given(
    UNIQUE, st.lists(st.integers(10, 15), unique=True), st.lists(st.integers(20, 25), unique=True)
)
def test_appended_on_both_sides(base: list[int], mine: list[int], theirs: list[int]) -> None:
    found = merge_order(base, base + mine, base + theirs, budget())
    assert found == (base + mine + theirs, False)


@given(st.permutations(range(5)), st.permutations(range(5, 10)), st.booleans())
def test_arranged_on_both_sides_with_a_key_between(
    mine: list[int], theirs: list[int], turned: bool
) -> None:
    base = [*range(5), 99, *range(5, 10)]
    current, other = [*mine, 99, *range(5, 10)], [*range(5), 99, *theirs]
    if turned:
        current, other = other, current
    assert merge_order(base, current, other, budget()) == ([*mine, 99, *theirs], False)


def test_many_keys_are_arranged_without_much_work() -> None:
    keys = list(range(100_000))
    small = Budget(500_000)
    shuffled = random.Random(2).sample(keys, len(keys))
    assert merge_order(keys, shuffled, keys[::-1], small).clash
    current = [*keys[:50_000], -1, *keys[50_000:]]
    other = [*keys[1:], 0, -2]
    found = merge_order(keys, current, other, small)
    assert not found.clash
    assert found.keys == [*keys[1:50_000], -1, *keys[50_000:], 0, -2]


def only(some: set[int], keys: list[int]) -> list[int]:
    return [key for key in keys if key in some]
