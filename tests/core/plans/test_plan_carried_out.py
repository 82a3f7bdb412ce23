"""What plans expect is what a database makes of them."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from couchmend.core.document import JSON, Doc, dumps
from couchmend.core.plans.plan import plan
from couchmend.core.policy.policy import PLAIN, Policy
from couchmend.core.values import same
from couchmend.replica.base import Replica
from couchmend.replica.embedded import EmbeddedReplica
from tests.core.merging.concurrent_edits import documents
from tests.core.plans.carrying import ID, carry_out, fork, live, read

STRATEGIES = ("merge", "last-write-wins", "keep-current", "keep-other", "delete")


@pytest.fixture
def replica() -> Iterator[Replica]:
    with EmbeddedReplica.open(":memory:") as opened:
        yield opened


def data(content: bytes, content_type: str = "application/octet-stream") -> JSON:
    return {"content_type": content_type, "data": base64.b64encode(content).decode()}


BODIES = documents(2).filter(lambda doc: not any(name.startswith("_") for name in doc))


@settings(max_examples=60, deadline=None)
@given(st.lists(BODIES, min_size=3, max_size=4), st.sampled_from(STRATEGIES))
def test_the_revisions_are_those_expected(bodies: list[Doc], strategy: str) -> None:
    with EmbeddedReplica.open(":memory:") as replica:
        leaves = fork(replica, *bodies)
        assume(len(leaves) > 1)
        revision = str(leaves[-1]) if strategy == "keep-other" else ""
        made = plan(read(replica), strategy, PLAIN, revision=revision)
        if not made.ready:
            return
        carry_out(replica, made)
        assert live(replica) == ([] if made.expected is None else [made.expected])
        if made.write is not None:
            stored = read(replica).bodies[made.write.expected]
            assert dumps(stored) == dumps(made.write.body)


def test_attachments_stay_as_stubs_or_are_carried(replica: Replica) -> None:
    first, second = {"f": data(b"mine")}, {"g": data(b"theirs", "image/png")}
    winner, loser = fork(
        replica, {"a": 1}, {"a": 1, "_attachments": first}, {"a": 1, "_attachments": second}
    )
    made = plan(read(replica), "merge", Policy())
    assert made.write is not None
    carried = {one.name: (one.carried, one.source) for one in made.write.attachments}
    here = "f" if read(replica).bodies[winner]["_attachments"].keys() == {"f"} else "g"
    there = {"f": "g", "g": "f"}[here]
    assert carried == {here: (False, winner), there: (True, loser)}
    assert [one.name for one in made.write.attachments] == ["f", "g"]
    carry_out(replica, made)
    assert replica.attachment(ID, "f").read() == b"mine"
    theirs = replica.attachment(ID, "g")
    assert (theirs.content_type, theirs.read()) == ("image/png", b"theirs")


def test_different_contents_are_both_kept(replica: Replica) -> None:
    winner, loser = fork(
        replica,
        {"_attachments": {"f.bin": data(b"old")}},
        {"_attachments": {"f.bin": data(b"one")}},
        {"_attachments": {"f.bin": data(b"two")}},
    )
    contents = {rev: replica.attachment(ID, "f.bin", rev=str(rev)).read() for rev in live(replica)}
    assert not plan(read(replica), "merge", Policy()).ready
    made = plan(read(replica), "merge", Policy(attachments="keep-both"))
    carry_out(replica, made)
    renamed = f"f (conflict {str(loser)[:6]}).bin"
    assert replica.attachment(ID, "f.bin").read() == contents[winner]
    assert replica.attachment(ID, renamed).read() == contents[loser]


def test_another_type_is_no_stub(replica: Replica) -> None:
    """A content type in a stub is ignored: the content is sent with the other type."""
    fork(
        replica,
        {"_attachments": {"f": data(b"x", "text/plain")}},
        {"_attachments": {"f": data(b"x", "text/plain")}},
        {"_attachments": {"f": data(b"x", "image/png")}},
    )
    made = plan(read(replica), "merge", Policy())
    assert made.ready
    carry_out(replica, made)
    assert replica.attachment(ID, "f").content_type == "image/png"


def test_the_edit_is_kept_against_a_deletion_without_a_write(replica: Replica) -> None:
    first = replica.put({"_id": ID, "a": 1})
    changes: list[Doc] = [{"_deleted": True}, {"a": 2}]
    for number, fields in enumerate(changes):
        ids = [f"{number:032x}", first[2:]]
        doc = {"_id": ID, "_rev": f"2-{ids[0]}", "_revisions": {"start": 2, "ids": ids}, **fields}
        assert replica.bulk_docs([doc], new_edits=False) == []
    before = replica.info().update_seq
    made = plan(read(replica), "preserve-non-deleted", Policy())
    assert len(made.acknowledge) == 1
    carry_out(replica, made)
    assert replica.info().update_seq == before
    confirmed = plan(read(replica), "delete", Policy())
    carry_out(replica, confirmed)
    assert live(replica) == []


def test_a_key_order_of_its_own_is_another_revision(replica: Replica) -> None:
    """The hash sees the order of members, so the body is sent in the plan's."""
    fork(replica, {"a": 1, "b": 1}, {"b": 2, "a": 1, "z": 1}, {"a": 2, "b": 1, "y": 1})
    made = plan(read(replica), "merge", Policy())
    assert made.write is not None
    carry_out(replica, made)
    stored = replica.get(ID)
    assert [name for name in stored if name[0] != "_"] == list(made.write.fields)


def test_numbers_are_kept_as_they_are(replica: Replica) -> None:
    large = 12345678901234567890123
    fork(replica, {"a": 0}, {"a": 0, "n": large, "f": 1.0}, {"a": 0, "i": 1, "e": 1e22})
    made = plan(read(replica), "merge", Policy())
    carry_out(replica, made)
    stored = replica.get(ID)
    assert stored["n"] == large
    assert type(stored["f"]) is float
    assert type(stored["i"]) is int
    assert same(stored["e"], 1e22)
