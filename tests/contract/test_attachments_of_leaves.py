"""Attachments where a document has several leaves, and where they come by replication."""

from __future__ import annotations

import base64

import pytest

from couchmend.core.document import Doc
from couchmend.errors import PreconditionFailed
from couchmend.replica.base import Found, Replica
from tests.contract.chains import chained, compact, found, store
from tests.contract.test_attachments import BINARY, given, stub


def with_attachment(id: str, *revs: str, name: str, data: bytes, revpos: int) -> Doc:
    """A replicated revision that brings one attachment."""
    entry = {"content_type": BINARY, "revpos": revpos, "data": base64.b64encode(data).decode()}
    return chained(id, *revs, _attachments={name: entry})


@pytest.fixture
def forked(replica: Replica) -> Replica:
    """A document `ac` whose leaves 1-aa and 1-bb have an attachment each."""
    store(
        replica,
        with_attachment("ac", "1-aa", name="left.bin", data=b"L", revpos=1),
        with_attachment("ac", "1-bb", name="right.bin", data=b"R", revpos=1),
    )
    return replica


def test_every_leaf_has_its_own(forked: Replica) -> None:
    assert forked.get("ac")["_attachments"] == {"right.bin": stub(b"R", 1)}
    assert forked.get("ac", rev="1-aa")["_attachments"] == {"left.bin": stub(b"L", 1)}
    assert forked.attachment("ac", "left.bin", rev="1-aa").read() == b"L"


def test_open_revs_with_attachments(forked: Replica) -> None:
    docs = found(forked.open_revs("ac", attachments=True))
    data = {
        doc["_rev"]: {name: entry["data"] for name, entry in doc["_attachments"].items()}
        for doc in docs
    }
    assert data == {"1-aa": {"left.bin": "TA=="}, "1-bb": {"right.bin": "Ug=="}}
    (left,) = found(forked.open_revs("ac", ["1-aa"], attachments=True))
    assert left["_attachments"]["left.bin"]["data"] == "TA=="
    stubs = found(forked.open_revs("ac"))
    assert all(entry["stub"] for doc in stubs for entry in doc["_attachments"].values())


def test_bulk_get_with_attachments(forked: Replica) -> None:
    one, other = forked.bulk_get([("ac", "1-bb"), ("ac", None)], attachments=True, revs=True)
    (doc,) = found(one.outcomes)
    assert doc["_attachments"]["right.bin"]["data"] == "Ug=="
    assert doc["_revisions"] == {"start": 1, "ids": ["bb"]}
    assert len(found(other.outcomes)) == 2


def test_a_stub_refers_to_the_branch_that_is_extended(forked: Replica) -> None:
    both = {"left.bin": {"stub": True}, "right.bin": {"stub": True}}
    with pytest.raises(PreconditionFailed) as refusal:
        forked.put({"_id": "ac", "_rev": "1-bb", "_attachments": both})
    assert refusal.value.error == "missing_stub"
    both["left.bin"] = given(b"L")
    rev = forked.put({"_id": "ac", "_rev": "1-bb", "_attachments": both})
    assert rev == "2-737bb28e843f8f558ffc703db77c1708"
    assert forked.get("ac")["_attachments"] == {
        "left.bin": stub(b"L", 2),
        "right.bin": stub(b"R", 1),
    }


def test_deleting_a_branch_leaves_the_other_its_attachment(forked: Replica) -> None:
    forked.delete("ac", "1-bb")
    assert forked.attachment("ac", "left.bin").read() == b"L"
    compact(forked)
    assert forked.attachment("ac", "left.bin").read() == b"L"


def test_replication_keeps_revpos(replica: Replica) -> None:
    store(replica, with_attachment("a", "5-e", "4-d", name="f", data=b"x", revpos=3))
    assert replica.get("a")["_attachments"] == {"f": stub(b"x", 3)}


def test_a_replicated_stub_resolves_against_an_ancestor(replica: Replica) -> None:
    store(replica, with_attachment("a", "1-a", name="f", data=b"x", revpos=1))
    child = chained("a", "2-b", "1-a", _attachments={"f": stub(b"x", 1)}, v=2)
    store(replica, child)
    assert replica.get("a")["_rev"] == "2-b"
    assert replica.attachment("a", "f").read() == b"x"


def test_a_replicated_stub_of_nothing(replica: Replica) -> None:
    child = chained("a", "2-b", "1-a", _attachments={"f": stub(b"x", 1)})
    with pytest.raises(PreconditionFailed):
        replica.bulk_docs([child], new_edits=False)
    assert replica.all_docs().rows == ()


def test_only_what_is_newer_than_a_known_revision(replica: Replica) -> None:
    first = replica.put({"_id": "a", "_attachments": {"old": given(b"1")}})
    second = replica.put_attachment("a", "new", b"2", BINARY, rev=first)
    since = replica.get("a", rev=second, atts_since=[first])["_attachments"]
    assert since["old"] == stub(b"1", 1)
    assert since["new"]["data"] == "Mg=="
    everything = replica.get("a", rev=second, atts_since=["1-" + "0" * 32])["_attachments"]
    assert {entry.get("data") for entry in everything.values()} == {"MQ==", "Mg=="}
    nothing = replica.get("a", rev=second, atts_since=[second])["_attachments"]
    assert all(entry["stub"] for entry in nothing.values())
    (row,) = replica.bulk_get([("a", second)], atts_since=[first], attachments=True)
    (outcome,) = row.outcomes
    assert isinstance(outcome, Found)
    assert outcome.doc["_attachments"]["old"] == stub(b"1", 1)
    assert outcome.doc["_attachments"]["new"]["data"] == "Mg=="


def test_equal_content_under_many_names_and_documents(replica: Replica) -> None:
    many = {f"n{n}": given(b"same") for n in range(5)}
    rev = replica.put({"_id": "a", "_attachments": many})
    replica.put({"_id": "b", "_attachments": many})
    replica.delete("a", rev)
    compact(replica)
    for name in many:
        assert replica.attachment("b", name).read() == b"same"


def test_attachments_of_leaves_survive_compaction(forked: Replica) -> None:
    edited = forked.put_attachment("ac", "right.bin", b"R2", BINARY, rev="1-bb")
    compact(forked)
    assert forked.attachment("ac", "left.bin", rev="1-aa").read() == b"L"
    assert forked.attachment("ac", "right.bin", rev=edited).read() == b"R2"
