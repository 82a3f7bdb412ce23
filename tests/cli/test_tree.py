"""How revision trees are drawn, as text that a person would compare."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.cli.tree import draw, short_hash_length
from couchmend.core.revtree import Rev, RevTree

Chain = tuple[str, bool]


def rev(text: str) -> Rev:
    generation, _, letter = text.partition("-")
    return Rev(int(generation), (letter * 32)[:32])


def tree(*chains: Chain) -> RevTree:
    """A tree of chains such as `("3-c 2-b 1-a", deleted)`, newest first; `4-d…1-d` is a run."""
    return RevTree.of((_revs(text), deleted) for text, deleted in chains)


def _revs(text: str) -> list[Rev]:
    revs = []
    for word in text.split():
        newest, _, oldest = word.partition("…")
        last = rev(oldest or newest)
        revs += [
            Rev(generation, last.hash)
            for generation in range(rev(newest).generation, last.generation - 1, -1)
        ]
    return revs


DRAWINGS: Mapping[str, tuple[Sequence[Chain], str]] = {
    "one revision": (
        [("1-a", False)],
        "1-aaaaaa  winner",
    ),
    "edit against edit": (
        [("3-c 2-b 1-a", False), ("2-d 1-a", False)],
        """
        1-aaaaaa ─┬─ 2-bbbbbb ─── 3-cccccc  winner
                  └─ 2-dddddd               conflict
        """,
    ),
    "edit against deletion": (
        [("2-b 1-a", False), ("2-d 1-a", True)],
        """
        1-aaaaaa ─┬─ 2-bbbbbb   winner
                  └─ 2-dddddd†  deleted
        """,
    ),
    "deleted on both": (
        [("2-b 1-a", True), ("2-d 1-a", True)],
        """
        1-aaaaaa ─┬─ 2-dddddd†  winner, deleted
                  └─ 2-bbbbbb†  deleted
        """,
    ),
    "revived": (
        [("2-b 1-a", True), ("3-c 2-b 1-a", False)],
        "1-aaaaaa ─── 2-bbbbbb† ─── 3-cccccc  winner",
    ),
    "a fork above a fork": (
        [("4-e 3-d 2-b 1-a", False), ("3-c 2-b 1-a", True), ("2-f 1-a", False)],
        """
        1-aaaaaa ─┬─ 2-bbbbbb ─┬─ 3-dddddd ──── 4-eeeeee  winner
                  │            └─ 3-cccccc†               deleted
                  └─ 2-ffffff                             conflict
        """,
    ),
    "three ways": (
        [("2-b 1-a", False), ("2-c 1-a", False), ("2-d 1-a", False)],
        """
        1-aaaaaa ─┬─ 2-dddddd  winner
                  ├─ 2-cccccc  conflict
                  └─ 2-bbbbbb  conflict
        """,
    ),
    "two roots": (
        [("2-b 1-a", False), ("1-c", False)],
        """
        1-aaaaaa ─── 2-bbbbbb  winner
        1-cccccc               conflict
        """,
    ),
    "a forgotten beginning": (
        [("7-c 6-b 5-a", False), ("6-d 5-a", True)],
        """
        … 5-aaaaaa ─┬─ 6-bbbbbb ──── 7-cccccc  winner
                    └─ 6-dddddd†               deleted
        """,
    ),
    "two forgotten beginnings": (
        [("9-c 8-c", False), ("3-a 2-a", True)],
        """
                                   … 8-cccccc ─── 9-cccccc  winner
        … 2-aaaaaa ─── 3-aaaaaa†                            deleted
        """,
    ),
    "a long history": (
        [("40-a…1-a", False), ("22-b 21-b 20-a", False)],
        """
        1-aaaaaa ┄┄┄ 20-aaaaaa ─┬─ 21-aaaaaa ─── 22-aaaaaa ┄┄┄ 40-aaaaaa  winner
                                └─ 21-bbbbbb ─── 22-bbbbbb                conflict
        """,
    ),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_tree_is_drawn(name: str) -> None:
    chains, drawing = DRAWINGS[name]
    lines = [line.plain for line in draw(tree(*chains))]
    assert lines == textwrap.dedent(drawing).strip("\n").splitlines()


def test_notes_stand_beside_leaves() -> None:
    notes = {rev("2-b"): "laptop: edited", rev("2-d"): "phone: deleted"}
    drawn = draw(tree(("2-b 1-a", False), ("2-d 1-a", True)), notes=notes)
    assert [line.plain for line in drawn] == [
        "1-aaaaaa ─┬─ 2-bbbbbb   winner   laptop: edited",
        "          └─ 2-dddddd†  deleted  phone: deleted",
    ]


def test_a_tree_that_is_too_wide_is_told_in_words() -> None:
    chains = [("12-a…1-a", False)] + [(f"{at + 1}-b {at}-a…1-a", at % 2 == 0) for at in (3, 6, 8)]
    lines = [line.plain for line in draw(tree(*chains), width=60)]
    assert lines == [
        "12-aaaaaa  12 revisions from 1-aaaaaa  winner",
        "9-bbbbbb†  1 revision after 8-aaaaaa   deleted",
        "7-bbbbbb†  1 revision after 6-aaaaaa   deleted",
        "4-bbbbbb   1 revision after 3-aaaaaa   conflict",
    ]


def test_only_the_first_of_many_branches_are_drawn() -> None:
    many = RevTree.of(
        ([Rev(2, f"{n:032x}"), Rev(1, "a" * 32)], False) for n in range(1_000_000, 1_000_300)
    )
    lines = [line.plain for line in draw(many, most=3)]
    assert len(lines) == 4
    assert lines[2].startswith("                                    └─ 2-")
    assert lines[3] == "… and 297 more branches"


def test_hashes_are_as_long_as_it_takes_to_tell_them_apart() -> None:
    alike = [Rev(2, "abcdef01" + "0" * 24), Rev(2, "abcdef02" + "0" * 24)]
    assert short_hash_length(alike) == 8
    assert short_hash_length([Rev(1, "a" * 32), Rev(2, "a" * 32)]) == 6
    assert short_hash_length([Rev(1, "abc")]) == 3
    assert short_hash_length([]) == 6


def test_a_very_long_history_needs_no_deep_stack() -> None:
    (line,) = draw(RevTree.of([([Rev(n, f"{n:032x}") for n in range(20_000, 0, -1)], False)]))
    assert line.plain.endswith("winner")


@st.composite
def trees(draw: st.DrawFn) -> RevTree:
    """Any tree of up to eight leaves."""
    chains = []
    for _ in range(draw(st.integers(1, 8))):
        length = draw(st.integers(1, 7))
        newest = draw(st.integers(length, 9))
        path = draw(st.lists(st.sampled_from("abc"), min_size=length, max_size=length))
        # Hashes that depend on what came before, as real ones do.
        revs = [
            Rev(newest - length + 1 + age, "".join(path[: age + 1]).rjust(32, "0"))
            for age in range(length)
        ]
        chains.append((revs[::-1], draw(st.booleans())))
    return RevTree.of(chains)


@given(trees())
def test_every_leaf_has_its_line_and_lines_meet(any_tree: RevTree) -> None:
    lines = [line.plain for line in draw(any_tree, width=300)]
    leaves = any_tree.leaves()
    assert len(lines) == len(leaves)
    assert sum("winner" in line for line in lines) == 1
    assert sum(line.endswith("conflict") for line in lines) == sum(
        not leaf.deleted for leaf in leaves[1:]
    )
    # Whatever points down is met from below, and the other way round.
    for above, below in zip(["", *lines], [*lines, ""], strict=True):
        for column in range(max(len(above), len(below))):
            over, under = above[column : column + 1], below[column : column + 1]
            assert (over in "┬│├" and over != "") == (under in "│├└" and under != "")
