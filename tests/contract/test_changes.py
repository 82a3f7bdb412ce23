"""The changes feed in pages.

Rows of documents in different shards of a CouchDB come in no fixed order, and `pending` is
what it documents, a count of what lies beyond: neither is taken for more here.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from couchmend.errors import BadRequest
from couchmend.replica.base import ChangesQuery, Replica
from tests.contract.chains import TREE, chained, grow, store


@pytest.fixture
def revs(replica: Replica) -> dict[str, str]:
    """Five documents, d0 to d4, and their revisions."""
    return {id: replica.put({"_id": id, "i": n}) for n, id in enumerate(_ids(5))}


def _ids(count: int) -> list[str]:
    return [f"d{n}" for n in range(count)]


def test_an_empty_database(replica: Replica) -> None:
    page = replica.changes()
    assert (page.rows, page.pending) == ((), 0)
    again = replica.changes(ChangesQuery(since=page.last_seq))
    assert (again.rows, again.pending) == ((), 0)


def test_every_document_once_with_its_winner(replica: Replica, revs: dict[str, str]) -> None:
    revs["d1"] = replica.put({"_id": "d1", "_rev": revs["d1"], "i": 11})
    revs["d2"] = replica.delete("d2", revs["d2"])
    page = replica.changes()
    assert {row.id: row.revs for row in page.rows} == {id: (rev,) for id, rev in revs.items()}
    assert len(page.rows) == 5
    assert {row.id: row.deleted for row in page.rows} == {id: id == "d2" for id in revs}
    assert all(row.doc is None for row in page.rows)
    assert page.pending == 0


def test_pages_cover_everything_once(replica: Replica, revs: dict[str, str]) -> None:
    seen: list[str] = []
    since, pending = "0", 5
    while True:
        page = replica.changes(ChangesQuery(since=since, limit=2))
        assert page.pending == pending - len(page.rows)
        if not page.rows:
            break
        assert page.rows[-1].seq == page.last_seq
        seen += [row.id for row in page.rows]
        since, pending = page.last_seq, page.pending
    assert sorted(seen) == sorted(revs)


def test_a_feed_continues_after_any_row(replica: Replica, revs: dict[str, str]) -> None:
    rows = replica.changes().rows
    for place, row in enumerate(rows):
        rest = replica.changes(ChangesQuery(since=row.seq)).rows
        assert {other.id for other in rest} == {other.id for other in rows[place + 1 :]}


def test_what_changes_comes_after_everything_seen(replica: Replica, revs: dict[str, str]) -> None:
    seen = replica.changes().last_seq
    assert replica.changes(ChangesQuery(since=seen)).rows == ()
    edited = replica.put({"_id": "d3", "_rev": revs["d3"], "i": 33})
    new = replica.put({"_id": "new"})
    page = replica.changes(ChangesQuery(since=seen))
    assert {row.id: row.revs for row in page.rows} == {"d3": (edited,), "new": (new,)}
    assert page.last_seq != seen


def test_refused_writes_and_local_documents_change_nothing(
    replica: Replica, revs: dict[str, str]
) -> None:
    seen = replica.changes().last_seq
    replica.bulk_docs([{"_id": "d1"}])
    replica.put_local("mine", {"v": 1})
    assert replica.changes(ChangesQuery(since=seen)).rows == ()


def test_from_now_on(replica: Replica, revs: dict[str, str]) -> None:
    page = replica.changes(ChangesQuery(since="now"))
    assert (page.rows, page.pending) == ((), 0)
    replica.put({"_id": "new"})
    assert [row.id for row in replica.changes(ChangesQuery(since=page.last_seq)).rows] == ["new"]


def test_the_update_seq_of_the_database_continues_a_feed(
    replica: Replica, revs: dict[str, str]
) -> None:
    seq = replica.info().update_seq
    assert replica.changes(ChangesQuery(since=seq)).rows == ()
    replica.put({"_id": "new"})
    assert [row.id for row in replica.changes(ChangesQuery(since=seq)).rows] == ["new"]


def test_limit_zero_only_looks(replica: Replica, revs: dict[str, str]) -> None:
    page = replica.changes(ChangesQuery(limit=0))
    assert (page.rows, page.pending) == ((), 5)
    assert len(replica.changes(ChangesQuery(since=page.last_seq)).rows) == 5


def test_newest_first(replica: Replica, revs: dict[str, str]) -> None:
    page = replica.changes(ChangesQuery(descending=True))
    assert {row.id for row in page.rows} == set(revs)
    assert len(replica.changes(ChangesQuery(descending=True, limit=2)).rows) == 2


@pytest.mark.parametrize("since", ["rubbish", "", "-1", "x-1"])
def test_a_malformed_since(replica: Replica, since: str) -> None:
    with pytest.raises(BadRequest):
        replica.changes(ChangesQuery(since=since))


def test_styles(replica: Replica) -> None:
    grow(replica)
    (row,) = replica.changes().rows
    assert row.revs == ("2-cccc",)
    (row,) = replica.changes(ChangesQuery(style="all_docs")).rows
    assert row.revs == ("2-cccc", "2-bbbb", "3-dddd")
    assert row.deleted is False


def test_a_change_of_any_leaf_is_a_change(replica: Replica) -> None:
    grow(replica)
    seen = replica.changes().last_seq
    loser = replica.put({"_id": TREE, "_rev": "3-dddd", "_deleted": True, "v": 1})
    (row,) = replica.changes(ChangesQuery(since=seen, style="all_docs")).rows
    assert row.revs == ("2-cccc", "2-bbbb", loser)


def test_included_documents(replica: Replica, revs: dict[str, str]) -> None:
    grow(replica)
    dead = replica.put({"_id": "d2", "_rev": revs["d2"], "_deleted": True, "by": "jo"})
    rows = replica.changes(ChangesQuery(include_docs=True, include={"conflicts": True})).rows
    docs = {row.id: row.doc for row in rows}
    assert docs["d0"] == {"_id": "d0", "_rev": revs["d0"], "i": 0}
    assert docs["d2"] == {"_id": "d2", "_rev": dead, "_deleted": True, "by": "jo"}
    assert docs[TREE] == {"_id": TREE, "_rev": "2-cccc", "v": "right", "_conflicts": ["2-bbbb"]}


def test_included_attachments(replica: Replica) -> None:
    replica.put({"_id": "a", "_attachments": {"f": {"content_type": "x/y", "data": b"abc"}}})
    (row,) = replica.changes(ChangesQuery(include_docs=True)).rows
    assert row.doc is not None
    assert row.doc["_attachments"]["f"]["stub"] is True
    (row,) = replica.changes(ChangesQuery(include_docs=True, include={"attachments": True})).rows
    assert row.doc is not None
    assert row.doc["_attachments"]["f"]["data"] == "YWJj"


def test_only_some_ids(replica: Replica, revs: dict[str, str]) -> None:
    page = replica.changes(ChangesQuery(doc_ids=["d3", "nope", "d1", "d3"]))
    assert sorted(row.id for row in page.rows) == ["d1", "d3"]
    assert replica.changes(ChangesQuery(doc_ids=[])).rows == ()
    assert replica.changes(ChangesQuery(doc_ids=["d3"], since=page.last_seq)).rows == ()


def test_more_ids_than_a_url_could_hold(replica: Replica, revs: dict[str, str]) -> None:
    ids = [f"{n}-{'x' * 50}" for n in range(1500)]
    page = replica.changes(ChangesQuery(doc_ids=[*ids, "d3"]))
    assert [row.id for row in page.rows] == ["d3"]


def test_only_what_matches_a_selector(replica: Replica, revs: dict[str, str]) -> None:
    page = replica.changes(ChangesQuery(selector={"i": {"$gt": 2}}))
    assert sorted(row.id for row in page.rows) == ["d3", "d4"]
    limited = replica.changes(ChangesQuery(selector={"i": {"$gt": 2}}, limit=1))
    assert len(limited.rows) == 1
    rest = replica.changes(ChangesQuery(selector={"i": {"$gt": 2}}, since=limited.last_seq))
    assert len(rest.rows) == 1
    both = ChangesQuery(selector={"i": {"$gt": 2}}, doc_ids=["d1", "d4"])
    assert [row.id for row in replica.changes(both).rows] == ["d4"]
    by_id = replica.changes(ChangesQuery(selector={"_id": {"$in": ["d0", "d4"]}}))
    assert sorted(row.id for row in by_id.rows) == ["d0", "d4"]


def test_a_selector_that_makes_no_sense(replica: Replica) -> None:
    with pytest.raises(BadRequest):
        replica.changes(ChangesQuery(selector={"$bad": 1}))


def test_many_changes(replica: Replica) -> None:
    store(replica, *(chained(f"d{n:04}", "1-a", n=n) for n in range(1200)))
    seen: set[str] = set()
    since = "0"
    for _ in range(3):
        page = replica.changes(ChangesQuery(since=since, limit=500, style="all_docs"))
        seen |= {row.id for row in page.rows}
        since = page.last_seq
    assert len(seen) == 1200
    assert page.pending == 0


def test_all_pages_together_are_the_feed(replica: Replica) -> None:
    replica.bulk_docs([{"_id": f"d{n:02}"} for n in range(25)])
    query = ChangesQuery(style="all_docs")
    whole = replica.changes(query)
    pages = list(replica.change_pages(query, rows=10))
    assert [len(page.rows) for page in pages if page.rows] == [10, 10, 5]
    told = {(row.id, row.revs) for page in pages for row in page.rows}
    assert told == {(row.id, row.revs) for row in whole.rows}
    for page in pages[:-1]:
        assert page.last_seq == page.rows[-1].seq
    assert replica.changes(ChangesQuery(since=pages[-1].last_seq)).rows == ()
    (limited,) = replica.change_pages(replace(query, limit=7), rows=10)
    assert len({row.id for row in limited.rows}) == 7
    end = [*replica.change_pages(replace(query, since=whole.last_seq))]
    assert [page.rows for page in end] == [()]


def test_pages_of_a_filtered_feed_end_where_the_feed_ends(replica: Replica) -> None:
    replica.bulk_docs([{"_id": f"d{n:02}", "n": n} for n in range(25)])
    query = ChangesQuery(selector={"n": {"$lt": 12}})
    pages = list(replica.change_pages(query, rows=10))
    assert {row.id for page in pages for row in page.rows} == {f"d{n:02}" for n in range(12)}
    assert replica.changes(ChangesQuery(since=pages[-1].last_seq)).rows == ()
