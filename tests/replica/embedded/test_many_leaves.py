"""Thousands of leaves on one document: the work grows with them, not with their square."""

import pytest

from couchmend.core.document import Doc
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import replicate

LEAVES = 5000


@pytest.mark.timeout(40)
def test_they_are_written_replicated_and_read(replica: EmbeddedReplica) -> None:
    docs: list[Doc] = [
        {"_id": "d", "_revisions": {"start": 2, "ids": [f"{n:08x}", "a"]}, "n": n}
        for n in range(LEAVES)
    ]
    assert replica.bulk_docs(docs, new_edits=False) == []
    [row] = replica.conflicted()
    assert len(row.revs) == LEAVES
    assert row.revs[0] == f"2-{LEAVES - 1:08x}"
    with EmbeddedReplica.open(":memory:") as other:
        assert replicate(replica, other).progress.docs_written == LEAVES
        assert other.conflicted()[0].revs == row.revs
        assert len(other.open_revs("d", revs=True)) == LEAVES


def test_the_first_of_two_bodies_for_one_revision_stands(replica: EmbeddedReplica) -> None:
    """Also for a stub that comes in the same batch."""
    chain: Doc = {"start": 2, "ids": ["b", "a"]}
    replica.bulk_docs(
        [
            {"_id": "d", "_rev": "1-a", "_attachments": {"x": {"data": b"first"}}},
            {"_id": "d", "_rev": "1-a", "_attachments": {"x": {"data": b"second"}}},
            {"_id": "d", "_revisions": chain, "_attachments": {"x": {"stub": True}}},
        ],
        new_edits=False,
    )
    assert replica.attachment("d", "x", rev="1-a").read() == b"first"
    assert replica.attachment("d", "x").read() == b"first"
