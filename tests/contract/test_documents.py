"""Reading documents: the winner, a revision, leaves, many at once, and what can be added."""

from __future__ import annotations

import pytest

from couchmend.errors import BadRequest, NotFound
from couchmend.replica.base import BulkGetRow, Found, Missing, Replica
from tests.contract.chains import TREE, chained, found, grow, leaves, store


def test_a_document_and_its_revisions(replica: Replica) -> None:
    first = replica.put({"_id": "a", "title": "one"})
    second = replica.put({"_id": "a", "_rev": first, "title": "two", "tags": ["x", "y"]})
    assert first == "1-456cdf7576c7de22a37f4a2c0e500b3c"
    assert second == "2-14ca1c817f4c165b9b4cb9fbd802c3da"
    now = {"_id": "a", "_rev": second, "title": "two", "tags": ["x", "y"]}
    assert replica.get("a") == now
    assert replica.get("a", rev=second) == now
    assert replica.get("a", rev=first) == {"_id": "a", "_rev": first, "title": "one"}


@pytest.mark.parametrize("rev", [None, "1-" + "0" * 32, "9-nope"])
def test_what_is_not_there(replica: Replica, rev: str | None) -> None:
    replica.put({"_id": "a"})
    with pytest.raises(NotFound) as missing:
        replica.get("none", rev=rev)
    assert (missing.value.error, missing.value.reason) == ("not_found", "missing")
    if rev is not None:
        with pytest.raises(NotFound) as missing:
            replica.get("a", rev=rev)
        assert missing.value.reason == "missing"


@pytest.mark.parametrize("rev", ["", "zzz", "1", "a-b", "-1-a", "1.5-a"])
def test_a_malformed_revision(replica: Replica, rev: str) -> None:
    replica.put({"_id": "a"})
    for read in (
        lambda: replica.get("a", rev=rev),
        lambda: replica.open_revs("a", [rev]),
        lambda: replica.get("none", rev=rev),
    ):
        with pytest.raises(BadRequest) as refusal:
            read()
        assert refusal.value.reason == "Invalid rev format"


def test_a_deleted_document(replica: Replica) -> None:
    rev = replica.put({"_id": "a", "v": 1})
    tombstone = replica.delete("a", rev)
    with pytest.raises(NotFound) as missing:
        replica.get("a")
    assert missing.value.reason == "deleted"
    assert replica.get("a", rev=tombstone) == {"_id": "a", "_rev": tombstone, "_deleted": True}
    assert replica.get("a", rev=rev)["v"] == 1
    assert found(replica.open_revs("a")) == [{"_id": "a", "_rev": tombstone, "_deleted": True}]


def test_revs_and_revs_info(replica: Replica) -> None:
    revs = [replica.put({"_id": "a"})]
    revs.append(replica.put({"_id": "a", "_rev": revs[-1], "v": 1}))
    revs.append(replica.delete("a", revs[-1]))
    revs.append(replica.put({"_id": "a", "v": 2}))
    hashes = [rev[2:] for rev in reversed(revs)]
    assert replica.get("a", revs=True)["_revisions"] == {"start": 4, "ids": hashes}
    older = replica.get("a", rev=revs[1], revs=True)
    assert older["_revisions"] == {"start": 2, "ids": hashes[2:]}
    assert replica.get("a", revs_info=True)["_revs_info"] == [
        {"rev": revs[3], "status": "available"},
        {"rev": revs[2], "status": "deleted"},
        {"rev": revs[1], "status": "available"},
        {"rev": revs[0], "status": "available"},
    ]


def test_revs_info_of_revisions_that_never_were_here(replica: Replica) -> None:
    store(replica, chained("a", "3-c", "2-b", "1-a"))
    assert replica.get("a", revs_info=True)["_revs_info"] == [
        {"rev": "3-c", "status": "available"},
        {"rev": "2-b", "status": "missing"},
        {"rev": "1-a", "status": "missing"},
    ]


def test_conflicts_of_the_winner(replica: Replica) -> None:
    grow(replica)
    assert replica.get(TREE) == {"_id": TREE, "_rev": "2-cccc", "v": "right"}
    assert replica.get(TREE, conflicts=True) == {
        "_id": TREE,
        "_rev": "2-cccc",
        "v": "right",
        "_conflicts": ["2-bbbb"],
    }
    doc = replica.get(TREE, deleted_conflicts=True)
    assert doc["_deleted_conflicts"] == ["3-dddd"]
    assert "_conflicts" not in doc
    replica.put({"_id": "single"})
    assert set(replica.get("single", conflicts=True, deleted_conflicts=True)) == {"_id", "_rev"}


def test_local_seq_grows_with_every_edit(replica: Replica) -> None:
    seqs = []
    rev: str | None = None
    for n in range(3):
        rev = replica.put({"_id": "a", "n": n, **({"_rev": rev} if rev else {})})
        seqs.append(replica.get("a", local_seq=True)["_local_seq"])
    assert seqs == sorted(set(seqs))
    assert all(type(seq) is int for seq in seqs)


def test_latest_follows_a_revision_to_its_best_leaf(replica: Replica) -> None:
    first = replica.put({"_id": "a", "v": 1})
    second = replica.put({"_id": "a", "_rev": first, "v": 2})
    for rev in (first, second):
        doc = replica.get("a", rev=rev, latest=True, revs=True)
        assert (doc["_rev"], doc["v"]) == (second, 2)
        assert doc["_revisions"]["ids"] == [second[2:], first[2:]]
    grow(replica)
    assert replica.get(TREE, rev="1-aaaa", latest=True)["_rev"] == "2-cccc"
    assert replica.get(TREE, rev="2-bbbb", latest=True)["_rev"] == "2-bbbb"
    assert replica.get(TREE, rev="2-eeee", latest=True)["_deleted"] is True
    for id in ("a", "none"):
        with pytest.raises(NotFound):
            replica.get(id, rev="7-none", latest=True)


def test_open_revs_of_all_leaves(replica: Replica) -> None:
    grow(replica)
    assert leaves(replica, TREE) == {"2-bbbb", "2-cccc", "3-dddd"}
    by_rev = {doc["_rev"]: doc for doc in found(replica.open_revs(TREE, revs=True))}
    assert by_rev["2-bbbb"] == chained(TREE, "2-bbbb", "1-aaaa", v="left")
    assert by_rev["3-dddd"] == chained(TREE, "3-dddd", "2-eeee", "1-aaaa", deleted=True)
    with pytest.raises(NotFound):
        replica.open_revs("none")


def test_open_revs_by_name(replica: Replica) -> None:
    grow(replica)
    assert replica.open_revs(TREE, ["1-aaaa", "7-none"]) == [
        Found({"_id": TREE, "_rev": "1-aaaa", "v": "base"}),
        Missing(TREE, "7-none"),
    ]
    # A tombstone's ancestor that never had a body here.
    assert replica.open_revs(TREE, ["2-eeee"]) == [Missing(TREE, "2-eeee")]
    assert replica.open_revs("none", ["1-a"]) == [Missing("none", "1-a")]
    assert replica.open_revs(TREE, []) == []


def test_open_revs_with_latest(replica: Replica) -> None:
    grow(replica)
    all_leaves = {"2-bbbb", "2-cccc", "3-dddd"}
    docs = found(replica.open_revs(TREE, ["1-aaaa"], latest=True))
    assert {doc["_rev"] for doc in docs} == all_leaves
    docs = found(replica.open_revs(TREE, ["1-aaaa", "2-bbbb"], latest=True))
    assert len(docs) == len(all_leaves)
    docs = found(replica.open_revs(TREE, ["2-eeee"], latest=True))
    assert [doc["_rev"] for doc in docs] == ["3-dddd"]
    assert replica.open_revs(TREE, ["7-none"], latest=True) == [Missing(TREE, "7-none")]


def test_bulk_get_answers_every_item_in_order(replica: Replica) -> None:
    grow(replica)
    replica.put({"_id": "y"})
    wanted = [
        (TREE, "2-bbbb"),
        ("nodoc", None),
        (TREE, "1-aaaa"),
        (TREE, "9-none"),
        (TREE, "bad"),
        ("nodoc", "1-a"),
        (TREE, "2-bbbb"),
        ("y", None),
    ]
    left = chained(TREE, "2-bbbb", "1-aaaa", v="left")
    rows = list(replica.bulk_get(wanted, revs=True))
    assert [row.id for row in rows] == [id for id, _ in wanted]
    assert rows[:7] == [
        BulkGetRow(TREE, (Found(left),)),
        BulkGetRow("nodoc", (Missing("nodoc", None),)),
        BulkGetRow(TREE, (Found(chained(TREE, "1-aaaa", v="base")),)),
        BulkGetRow(TREE, (Missing(TREE, "9-none"),)),
        BulkGetRow(TREE, (Missing(TREE, "bad", "bad_request", "Invalid rev format"),)),
        BulkGetRow("nodoc", (Missing("nodoc", "1-a"),)),
        BulkGetRow(TREE, (Found(left),)),
    ]
    (outcome,) = rows[7].outcomes
    assert isinstance(outcome, Found)
    assert outcome.doc["_id"] == "y"
    assert list(replica.bulk_get([])) == []


def test_bulk_get_without_a_revision_reads_all_leaves(replica: Replica) -> None:
    grow(replica)
    (row,) = replica.bulk_get([(TREE, None)])
    docs = {doc["_rev"]: doc for doc in found(row.outcomes)}
    assert docs == {
        "2-bbbb": {"_id": TREE, "_rev": "2-bbbb", "v": "left"},
        "2-cccc": {"_id": TREE, "_rev": "2-cccc", "v": "right"},
        "3-dddd": {"_id": TREE, "_rev": "3-dddd", "_deleted": True},
    }


def test_bulk_get_with_latest(replica: Replica) -> None:
    grow(replica)
    one, other, none = replica.bulk_get(
        [(TREE, "1-aaaa"), (TREE, "2-cccc"), (TREE, "7-none")], latest=True
    )
    assert {doc["_rev"] for doc in found(one.outcomes)} == {"2-bbbb", "2-cccc", "3-dddd"}
    assert [doc["_rev"] for doc in found(other.outcomes)] == ["2-cccc"]
    assert none.outcomes == (Missing(TREE, "7-none"),)
    first = replica.put({"_id": "a"})
    second = replica.put({"_id": "a", "_rev": first, "v": 2})
    (row,) = replica.bulk_get([("a", first)], latest=True)
    assert [doc["_rev"] for doc in found(row.outcomes)] == [second]


def test_bulk_get_of_many(replica: Replica) -> None:
    written = replica.bulk_docs([{"_id": f"d{n}", "n": n} for n in range(700)])
    wanted = [(row.id, row.rev) for row in reversed(written)]
    rows = replica.bulk_get(wanted)
    assert [doc["n"] for row in rows for doc in found(row.outcomes)] == list(range(699, -1, -1))
