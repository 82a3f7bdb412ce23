"""Documents by id: ranges, keys, directions."""

from __future__ import annotations

import pytest

from couchmend.replica.base import AllDocsQuery, AllDocsRow, Replica
from tests.contract.chains import TREE, grow

IDS = ["a", "B", "b", "é", "z", "10", "9", "_design/q", "_design/r", "a/b", "😀", "\ufffd"]
ORDERED = sorted(IDS, key=str.encode)
REV = "1-967a00dff5e02add41819138abb3284d"


@pytest.fixture
def listed(replica: Replica) -> Replica:
    """A database with `IDS`, and one document that was deleted."""
    replica.bulk_docs([{"_id": id} for id in IDS])
    replica.delete("gone", replica.put({"_id": "gone"}))
    return replica


def ids(replica: Replica, **query: object) -> list[str]:
    """What a query answers."""
    return [row.key for row in replica.all_docs(AllDocsQuery(**query)).rows]  # type: ignore[arg-type]


def test_all_of_them_in_the_order_of_bytes(listed: Replica) -> None:
    page = listed.all_docs()
    assert page.rows == tuple(AllDocsRow(id, id, REV) for id in ORDERED)
    assert (page.total_rows, page.offset) == (len(IDS), 0)


def test_an_empty_database(replica: Replica) -> None:
    page = replica.all_docs()
    assert (page.rows, page.total_rows) == ((), 0)


def test_descending(listed: Replica) -> None:
    assert ids(listed, descending=True) == ORDERED[::-1]
    assert ids(listed, descending=True, limit=2) == ORDERED[:-3:-1]
    assert ids(listed, descending=True, startkey="b", endkey="a") == ["b", "a/b", "a"]
    assert ids(listed, descending=True, startkey="b", endkey="a", inclusive_end=False) == [
        "b",
        "a/b",
    ]


@pytest.mark.parametrize(
    ("start", "end"),
    [("a", "b"), (None, "a"), ("b", None), ("aa", "c"), ("\ufffd", None), ("z", "a"), ("", "")],
)
@pytest.mark.parametrize("inclusive", [True, False])
def test_ranges(listed: Replica, start: str | None, end: str | None, inclusive: bool) -> None:
    if start is not None and end is not None and start > end:
        expected: list[str] = []
    else:
        expected = [
            id
            for id in ORDERED
            if (start is None or id.encode() >= start.encode())
            and (end is None or id.encode() < end.encode() or (inclusive and id == end))
        ]
    assert ids(listed, startkey=start, endkey=end, inclusive_end=inclusive) == expected


def test_pages(listed: Replica) -> None:
    assert ids(listed, limit=3) == ORDERED[:3]
    assert ids(listed, limit=2, skip=1) == ORDERED[1:3]
    assert ids(listed, skip=100) == []
    assert ids(listed, limit=0) == []
    assert ids(listed, startkey="a", limit=2, skip=1) == ["a/b", "b"]
    page = listed.all_docs(AllDocsQuery(startkey="b", limit=1))
    assert page.offset == ORDERED.index("b")
    assert page.total_rows == len(IDS)


def test_keys_are_answered_in_their_order(listed: Replica) -> None:
    rows = listed.all_docs(AllDocsQuery(keys=["z", "none", "gone", "a", "z"])).rows
    assert rows[0] == rows[4] == AllDocsRow("z", "z", REV)
    assert rows[1] == AllDocsRow("none", None, None, error="not_found")
    assert (rows[2].key, rows[2].id, rows[2].deleted, rows[2].doc) == ("gone", "gone", True, None)
    assert rows[2].rev is not None
    assert rows[2].rev.startswith("2-")
    assert rows[3] == AllDocsRow("a", "a", REV)


def test_keys_with_limit_skip_and_direction(listed: Replica) -> None:
    keys = ["z", "none", "a", "b"]
    assert ids(listed, keys=keys, limit=2) == ["z", "none"]
    assert ids(listed, keys=keys, skip=2) == ["a", "b"]
    assert ids(listed, keys=keys, limit=1, skip=1) == ["none"]
    assert ids(listed, keys=keys, descending=True) == ["b", "a", "none", "z"]
    assert ids(listed, keys=[]) == []


def test_many_keys(listed: Replica) -> None:
    keys = [f"none-{n}-{'x' * 40}" for n in range(2000)] + ["a"]
    rows = listed.all_docs(AllDocsQuery(keys=keys)).rows
    assert [row.key for row in rows] == keys
    assert rows[-1].id == "a"


def test_included_documents(replica: Replica) -> None:
    grow(replica)
    rev = replica.put({"_id": "y", "w": 1})
    replica.delete("gone", replica.put({"_id": "gone"}))
    rows = replica.all_docs(AllDocsQuery(include_docs=True)).rows
    assert [row.doc for row in rows] == [
        {"_id": TREE, "_rev": "2-cccc", "v": "right"},
        {"_id": "y", "_rev": rev, "w": 1},
    ]
    query = AllDocsQuery(
        keys=["none", TREE, "gone"], include_docs=True, include={"conflicts": True}
    )
    rows = replica.all_docs(query).rows
    assert [row.doc for row in rows] == [
        None,
        {"_id": TREE, "_rev": "2-cccc", "v": "right", "_conflicts": ["2-bbbb"]},
        None,
    ]


def test_included_attachments(replica: Replica) -> None:
    replica.put({"_id": "a", "_attachments": {"f": {"content_type": "x/y", "data": b"abc"}}})
    query = AllDocsQuery(include_docs=True, include={"attachments": True})
    (row,) = replica.all_docs(query).rows
    assert row.doc is not None
    assert row.doc["_attachments"]["f"]["data"] == "YWJj"


def test_only_design_documents(listed: Replica) -> None:
    assert ids(listed, design=True) == ["_design/q", "_design/r"]
    assert ids(listed, design=True, descending=True, limit=1) == ["_design/r"]
    assert ids(listed, design=True, skip=1) == ["_design/r"]
    assert listed.all_docs(AllDocsQuery(design=True)).total_rows == 2


def test_no_design_documents(listed: Replica) -> None:
    others = [id for id in ORDERED if not id.startswith("_design/")]
    assert ids(listed, design=False) == others
    assert ids(listed, design=False, descending=True) == others[::-1]
    for skip in range(5):
        assert ids(listed, design=False, skip=skip, limit=3) == others[skip : skip + 3]
    assert ids(listed, design=False, startkey="B", endkey="a") == ["B", "a"]


def test_local_documents_are_not_among_them(replica: Replica) -> None:
    replica.put_local("mine", {"v": 1})
    assert replica.all_docs().rows == ()
