"""`_find`, `_explain` and `_index`, as far as HTTP is concerned."""

from __future__ import annotations

from typing import Any

import pytest

from tests.replica.http_face.serving import Client


@pytest.fixture
def filled(client: Client, db: str) -> str:
    docs = [{"_id": f"d{i}", "n": i, "even": i % 2 == 0} for i in range(30)]
    client.post(f"{db}/_bulk_docs", {"docs": docs})
    return db


def test_pages_by_bookmark(client: Client, filled: str) -> None:
    query: dict[str, Any] = {"selector": {"even": True}, "limit": 10, "fields": ["n"]}
    seen = []
    for _ in range(4):
        told = client.post(f"{filled}/_find", query).json
        seen += [doc["n"] for doc in told["docs"]]
        query["bookmark"] = told["bookmark"]
    assert sorted(seen) == list(range(0, 30, 2))
    assert (told["docs"], told["bookmark"]) == ([], query["bookmark"])
    nothing = client.post(f"{filled}/_find", {"selector": {"n": -1}}).json
    assert (nothing["docs"], nothing["bookmark"]) == ([], "nil")


def test_what_an_answer_holds(client: Client, filled: str) -> None:
    default = client.post(f"{filled}/_find", {"selector": {}}).json
    assert len(default["docs"]) == 25
    assert set(default) == {"docs", "bookmark"} | ({"warning"} & set(default))
    counted = client.post(f"{filled}/_find", {"selector": {}, "execution_stats": True}).json
    assert counted["execution_stats"]["results_returned"] == 25
    explained = client.post(f"{filled}/_explain", {"selector": {"n": 1}}).json
    assert explained["dbname"] == filled[1:]


@pytest.mark.parametrize(
    ("query", "error", "reason"),
    [
        ({}, "missing_required_key", "Missing required key: selector"),
        ({"selector": []}, "invalid_selector_json", "Selector must be a JSON object, not: []"),
        ({"selector": {}, "foo": 5}, "invalid_key", "Invalid key foo for this request."),
        (
            {"selector": {}, "limit": -1},
            "invalid_non_neg_integer",
            "-1 is not an integer greater than or equal to zero",
        ),
        (
            {"selector": {}, "skip": "a"},
            "invalid_non_neg_integer",
            "<<97>> is not an integer greater than or equal to zero",
        ),
        ({"selector": {}, "conflicts": 5}, "invalid_boolean", "Invalid boolean value: 5"),
        ({"selector": {}, "stable": None}, "invalid_boolean", "Invalid boolean value: null"),
        (
            {"selector": {}, "fields": 5},
            "invalid_fields",
            "Fields must be an array of strings, not: 5",
        ),
        ({"selector": {}, "fields": [5]}, "invalid_field", "Invalid JSON for field spec: 5"),
        (
            {"selector": {}, "sort": 5},
            "invalid_sort_json",
            "Sort must be an array of sort specs, not: 5",
        ),
        ({"selector": {}, "use_index": 5}, "invalid_index_name", "Invalid index name: 5"),
        ({"selector": {}, "bookmark": "xxx"}, "invalid_bookmark", 'Invalid bookmark value: "xxx"'),
        ({"selector": {}, "bookmark": 5}, "invalid_bookmark", "Invalid bookmark value: 5"),
        ({"selector": {"$bad": 1}}, "invalid_operator", "Invalid operator: $bad"),
    ],
)
def test_bad_queries(
    client: Client, db: str, query: dict[str, Any], error: str, reason: str
) -> None:
    for endpoint in ("_find", "_explain"):
        assert client.post(f"{db}/{endpoint}", query).is_error(400, error, reason)


def test_counts_beyond_all_rows(client: Client, filled: str) -> None:
    told = client.post(f"{filled}/_find", {"selector": {}, "limit": 10**30})
    assert len(told.json["docs"]) == 30
    told = client.post(f"{filled}/_find", {"selector": {}, "skip": 10**30})
    assert told.json["docs"] == []


def test_indexes_come_and_go(client: Client, db: str) -> None:
    for name in "abc":
        body = {"index": {"fields": [name]}, "ddoc": f"d{name}", "name": name}
        assert client.post(f"{db}/_index", body).json["result"] == "created"
    told = client.get(f"{db}/_index").json
    assert (told["total_rows"], told["indexes"][0]["ddoc"]) == (4, None)
    some = client.get(f"{db}/_index?limit=2&skip=1").json["indexes"]
    assert [index["name"] for index in some] == ["a", "b"]
    assert client.get(f"{db}/_index?skip=9").json == {"total_rows": 4, "indexes": []}
    for query in ("limit=0", "limit=x", "skip=-1"):
        bad = client.get(f"{db}/_index?{query}")
        assert bad.is_error(400, "invalid_list_index_params")
    assert client.delete(f"{db}/_index/da/json/a").json == {"ok": True}
    assert client.delete(f"{db}/_index/_design/db/json/b").json == {"ok": True}
    assert client.delete(f"{db}/_index/dc/text/c").is_error(404, "not_found", "missing")
    told = client.post(f"{db}/_index/_bulk_delete", {"docids": ["dc", "_design/none"]}).json
    assert told == {
        "success": [{"id": "_design/dc", "ok": True}],
        "fail": [{"id": "_design/none", "error": "not_found"}],
    }
    assert client.get(f"{db}/_index").json["total_rows"] == 1
    assert client.get(f"{db}/_index/x").is_error(404, "not_found", "missing")


def test_text_indexes_are_not_offered(client: Client, db: str) -> None:
    body = {"index": {"fields": ["a"]}, "type": "text"}
    assert client.post(f"{db}/_index", body).status == 501
    other = {"index": {"fields": ["a"]}, "type": "foo"}
    reason = "Invalid type for index: foo"
    assert client.post(f"{db}/_index", other).is_error(400, "invalid_index", reason)
