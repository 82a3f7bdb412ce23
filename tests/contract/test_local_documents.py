"""Local documents: no tree, no conflict, the last write stands."""

from __future__ import annotations

import pytest

from couchmend.errors import NotFound
from couchmend.replica.base import Refused, Replica, Written


def test_a_local_document(replica: Replica) -> None:
    with pytest.raises(NotFound):
        replica.get_local("mine")
    assert replica.put_local("mine", {"seq": 1}) == "0-1"
    assert replica.get_local("mine") == {"_id": "_local/mine", "_rev": "0-1", "seq": 1}


def test_there_is_no_compare_and_swap(replica: Replica) -> None:
    replica.put_local("mine", {"seq": 1})
    assert replica.put_local("mine", {"seq": 2}) == "0-1"
    assert replica.put_local("mine", {"seq": 3, "_rev": "0-1"}) == "0-2"
    assert replica.put_local("mine", {"seq": 4, "_rev": "0-41"}) == "0-42"
    assert replica.put_local("new", {"seq": 5, "_rev": "0-7"}) == "0-8"
    assert replica.get_local("mine") == {"_id": "_local/mine", "_rev": "0-42", "seq": 4}


def test_a_local_document_is_deleted(replica: Replica) -> None:
    replica.put_local("mine", {"seq": 1})
    replica.delete_local("mine")
    with pytest.raises(NotFound):
        replica.get_local("mine")
    with pytest.raises(NotFound):
        replica.delete_local("mine")
    assert replica.put_local("mine", {"seq": 2}) == "0-1"


@pytest.mark.parametrize("name", ["two words", "a/b", "é+%", "..", "x" * 200], ids=ascii)
def test_any_name(replica: Replica, name: str) -> None:
    replica.put_local(name, {"v": 1})
    assert replica.get_local(name)["_id"] == f"_local/{name}"
    assert [doc["_id"] for doc in replica.local_docs()] == [f"_local/{name}"]
    replica.delete_local(name)
    assert replica.local_docs() == []


def test_all_of_them_with_their_bodies(replica: Replica) -> None:
    for n in (2, 0, 1):
        replica.put_local(f"l{n}", {"n": n, "big": 2**70})
    replica.put({"_id": "ordinary"})
    assert replica.local_docs() == [
        {"_id": f"_local/l{n}", "_rev": "0-1", "n": n, "big": 2**70} for n in range(3)
    ]


def test_local_documents_among_others_in_a_batch(replica: Replica) -> None:
    a, mine, other = replica.bulk_docs([{"_id": "a"}, {"_id": "_local/mine", "v": 1}, {"_id": "a"}])
    assert isinstance(a, Written)
    assert mine == Written("_local/mine", "0-1")
    assert isinstance(other, Refused)
    assert replica.get_local("mine")["v"] == 1


def test_they_survive_compaction_and_do_not_count(replica: Replica) -> None:
    replica.put_local("mine", {"v": 1})
    assert replica.info().documents == 0
    replica.compact()
    assert replica.get_local("mine")["v"] == 1
