"""Mango: what every implementation finds, explains and indexes alike.

Selectors by themselves have their own tests; here it is the requests around them.
"""

from __future__ import annotations

import pytest

from couchmend.errors import BadRequest, NotFound
from couchmend.replica.base import ChangesQuery, FoundPage, Index, Query, Replica

ALL_DOCS = Index(ddoc=None, name="_all_docs", type="special", fields=(("_id", "asc"),))


@pytest.fixture
def notes(replica: Replica) -> Replica:
    """Ten documents m0 to m9; odd ones are tasks."""
    replica.bulk_docs(
        [
            {"_id": f"m{n}", "type": ("note", "task")[n % 2], "n": n, "tags": [f"t{n % 3}"]}
            for n in range(10)
        ]
    )
    return replica


def ids(page: FoundPage) -> list[str]:
    """Which documents a page has."""
    return [doc["_id"] for doc in page.docs]


def test_an_equality(notes: Replica) -> None:
    page = notes.find(Query({"type": "task"}))
    assert ids(page) == ["m1", "m3", "m5", "m7", "m9"]
    assert page.docs[0] == {**notes.get("m1")}
    assert page.execution_stats is None


def test_operators(notes: Replica) -> None:
    for selector, expected in (
        ({"n": {"$gte": 8}}, ["m8", "m9"]),
        ({"$or": [{"n": 1}, {"n": 2}]}, ["m1", "m2"]),
        ({"tags": {"$elemMatch": {"$eq": "t1"}}}, ["m1", "m4", "m7"]),
        ({"type": {"$regex": "^ta"}, "n": {"$not": {"$lt": 7}}}, ["m7", "m9"]),
        ({"n": {"$exists": False}}, []),
        ({"_id": {"$gt": "m8"}}, ["m9"]),
    ):
        assert ids(notes.find(Query(selector))) == expected


def test_fields(notes: Replica) -> None:
    page = notes.find(Query({"n": {"$lt": 2}}, fields=["_id", "n"]))
    assert page.docs == ({"_id": "m0", "n": 0}, {"_id": "m1", "n": 1})


def test_pages_by_bookmark(notes: Replica) -> None:
    seen: list[str] = []
    bookmark = None
    for _ in range(5):
        page = notes.find(Query({"n": {"$gte": 0}}, limit=4, bookmark=bookmark))
        if not page.docs:
            break
        seen += ids(page)
        bookmark = page.bookmark
    assert seen == [f"m{n}" for n in range(10)]
    assert ids(notes.find(Query({"n": {"$gte": 0}}, limit=3, skip=2))) == ["m2", "m3", "m4"]


def test_25_documents_are_a_page(replica: Replica) -> None:
    replica.bulk_docs([{"_id": f"d{n:02}", "k": 1} for n in range(40)])
    assert len(replica.find(Query({"k": 1})).docs) == 25
    assert len(replica.find(Query({"k": 1}, limit=100)).docs) == 40


def test_an_index_and_a_sort(notes: Replica) -> None:
    with pytest.raises(BadRequest) as refusal:
        notes.find(Query({"n": {"$gt": None}}, sort=[{"n": "asc"}]))
    assert refusal.value.error == "no_usable_index"
    definition = {"index": {"fields": ["n"]}, "ddoc": "idx", "name": "by-n"}
    created = {"result": "created", "id": "_design/idx", "name": "by-n"}
    assert notes.create_index(definition) == created
    assert notes.create_index(definition) == {**created, "result": "exists"}
    page = notes.find(Query({"n": {"$gt": 6}}, sort=[{"n": "desc"}]))
    assert ids(page) == ["m9", "m8", "m7"]
    page = notes.find(Query({"n": {"$gt": 6}}, sort=["n"], fields=["n"], limit=2))
    assert page.docs == ({"n": 7}, {"n": 8})


def test_an_index_follows_what_is_written(notes: Replica) -> None:
    notes.create_index({"index": {"fields": ["n"]}, "ddoc": "idx", "name": "by-n"})
    query = Query({"n": {"$gt": 7}}, use_index="idx")
    assert ids(notes.find(query)) == ["m8", "m9"]
    doc = notes.get("m8")
    notes.put({**doc, "n": 0})
    notes.put({"_id": "new", "n": 100})
    notes.delete("m9", notes.get("m9")["_rev"])
    assert ids(notes.find(query)) == ["new"]


def test_indexes_are_listed_and_deleted(notes: Replica) -> None:
    assert notes.indexes() == [ALL_DOCS]
    fields = ["type", {"n": "asc"}]
    notes.create_index({"index": {"fields": fields}, "ddoc": "idx", "name": "by-type"})
    by_type = Index("_design/idx", "by-type", "json", (("type", "asc"), ("n", "asc")))
    assert notes.indexes() == [ALL_DOCS, by_type]
    assert notes.get("_design/idx")["language"] == "query"
    notes.delete_index("idx", "by-type")
    assert notes.indexes() == [ALL_DOCS]
    with pytest.raises(NotFound):
        notes.delete_index("idx", "by-type")
    with pytest.raises(NotFound):
        notes.get("_design/idx")


def test_the_design_document_may_be_named_in_full(notes: Replica) -> None:
    notes.create_index({"index": {"fields": ["n"]}, "ddoc": "_design/idx", "name": "é n"})
    assert [index.ddoc for index in notes.indexes()] == [None, "_design/idx"]
    assert ids(notes.find(Query({"n": 3}, use_index=["_design/idx", "é n"]))) == ["m3"]
    notes.delete_index("_design/idx", "é n")
    assert notes.indexes() == [ALL_DOCS]


def test_a_partial_index(notes: Replica) -> None:
    notes.create_index(
        {
            "index": {"fields": ["n"], "partial_filter_selector": {"type": "task"}},
            "ddoc": "tasks",
            "name": "tasks",
        }
    )
    (_, index) = notes.indexes()
    assert index.partial_filter_selector is not None
    page = notes.find(Query({"type": "task", "n": {"$gt": 4}}, use_index="tasks"))
    assert ids(page) == ["m5", "m7", "m9"]


def test_explain(notes: Replica) -> None:
    told = notes.explain(Query({"type": "task"}))
    assert told["dbname"] == notes.name
    assert told["index"]["name"] == "_all_docs"
    assert told["selector"] == {"type": {"$eq": "task"}}
    assert (told["limit"], told["skip"]) == (25, 0)
    notes.create_index({"index": {"fields": ["type"]}, "ddoc": "idx", "name": "by-type"})
    told = notes.explain(Query({"type": "task"}, limit=7, fields=["n"]))
    assert told["index"]["ddoc"] == "_design/idx"
    assert told["index"]["def"]["fields"] == [{"type": "asc"}]
    assert (told["limit"], told["fields"]) == (7, ["n"])


def test_a_warning_where_no_index_helps(notes: Replica) -> None:
    assert notes.find(Query({"type": "task"})).warning
    notes.create_index({"index": {"fields": ["type"]}, "ddoc": "idx", "name": "by-type"})
    assert notes.find(Query({"type": "task"})).warning is None


def test_execution_stats(notes: Replica) -> None:
    stats = notes.find(Query({"type": "task"}, execution_stats=True)).execution_stats
    assert stats is not None
    assert (stats["total_docs_examined"], stats["results_returned"]) == (10, 5)


@pytest.mark.parametrize(
    ("query", "error"),
    [
        (Query({"$bad": 1}), "invalid_operator"),
        (Query({"n": {"$in": 1}}), "bad_arg"),
        (Query({"n": 1}, sort=[{"n": "sideways"}]), "invalid_sort_field"),
        (Query({"n": 1}, limit=-1), None),
        (Query({"n": 1}, bookmark="rubbish"), "invalid_bookmark"),
    ],
    ids=str,
)
def test_what_makes_no_sense(notes: Replica, query: Query, error: str | None) -> None:
    with pytest.raises(BadRequest) as refusal:
        notes.find(query)
    assert error is None or refusal.value.error == error


def test_conflicts_in_found_documents(notes: Replica) -> None:
    notes.bulk_docs([{"_id": "m3", "_rev": "1-a", "type": "loser"}], new_edits=False)
    rev = notes.get("m3")["_rev"]
    (doc,) = notes.find(Query({"_id": "m3"}, conflicts=True)).docs
    assert doc["_rev"] == max(rev, "1-a")
    assert doc["_conflicts"] == [min(rev, "1-a")]
    (doc,) = notes.find(Query({"_id": "m3"})).docs
    assert "_conflicts" not in doc


def test_an_index_is_a_change_like_any_other(notes: Replica) -> None:
    seen = notes.changes().last_seq
    notes.create_index({"index": {"fields": ["n"]}, "ddoc": "idx", "name": "by-n"})
    assert [row.id for row in notes.changes(ChangesQuery(since=seen)).rows] == ["_design/idx"]
