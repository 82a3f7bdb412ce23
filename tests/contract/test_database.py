"""What a database is told and tells about itself; compaction; purging."""

from __future__ import annotations

import pytest

from couchmend.core.document import Doc
from couchmend.errors import BadRequest, NotFound
from couchmend.replica.base import ChangesQuery, Missing, Replica
from tests.contract.chains import TREE, chained, compact, grow, leaves, store, until


def test_an_empty_database(replica: Replica) -> None:
    info = replica.info()
    assert (info.documents, info.deleted_documents) == (0, 0)
    assert info.compact_running is False
    assert info.name == replica.name


def test_the_security_object(replica: Replica) -> None:
    assert replica.security() == {"members": {"roles": ["_admin"]}, "admins": {"roles": ["_admin"]}}
    security: Doc = {
        "admins": {"names": ["a"], "roles": []},
        "members": {"names": [], "roles": ["r"]},
        "more": {"é": 1.0},
    }
    replica.set_security(security)
    assert replica.security() == security


def test_revs_limit(replica: Replica) -> None:
    assert replica.revs_limit() == 1000
    replica.set_revs_limit(5)
    assert replica.revs_limit() == 5
    for limit in (0, -1):
        with pytest.raises(BadRequest):
            replica.set_revs_limit(limit)
    assert replica.revs_limit() == 5


def test_the_update_seq_moves_with_every_change(replica: Replica) -> None:
    seqs = [replica.info().update_seq]
    rev = replica.put({"_id": "a"})
    seqs.append(replica.info().update_seq)
    replica.delete("a", rev)
    seqs.append(replica.info().update_seq)
    assert len(set(seqs)) == 3


def test_compaction_forgets_inner_bodies_only(replica: Replica) -> None:
    grow(replica)
    first = replica.put({"_id": "a", "v": 1})
    second = replica.put({"_id": "a", "_rev": first, "v": 2})
    before = replica.changes(ChangesQuery(style="all_docs"))
    assert replica.get("a", rev=first)["v"] == 1
    replica.compact()
    until(lambda: replica.open_revs("a", [first]) == [Missing("a", first)])
    until(lambda: replica.open_revs(TREE, ["1-aaaa"]) == [Missing(TREE, "1-aaaa")])
    with pytest.raises(NotFound) as missing:
        replica.get("a", rev=first)
    assert missing.value.reason == "missing"
    doc = replica.get("a", revs_info=True)
    assert (doc["_rev"], doc["v"]) == (second, 2)
    assert [entry["status"] for entry in doc["_revs_info"]] == ["available", "missing"]
    assert replica.get(TREE, revs=True)["_revisions"]["ids"] == ["cccc", "aaaa"]
    assert leaves(replica, TREE) == {"2-bbbb", "2-cccc", "3-dddd"}
    assert replica.revs_diff({"a": [first], TREE: ["1-aaaa"]}) == {}
    after = replica.changes(ChangesQuery(style="all_docs"))
    assert {row.id: row.revs for row in after.rows} == {row.id: row.revs for row in before.rows}


def test_a_revision_that_was_compacted_gets_its_body_again(replica: Replica) -> None:
    grow(replica)
    compact(replica)
    until(lambda: replica.open_revs(TREE, ["1-aaaa"]) == [Missing(TREE, "1-aaaa")])
    store(replica, chained(TREE, "1-aaaa", v="base"))
    assert replica.get(TREE, rev="1-aaaa")["v"] == "base"
    assert leaves(replica, TREE) == {"2-bbbb", "2-cccc", "3-dddd"}


def test_tombstones_and_their_bodies_survive_compaction(replica: Replica) -> None:
    rev = replica.put({"_id": "a"})
    tombstone = replica.put({"_id": "a", "_rev": rev, "_deleted": True, "by": "jo"})
    compact(replica)
    assert replica.get("a", rev=tombstone)["by"] == "jo"


def test_purging_a_branch(replica: Replica) -> None:
    grow(replica)
    assert replica.purge({TREE: ["3-dddd"]}) == {TREE: ("3-dddd",)}
    doc = replica.get(TREE, conflicts=True, deleted_conflicts=True)
    assert doc == {"_id": TREE, "_rev": "2-cccc", "v": "right", "_conflicts": ["2-bbbb"]}
    assert replica.purge({TREE: ["2-cccc"]}) == {TREE: ("2-cccc",)}
    assert replica.get(TREE, conflicts=True) == {"_id": TREE, "_rev": "2-bbbb", "v": "left"}
    assert replica.revs_diff({TREE: ["2-cccc", "3-dddd"]})[TREE].missing == ("2-cccc", "3-dddd")


def test_purging_the_last_leaf(replica: Replica) -> None:
    rev = replica.put({"_id": "a"})
    kept = replica.put({"_id": "b"})
    seen = replica.changes().last_seq
    assert replica.purge({"a": [rev]}) == {"a": (rev,)}
    with pytest.raises(NotFound) as missing:
        replica.get("a")
    assert missing.value.reason == "missing"
    assert [row.id for row in replica.changes().rows] == ["b"]
    assert replica.changes(ChangesQuery(since=seen)).rows == ()
    info = replica.info()
    assert (info.documents, info.deleted_documents) == (1, 0)
    assert replica.get("b")["_rev"] == kept
    assert replica.put({"_id": "a"}).startswith("1-")


def test_only_leaves_are_purged(replica: Replica) -> None:
    grow(replica)
    purged = replica.purge({TREE: ["1-aaaa", "9-none"], "none": ["1-a"]})
    assert purged == {TREE: (), "none": ()}
    assert leaves(replica, TREE) == {"2-bbbb", "2-cccc", "3-dddd"}
    assert replica.purge({}) == {}


def test_a_purged_document_comes_back_by_replication(replica: Replica) -> None:
    store(replica, chained("a", "2-b", "1-a", v=2))
    replica.purge({"a": ["2-b"]})
    store(replica, chained("a", "2-b", "1-a", v=2))
    assert replica.get("a", revs=True) == chained("a", "2-b", "1-a", v=2)


def test_many_purges_at_once(replica: Replica) -> None:
    rows = replica.bulk_docs([{"_id": f"d{n}"} for n in range(250)])
    wanted = {row.id: [str(row.rev)] for row in rows}
    assert replica.purge(wanted) == {id: (rev,) for id, (rev,) in wanted.items()}
    assert replica.info().documents == 0
