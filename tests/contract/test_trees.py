"""Which leaf wins, and in what order the others are told."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchmend.replica.base import ChangesQuery, Replica
from tests.contract.chains import chained, leaves, store

HIGH, LOW = "f" * 32, "0" * 31 + "1"


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        ("1-b", "1-a"),
        ("2-a", "1-b"),
        ("10-a", "9-b"),
        ("1-aa", "1-a"),
        ("1-a", "1-B"),
        (f"1-{HIGH}", f"1-{LOW}"),
        # 32 hexadecimal digits are 16 bytes, other hashes are text: they compare as bytes.
        ("1-80" + "0" * 30, "1-zz"),
        ("1-zz", "1-79" + "0" * 30),
        ("1-é", "1-z"),
    ],
)
def test_the_higher_generation_wins_then_the_larger_hash(
    replica: Replica, winner: str, loser: str
) -> None:
    for id, revs in (("one", (winner, loser)), ("other", (loser, winner))):
        store(replica, *({"_id": id, "_rev": rev} for rev in revs))
        doc = replica.get(id, conflicts=True)
        assert (doc["_rev"], doc["_conflicts"]) == (winner, [loser])


def test_a_deleted_leaf_never_beats_a_live_one(replica: Replica) -> None:
    store(
        replica,
        {"_id": "a", "_rev": "1-a", "v": 1},
        {"_id": "a", "_rev": "9-z", "_deleted": True},
    )
    doc = replica.get("a", conflicts=True, deleted_conflicts=True)
    assert doc == {"_id": "a", "_rev": "1-a", "v": 1, "_deleted_conflicts": ["9-z"]}
    (row,) = replica.changes(ChangesQuery(style="all_docs")).rows
    assert (row.revs, row.deleted) == (("1-a", "9-z"), False)


def test_among_deleted_leaves_the_same_rule_holds(replica: Replica) -> None:
    store(
        replica,
        {"_id": "a", "_rev": "2-b", "_deleted": True},
        {"_id": "a", "_rev": "3-a", "_deleted": True},
        {"_id": "a", "_rev": "2-c", "_deleted": True},
    )
    (row,) = replica.changes(ChangesQuery(style="all_docs")).rows
    assert (row.revs, row.deleted) == (("3-a", "2-c", "2-b"), True)
    assert replica.info().deleted_documents == 1
    again = replica.put({"_id": "a", "v": 1})
    doc = replica.get("a", revs=True, deleted_conflicts=True)
    assert doc["_rev"] == again
    assert doc["_revisions"]["ids"][1] == "a"  # a new document extends the winning tombstone
    assert doc["_deleted_conflicts"] == ["2-c", "2-b"]


def test_conflicts_come_best_first(replica: Replica) -> None:
    store(
        replica,
        chained("a", "1-a"),
        chained("a", "2-b", "1-a"),
        chained("a", "3-d", "2-c", "1-a"),
        chained("a", "3-e", "2-c", "1-a"),
        chained("a", "2-f", "1-z", deleted=True),
        chained("a", "4-a", "3-a", "2-a", "1-a", deleted=True),
    )
    doc = replica.get("a", conflicts=True, deleted_conflicts=True)
    assert doc["_rev"] == "3-e"
    assert doc["_conflicts"] == ["3-d", "2-b"]
    assert doc["_deleted_conflicts"] == ["4-a", "2-f"]
    (row,) = replica.changes(ChangesQuery(style="all_docs")).rows
    assert row.revs == ("3-e", "3-d", "2-b", "4-a", "2-f")


def test_many_leaves(replica: Replica) -> None:
    hashes = [hashlib.md5(b"%d" % n, usedforsecurity=False).hexdigest() for n in range(300)]
    revs = [f"2-{digest}" for digest in hashes]
    store(
        replica,
        chained("a", "1-a", v="base"),
        *(chained("a", rev, "1-a", n=n, deleted=n % 10 == 0) for n, rev in enumerate(revs)),
    )
    live = sorted((rev for n, rev in enumerate(revs) if n % 10), reverse=True)
    dead = sorted((rev for n, rev in enumerate(revs) if n % 10 == 0), reverse=True)
    doc = replica.get("a", conflicts=True, deleted_conflicts=True)
    assert [doc["_rev"], *doc["_conflicts"]] == live
    assert doc["_deleted_conflicts"] == dead
    (row,) = replica.changes(ChangesQuery(style="all_docs")).rows
    assert row.revs == (*live, *dead)
    assert leaves(replica, "a") == set(revs)
    (everything,) = replica.bulk_get([("a", None)])
    assert len(everything.outcomes) == 300
    assert replica.revs_diff({"a": [*revs, "2-x"]})["a"].missing == ("2-x",)
    named = replica.open_revs("a", revs)
    assert len(named) == 300


REVS = st.builds(
    lambda generation, text: f"{generation}-{text}",
    st.integers(1, 12),
    st.one_of(st.sampled_from("abyz"), st.text("0123456789abcdef", min_size=32, max_size=32)),
)


def _precedence(rev: str, deleted: bool) -> tuple[bool, int, bytes]:
    generation, _, digest = rev.partition("-")
    raw = bytes.fromhex(digest) if len(digest) == 32 else digest.encode()
    return not deleted, int(generation), raw


@given(st.dictionaries(REVS, st.booleans(), min_size=2, max_size=12))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_the_order_of_any_leaves(replica: Replica, roots: dict[str, bool]) -> None:
    id = hashlib.md5(repr(roots).encode(), usedforsecurity=False).hexdigest()
    store(replica, *(chained(id, rev, deleted=dead) for rev, dead in roots.items()))
    order = sorted(roots, key=lambda rev: _precedence(rev, roots[rev]), reverse=True)
    (row,) = replica.changes(ChangesQuery(style="all_docs", doc_ids=[id])).rows
    assert row.revs == tuple(order)
    assert row.deleted is roots[order[0]]
