"""Longest common subsequences, and the bound on the work for them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from couchmend.core.sequences.budget import Budget, TooMuchWork
from couchmend.core.sequences.matching import matching
from tests.core.sequences.sequence_strategies import SEQUENCES, budget


def longest(base: Sequence[int], side: Sequence[int]) -> int:
    """How long a longest common subsequence is, by the book."""
    row = [0] * (len(side) + 1)
    for one in base:
        before = row
        row = [0]
        for at, two in enumerate(side):
            row.append(before[at] + 1 if one == two else max(before[at + 1], row[at]))
    return row[-1]


@given(SEQUENCES, SEQUENCES)
@example([0, 1], [1, 0])
@example([0, 0, 1, 0], [0, 1, 0, 0])
def test_it_is_common_in_order_and_as_long_as_can_be(base: list[int], side: list[int]) -> None:
    blocks = matching(base, side, budget())
    for at, there, length in blocks:
        assert length > 0
        assert base[at : at + length] == side[there : there + length]
    for one, two in pairwise(blocks):
        apart = two.base - one.base - one.length, two.side - one.side - one.length
        assert min(apart) >= 0
        assert max(apart) > 0, "two blocks that could be one"
    assert sum(block.length for block in blocks) == longest(base, side)


def test_long_random_sequences_as_well() -> None:
    rolled = random.Random(11)
    for alphabet in (2, 5, 40, 1000):
        base = [rolled.randrange(alphabet) for _ in range(rolled.randrange(150, 250))]
        side = [rolled.randrange(alphabet) for _ in range(rolled.randrange(150, 250))]
        edited = [x for x in base if rolled.random() < 0.8] + side[:20]
        for other in (side, edited, base[100:] + base[:100]):
            found = matching(base, other, budget())
            assert sum(block.length for block in found) == longest(base, other)


@given(SEQUENCES, st.integers(0, 9), SEQUENCES)
def test_what_was_inserted_or_removed_stands_as_late_as_it_can(
    base: list[int], place: int, inserted: list[int]
) -> None:
    side = base[:place] + inserted + base[place:]
    for one, two in ((base, side), (side, base)):
        end = there = 0
        for block in [*matching(one, two, budget()), None]:
            at, to = (len(one), len(two)) if block is None else block[:2]
            if block is not None and (at == end) != (to == there):
                assert (one[end] if at > end else two[there]) != one[at]
            if block is not None:
                end, there = at + block.length, to + block.length


@pytest.mark.parametrize(
    ("base", "side", "blocks"),
    [
        ("", "", []),
        ("abc", "abc", [(0, 0, 3)]),
        ("abc", "", []),
        ("abc", "xyz", []),
        ("abc", "axc", [(0, 0, 1), (2, 2, 1)]),
        ("ab", "aab", [(0, 0, 1), (1, 2, 1)]),
        ("aab", "ab", [(0, 0, 1), (2, 1, 1)]),
        ("abcd", "dabc", [(0, 1, 3)]),
        ("x", "axb", [(0, 1, 1)]),
        ("axb", "x", [(1, 0, 1)]),
        ("xaxbx", "xcxdx", [(0, 0, 1), (2, 2, 1), (4, 4, 1)]),
    ],
)
def test_examples(base: str, side: str, blocks: list[tuple[int, int, int]]) -> None:
    assert matching(base, side, budget()) == blocks


def test_the_kind_of_sequence_is_no_difference() -> None:
    assert matching([1, 2, 3], (1, 2, 3), budget()) == [(0, 0, 3)]


# --- bounds


def test_the_work_is_counted() -> None:
    rolled = random.Random(3)
    base = [rolled.randrange(9) for _ in range(400)]
    side = [rolled.randrange(9) for _ in range(400)]
    spent = Budget(1_000_000)
    matching(base, side, spent)
    needed = 1_000_000 - spent.left
    assert 10_000 < needed < 400_000
    exactly = Budget(needed)
    matching(base, side, exactly)
    assert exactly.left == 0
    with pytest.raises(TooMuchWork):
        matching(base, side, Budget(needed - 1))


def test_a_budget_is_spent_once() -> None:
    one = Budget(10)
    one.spend(4)
    one.spend(6)
    with pytest.raises(TooMuchWork):
        one.spend(1)
    other = Budget(10)
    with pytest.raises(TooMuchWork):
        other.spend(11)
    other.spend(10)  # what was refused cost nothing


def test_long_sequences_with_few_changes_cost_little() -> None:
    rolled = random.Random(5)
    base = [rolled.randrange(100) for _ in range(100_000)]
    side = list(base)
    for place in (99_000, 50_000, 20):
        side[place : place + 2] = [-1, -2, -3]
    small = Budget(200_000)
    found = matching(base, side, small)
    assert sum(block.length for block in found) == 99_994


def test_permutations_are_never_too_much() -> None:
    base = list(range(50_000))
    side = random.Random(8).sample(base, len(base))
    found = matching(base, side, Budget(50_000))
    assert 300 < sum(block.length for block in found) < 600
