"""A document comes back as it was written: its id, its members' order, its numbers."""

from __future__ import annotations

import math
from typing import Any

import pytest

from couchmend.core.document import JSON
from couchmend.errors import BadRequest, NotFound
from couchmend.replica.base import AllDocsQuery, BulkGetRow, ChangesQuery, Found, Replica

VALUES: list[JSON] = [
    None,
    True,
    0,
    -1,
    2**31,
    2**53 + 1,
    2**63,
    2**64 + 1,
    -(2**70),
    12345678901234567890123,
    1.0,
    0.1,
    -2.5,
    1e22,
    1e100,
    2.5e-308,
    1.7976931348623157e308,
    "",
    "plain",
    'quotes " and \\ backslashes / slashes',
    "\t\r\n\b\f\0\x1f\x7f",
    "é中😀\u2028\ufeff\uffff",
    [],
    {},
    [[], {}, [None]],
    {"": 0},
    {"é": {"😀": [1, 1.0, "1"]}},
]

IDS = [
    "plain",
    "two words",
    "a/b/c",
    "/",
    "a+b",
    "100%",
    "%2F",
    "a?b=c&d#e",
    '"quoted"',
    "back\\slash",
    "semi;colon,comma:colon@at",
    "line\nbreak\ttab",
    "é中😀",
    "\ufffd\uffff",
    ".",
    "..",
    "a/../b",
    "-",
    "0",
    "nul\0byte",
    "x" * 500,
    "_design/plain",
    "_design/two words/and more é+%",
]


def kinds(value: JSON) -> Any:
    """The value with the type of each number beside it: 1 equals 1.0 and True."""
    if isinstance(value, dict):
        return {key: kinds(member) for key, member in value.items()}
    if isinstance(value, list):
        return [kinds(member) for member in value]
    return type(value), value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[:30])
def test_a_value_comes_back_with_its_type(replica: Replica, value: JSON) -> None:
    replica.put({"_id": "d", "value": value})
    assert kinds(replica.get("d")["value"]) == kinds(value)


def test_many_values_come_back_from_every_way_of_reading(replica: Replica) -> None:
    rev = replica.put({"_id": "d", "values": VALUES})
    (row,) = replica.bulk_get([("d", rev)])
    (outcome,) = row.outcomes
    assert isinstance(outcome, Found)
    listed = replica.all_docs(AllDocsQuery(include_docs=True)).rows[0].doc
    changed = replica.changes(ChangesQuery(include_docs=True)).rows[0].doc
    (leaf,) = replica.open_revs("d")
    assert isinstance(leaf, Found)
    for doc in (outcome.doc, listed, changed, leaf.doc):
        assert doc is not None
        assert kinds(doc["values"]) == kinds(VALUES)


def test_members_keep_their_order(replica: Replica) -> None:
    replica.put({"z": 1, "_id": "d", "a": {"y": 1, "b": 2, "x": 3}, "m": 0})
    doc = replica.get("d")
    assert list(doc) == ["_id", "_rev", "z", "a", "m"]
    assert list(doc["a"]) == ["y", "b", "x"]


def test_the_order_of_members_makes_another_revision(replica: Replica) -> None:
    one = replica.put({"_id": "one", "a": 2, "b": 1})
    other = replica.put({"_id": "other", "b": 1, "a": 2})
    assert one == "1-43bc36bb440b3548a3ff0c4beb772d8d"
    assert other == "1-afc27c384a7b497e8b717857527a0dc7"


@pytest.mark.parametrize("shape", ["lists", "objects", "both"])
def test_deep_documents(replica: Replica, shape: str) -> None:
    value: JSON = "bottom"
    for level in range(400):
        value = [value] if shape == "lists" or (shape == "both" and level % 2) else {"k": value}
    replica.put({"_id": "deep", "value": value})
    assert replica.get("deep")["value"] == value


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, "\ud800", {1: 2}, {"k": {1, 2}}, b"bytes"], ids=ascii
)
def test_what_is_not_json_is_refused(replica: Replica, value: Any) -> None:
    with pytest.raises(BadRequest):
        replica.put({"_id": "d", "value": value})
    with pytest.raises(NotFound):
        replica.get("d")


@pytest.mark.parametrize("id", IDS, ids=lambda text: ascii(text)[:30])
def test_any_string_can_be_an_id(replica: Replica, id: str) -> None:
    rev = replica.put({"_id": id, "v": 1})
    assert replica.get(id) == {"_id": id, "_rev": rev, "v": 1}
    assert replica.get(id, rev=rev)["_id"] == id
    assert [row.id for row in replica.all_docs().rows] == [id]
    assert replica.all_docs(AllDocsQuery(keys=[id])).rows[0].rev == rev
    assert replica.all_docs(AllDocsQuery(startkey=id, endkey=id)).rows[0].rev == rev
    assert replica.changes(ChangesQuery(doc_ids=[id])).rows[0].revs == (rev,)
    found = Found({"_id": id, "_rev": rev, "v": 1})
    assert list(replica.bulk_get([(id, rev)])) == [BulkGetRow(id, (found,))]
    assert replica.open_revs(id) == [found]
    assert replica.open_revs(id, [rev]) == [found]
    assert replica.revs_diff({id: [rev]}) == {}
    rev = replica.put_attachment(id, "a", b"bytes", "text/plain", rev=rev)
    assert replica.attachment(id, "a").read() == b"bytes"
    tombstone = replica.delete(id, rev)
    assert replica.get(id, rev=tombstone) == {"_id": id, "_rev": tombstone, "_deleted": True}


@pytest.mark.parametrize("id", ["", "_", "_x", "_all_docs", "_design/", "_local/"], ids=ascii)
def test_an_illegal_id_names_nothing(replica: Replica, id: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        replica.get(id)
    assert refusal.value.error == "illegal_docid"
    with pytest.raises(BadRequest):
        replica.open_revs(id)


def test_what_couchdb_ignores_in_a_written_document_is_not_kept(replica: Replica) -> None:
    rev = replica.put(
        {
            "_id": "d",
            "_conflicts": ["1-a"],
            "_deleted_conflicts": ["1-b"],
            "_revs_info": [],
            "_local_seq": 3,
            "keep": 1,
        }
    )
    assert rev == "1-4756e0b71dbaaf968f611238939d3d65"
    assert replica.get("d") == {"_id": "d", "_rev": rev, "keep": 1}


def test_a_document_without_an_id_gets_one(replica: Replica) -> None:
    one, other = (replica.bulk_docs([{"v": 1}])[0] for _ in range(2))
    assert one.id != other.id
    assert replica.get(one.id)["v"] == 1
