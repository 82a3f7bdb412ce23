"""Revision trees against a slow, obvious model, and by the laws that replication rests on."""

import random
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.revtree import Inserted, Leaf, Meeting, Rev, RevTree, hash_bytes
from couchmend.errors import BadRequest

Chain = tuple[Rev, ...]


def rev(text: str) -> Rev:
    return Rev.parse(text)


def chain(*texts: str) -> Chain:
    """Newest first, as `_revisions` has it."""
    return tuple(map(Rev.parse, texts))


@dataclass
class Model:
    """All that was ever said of a document, and the questions answered from scratch."""

    parents: dict[Rev, Rev] = field(default_factory=dict)
    known: set[Rev] = field(default_factory=set)
    dead: set[Rev] = field(default_factory=set)

    def insert(self, revs: Chain, deleted: bool) -> None:
        new = revs[0] not in self.known
        inner = revs[0] in self.parents.values()
        self.known.update(revs)
        self.parents.update(pairwise(revs))
        if deleted and (new or inner):
            self.dead.add(revs[0])

    def chain(self, rev: Rev) -> list[Rev]:
        steps = [rev]
        while steps[-1] in self.parents:
            steps.append(self.parents[steps[-1]])
        return steps

    def leaves(self) -> list[Rev]:
        ends = [rev for rev in self.known if rev not in self.parents.values()]
        return sorted(
            ends,
            key=lambda r: (r not in self.dead, r.generation, hash_bytes(r.hash)),
            reverse=True,
        )

    def stem(self, limit: int) -> None:
        kept = {rev for leaf in self.leaves() for rev in self.chain(leaf)[:limit]}
        self.known &= kept
        self.parents = {c: p for c, p in self.parents.items() if c in kept and p in kept}
        self.dead &= kept


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Chain, bool]]:
    """Chains of one document's true history, cut anywhere, in any order."""
    hashes = st.sampled_from(["a", "b", "c", "0" * 32, "7" * 32, "f" * 32])
    nodes: list[Chain] = []
    for _ in range(draw(st.integers(1, 14))):
        grows = draw(st.integers(0, 9)) > 0
        before: Chain = draw(st.sampled_from(nodes)) if nodes and grows else ()
        node = (Rev(before[0].generation + 1 if before else 1, draw(hashes)), *before)
        if node[0] not in {n[0] for n in nodes}:
            nodes.append(node)
    dead = {node[0] for node in nodes if draw(st.integers(0, 3)) == 0}
    picked = draw(st.lists(st.sampled_from(nodes), min_size=1, max_size=20))
    history = []
    for node in picked:
        length: int = draw(st.integers(1, len(node)) | st.just(len(node)))
        history.append((node[:length], node[0] in dead))
    return history


def agree(tree: RevTree, model: Model) -> None:
    leaves = tree.leaves()
    assert [leaf.rev for leaf in leaves] == model.leaves()
    assert all(leaf.deleted == (leaf.rev in model.dead) for leaf in leaves)
    assert len(tree) == len(model.known)
    for known in model.known:
        assert known in tree
        assert tree.chain(known) == model.chain(known)
        assert tree.is_leaf(known) == (known in model.leaves())
        assert tree.is_deleted(known) == (known in model.dead)


@given(histories(), st.integers(1, 6))
def test_a_tree_is_what_was_said_of_it(history: list[tuple[Chain, bool]], limit: int) -> None:
    tree, model = RevTree(), Model()
    for revs, deleted in history:
        before, known = set(model.leaves()), set(model.known)
        outcome = tree.insert(revs, deleted=deleted)
        model.insert(revs, deleted)
        agree(tree, model)
        after = set(model.leaves())
        assert before - after <= set(model.chain(revs[0]))
        met = next((step for step in revs[1:] if step in known), None)
        if revs[0] in known:
            assert outcome in (Inserted.INTERNAL_NODE, Inserted.NOTHING)
        elif not known or met in before:
            assert outcome is Inserted.NEW_LEAF
        else:
            assert outcome is Inserted.NEW_BRANCH
        if outcome is Inserted.NOTHING:
            assert (before, known) == (after, model.known)
    tree.stem(limit)
    model.stem(limit)
    agree(tree, model)


@given(histories(), st.randoms())
def test_the_order_in_which_chains_arrive_does_not_matter(
    history: list[tuple[Chain, bool]], shuffler: random.Random
) -> None:
    shuffled = list(history)
    shuffler.shuffle(shuffled)
    one, other = RevTree.of(history), RevTree.of(shuffled)
    assert one.leaves() == other.leaves()
    assert one == other


@given(histories())
def test_what_is_known_already_changes_nothing(history: list[tuple[Chain, bool]]) -> None:
    tree = RevTree.of(history)
    for revs, deleted in history:
        assert tree.insert(revs, deleted=deleted) is Inserted.NOTHING
    assert tree == RevTree.of(history)


@given(histories())
def test_paths_describe_the_whole_tree(history: list[tuple[Chain, bool]]) -> None:
    tree = RevTree.of(history)
    copy = RevTree.from_paths(tree.to_paths())
    assert copy == tree
    assert copy.leaves() == tree.leaves()
    for leaf in tree.leaves():
        assert copy.is_leaf(leaf.rev)
        assert copy.chain(leaf.rev) == tree.chain(leaf.rev)


@given(histories(), st.data())
def test_purging_leaves_removes_what_only_they_needed(
    history: list[tuple[Chain, bool]], data: st.DataObject
) -> None:
    tree = RevTree.of(history)
    leaves = [leaf.rev for leaf in tree.leaves()]
    chosen = data.draw(st.lists(st.sampled_from(leaves), unique=True))
    stay = {step for leaf in leaves if leaf not in chosen for step in tree.chain(leaf)}
    everything = {step for leaf in leaves for step in tree.chain(leaf)}
    purged, removed = tree.purge(chosen)
    assert set(purged) == set(chosen)
    assert set(removed) == everything - stay
    assert [leaf.rev for leaf in tree.leaves()] == [leaf for leaf in leaves if leaf not in chosen]


@given(histories(), st.data())
def test_the_common_ancestor_is_the_newest_shared_revision(
    history: list[tuple[Chain, bool]], data: st.DataObject
) -> None:
    tree = RevTree.of(history)
    revs = st.sampled_from([step for leaf in tree.leaves() for step in tree.chain(leaf.rev)])
    one, other = data.draw(revs), data.draw(revs)
    shared = set(tree.chain(one)) & set(tree.chain(other))
    expected = max(shared, key=lambda r: r.generation, default=None)
    assert tree.common_ancestor(one, other) == expected
    assert tree.common_ancestor(other, one) == expected


def test_the_winner_lives_is_long_and_has_the_larger_hash() -> None:
    tree = RevTree.of(
        [
            (chain("4-a", "3-a", "2-a", "1-a"), True),
            (chain("2-b", "1-a"), False),
            (chain("2-c", "1-a"), False),
            (chain("2-d", "1-a"), True),
        ]
    )
    assert [str(leaf.rev) for leaf in tree.leaves()] == ["2-c", "2-b", "4-a", "2-d"]
    assert tree.winner() == Leaf(rev("2-c"), False)


def test_hashes_compare_as_the_bytes_that_couchdb_stores() -> None:
    """32 hexadecimal digits are 16 bytes there, anything else is its text."""
    high, text, low = "f" + "0" * 31, "b", "2" + "0" * 31
    tree = RevTree.of([((Rev(1, hash),), False) for hash in (low, text, high)])
    assert [leaf.rev.hash for leaf in tree.leaves()] == [high, text, low]


def test_stemming_a_low_limit_makes_branches_look_unrelated() -> None:
    tree = RevTree.of([(chain("3-a", "2-a", "1-a"), False), (chain("3-b", "2-b", "1-a"), False)])
    assert tree.common_ancestor(rev("3-a"), rev("3-b")) == rev("1-a")
    assert tree.stem(2) == [rev("1-a")]
    assert tree.common_ancestor(rev("3-a"), rev("3-b")) is None


def test_a_linear_history_beyond_the_limit_becomes_a_false_conflict() -> None:
    """Six edits replicated with a limit of 3 stand beside the first revision."""
    tree = RevTree.of([(chain("1-a"), False)])
    tree.insert(chain("7-g", "6-f", "5-e"))
    assert [str(leaf.rev) for leaf in tree.leaves()] == ["7-g", "1-a"]


def test_a_chain_that_fills_the_gap_joins_the_pieces() -> None:
    tree = RevTree.of([(chain("1-a"), False), (chain("3-c"), False)])
    assert len(tree.leaves()) == 2
    assert tree.insert(chain("3-c", "2-b", "1-a")) is Inserted.INTERNAL_NODE
    assert tree.leaves() == [Leaf(rev("3-c"), False)]
    assert tree.chain(rev("3-c")) == list(chain("3-c", "2-b", "1-a"))


def test_leaves_in_tree_order_are_as_couchdb_lists_them() -> None:
    tree = RevTree.of(
        [
            (chain("2-c", "1-a"), False),
            (chain("3-d", "2-e", "1-a"), True),
            (chain("2-b", "1-a"), False),
            (chain("5-x"), False),
            (chain("1-z"), False),
        ]
    )
    order = [str(leaf.rev) for leaf in tree.leaves_in_tree_order()]
    assert order == ["5-x", "1-z", "2-b", "2-c", "3-d"]
    assert [str(leaf.rev) for leaf in tree.leaves_from(rev("1-a"))] == ["2-b", "2-c", "3-d"]
    assert tree.leaves_from(rev("2-e")) == [Leaf(rev("3-d"), True)]


def test_possible_ancestors_are_leaves_older_than_what_is_missing() -> None:
    tree = RevTree.of([(chain("2-a", "1-a"), False), (chain("4-b"), False)])
    missing = tree.missing(chain("3-x", "2-a"))
    assert missing == [rev("3-x")]
    assert tree.possible_ancestors(missing) == [rev("2-a")]


def test_the_fold_meets_deepest_branches_first() -> None:
    tree = RevTree.of(
        [
            (chain("4-a", "3-a", "2-a", "1-a"), False),
            (chain("4-b", "3-a", "2-a", "1-a"), False),
            (chain("2-c", "1-a"), False),
            (chain("3-t", "2-t", "1-a"), True),
            (chain("1-z"), False),
        ]
    )
    assert tree.fold_order() == [
        Meeting(rev("3-a"), ((rev("4-b"),), (rev("4-a"),))),
        Meeting(rev("1-a"), ((rev("4-b"), rev("4-a")), (rev("2-c"),))),
        Meeting(None, ((rev("4-b"), rev("4-a"), rev("2-c")), (rev("1-z"),))),
    ]


@given(histories())
def test_the_fold_brings_every_live_leaf_together_once(
    history: list[tuple[Chain, bool]],
) -> None:
    tree = RevTree.of(history)
    live = [leaf.rev for leaf in tree.leaves() if not leaf.deleted]
    pieces = {frozenset([leaf]) for leaf in live}
    for meeting in tree.fold_order():
        groups = {frozenset(group) for group in meeting.groups}
        assert groups <= pieces
        pieces = (pieces - groups) | {frozenset().union(*groups)}
        for group in meeting.groups:
            assert list(group) == [leaf for leaf in live if leaf in group]
            assert meeting.at is None or all(meeting.at in tree.chain(leaf) for leaf in group)
    assert len(pieces) == min(1, len(live))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "-a",
        "a-1",
        "1.5-a",
        "-1-a",
        "１-a",
        "1" * 5000 + "-a",
        "9" * 16 + "-a",
        None,
        1,
        "1-" + "g" * 32,
    ],
)
def test_what_is_no_revision_is_refused(text: object) -> None:
    with pytest.raises(BadRequest, match="Invalid rev format"):
        Rev.parse(text)


def test_hexadecimal_hashes_are_read_in_lower_case() -> None:
    assert str(Rev.parse("3-" + "AB" * 16)) == "3-" + "ab" * 16
    assert str(Rev.parse("3-ABC")) == "3-ABC"
