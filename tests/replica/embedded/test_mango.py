"""Mango on the embedded replica: indexes, queries and plans, against CouchDB's answers, and the
law that an index changes nothing but the time that an answer takes."""

from __future__ import annotations

import json
import random
import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from couchmend.core.collation import compare, sort_key
from couchmend.core.fields import Absent, get_field, parse_field
from couchmend.core.selector import Selector
from couchmend.errors import BadRequest, NotFound, ReplicaError, Unsupported
from couchmend.replica.base import Index, Query
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.embedded.mango.rows import DOCUMENTS_A_STEP
from tests.contract.record_mango import documents, selector

CONTRACT = Path(__file__).parents[2] / "contract"
EVERYTHING = 10**6
SCAN = "No matching index found, create an index to optimize query time."
MANY = (
    "The number of documents examined is high in proportion to the number of results returned."
    " Consider adding a more specific index to improve this."
)


def ids(replica: EmbeddedReplica, selector: dict[str, Any], **options: Any) -> list[str]:
    query = Query(selector, **{"limit": EVERYTHING, **options})
    return [doc["_id"] for doc in replica.find(query).docs]


def index(replica: EmbeddedReplica, *fields: Any, **more: Any) -> Any:
    partial = {"partial_filter_selector": more.pop("where")} if "where" in more else {}
    return replica.create_index({"index": {"fields": list(fields), **partial}, **more})


def rows(path: Path) -> int:
    """How many rows all indexes in a file have."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT count(*) FROM mango_rows").fetchone()[0])
    finally:
        connection.close()


# --- what CouchDB 3.5.0 answered


def transcript() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for line in (CONTRACT / "couchdb-3.5.0.jsonl").read_text().splitlines():
        step = json.loads(line)
        if step["scenario"] == "mango":
            yield step["request"], step["response"]


def query_of(body: dict[str, Any]) -> Query:
    return Query(**{name: value for name, value in body.items() if name != "selector"},
                 selector=body["selector"])  # fmt: skip


def shown(index: Index) -> dict[str, Any]:
    """An index as `_index` lists it."""
    listed: dict[str, Any] = {"ddoc": index.ddoc, "name": index.name, "type": index.type}
    if index.ddoc is not None:
        listed["partitioned"] = False
    listed["def"] = {"fields": [{name: direction} for name, direction in index.fields]}
    return listed


def answer(replica: EmbeddedReplica, method: str, path: str, body: Any) -> Any:
    """What a request of the transcript is answered with."""
    match method, path.removeprefix("/{db}").split("/"):
        case "POST", [_, "_bulk_docs"]:
            written = replica.bulk_docs(body["docs"])
            return [{"ok": True, "id": row.id, "rev": row.rev} for row in written]
        case "POST", [_, "_index"]:
            return replica.create_index(body)
        case "GET", [_, "_index"]:
            indexes = [shown(index) for index in replica.indexes()]
            return {"total_rows": len(indexes), "indexes": indexes}
        case "POST", [_, "_find"]:
            page = replica.find(query_of(body))
            found: dict[str, Any] = {"docs": list(page.docs)}
            if page.warning is not None:
                found["warning"] = page.warning
            return found
        case "POST", [_, "_explain"]:
            return replica.explain(query_of(body))
        case "DELETE", [_, "_index", ddoc, "json", name]:
            replica.delete_index(ddoc, name)
            return {"ok": True}
    raise AssertionError(f"an unknown request: {method} {path}")


def test_every_step_of_the_recorded_scenario(tmp_path: Path) -> None:
    steps = [step for step in transcript() if step[0]["path"] != "/{db}"]
    assert len(steps) == 19
    with EmbeddedReplica.open(tmp_path / "m.couch", name="wire-mango") as replica:
        for request, response in steps:
            expected = response["body"]
            if isinstance(expected, dict):
                expected.pop("bookmark", None)
            body = request.get("body")
            if request["path"] == "/{db}/_find" and body == {}:
                continue  # a `Query` always has a selector
            status = response["status"] if response["status"] >= 400 else None
            try:
                found = answer(replica, request["method"], request["path"], body)
                refused = None
            except ReplicaError as refusal:
                found = {"error": refusal.error, "reason": refusal.reason}
                refused = refusal.status
            assert refused == status, request
            assert json.dumps(found) == json.dumps(expected), request


def recorded_plans() -> tuple[list[Any], list[Any], list[Any]]:
    docs, *lines = map(
        json.loads, (CONTRACT / "couchdb-3.5.0-plans.jsonl").read_text().splitlines()
    )
    return docs, [c for c in lines if "index" in c], [c for c in lines if "query" in c]


@pytest.fixture
def recorded(replica: EmbeddedReplica) -> EmbeddedReplica:
    """A replica with the documents and indexes of the recorded plans."""
    docs, indexes, _ = recorded_plans()
    replica.name = "recording-mango"
    replica.bulk_docs([{k: v for k, v in doc.items() if k != "_rev"} for doc in docs])
    for made in indexes:
        assert replica.create_index(made["index"]) == made["created"]
    return replica


def test_design_documents_and_their_revisions_are_couchdbs(recorded: EmbeddedReplica) -> None:
    _, indexes, _ = recorded_plans()
    last = {made["design"]["_id"]: made["design"] for made in indexes}
    for id, design in last.items():
        assert json.dumps(recorded.get(id)) == json.dumps(design)


def test_plans_are_couchdbs(recorded: EmbeddedReplica) -> None:
    _, _, cases = recorded_plans()
    assert len(cases) > 40
    for case in cases:
        expected = case["plan"]
        try:
            plan = recorded.explain(query_of(case["query"]))
        except BadRequest as refusal:
            plan = {"error": refusal.error, "reason": refusal.reason}
        if case["query"]["selector"] == {"$or": []}:
            # CouchDB thinks that every index serves this, and then looks into none.
            assert plan["mrargs"]["start_key"] is expected["mrargs"]["start_key"] is None
            continue
        assert plan == expected, case["query"]


def test_answers_are_couchdbs(recorded: EmbeddedReplica) -> None:
    _, _, cases = recorded_plans()
    for case in cases:
        expected = case["found"]
        if "error" in expected:
            with pytest.raises(BadRequest) as refusal:
                recorded.find(query_of(case["query"]))
            assert refusal.value.error == expected["error"], case["query"]
            assert refusal.value.reason == expected["reason"], case["query"]
            continue
        page = recorded.find(query_of(case["query"]))
        assert json.dumps(page.docs) == json.dumps(expected["docs"]), case["query"]
        # How many documents CouchDB looked at in vain depends on its shards.
        found, warned = (
            [line for line in (text or "").split("\n") if line not in ("", MANY)]
            for text in (page.warning, expected.get("warning"))
        )
        assert found == warned, case["query"]


# --- an index changes nothing but the time


def change(replica: EmbeddedReplica, chance: random.Random, count: int) -> None:
    """Random edits, deletions, re-creations and replicated conflicts."""
    for doc in documents(chance, count):
        doc["_id"] = f"{chance.choice('dDeék')}{chance.randint(0, 60)}"
        if chance.random() < 0.3:
            doc["_rev"] = f"{chance.randint(1, 3)}-{chance.choice('abc') * 32}"
            doc["_deleted"] = chance.random() < 0.3
            replica.bulk_docs([doc], new_edits=False)
            continue
        try:
            doc["_rev"] = replica.get(doc["_id"])["_rev"]
            doc["_deleted"] = chance.random() < 0.3
        except NotFound:
            pass
        replica.put(doc)


def winners(replica: EmbeddedReplica, **include: Any) -> list[dict[str, Any]]:
    page = replica.all_docs()
    return [
        replica.get(row.key, **include) for row in page.rows if not row.key.startswith("_design/")
    ]


@pytest.mark.parametrize("seed", range(4))
def test_index_scan_and_selector_agree_whatever_was_written(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    with (
        EmbeddedReplica.open(tmp_path / "indexed.couch") as indexed,
        EmbeddedReplica.open(tmp_path / "plain.couch") as plain,
    ):
        names = ["a", "b", "c", "a.b", "_id", "a.0", "x\\.y"]
        for _ in range(6):
            index(indexed, *chance.sample(names, chance.randint(1, 3)))
        served = 0
        for _ in range(8):
            state = chance.getstate()
            change(plain, chance, 25)
            chance.setstate(state)
            change(indexed, chance, 25)
            docs = winners(plain)
            assert winners(indexed) == docs
            for _ in range(12):
                asked = selector(chance, 2)
                by_selector = sorted(d["_id"] for d in docs if Selector(asked).matches(d))
                assert sorted(ids(plain, asked)) == by_selector, asked
                assert sorted(ids(indexed, asked)) == by_selector, asked
                served += indexed.explain(Query(asked))["index"]["type"] == "json"
        assert served > 20


@pytest.mark.parametrize("seed", range(2))
def test_a_sorted_answer_is_in_the_order_of_the_collation(
    replica: EmbeddedReplica, seed: int
) -> None:
    chance = random.Random(seed)
    replica.bulk_docs(documents(chance, 120))
    for fields in (["a"], ["b", "a"], ["c", "a.b"]):
        index(replica, *fields)
        for direction in ("asc", "desc"):
            sort = [{name: direction} for name in fields]
            found = replica.find(Query({}, sort=sort, limit=EVERYTHING)).docs
            paths = [parse_field(name) for name in fields]
            expected = [
                doc
                for doc in winners(replica)
                if not any(isinstance(get_field(doc, path), Absent) for path in paths)
            ]
            expected.sort(key=lambda doc: doc["_id"].encode())
            expected.sort(key=lambda doc: sort_key([get_field(doc, path) for path in paths]))
            if direction == "desc":
                expected.reverse()
            assert list(found) == expected
            assert expected


# --- paging


@pytest.fixture
def numbered(replica: EmbeddedReplica) -> EmbeddedReplica:
    replica.bulk_docs([{"_id": f"n{i:02}", "n": i % 5, "all": 1} for i in range(23)])
    return replica


@pytest.mark.parametrize("direction", ["asc", "desc"])
@pytest.mark.parametrize("field", ["n", "_id"])
@pytest.mark.parametrize("limit", [1, 4, 23, 50])
def test_pages_follow_each_other(
    numbered: EmbeddedReplica, direction: str, field: str, limit: int
) -> None:
    index(numbered, "n")
    asked: dict[str, Any] = {
        "selector": {field: {"$gt": None}}, "sort": [{field: direction}], "limit": limit,
    }  # fmt: skip
    whole = ids(numbered, asked["selector"], sort=asked["sort"])
    paged: list[str] = []
    page = numbered.find(Query(**asked))
    while page.docs:
        paged += [doc["_id"] for doc in page.docs]
        assert page.bookmark != "nil"
        before, page = page, numbered.find(Query(**asked, bookmark=page.bookmark))
    assert page.bookmark == before.bookmark
    assert paged == whole
    assert len(paged) == 23


def test_a_page_goes_on_whatever_happens_to_the_documents(numbered: EmbeddedReplica) -> None:
    index(numbered, "n")
    query: dict[str, Any] = {"selector": {"n": {"$gte": 0}, "all": 1}, "limit": 7}
    first = numbered.find(Query(**query))
    for doc in (first.docs[0], first.docs[-1]):
        numbered.delete(doc["_id"], doc["_rev"])
    numbered.put({"_id": "before", "n": -1, "all": 1})
    numbered.put({"_id": "n00a", "n": 0, "all": 1})  # among those that were shown
    index(numbered, "n", "all", name="better")
    assert numbered.explain(Query(**query))["index"]["name"] == "better"
    shown = [doc["_id"] for doc in first.docs]
    page = first
    while page.docs:
        page = numbered.find(Query(**query, bookmark=page.bookmark))
        shown += [doc["_id"] for doc in page.docs]
    assert sorted(shown) == [f"n{i:02}" for i in range(23)]


def test_skip_and_limit(numbered: EmbeddedReplica) -> None:
    assert ids(numbered, {"all": 1}, skip=20) == ["n20", "n21", "n22"]
    assert ids(numbered, {"n": 1}, skip=1, limit=2) == ["n06", "n11"]
    first = numbered.find(Query({"n": 1}, limit=2))
    assert ids(numbered, {"n": 1}, skip=1, bookmark=first.bookmark) == ["n16", "n21"]
    empty = numbered.find(Query({"n": 1}, limit=0))
    assert (empty.docs, empty.bookmark) == ((), "nil")
    assert numbered.find(Query({"n": 99})).bookmark == "nil"


def test_the_default_is_25_documents(numbered: EmbeddedReplica) -> None:
    numbered.bulk_docs([{"all": 1} for _ in range(10)])
    assert len(numbered.find(Query({"all": 1})).docs) == 25


@pytest.mark.parametrize("bookmark", ["junk", "{}", "WyJhIl0", "é"])
def test_bad_bookmarks(numbered: EmbeddedReplica, bookmark: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        numbered.find(Query({"n": 1}, bookmark=bookmark))
    shown = json.dumps(bookmark, ensure_ascii=False)
    assert refusal.value.error == "invalid_bookmark"
    assert refusal.value.reason == f"Invalid bookmark value: {shown}"


def test_a_bookmark_of_an_index_that_is_gone(numbered: EmbeddedReplica) -> None:
    index(numbered, "n", ddoc="d", name="by-n")
    first = numbered.find(Query({"n": 1}, limit=1))
    numbered.delete_index("d", "by-n")
    with pytest.raises(BadRequest, match="start again without a bookmark"):
        numbered.find(Query({"n": 1}, limit=1, bookmark=first.bookmark))


@pytest.mark.parametrize("nothing", [None, "", "nil"])
def test_no_bookmark(numbered: EmbeddedReplica, nothing: str | None) -> None:
    assert ids(numbered, {"n": 4}, bookmark=nothing) == ["n04", "n09", "n14", "n19"]


# --- what an answer shows


def test_projections_conflicts_and_attachments(replica: EmbeddedReplica) -> None:
    attachment = {"t": {"content_type": "text/plain", "data": b"hi"}}
    replica.put({"_id": "x", "a": {"b": 1, "c": 2}, "_attachments": attachment})
    replica.put({"_id": "x", "_rev": f"1-{'f' * 32}", "a": 9}, new_edits=False)
    replica.put({"_id": "x", "_rev": f"2-{'e' * 32}", "a": {"b": 1}}, new_edits=False)
    replica.put({"_id": "y", "a": {"b": 1}, "_attachments": attachment})
    x, y = replica.find(Query({"a.b": 1}, conflicts=True)).docs
    assert x["_conflicts"] == replica.get("x", conflicts=True)["_conflicts"]
    assert y == replica.get("y")
    assert y["_attachments"]["t"]["stub"] is True
    assert "_conflicts" not in replica.find(Query({"_id": "x"})).docs[0]
    shown = replica.find(Query({"a.b": 1}, fields=["a.b", "_conflicts"], conflicts=True)).docs
    assert shown == ({"a": {"b": 1}, "_conflicts": x["_conflicts"]}, {"a": {"b": 1}})
    assert ids(replica, {"_attachments.t.length": 2}) == ["y"]
    assert ids(replica, {"_conflicts": {"$exists": True}}) == []
    assert ids(replica, {"_conflicts": {"$exists": True}}, conflicts=True) == ["x"]


def test_conflicts_can_be_indexed(replica: EmbeddedReplica) -> None:
    replica.bulk_docs([{"_id": f"d{i}"} for i in range(30)])
    index(replica, "_conflicts")
    query = Query({"_conflicts": {"$exists": True}}, conflicts=True, execution_stats=True)
    assert replica.find(query).docs == ()
    replica.put({"_id": "d7", "_rev": f"1-{'f' * 32}", "other": 1}, new_edits=False)
    page = replica.find(query)
    assert [doc["_id"] for doc in page.docs] == ["d7"]
    assert page.execution_stats is not None
    assert page.execution_stats["total_docs_examined"] == 1
    loser = page.docs[0]["_conflicts"][0]
    replica.delete("d7", loser)
    assert replica.find(query).docs == ()


def test_design_documents_and_deleted_ones_are_left_out(replica: EmbeddedReplica) -> None:
    index(replica, "language")
    index(replica, "_id")
    replica.put({"_id": "x", "language": "query"})
    gone = replica.put({"_id": "gone", "language": "query"})
    assert ids(replica, {"language": "query"}) == ["gone", "x"]
    replica.delete("gone", gone)
    assert ids(replica, {"language": "query"}) == ["x"]
    assert ids(replica, {}) == ["x"]
    assert ids(replica, {"_id": {"$gt": None}}) == ["x"]


def test_ids_are_compared_as_bytes_even_in_an_index(replica: EmbeddedReplica) -> None:
    names = ["A", "a", "B", "b", "é", "a😀", "a\uffff"]
    replica.bulk_docs([{"_id": name, "t": 1} for name in names])
    for fields in ((), ("t", "_id"), ("_id",)):
        if fields:
            index(replica, *fields)
        for asked, found in (
            ({"$gt": "B"}, ["a", "a\uffff", "a😀", "b", "é"]),
            ({"$gte": "B", "$lt": "b"}, ["B", "a", "a\uffff", "a😀"]),
            ({"$beginsWith": "a"}, ["a", "a\uffff", "a😀"]),
            ({"$eq": "é"}, ["é"]),
            ({"$gt": "b", "$lt": "B"}, []),
        ):
            assert sorted(ids(replica, {"t": 1, "_id": asked})) == sorted(found), (fields, asked)


# --- what is told about the work


def test_execution_statistics_and_warnings(numbered: EmbeddedReplica) -> None:
    page = numbered.find(Query({"n": 1}, execution_stats=True))
    stats = dict(page.execution_stats or {})
    assert stats.pop("execution_time_ms") >= 0
    assert stats == {
        "total_keys_examined": 23,
        "total_docs_examined": 23,
        "total_quorum_docs_examined": 0,
        "results_returned": 5,
    }
    assert page.warning == SCAN
    assert numbered.find(Query({"_id": "n01", "n": 5})).warning == SCAN
    assert numbered.find(Query({"n": 99})).warning == f"{SCAN}\n{MANY}"
    index(numbered, "n")
    page = numbered.find(Query({"n": 1}, execution_stats=True))
    assert page.warning is None
    assert (page.execution_stats or {})["total_keys_examined"] == 5
    covered = numbered.find(Query({"n": 1}, fields=["_id", "n"], execution_stats=True))
    assert covered.docs[0] == {"_id": "n01", "n": 1}
    assert (covered.execution_stats or {})["total_docs_examined"] == 0
    unused = numbered.find(Query({"n": 1}, use_index="nope"))
    assert unused.warning == (
        "_design/nope was not used because it does not contain a valid index for this query."
    )
    assert len(unused.docs) == 5


def test_a_scan_holds_one_document_at_a_time(replica: EmbeddedReplica) -> None:
    replica.bulk_docs([{"_id": f"{i}", "text": str(i) * 20_000} for i in range(300)])
    tracemalloc.start()
    try:
        assert ids(replica, {"text": "none"}) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000  # of some 17 MB


# --- the life of an index


def test_a_partial_index_holds_what_its_filter_lets_through(
    replica: EmbeddedReplica, path: Path
) -> None:
    replica.bulk_docs([{"_id": f"d{i}", "n": i, "done": i % 2 == 0} for i in range(10)])
    made = index(replica, "n", where={"done": {"$ne": True}}, ddoc="open", name="n")
    assert made["result"] == "created"
    assert ids(replica, {"n": {"$gt": 4}}) == ["d5", "d6", "d7", "d8", "d9"]
    assert rows(path) == 0
    assert ids(replica, {"n": {"$gt": 4}}, use_index="open") == ["d5", "d7", "d9"]
    assert rows(path) == 5
    assert replica.indexes()[1].partial_filter_selector == {"done": {"$ne": True}}
    replica.put({**replica.get("d5"), "done": True})
    assert ids(replica, {"n": {"$gt": 4}}, use_index="open") == ["d7", "d9"]


def test_an_index_is_brought_up_to_date_in_steps(replica: EmbeddedReplica, path: Path) -> None:
    count = 2 * DOCUMENTS_A_STEP + 1
    replica.bulk_docs([{"_id": f"{i:05}", "n": i} for i in range(count)])
    index(replica, "n")
    assert ids(replica, {"n": {"$gte": count - 2}}) == [f"{i:05}" for i in (count - 2, count - 1)]
    assert rows(path) == count
    replica.put({**replica.get("00000"), "n": count})
    assert ids(replica, {"n": {"$gte": count}}) == ["00000"]
    assert ids(replica, {"n": 0}) == []
    assert rows(path) == count


def test_an_index_serves_every_process_that_opens_the_file(path: Path) -> None:
    with EmbeddedReplica.open(path) as one, EmbeddedReplica.open(path) as two:
        index(one, "n")
        for i in range(5):
            (one if i % 2 else two).put({"_id": str(i), "n": i})
            assert ids(one, {"n": i}) == ids(two, {"n": i}) == [str(i)]


def test_an_index_that_lags_shows_no_document_as_it_was(
    replica: EmbeddedReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica.bulk_docs([{"_id": f"d{i}", "n": i} for i in range(4)])
    index(replica, "n")
    assert ids(replica, {"n": {"$gt": 0}}) == ["d1", "d2", "d3"]
    # As if other writers were always faster than the index.
    monkeypatch.setattr("couchmend.replica.embedded.mango.finding._REFRESHES", 0)
    replica.put({**replica.get("d1"), "_deleted": True})
    replica.put({**replica.get("d2"), "n": 0})
    replica.put({**replica.get("d3"), "n": 9})
    assert replica.find(Query({"n": {"$gt": 0}})).docs == (replica.get("d3"),)


def test_a_definition_that_changes_makes_a_new_index(replica: EmbeddedReplica, path: Path) -> None:
    replica.bulk_docs([{"_id": f"d{i}", "a": i, "b": -i} for i in range(4)])
    index(replica, "a", ddoc="d", name="i")
    assert ids(replica, {"a": {"$gt": 1}}) == ["d2", "d3"]
    index(replica, "b", ddoc="d", name="i")
    assert ids(replica, {"b": {"$lt": 0}}) == ["d3", "d2", "d1"]
    assert replica.explain(Query({"a": 1}))["index"]["ddoc"] is None
    assert rows(path) == 4


def test_rows_go_with_their_index(replica: EmbeddedReplica, path: Path) -> None:
    replica.bulk_docs([{"_id": f"d{i}", "a": i} for i in range(4)])
    index(replica, "a", ddoc="one", name="x")
    index(replica, "_id", ddoc="one", name="y")
    index(replica, "a", "_id", ddoc="two", name="z")
    assert ids(replica, {"a": 1}, use_index="one/x") == ["d1"]
    assert ids(replica, {"a": 1}, use_index="two") == ["d1"]
    assert rows(path) == 8
    replica.delete_index("one", "x")
    assert rows(path) == 4
    assert list(replica.get("_design/one")["views"]) == ["y"]
    replica.delete_index("_design/one", "y")
    with pytest.raises(NotFound, match="deleted"):
        replica.get("_design/one")
    # A design document may go without `delete_index`; the next refresh clears up after it.
    replica.delete("_design/two", replica.get("_design/two")["_rev"])
    index(replica, "a")
    assert ids(replica, {"a": 2}) == ["d2"]
    assert rows(path) == 4
    with pytest.raises(NotFound, match="missing"):
        replica.delete_index("one", "x")


def test_indexes_replicate(replica: EmbeddedReplica, tmp_path: Path) -> None:
    created = index(replica, "a", where={"b": 1}, ddoc="d")
    with EmbeddedReplica.open(tmp_path / "other.couch") as other:
        other.put(replica.get("_design/d", revs=True), new_edits=False)
        assert other.indexes() == replica.indexes()
        assert index(other, "a", where={"b": 1}, ddoc="d") == {**created, "result": "exists"}
        other.put({"_id": "x", "a": 1, "b": 1})
        assert ids(other, {"a": 1}, use_index="d") == ["x"]


def test_a_purged_document_leaves_the_index(replica: EmbeddedReplica, path: Path) -> None:
    index(replica, "a")
    rev = replica.put({"_id": "x", "a": 1})
    assert ids(replica, {"a": 1}) == ["x"]
    replica.purge({"x": [rev]})
    assert rows(path) == 0
    replica.put({"_id": "y", "a": 1})
    assert ids(replica, {"a": 1}) == ["y"]


@pytest.mark.parametrize(
    "views",
    [
        {"v": {"map": "function (doc) {}"}},
        {"v": {"map": {"fields": ["a"]}, "options": {}}},
        {"v": {"map": {"fields": {"a": 1}}, "options": {}}},
        {"v": {"map": {"fields": {"a..b": "asc"}}, "options": {}}},
        {"v": {"map": {"fields": {"a": "asc"}, "selector": {"$x": 1}}, "options": {}}},
        {"v": {"map": {"fields": {"a": "asc"}}}},
        {"v": 1},
        [],
    ],
)
def test_views_that_are_no_indexes_are_passed_over(replica: EmbeddedReplica, views: Any) -> None:
    replica.put({"_id": "_design/odd", "language": "query", "views": views})
    replica.put({"_id": "_design/js", "views": {"v": {"map": "function (doc) {}"}}})
    replica.put({"_id": "x", "a": 1})
    assert [index.name for index in replica.indexes()] == ["_all_docs"]
    assert ids(replica, {"a": 1}) == ["x"]


@pytest.mark.parametrize(
    ("definition", "error", "reason"),
    [
        ({}, "missing_required_key", "Missing required key: index"),
        ({"index": 5}, "invalid_index", "JSON indexes must be an object, not: 5"),
        ({"index": {}}, "missing_required_key", "Missing required key: fields"),
        (
            {"index": {"fields": "x"}},
            "invalid_sort_json",
            'Sort must be an array of sort specs, not: <<"x">>',
        ),
        ({"index": {"fields": [5]}}, "invalid_sort_field", "Invalid sort field: 5"),
        ({"index": {"fields": [""]}}, "invalid_sort_field", 'Invalid sort field: <<"">>'),
        (
            {"index": {"fields": [{"y": "up"}]}},
            "invalid_sort_field",
            'Invalid sort field: {[{<<"y">>,<<"up">>}]}',
        ),
        (
            {"index": {"fields": ["x", {"y": "desc"}]}},
            "unsupported_mixed_sort",
            "Sorts currently only support a single direction for all fields.",
        ),
        ({"index": {"fields": ["x"], "q": 1}}, "invalid_key", "Invalid key q for this request."),
        ({"index": {"fields": ["x"]}, "q": 1}, "invalid_key", "Invalid key q for this request."),
        (
            {"index": {"fields": ["x"]}, "name": ""},
            "invalid_empty_string",
            "Index name or ddoc cannot be empty string",
        ),
        ({"index": {"fields": ["x"]}, "ddoc": 5}, "invalid_string", "Invalid string: 5"),
        ({"index": {"fields": ["x"]}, "type": 5}, "invalid_string", "Invalid string: 5"),
        (
            {"index": {"fields": ["x"]}, "type": "bogus"},
            "invalid_index",
            "Invalid type for index: bogus",
        ),
        (
            {"index": {"fields": ["x"]}, "w": 0},
            "invalid_pos_integer",
            "0 is not an integer greater than zero",
        ),
        (
            {"index": {"fields": ["x"], "partial_filter_selector": {"a": {"$bad": 1}}}},
            "invalid_operator",
            "Invalid operator: $bad",
        ),
        (
            {"index": {"fields": ["x"], "partial_filter_selector": 5}},
            "invalid_selector_json",
            "Selector must be a JSON object, not: 5",
        ),
        ({"index": {"fields": ["a..b"]}}, "invalid_field_name", "Invalid field name: a..b"),
        (
            {"index": {"fields": ["x"]}, "ddoc": "js"},
            "invalid_ddoc_lang",
            "Existing design doc has an invalid language: false",
        ),
    ],
)
def test_definitions_that_are_refused(
    replica: EmbeddedReplica, definition: dict[str, Any], error: str, reason: str
) -> None:
    replica.put({"_id": "_design/js", "views": {}})
    with pytest.raises(BadRequest) as refusal:
        replica.create_index(definition)
    assert (refusal.value.error, refusal.value.reason) == (error, reason)
    assert len(replica.indexes()) == 1


@pytest.mark.parametrize("kind", ["text", "nouveau"])
def test_full_text_indexes_are_not_there(replica: EmbeddedReplica, kind: str) -> None:
    with pytest.raises(Unsupported, match="Clouseau or Nouveau"):
        index(replica, "x", type=kind)
    with pytest.raises(BadRequest, match="no text indexes"):
        replica.find(Query({"$text": "x"}))


def test_the_index_with_fewer_fields_is_preferred(replica: EmbeddedReplica) -> None:
    index(replica, "b", "z", ddoc="first", name="wide")
    index(replica, "b", ddoc="second", name="narrow")
    plan = replica.explain(Query({"b": 1, "z": {"$ne": 0}}))
    assert plan["index"]["name"] == "narrow"
    reasons = {c["index"]["name"]: c["analysis"]["reasons"] for c in plan["index_candidates"]}
    assert reasons["wide"] == [{"name": "too_many_fields"}]


def test_no_index_for_a_sort_says_which_would_do(replica: EmbeddedReplica) -> None:
    with pytest.raises(BadRequest) as refusal:
        replica.find(Query({"a": 1}, sort=["a", "b"]))
    assert refusal.value.error == "no_usable_index"
    assert refusal.value.hint == "create one with the fields a, b"


def test_an_index_after_constant_fields_sorts_the_rest(replica: EmbeddedReplica) -> None:
    replica.bulk_docs([{"_id": f"d{i}", "t": "x", "n": i * 7 % 5} for i in range(5)])
    index(replica, "t", "n")
    page = replica.find(Query({"t": "x"}, sort=["n"]))
    assert [doc["n"] for doc in page.docs] == [0, 1, 2, 3, 4]
    assert all(compare(a["n"], b["n"]) < 0 for a, b in zip(page.docs, page.docs[1:], strict=False))
    with pytest.raises(BadRequest, match="No index exists for this sort"):
        replica.find(Query({"t": {"$gt": "a"}}, sort=["n"]))
