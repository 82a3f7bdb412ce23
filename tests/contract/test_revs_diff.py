"""What a database lacks."""

from __future__ import annotations

from couchmend.replica.base import Replica, RevsDiff
from tests.contract.chains import TREE, chained, grow, store


def test_known_revisions_are_left_out(replica: Replica) -> None:
    grow(replica)
    replica.put({"_id": "y"})
    assert replica.revs_diff({}) == {}
    assert replica.revs_diff({TREE: ["2-bbbb", "2-cccc", "1-aaaa", "3-dddd", "2-eeee"]}) == {}
    diff = replica.revs_diff({TREE: ["2-bbbb", "2-ffff"], "new": ["1-abc"], "y": []})
    assert diff == {"new": RevsDiff(("1-abc",)), TREE: RevsDiff(("2-ffff",))}


def test_every_missing_revision_is_told(replica: Replica) -> None:
    replica.put({"_id": "y"})
    wanted = [f"2-{n:04}" for n in range(200)]
    diff = replica.revs_diff({"y": wanted, "none": wanted})
    assert sorted(diff["y"].missing) == wanted
    assert sorted(diff["none"].missing) == wanted
    assert diff["none"].possible_ancestors == ()


def test_possible_ancestors_are_older_leaves(replica: Replica) -> None:
    store(
        replica,
        chained("a", "1-a"),
        chained("a", "2-b", "1-a"),
        chained("a", "4-d", "3-c", "2-y", "1-z"),
        chained("a", "6-f", "5-e", deleted=True),
    )
    ancestors = replica.revs_diff({"a": ["5-x"]})["a"].possible_ancestors
    assert sorted(ancestors) == ["2-b", "4-d"]
    assert replica.revs_diff({"a": ["2-x"]})["a"].possible_ancestors == ()
    assert sorted(replica.revs_diff({"a": ["9-x"]})["a"].possible_ancestors) == [
        "2-b",
        "4-d",
        "6-f",
    ]


def test_a_purged_revision_is_missing_again(replica: Replica) -> None:
    rev = replica.put({"_id": "a"})
    assert replica.revs_diff({"a": [rev]}) == {}
    replica.purge({"a": [rev]})
    assert replica.revs_diff({"a": [rev]}) == {"a": RevsDiff((rev,))}


def test_a_deleted_revision_is_known(replica: Replica) -> None:
    rev = replica.put({"_id": "a"})
    tombstone = replica.delete("a", rev)
    assert replica.revs_diff({"a": [rev, tombstone]}) == {}


def test_many_documents(replica: Replica) -> None:
    rows = replica.bulk_docs([{"_id": f"d{n}"} for n in range(300)])
    asked = {row.id: [str(row.rev), "9-x"] for row in rows}
    asked |= {f"none{n}": ["1-a"] for n in range(300)}
    diff = replica.revs_diff(asked)
    assert {id: entry.missing for id, entry in diff.items()} == {
        id: ("9-x",) if id.startswith("d") else ("1-a",) for id in asked
    }
