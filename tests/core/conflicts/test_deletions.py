"""Which tombstones are deletions by users: every rule with a tree that shows it."""

from __future__ import annotations

import random
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.conflicts.deletions import (
    concurrent_deletions,
    is_hidden,
    is_open,
    leafset,
    possible_deletions,
    row_digest,
)
from couchmend.core.revtree import Leaf, Rev, RevTree
from tests.core.conflicts.conflict_trees import revs, tree

TREES: list[tuple[str, list[str], str, str]] = [
    # what it shows, branches, concurrent deletions, possible deletions
    ("one edited what another deleted", ["1-a 2-b", "1-a 2-c†"], "2-c", ""),
    ("edited further before it came to light", ["1-a 2-b 3-d 4-e", "1-a 2-c†"], "2-c", ""),
    ("deleted twice, in different ways", ["1-a 2-b", "1-a 2-c†", "1-a 2-d†"], "2-c 2-d", ""),
    ("two went on editing, one deleted", ["1-a 2-b", "1-a 2-d", "1-a 2-c†"], "2-c", ""),
    ("deleted by all", ["1-a 2-b†", "1-a 2-c†"], "", ""),
    ("deleted by all after edits", ["1-a 2-b 3-x†", "1-a 2-c†"], "", ""),
    ("a document that nobody else has", ["1-a 2-b†"], "", ""),
    ("nothing was deleted", ["1-a 2-b", "1-a 2-c"], "", ""),
    # Whoever tombstones the loser keeps a leaf that precedes it.
    ("a conflict resolved: the loser edited 1-a", ["1-a 2-c", "1-a 2-b 3-x†"], "", "3-x"),
    ("the same, the merge written", ["1-a 2-c 3-m", "1-a 2-b 3-x†"], "", "3-x"),
    ("a longer branch deleted: no loser could be longer", ["1-a 2-b", "1-a 2-c 3-d 4-x†"], "",
     "4-x"),
    # The witness: a live revision outside the parent's subtree that precedes the parent.
    ("loser 2-b tombstoned; its editor did not know",
     ["1-a 2-c", "1-a 2-b 3-x†", "1-a 2-b 3-e"], "", ""),
    ("the same, but 2-b is the winner: nobody tombstones that",
     ["1-a 2-a", "1-a 2-b 3-x†", "1-a 2-b 3-e"], "3-x", ""),
    ("the witness precedes by its generation", ["1-a 2-a 3-a", "1-a 2-b 3-x†", "1-a 2-b 3-e"],
     "", ""),
    ("an inner revision is a witness, too",
     ["1-a 2-c 3-d 4-y†", "1-a 2-b 3-x†", "1-a 2-b 3-e"], "", "4-y"),
    ("a tombstone is no witness", ["1-a 2-a 3-z†", "1-a 2-b 3-x†", "1-a 2-b 3-e"], "3-x", "3-z"),
    ("of equal generation the hash counts, as bytes",
     ["1-a 2-ff", "1-a 2-fg 3-x†", "1-a 2-fg 3-e"], "3-x", ""),
    ("a witness of another root", ["1-b 2-c", "1-a 2-x†", "1-a 2-e"], "", ""),
    ("a root that does not precede", ["1-b", "1-c 2-x†", "1-c 2-e"], "2-x", ""),
    # What is not known is not reported.
    ("the parent is forgotten", ["1-a 2-b", "2-c†"], "", ""),
    ("an edit before the deletion is known, its parent is not", ["5-a 6-b", "5-c 6-x†"], "",
     "6-x"),
    ("created as a tombstone", ["1-a", "1-b†"], "", ""),
    # Tombstones of tombstones say nothing that the first did not.
    ("deleted once more", ["1-a 2-b", "1-a 2-c† 3-x†"], "", ""),
    ("recreated here, deleted once more there", ["1-a 2-b† 3-c", "1-a 2-b† 3-x†"], "", ""),
    ("recreated, edited and then deleted by one of two",
     ["1-a 2-b† 3-c 4-d", "1-a 2-b† 3-c 4-x†"], "4-x", ""),
]  # fmt: skip


@pytest.mark.parametrize(
    ("branches", "concurrent", "possible"),
    [case[1:] for case in TREES],
    ids=[case[0] for case in TREES],
)
def test_trees(branches: list[str], concurrent: str, possible: str) -> None:
    for order in (branches, branches[::-1]):
        grown = tree(*order)
        assert concurrent_deletions(grown) == revs(concurrent)
        assert possible_deletions(grown) == revs(possible)


def test_a_dead_leaf_of_a_resolution_does_not_hide_a_deletion() -> None:
    """Counterexample a.

    1 ─ 2-c (winner) ─ 3-M ─┬─ 4 DELETED by the user
      └ 2-6 ─ 3†            └─ 4 edited elsewhere

    3† is as old as 3-M, and may have the larger hash; it is a tombstone and no witness.
    """
    for dead in ("3-0", "3-f"):
        grown = tree("1-0 2-c 3-1 4-d†", "1-0 2-c 3-1 4-e", f"1-0 2-6 {dead}†")
        assert concurrent_deletions(grown) == revs("4-d")
        assert leafset(grown) == revs("4-d 4-e")
        assert possible_deletions(grown) == revs(dead)


def test_a_revision_that_is_known_to_be_dead_is_no_witness_inside_a_branch() -> None:
    grown = tree("1-a 2-f† 3-b", "1-a 2-c 3-x†", "1-a 2-c 3-e")
    assert concurrent_deletions(grown) == ()  # 3-b is alive, and precedes 2-c
    grown = tree("1-a 2-f† 3-b†", "1-a 2-c 3-x†", "1-a 2-c 3-e")
    assert concurrent_deletions(grown) == revs("3-x")


def test_open_and_hidden() -> None:
    one = tree("1-a 2-b")
    two = tree("1-a 2-b", "1-a 2-c")
    hidden = tree("1-a 2-b", "1-a 2-c†")
    both = tree("1-a 2-b", "1-a 2-c", "1-a 2-x†")
    gone = tree("1-a 2-b†", "1-a 2-c†")
    resolved = tree("1-a 2-c", "1-a 2-b 3-x†")
    trees = (one, two, hidden, both, gone, resolved)
    assert [is_open(grown) for grown in trees] == [False, True, False, True, False, False]
    assert [is_hidden(grown) for grown in trees] == [False, False, True, False, False, False]
    assert leafset(both) == revs("2-b 2-c 2-x")
    assert leafset(gone) == ()
    assert leafset(resolved) == revs("2-c")


def test_a_row_digest_is_of_all_leaves_in_any_order() -> None:
    leaves = [*revs("2-b 10-a 2-c"), Rev(3, 'odd","3-x')]
    digest = row_digest(leaves)
    assert len(digest) == 64
    assert row_digest(leaves[::-1]) == digest
    assert row_digest(leaves[1:]) != digest
    # No list of revisions can pass for another one.
    assert row_digest([Rev(1, 'a","1-b')]) != row_digest(revs("1-a 1-b"))


Chain: TypeAlias = tuple[tuple[Rev, ...], tuple[bool, ...]]


@st.composite
def grown_trees(draw: st.DrawFn) -> list[Chain]:
    """Chains with flags, newest first; now and then cut as by stemming."""
    hashes = st.sampled_from("abcdef")
    chains: list[Chain] = []
    known = set[Rev]()
    for _ in range(draw(st.integers(1, 12))):
        grows = draw(st.integers(0, 9)) > 0
        before: Chain = draw(st.sampled_from(chains)) if chains and grows else ((), ())
        path, flags = before
        root: int = draw(st.integers(1, 3))
        rev = Rev(path[0].generation + 1 if path else root, draw(hashes))
        if rev not in known:
            known.add(rev)
            chains.append(((rev, *path), (draw(st.integers(0, 2)) == 0, *flags)))
    return chains


def _by_the_words(grown: RevTree, flags: dict[Rev, bool]) -> set[Rev]:
    """The definition, sentence by sentence."""

    def descends(rev: Rev, from_: Rev) -> bool:
        return from_ in grown.chain(rev)

    found = set()
    for leaf in grown.leaves():
        parent = grown.parent(leaf.rev)
        if not leaf.deleted or parent is None:
            continue
        if not any(not other.deleted and descends(other.rev, parent) for other in grown.leaves()):
            continue
        mine = Leaf(parent, flags[parent]).precedence
        witnesses = [
            rev
            for rev, gone in flags.items()
            if not gone and not descends(rev, parent) and Leaf(rev, gone).precedence > mine
        ]
        if not witnesses:
            found.add(leaf.rev)
    return found


@given(grown_trees(), st.randoms(use_true_random=False))
def test_any_tree_as_the_definition_has_it(chains: list[Chain], shuffled: random.Random) -> None:
    flags = {path[0]: gone[0] for path, gone in chains}
    texts = [
        " ".join(f"{rev}{'†' * gone}" for rev, gone in zip(path[::-1], dead[::-1], strict=True))
        for path, dead in chains
    ]
    grown = tree(*texts)
    concurrent = set(concurrent_deletions(grown))
    assert concurrent == _by_the_words(grown, flags)
    possible = set(possible_deletions(grown))
    assert not concurrent & possible
    assert all(grown.is_deleted(rev) and grown.is_leaf(rev) for rev in concurrent | possible)
    shuffled.shuffle(texts)
    again = tree(*texts)
    assert concurrent_deletions(again) == concurrent_deletions(grown)
    assert leafset(again) == leafset(grown) == tuple(sorted(leafset(grown)))
