"""`_all_docs` and its like."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest

from couchmend.replica.base import AllDocsPage, AllDocsQuery
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.http_face import paging
from couchmend.replica.http_face.parameters import decoded, listing
from tests.replica.http_face.serving import Client

IDS = ["10", "9", "B", "_design/q", "a", "b", "z", "é"]


@pytest.fixture
def filled(client: Client, db: str) -> str:
    client.post(f"{db}/_bulk_docs", {"docs": [{"_id": id} for id in IDS]})
    return db


def keys(client: Client, path: str) -> list[Any]:
    return [row["key"] for row in client.get(path).json["rows"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", IDS),
        ("limit=0", []),
        ("skip=6", ["z", "é"]),
        ("descending=true&skip=6", ["9", "10"]),
        ("startkey=%22b%22&endkey=%22z%22", ["b", "z"]),
        ("start_key=%22b%22&end_key=%22z%22&inclusive_end=false", ["b"]),
        ("descending=true&startkey=%22b%22&endkey=%22B%22", ["b", "a", "_design/q", "B"]),
        ("startkey=%22z%22&endkey=%22a%22", []),
        ("key=%22a%22", ["a"]),
        ("key=1", []),
        ("startkey=1", IDS),
        ("endkey=1", []),
        ("startkey=%7B%7D", IDS),
        ("endkey=%7B%7D", []),
        ("startkey=null&endkey=%5B%5D", []),
        ("descending=true&startkey=%7B%7D", []),
        ("descending=true&endkey=%7B%7D&limit=1", ["é"]),
        ("key=%22b%22&startkey=%22a%22", ["a", "b"]),
        ("startkey=%22a%22&key=%22b%22", ["b"]),
        ("keys=%5B%22z%22,%22none%22,3%5D", ["z", "none", 3]),
        ("keys=%5B%22z%22,%22none%22,%22a%22%5D&descending=true&limit=2", ["a", "none"]),
        ("keys=%5B%22z%22,%22none%22,%22a%22%5D&skip=1&limit=1", ["none"]),
        ("keys=%5B%5D", []),
    ],
)
def test_ranges(client: Client, filled: str, query: str, expected: list[Any]) -> None:
    assert keys(client, f"{filled}/_all_docs?{query}") == expected
    assert client.get(f"{filled}/_all_docs?{query}").json["total_rows"] == len(IDS)


def test_a_range_in_the_body_is_one_in_the_query(client: Client, filled: str) -> None:
    told = client.post(f"{filled}/_all_docs", {"startkey": "b", "limit": 2})
    assert [row["id"] for row in told.json["rows"]] == ["b", "z"]
    told = client.post(f"{filled}/_all_docs?descending=true", {"limit": 1})
    assert [row["id"] for row in told.json["rows"]] == ["é"]


def test_deleted_documents_are_told_of_when_they_are_named(client: Client, db: str) -> None:
    rev = client.put(f"{db}/a", {}).json["rev"]
    gone = client.delete(f"{db}/a?rev={rev}").json["rev"]
    row = {"id": "a", "key": "a", "value": {"rev": gone, "deleted": True}}
    assert client.get(f"{db}/_all_docs?keys=%5B%22a%22%5D").json["rows"] == [row]
    with_docs = client.get(f"{db}/_all_docs?keys=%5B%22a%22%5D&include_docs=true").json
    assert with_docs["rows"] == [{**row, "doc": None}]
    assert client.get(f"{db}/_all_docs").json["rows"] == []


@pytest.mark.parametrize("page_bytes", [1, 300, 4000])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_add_up(
    client: Client, filled: str, monkeypatch: pytest.MonkeyPatch, page_bytes: int, descending: bool
) -> None:
    monkeypatch.setattr(paging, "PAGE_BYTES", page_bytes)
    monkeypatch.setattr(paging.PageSize.__init__, "__defaults__", (1,))
    query = f"descending={str(descending).lower()}&include_docs=true"
    expected = IDS[::-1] if descending else IDS
    assert keys(client, f"{filled}/_all_docs?{query}") == expected
    assert keys(client, f"{filled}/_all_docs?{query}&limit=5&skip=2") == expected[2:7]
    assert keys(client, f"{filled}/_all_docs?{query}&keys=%5B%22z%22,1,%22a%22%5D") == (
        ["a", 1, "z"] if descending else ["z", 1, "a"]
    )


def test_a_client_that_hangs_up_ends_the_reading(
    client: Client, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = [{"_id": f"d{i:03}", "text": "x" * 200_000} for i in range(300)]
    for start in range(0, 300, 50):
        client.post(f"{db}/_bulk_docs", {"docs": docs[start : start + 50]})
    pages = []
    read = EmbeddedReplica.all_docs

    def counted(self: EmbeddedReplica, query: AllDocsQuery | None = None) -> AllDocsPage:
        pages.append(query)
        return read(self, query)

    monkeypatch.setattr(EmbeddedReplica, "all_docs", counted)
    host, _, port = client.host.partition(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(f"GET {db}/_all_docs?include_docs=true HTTP/1.1\r\n".encode())
        wire.sendall(f"Host: {client.host}\r\n\r\n".encode())
        assert wire.recv(1000)
    time.sleep(0.5)
    so_far = len(pages)
    assert so_far < 100  # of 60 MB, what fits into the buffers
    time.sleep(0.3)
    assert len(pages) == so_far


def test_offset_and_sequence(client: Client, filled: str) -> None:
    told = client.get(f"{filled}/_all_docs?startkey=%22b%22&skip=1&update_seq=true").json
    assert told["offset"] == 6
    assert told["update_seq"] == client.get(filled).json["update_seq"]
    assert client.get(f"{filled}/_all_docs?keys=%5B%22a%22%5D").json["offset"] == 0


def test_design_documents(client: Client, filled: str) -> None:
    client.put(f"{filled}/_design/r", {})
    told = client.get(f"{filled}/_design_docs?limit=1").json
    assert (told["total_rows"], told["offset"], len(told["rows"])) == (2, 2, 1)
    named = client.post(f"{filled}/_design_docs", {"keys": ["a", "_design/r", "x"]}).json
    assert [row["id"] for row in named["rows"]] == ["_design/r"]


def test_several_queries_at_once(client: Client, filled: str) -> None:
    body = {"queries": [{"limit": 1}, {"keys": ["a", "zz"]}, {"startkey": "z", "skip": 1}]}
    told = client.post(f"{filled}/_all_docs/queries", body).json["results"]
    assert [[row["key"] for row in one["rows"]] for one in told] == [["10"], ["a", "zz"], ["é"]]
    assert client.post(f"{filled}/_all_docs/queries", {"queries": []}).json == {"results": []}
    missing = client.post(f"{filled}/_all_docs/queries", {})
    assert missing.is_error(400, "bad_request", "POST body must include `queries` parameter.")
    design = client.post(f"{filled}/_design_docs/queries", {"queries": [{}]}).json["results"]
    assert [row["id"] for row in design[0]["rows"]] == ["_design/q"]


def test_local_documents(client: Client, db: str) -> None:
    for name in "abc":
        client.put(f"{db}/_local/{name}", {"n": name})
    told = client.get(f"{db}/_local_docs?include_docs=true&startkey=%22_local/b%22").json
    assert (told["total_rows"], told["offset"]) == (None, None)
    assert [row["doc"]["n"] for row in told["rows"]] == ["b", "c"]
    told = client.post(f"{db}/_local_docs", {"keys": ["_local/c", "_local/x"]}).json
    assert [row.get("error") for row in told["rows"]] == [None, "not_found"]


@pytest.mark.parametrize(
    ("query", "error", "reason"),
    [
        ("limit=x", "query_parse_error", 'Invalid value for integer: "x"'),
        ("limit=-1", "query_parse_error", 'Invalid value for positive integer: "-1"'),
        ("skip=1.5", "query_parse_error", 'Invalid value for integer: "1.5"'),
        ("descending=maybe", "query_parse_error", 'Invalid boolean parameter: "maybe"'),
        ("include_docs=", "query_parse_error", 'Invalid boolean parameter: ""'),
        ("reduce=true", "query_parse_error", "Reduce is invalid for map-only views."),
        ("group=true", "query_parse_error", "Invalid use of grouping on a map view."),
        ("startkey=bad", "bad_request", "invalid UTF-8 JSON"),
        ("keys=1", "bad_request", "`keys` parameter must be an array."),
        (
            "keys=%5B%5D&startkey=%22a%22",
            "query_parse_error",
            "`keys` is incompatible with `key`, `start_key` and `end_key`",
        ),
    ],
)
def test_bad_parameters(client: Client, db: str, query: str, error: str, reason: str) -> None:
    assert client.get(f"{db}/_all_docs?{query}").is_error(400, error, reason)


@pytest.mark.parametrize(
    "body",
    [{"limit": 1.5}, {"limit": 10**30}, {"skip": [1]}, {"descending": 1}, {"group_level": 1}],
)
def test_bad_members(client: Client, db: str, body: dict[str, Any]) -> None:
    assert client.post(f"{db}/_all_docs", body).is_error(400, "query_parse_error")


def test_reasons_for_members(client: Client, db: str) -> None:
    for body, reason in (
        ({"limit": "2"}, 'Invalid value for integer: <<"2">>'),
        ({"limit": -1}, "Invalid value for positive integer: -1"),
    ):
        told = client.post(f"{db}/_all_docs", body)
        assert told.is_error(400, "query_parse_error", reason)
    told = client.post(f"{db}/_all_docs", {"keys": None})
    assert told.is_error(400, "bad_request", "`keys` body member must be an array.")


def test_a_query_is_read_like_a_body() -> None:
    in_query = listing(decoded({"startkey": '"a"', "limit": "3", "descending": "true"}))
    in_body = listing({"startkey": "a", "limit": 3, "descending": True})
    assert in_query == in_body
