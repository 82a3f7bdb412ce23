"""`_changes` that ends by itself."""

from __future__ import annotations

from typing import Any

import pytest

from couchmend.replica.http_face import paging
from tests.replica.http_face.serving import Client


@pytest.fixture
def filled(client: Client, db: str) -> str:
    for number in range(5):
        client.put(f"{db}/d{number}", {"n": number})
    client.put(f"{db}/_design/x", {"filters": {"f": "function () {}"}, "views": {"v": {}}})
    return db


def ids(told: Any) -> list[str]:
    return [row["id"] for row in told["results"]]


def test_rows_in_order_and_from_where_one_was(client: Client, filled: str) -> None:
    told = client.get(f"{filled}/_changes").json
    assert ids(told) == ["d0", "d1", "d2", "d3", "d4", "_design/x"]
    assert told["pending"] == 0
    some = client.get(f"{filled}/_changes?limit=2").json
    assert (ids(some), some["pending"]) == (["d0", "d1"], 4)
    assert some["last_seq"] == some["results"][-1]["seq"]
    rest = client.get(f"{filled}/_changes?since={some['last_seq']}").json
    assert ids(rest) == ids(told)[2:]
    assert client.get(f"{filled}/_changes?since=now").json["results"] == []
    newest = client.get(f"{filled}/_changes?descending=true&limit=2&since=now").json
    assert ids(newest) == ["_design/x", "d4"]
    assert client.get(f"{filled}/_changes?limit=0").json["results"] == []


def test_documents_and_deletions(client: Client, filled: str) -> None:
    rev = client.get(f"{filled}/d0").json["_rev"]
    gone = client.delete(f"{filled}/d0?rev={rev}").json["rev"]
    told = client.get(f"{filled}/_changes?include_docs=true&descending=true&limit=2").json
    assert told["results"][0]["deleted"] is True
    assert told["results"][0]["doc"] == {"_id": "d0", "_rev": gone, "_deleted": True}
    assert "deleted" not in told["results"][1]


def test_filters(client: Client, filled: str) -> None:
    named = client.get(f"{filled}/_changes?filter=_doc_ids&doc_ids=%5B%22d3%22,%22no%22%5D").json
    assert ids(named) == ["d3"]
    posted = client.post(f"{filled}/_changes?filter=_doc_ids", {"doc_ids": ["d3", "d1"]}).json
    assert ids(posted) == ["d1", "d3"]
    selector = {"selector": {"n": {"$gt": 2}}}
    chosen = client.post(f"{filled}/_changes?filter=_selector&include_docs=true", selector).json
    assert [row["doc"]["n"] for row in chosen["results"]] == [3, 4]
    assert ids(client.get(f"{filled}/_changes?filter=_design").json) == ["_design/x"]
    ignored = client.post(f"{filled}/_changes", {"since": "now", "limit": 1}).json
    assert len(ignored["results"]) == 6


@pytest.mark.parametrize("page_bytes", [1, 500])
@pytest.mark.parametrize(
    "query",
    [
        "",
        "limit=4",
        "include_docs=true",
        "filter=_design",
        "filter=_doc_ids&doc_ids=%5B%22d1%22,%22d3%22%5D",
        "descending=true",
        "descending=true&limit=3",
        "style=all_docs&since=0",
    ],
)
def test_pages_add_up(
    client: Client, filled: str, monkeypatch: pytest.MonkeyPatch, page_bytes: int, query: str
) -> None:
    whole = client.get(f"{filled}/_changes?{query}").json
    monkeypatch.setattr(paging, "PAGE_BYTES", page_bytes)
    monkeypatch.setattr(paging.PageSize, "__init__", lambda self, first=1: _start(self))
    assert client.get(f"{filled}/_changes?{query}").json == whole


def _start(size: paging.PageSize) -> None:
    size.rows = 1


def test_an_etag_stands_for_a_state(client: Client, filled: str) -> None:
    first = client.get(f"{filled}/_changes?limit=1").headers["etag"]
    known = client.send("GET", f"{filled}/_changes", headers={"If-None-Match": first})
    assert (known.status, known.body) == (304, b"")
    client.put(f"{filled}/new", {})
    changed = client.send("GET", f"{filled}/_changes", headers={"If-None-Match": first})
    assert changed.status == 200
    assert changed.headers["etag"] != first


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("limit=x", "The limit parameter should be a non-negative integer"),
        ("limit=-1", "The limit parameter should be a non-negative integer"),
        ("timeout=x", "The timeout parameter should be a non-negative integer"),
        ("heartbeat=0", "The heartbeat value should be a positive integer (in milliseconds)."),
        (
            "heartbeat=x",
            "Invalid heartbeat value. Expecting a positive integer value (in milliseconds).",
        ),
        ("style=foo", "`style` must be main_only or all_docs"),
        ("seq_interval=x", "invalid_seq_interval"),
        ("seq_interval=0", "invalid_seq_interval"),
        ("since=rubbish", "Malformed sequence supplied in 'since' parameter."),
        ("since=", "Malformed sequence supplied in 'since' parameter."),
        ("filter=f", "`filter` must be of the form `designname/filtername`"),
        ("filter=a/b/c", "`filter` must be of the form `designname/filtername`"),
        ("filter=_view", "`view` filter parameter is not provided."),
        ("filter=_other", "unknown builtin filter name"),
        ("filter=_doc_ids", "`doc_ids` filter parameter is not a list of doc ids."),
        ("filter=_doc_ids&doc_ids=%5B1%5D", "`doc_ids` filter parameter is not a list of doc ids."),
        ("filter=_selector", "Selector must be specified in POST payload"),
        (
            "feed=nonsense",
            "Supported `feed` types: normal, continuous, live, longpoll, eventsource",
        ),
    ],
)
@pytest.mark.parametrize("feed", ["", "&feed=continuous"])
def test_bad_parameters(client: Client, filled: str, query: str, reason: str, feed: str) -> None:
    if "feed=" not in query:
        query += feed
    assert client.get(f"{filled}/_changes?{query}").is_error(400, "bad_request", reason)


def test_bad_bodies(client: Client, filled: str) -> None:
    path = f"{filled}/_changes?filter=_selector"
    no_object = client.post(path, {"selector": 5})
    assert no_object.is_error(400, "bad_request", "Selector error: expected a JSON object")
    operator = client.post(path, {"selector": {"$bad": 1}})
    assert operator.is_error(400, "bad_request", "Invalid operator: $bad")
    untyped = client.send("POST", path, raw=b"{}")
    assert untyped.is_error(415, "bad_content_type")
    missing = client.send("POST", path, headers={"Content-Type": "application/json"})
    assert missing.status == 400


def test_filter_functions_are_not_run(client: Client, filled: str) -> None:
    for query, status in (
        ("filter=x/f", 501),
        ("filter=_view&view=x/v", 501),
        ("filter=x/g", 404),
        ("filter=none/f", 404),
        ("filter=_view&view=x/w", 404),
    ):
        assert client.get(f"{filled}/_changes?{query}").status == status, query
    told = client.get(f"{filled}/_changes?filter=x/f")
    assert "_selector" in told.json["reason"]
