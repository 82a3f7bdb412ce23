"""Writing documents: edits, their rows, conflicts, tombstones, and refusals of a whole batch."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from couchmend.core.document import Doc
from couchmend.errors import BadRequest, Conflict, NotFound, ReplicaError, TooLarge
from couchmend.replica.base import Refused, Replica, Written
from tests.contract.chains import TREE, grow, leaves

CONFLICT = ("conflict", "Document update conflict.")


def test_every_document_has_a_row_in_order(replica: Replica) -> None:
    rows = replica.bulk_docs(
        [{"_id": "a", "v": 1}, {"_id": "b", "v": 1}, {"v": "noid"}, {"_id": "a", "v": 2}]
    )
    rev = "1-7a7e4b29f3af401e69b6f86e4c26b727"
    assert rows[:2] == [Written("a", rev), Written("b", rev)]
    assert isinstance(rows[2], Written)
    assert replica.get(rows[2].id)["v"] == "noid"
    assert rows[3] == Refused("a", None, *CONFLICT)
    assert replica.get("a")["v"] == 1
    assert replica.bulk_docs([]) == []


def test_a_refused_row_does_not_stop_the_others(replica: Replica) -> None:
    """A bulk write is no transaction."""
    first = replica.put({"_id": "a", "v": 1})
    second = replica.put({"_id": "a", "_rev": first, "v": 2})
    loser = replica.put({"_id": "b"})
    rows = replica.bulk_docs(
        [{"_id": "a", "_rev": first, "v": 9}, {"_id": "b", "_rev": loser, "_deleted": True}]
    )
    assert rows[0] == Refused("a", first, *CONFLICT)
    assert isinstance(rows[1], Written)
    assert replica.get("a")["_rev"] == second
    with pytest.raises(NotFound):
        replica.get("b")


def test_put_raises_what_a_row_refuses(replica: Replica) -> None:
    rev = replica.put({"_id": "a"})
    for doc in (
        {"_id": "a", "v": 1},
        {"_id": "a", "_rev": "1-" + "0" * 32, "v": 1},
        {"_id": "a", "_rev": "5-" + rev[2:], "v": 1},
        {"_id": "a", "_deleted": True},
    ):
        with pytest.raises(Conflict) as refusal:
            replica.put(doc)
        assert (refusal.value.error, refusal.value.reason) == CONFLICT
    assert leaves(replica, "a") == {rev}


def test_the_same_edit_twice_is_a_conflict(replica: Replica) -> None:
    first = replica.put({"_id": "a"})
    edit = {"_id": "a", "_rev": first, "v": 1}
    second = replica.put(edit)
    with pytest.raises(Conflict):
        replica.put(edit)
    assert leaves(replica, "a") == {second}


def test_two_edits_of_one_revision_in_one_batch(replica: Replica) -> None:
    rev = replica.put({"_id": "a"})
    one, other = replica.bulk_docs(
        [{"_id": "a", "_rev": rev, "v": 1}, {"_id": "a", "_rev": rev, "v": 2}]
    )
    assert isinstance(one, Written)
    assert other == Refused("a", rev, *CONFLICT)
    assert replica.get("a")["v"] == 1


def test_every_leaf_can_be_edited_and_no_other_revision(replica: Replica) -> None:
    grow(replica)
    merged = replica.put({"_id": TREE, "_rev": "2-cccc", "v": "merged"})
    dead = replica.delete(TREE, "2-bbbb")
    assert dead == "3-3da23c7bf91635ca33af6e399d17aac5"
    assert leaves(replica, TREE) == {merged, dead, "3-dddd"}
    for inner in ("1-aaaa", "2-cccc", "2-bbbb", "2-eeee"):
        with pytest.raises(Conflict):
            replica.put({"_id": TREE, "_rev": inner, "v": "stale"})
        with pytest.raises(Conflict):
            replica.delete(TREE, inner)


def test_extending_a_dead_branch_revives_it(replica: Replica) -> None:
    grow(replica)
    revived = replica.put({"_id": TREE, "_rev": "3-dddd", "v": "back"})
    assert revived.startswith("4-")
    doc = replica.get(TREE, conflicts=True, revs=True)
    assert (doc["_rev"], doc["v"]) == (revived, "back")
    assert doc["_conflicts"] == ["2-cccc", "2-bbbb"]
    assert doc["_revisions"]["ids"][1:] == ["dddd", "eeee", "aaaa"]


def test_deleting_a_dead_branch_makes_it_longer(replica: Replica) -> None:
    grow(replica)
    longer = replica.delete(TREE, "3-dddd")
    assert longer.startswith("4-")
    assert replica.get(TREE, deleted_conflicts=True)["_deleted_conflicts"] == [longer]


def test_deleting_the_winner_promotes_another_leaf(replica: Replica) -> None:
    grow(replica)
    replica.delete(TREE, "2-cccc")
    assert replica.get(TREE, conflicts=True) == {"_id": TREE, "_rev": "2-bbbb", "v": "left"}
    replica.delete(TREE, "2-bbbb")
    with pytest.raises(NotFound) as missing:
        replica.get(TREE)
    assert missing.value.reason == "deleted"


def test_a_deleted_document_is_created_again(replica: Replica) -> None:
    first = replica.put({"_id": "a", "v": 1})
    tombstone = replica.delete("a", first)
    with pytest.raises(Conflict):
        replica.put({"_id": "a", "_rev": tombstone, "v": 2})
    again = replica.put({"_id": "a", "v": 2})
    doc = replica.get("a", revs=True)
    assert doc["_rev"] == again
    assert doc["_revisions"]["ids"] == [rev[2:] for rev in (again, tombstone, first)]
    assert replica.info().documents == 1


def test_a_tombstone_may_have_a_body(replica: Replica) -> None:
    rev = replica.put({"_id": "a", "v": 1})
    tombstone = replica.put({"_id": "a", "_rev": rev, "_deleted": True, "by": "jo"})
    plain = replica.put({"_id": "b", "v": 1})
    assert tombstone != replica.delete("b", plain)
    assert replica.get("a", rev=tombstone)["by"] == "jo"


def test_a_document_is_born_deleted(replica: Replica) -> None:
    rev = replica.put({"_id": "a", "_deleted": True})
    assert rev.startswith("1-")
    info = replica.info()
    assert (info.documents, info.deleted_documents) == (0, 1)


def test_counts_follow_what_is_written(replica: Replica) -> None:
    revs = [replica.put({"_id": f"d{n}"}) for n in range(4)]
    replica.delete("d0", revs[0])
    replica.put({"_id": "d1", "_rev": revs[1], "v": 1})
    info = replica.info()
    assert (info.documents, info.deleted_documents) == (3, 1)
    replica.put({"_id": "d0"})
    info = replica.info()
    assert (info.documents, info.deleted_documents) == (4, 0)
    assert info.name == replica.name
    assert info.sizes.file > 0


REFUSALS: dict[str, tuple[Doc, type[ReplicaError], str]] = {
    "illegal id": ({"_id": "_bad"}, BadRequest, "illegal_docid"),
    "empty id": ({"_id": ""}, BadRequest, "illegal_docid"),
    "id that is no string": ({"_id": 5}, BadRequest, "illegal_docid"),
    "unknown member": ({"_id": "z", "_foo": 1}, BadRequest, "doc_validation"),
    "malformed revision": ({"_id": "z", "_rev": "abc"}, BadRequest, "bad_request"),
    "attachment that is no base64": (
        {"_id": "z", "_attachments": {"a": {"data": "!"}}},
        BadRequest,
        "bad_request",
    ),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_what_refuses_a_whole_batch(replica: Replica, kind: str) -> None:
    bad, error_class, error = REFUSALS[kind]
    rev = replica.put({"_id": "here"})
    here: Doc = {"_id": "here", "_rev": rev, "_deleted": True}
    docs: list[Doc] = [{"_id": "before"}, here, bad, {"_id": "z1"}]
    with pytest.raises(error_class) as refusal:
        replica.bulk_docs(docs)
    assert refusal.value.error == error
    assert [row.id for row in replica.all_docs().rows] == ["here"]
    assert replica.get("here")["_rev"] == rev


@pytest.mark.parametrize(
    "bad",
    [
        {"_id": "z"},
        {"_id": "z", "_rev": "abc"},
        {"_id": "_bad", "_rev": "1-a"},
        {"_id": "z", "_rev": "1-a", "_foo": 1},
        {"_id": "z", "_rev": "2-b", "_revisions": {"start": "2", "ids": ["b", "a"]}},
        {"_id": "z", "_rev": "2-b", "_revisions": {"start": 2, "ids": "b"}},
    ],
    ids=str,
)
def test_what_refuses_a_whole_batch_of_revisions(replica: Replica, bad: Doc) -> None:
    with pytest.raises(BadRequest):
        replica.bulk_docs([{"_id": "before", "_rev": "1-a"}, bad], new_edits=False)
    assert replica.info().documents == 0


@pytest.mark.parametrize("writer", ["edit", "revision"])
def test_a_document_that_is_too_large_refuses_the_batch(replica: Replica, writer: str) -> None:
    large = {"_id": "large", "_rev": "1-a", "text": "x" * 8_000_001}
    if writer == "edit":
        del large["_rev"]
    write: Callable[[], object] = lambda: replica.bulk_docs(  # noqa: E731
        [{"_id": "before", "_rev": "1-a"} if writer == "revision" else {"_id": "before"}, large],
        new_edits=writer == "edit",
    )
    with pytest.raises(TooLarge) as refusal:
        write()
    assert (refusal.value.error, refusal.value.reason) == ("document_too_large", "large")
    assert replica.info().documents == 0


def test_documents_just_below_the_limit(replica: Replica) -> None:
    rev = replica.put({"_id": "large", "text": "x" * 7_900_000})
    assert len(replica.get("large", rev=rev)["text"]) == 7_900_000
