"""One document that refuses a batch does not stop the others."""

from __future__ import annotations

import random

import pytest

from couchmend.core.document import Doc
from couchmend.errors import Unavailable
from couchmend.replica.base import Refused, Written
from couchmend.replica.embedded import EmbeddedReplica, Limits
from couchmend.replica.refusals import bulk_docs_each

BAD: list[Doc] = [
    {"_id": "_illegal"},
    {"_id": "b1", "_unknown": 1},
    {"_id": "b2", "_rev": "rubbish"},
    {"_id": "b3", "_attachments": {"a": {"stub": True, "revpos": 1}}},
    {"_id": "b4", "text": "x" * 2000},
]


@pytest.mark.parametrize("new_edits", [True, False])
def test_every_other_document_is_stored(new_edits: bool) -> None:
    docs: list[Doc] = [
        {"_id": f"g{n}", "_revisions": {"start": 1, "ids": ["a"]}} for n in range(40)
    ]
    if new_edits:
        docs = [{"_id": doc["_id"]} for doc in docs]
    bad = [doc if new_edits or "_rev" in doc else {**doc, "_rev": "1-a"} for doc in BAD]
    together = docs + bad
    random.Random(1).shuffle(together)
    limits = Limits(max_document_bytes=1000)
    with EmbeddedReplica.open(":memory:", limits=limits) as replica:
        rows = bulk_docs_each(replica, together, new_edits=new_edits)
        refused = {row.id: row.error for row in rows if isinstance(row, Refused)}
        assert refused == {
            "_illegal": "illegal_docid",
            "b1": "doc_validation",
            "b2": "bad_request",
            "b3": "missing_stub",
            "b4": "document_too_large",
        }
        assert replica.info().documents == 40
        if new_edits:
            assert [row.id for row in rows] == [doc["_id"] for doc in together]
            assert sum(isinstance(row, Written) for row in rows) == 40


def test_nothing_to_write() -> None:
    with EmbeddedReplica.open(":memory:") as replica:
        assert bulk_docs_each(replica, []) == []


def test_a_failure_that_is_no_refusal_is_raised() -> None:
    replica = EmbeddedReplica.open(":memory:")
    replica.close()
    with pytest.raises(Unavailable):
        bulk_docs_each(replica, [{"_id": "a"}, {"_id": "b"}])
