"""Which ancestors are wanted: as few as serve, and never one too few."""

from __future__ import annotations

import pytest

from couchmend.core.conflicts.needed import MOST, needed_ancestors, older_ancestors
from couchmend.core.revtree import Rev, RevTree
from tests.core.conflicts.conflict_trees import revs, tree


@pytest.mark.parametrize(
    ("branches", "wanted"),
    [
        (["1-a"], ""),
        (["1-a 2-b 3-c"], ""),
        # A fork: what is beneath may be a merge of the other branch.
        (["1-a 2-b", "1-a 2-c"], "1-a"),
        (["1-a 2-b 3-c 4-d", "1-a 2-b 3-e"], "2-b 3-c"),
        (["1-a 2-b 3-c 4-d", "1-a 2-b 3-e 4-f"], "2-b 3-e 3-c"),
        (["1-a 2-b 3-d", "1-a 2-b 3-e", "1-a 2-c"], "2-b 1-a"),
        # Created twice: no revision is known to be beneath all.
        (["1-a 2-b", "1-c"], "1-a"),
        # Resolved: the loser's end is told by its tombstone alone.
        (["1-a 2-b 3-m", "1-a 2-c 3-d†"], ""),
        # A deletion against an edit: was it a deletion, or one of a tombstone?
        (["1-a 2-b", "1-a 2-c†"], "1-a"),
        # A witness that is no leaf, and may be a tombstone.
        (["1-a 2-b 3-c", "1-a 2-b 3-d†", "1-a 2-z 3-e†"], "2-z 2-b"),
        # What the dead branch said may be in one of the branches that meet.
        (["1-a 2-b 3-d", "1-a 2-b 3-e", "1-a 2-c 3-f†"], "2-b 2-c 1-a"),
    ],
)
def test_what_is_wanted(branches: list[str], wanted: str) -> None:
    assert needed_ancestors(tree(*branches)) == revs(wanted)


def test_possible_deletions_matter_where_a_policy_says_so() -> None:
    resolved = tree("1-a 2-b 3-m", "1-a 2-c 3-d†")
    assert needed_ancestors(resolved, dead_branches=True) == revs("2-c")
    ended_twice = tree("1-a 2-b 3-m", "1-a 2-c 3-d† 4-e†")
    assert needed_ancestors(ended_twice, dead_branches=True) == revs("2-c")


def test_no_more_than_the_limit_and_the_meeting_points_first() -> None:
    trunk = [Rev(generation, "t") for generation in range(1, 4)]
    long = [[Rev(generation, name) for generation in range(4, 400)] for name in "ab"]
    grown = RevTree.of([([*reversed(one), *reversed(trunk)], False) for one in long])
    wanted = needed_ancestors(grown)
    assert len(wanted) == MOST
    assert wanted[0] == trunk[-1]
    assert wanted[1] == Rev(398, "b")


def test_older_ones_where_the_newest_is_not_known() -> None:
    grown = tree("1-a 2-b 3-c 4-d", "1-a 2-b 3-c 4-e")
    assert older_ancestors(grown, {}) == revs("3-c 2-b 1-a")
    assert older_ancestors(grown, {}, revs("3-c")) == revs("2-b 1-a")
    assert older_ancestors(grown, revs("2-b"), revs("3-c")) == ()
    assert older_ancestors(grown, revs("3-c")) == ()
    recreated = tree("1-a 2-b† 3-d", "1-a 2-b† 3-e")
    assert older_ancestors(recreated, {}) == ()
