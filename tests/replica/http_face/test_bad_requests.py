"""Requests that make no sense, of every kind: CouchDB's refusal, never a failure of ours."""

from __future__ import annotations

import gzip
import json
import logging
import socket
import zlib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.http_face.server import BackgroundServer
from tests.replica.http_face.serving import Client, served

JSON = {"Content-Type": "application/json"}
PACKED = {**JSON, "Content-Encoding": "gzip"}

NO_JSON = [
    b"",
    b"{",
    b"[1,",
    b"nul",
    b"{'a':1}",
    b'{"a":NaN}',
    b'{"a":1e400}',
    b'{"a":Infinity}',
    b'{"a":01}',
    b'{"a":"\xff"}',
    b'{"a":"\xed\xa0\x80"}',
    b'{"a":"\\ud800"}',
    b'{"a":"\x00"}',
    b"\xef\xbb\xbf{",
    b'{"a":1}}',
    b"\x00",
    b"[" * 100_000,
    b'{"a":' * 100_000,
]

TAKES_JSON = [
    ("PUT", "/{db}/doc"),
    ("PUT", "/{db}/_local/doc"),
    ("PUT", "/{db}/_design/doc"),
    ("POST", "/{db}"),
    ("POST", "/{db}/_bulk_docs"),
    ("POST", "/{db}/_bulk_get"),
    ("POST", "/{db}/_all_docs"),
    ("POST", "/{db}/_all_docs/queries"),
    ("POST", "/{db}/_design_docs"),
    ("POST", "/{db}/_local_docs"),
    ("POST", "/{db}/_revs_diff"),
    ("POST", "/{db}/_missing_revs"),
    ("POST", "/{db}/_purge"),
    ("POST", "/{db}/_find"),
    ("POST", "/{db}/_explain"),
    ("POST", "/{db}/_index"),
    ("POST", "/{db}/_index/_bulk_delete"),
    ("PUT", "/{db}/_security"),
    ("PUT", "/{db}/_revs_limit"),
    ("PUT", "/{db}/_purged_infos_limit"),
    ("POST", "/_dbs_info"),
    ("POST", "/_replicate"),
]


@pytest.mark.parametrize(("method", "path"), TAKES_JSON)
def test_what_is_no_json(client: Client, db: str, method: str, path: str) -> None:
    path = path.replace("/{db}", db)
    for text in NO_JSON:
        refused = client.send(method, path, raw=text, headers=JSON)
        assert refused.is_error(400, "bad_request", "invalid UTF-8 JSON"), text
    assert client.get(db).json["doc_count"] == 0


@pytest.mark.parametrize(("method", "path"), TAKES_JSON)
@pytest.mark.parametrize("body", [None, [], [1], "a", 5, True, {"": None}, {"docs": {"a": 1}}])
def test_what_is_json_of_another_kind(
    client: Client, db: str, method: str, path: str, body: Any
) -> None:
    text = json.dumps(body).encode()
    refused = client.send(method, path.replace("/{db}", db), raw=text, headers=JSON)
    assert refused.status < 500 or refused.status == 501, refused.body


@pytest.mark.parametrize(
    ("method", "path"),
    [pair for pair in TAKES_JSON if pair[0] == "POST" and "queries" not in pair[1]],
)
def test_another_content_type(client: Client, db: str, method: str, path: str) -> None:
    path = path.replace("/{db}", db)
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        refused = client.send(method, path, raw=b"{}", headers={"Content-Type": kind})
        reason = "Content-Type must be application/json"
        assert refused.is_error(415, "bad_content_type", reason), kind
    charset = {"Content-Type": "application/json; charset=utf-8"}
    assert client.send(method, path, raw=b"{}", headers=charset).status != 415


def test_a_missing_body(client: Client, db: str) -> None:
    host = urlsplit(f"http://{client.host}")
    with socket.create_connection((host.hostname, host.port)) as wire:
        wire.sendall(f"PUT {db}/a HTTP/1.1\r\nHost: {client.host}\r\n\r\n".encode())
        told = b""
        while b"}\n" not in told:
            told += wire.recv(10_000)
    assert b" 400 " in told
    assert b"Missing request body" in told


@pytest.mark.parametrize("depth", [499, 500, 501, 5000])
def test_nesting(client: Client, db: str, depth: int) -> None:
    text = b'{"a":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"
    told = client.send("PUT", f"{db}/deep", raw=text, headers=JSON)
    if depth <= 500:
        assert told.status == 201
        assert client.get(f"{db}/deep").status == 200
    else:
        assert told.is_error(400, "doc_validation" if depth < 1000 else told.json["error"])


@pytest.mark.parametrize(
    "number", ["1" * 400, "-" + "9" * 4000, "1e308", "1e-400", "0." + "1" * 4000, "123456789e300"]
)
def test_huge_numbers(client: Client, db: str, number: str) -> None:
    told = client.send("PUT", f"{db}/n", raw=f'{{"n":{number}}}'.encode(), headers=JSON)
    assert told.status in (201, 400)
    if told.status == 201:
        assert client.get(f"{db}/n").json == {
            "_id": "n", "_rev": told.json["rev"], "n": json.loads(number),
        }  # fmt: skip


@pytest.mark.parametrize(
    "path", ["/{db}/%", "/{db}/%zz", "/{db}/%a", "/{db}/a?rev=%", "/{db}/_all_docs?key=%ff", "/%%"]
)
def test_percent_encoding_that_is_none(client: Client, db: str, path: str) -> None:
    refused = client.get(path.replace("/{db}", db))
    assert refused.is_error(400, "bad_request", "invalid_url_encoding")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "COPY"])
def test_ids_that_are_no_utf8(client: Client, db: str, method: str) -> None:
    for path in (f"{db}/%ff", f"{db}/_local/%ff", f"{db}/a/%c3%28", f"{db}/%ed%a0%80"):
        refused = client.send(method, path, raw=b"{}")
        assert refused.is_error(400, "illegal_docid", "Document id must be valid UTF-8")


@pytest.mark.parametrize(
    "id",
    ["_", "_x", "_design", "_designx", "_localx", "__proto__", "_all_docs%2F", "_revs_diff%2Fx"],
)
def test_reserved_ids(client: Client, db: str, id: str) -> None:
    written = client.put(f"{db}/{id}", {})
    assert written.is_error(400, "illegal_docid")
    assert client.get(f"{db}/{id}").is_error(404, "not_found", "missing")


HOSTILE = [
    "<script>alert(1)</script>",
    "'; DROP TABLE documents; --",
    '" onload="x',
    "../../etc/passwd",
    "\u202eevil",
    "a\nSet-Cookie: x=1",
    "%0d%0aX: y",
    "{{7*7}}",
    "\x00\x01",
    "x" * 4000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_only_text(client: Client, db: str, text: str) -> None:
    body = {"_id": text, text: text, "nested": {text: [text]}}
    written = client.post(db, body)
    assert written.status == 201, written.body
    assert set(written.headers) <= {
        "date", "content-type", "cache-control", "location", "server", "x-content-type-options",
        "content-length", "vary",
    }  # fmt: skip
    path = urlsplit(written.headers["location"]).path
    told = client.get(path)
    assert told.headers["content-type"] == "application/json"
    assert {k: v for k, v in told.json.items() if k != "_rev"} == body
    found = client.post(f"{db}/_find", {"selector": {"_id": text}})
    assert [doc["_id"] for doc in found.json["docs"]] == [text]
    assert client.post(f"{db}/_find", {"selector": {text: text}, "fields": [text]}).status in (
        200,
        400,  # what CouchDB's Mango takes for no field
    )
    assert client.post(f"{db}/_all_docs", {"keys": [text]}).json["rows"][0]["id"] == text
    for name in ("key", "startkey"):
        listed = client.post(f"{db}/_all_docs", {name: text})
        assert listed.status == 200


def test_an_id_that_is_too_long(client: Client, db: str) -> None:
    assert client.put(f"{db}/{'x' * 4097}", {}).is_error(400, "illegal_docid")


@pytest.mark.parametrize("name", ["Bad", "9a", "a b", "a.b", "..", "%2e%2e%2fx", "é"])
def test_bad_database_names(client: Client, folder: Any, name: str) -> None:
    refused = client.put("/" + name.replace("é", "%C3%A9").replace(" ", "%20"))
    assert refused.is_error(400, "illegal_database_name")
    assert client.get("/" + name.replace("é", "%C3%A9").replace(" ", "%20")).status == 404
    assert not list(folder.path.parent.glob("x*"))


def test_a_database_name_that_is_too_long(client: Client) -> None:
    assert client.put("/" + "a" * 239).is_error(400, "database_name_too_long")


@pytest.mark.parametrize("data", ["not base64!", "aGVsbG8", "====", 5, None, ["a"], {"x": 1}])
def test_attachment_data_that_is_none(client: Client, db: str, data: Any) -> None:
    body = {"_attachments": {"f": {"data": data}}}
    refused = client.put(f"{db}/a", body)
    assert refused.is_error(400, "bad_request", "Invalid attachment data for f")


@pytest.mark.parametrize(
    "doc",
    [
        {"_deleted": 5},
        {"_attachments": 5},
        {"_attachments": {"f": 5}},
        {"_attachments": {"f": {"stub": True}}},
        {"_attachments": {"f": {}}},
        {"_attachments": {"": {"data": ""}}},
        {"_attachments": {"f": {"data": "", "content_type": 5}}},
        {"_attachments": {"f": {"data": "", "revpos": "1"}}},
        {"_rev": 5},
        {"_rev": "x"},
        {"_rev": "0-a"},
        {"_rev": "-1-a"},
        {"_rev": "1" * 5000 + "-a"},
        {"_revisions": 5},
        {"_revisions": {}},
        {"_revisions": {"start": 1}},
        {"_revisions": {"start": "1", "ids": []}},
        {"_revisions": {"start": 1, "ids": [5]}},
        {"_revisions": {"start": 1, "ids": ["a", "b", "c"]}},
        {"_foo": 1},
    ],
)
@pytest.mark.parametrize("new_edits", [True, False])
def test_bad_members(client: Client, db: str, doc: Any, new_edits: bool) -> None:
    single = client.put(f"{db}/a?new_edits={str(new_edits).lower()}", doc)
    assert single.status in (400, 409, 412), single.body
    body = {"docs": [{"_id": "a", **doc}], "new_edits": new_edits}
    bulk = client.post(f"{db}/_bulk_docs", body)
    assert bulk.status in (201, 400, 412), bulk.body
    assert client.get(db).json["doc_count"] == 0


# --- packed bodies


def test_packed_json(client: Client, db: str) -> None:
    text = gzip.compress(b'{"n":1}', mtime=0) + gzip.compress(b" ", mtime=0)
    assert client.send("PUT", f"{db}/a", raw=text, headers=PACKED).status == 201
    assert client.get(f"{db}/a").json["n"] == 1
    other = client.send("PUT", f"{db}/b", raw=b"{}", headers={"Content-Encoding": "br"})
    assert other.is_error(415, "bad_content_type", "br is not a supported content encoding.")


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b"\x1f\x8b",
        gzip.compress(b"{}", mtime=0)[:-1],
        gzip.compress(b"{}", mtime=0)[:-8] + b"\0" * 8,
        zlib.compress(b"{}"),
        gzip.compress(b"{}", mtime=0) + b"rubbish",
    ],
)
def test_broken_gzip(client: Client, db: str, text: bytes) -> None:
    refused = client.send("PUT", f"{db}/a", raw=text, headers=PACKED)
    assert refused.is_error(400, "bad_request", "Request body is not properly gzipped.")


def test_bodies_have_a_limit(tmp_path: Path) -> None:
    with served(tmp_path, max_request_bytes=2000) as (server, _):
        client = Client(server.url)
        client.put("/db")
        fits = b'{"a":"' + b"x" * 1900 + b'"}'
        assert client.send("PUT", "/db/a", raw=fits, headers=JSON).status == 201
        large = b'{"a":"' + b"x" * 100_000 + b'"}'
        too_large = client.send("PUT", "/db/b", raw=large, headers=JSON)
        assert too_large.is_error(413, "too_large", "the request entity is too large")
        client.close()
        chunked = Client(server.url)
        refused = chunked.send("PUT", "/db/b", raw=gzip.compress(large), headers=PACKED)
        assert refused.is_error(413, "too_large", "the request entity is too large")
        chunked.close()


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with served(tmp_path, max_request_bytes=100_000) as (server, _):
        client = Client(server.url)
        client.put("/db")
        bomb = gzip.compress(b'{"a":"' + b" " * 50_000_000 + b'"}')
        assert len(bomb) < 100_000
        refused = client.send("PUT", "/db/a", raw=bomb, headers=PACKED)
        assert refused.is_error(413, "too_large", "the request entity is too large")
        client.close()


def test_a_document_that_is_too_large(client: Client, db: str) -> None:
    text = {"a": "x" * 8_000_001}
    refused = client.put(f"{db}/large", text)
    assert refused.is_error(413, "document_too_large", "large")


# --- what the wire may bring


def _raw(server: BackgroundServer, text: bytes) -> bytes:
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as wire:
        wire.sendall(text.replace(b"HOST", parts.netloc.encode()))
        wire.shutdown(socket.SHUT_WR)
        told = b""
        while chunk := wire.recv(65536):
            told += chunk
    return told


@pytest.mark.parametrize(
    "text",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: HOST\r\n\r\n",
        b"PUT /db/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: x\r\n\r\n{}",
        b"PUT /db/a HTTP/1.1\r\nHost: HOST\r\nContent-Length: 100\r\n\r\n{}",
        b"PUT /db/a HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_is_no_http_harms_nobody(
    server: BackgroundServer, client: Client, text: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    told = _raw(server, text)
    assert b" 500 " not in told
    assert b"Traceback" not in told
    assert client.get("/_up").status == 200
    assert not [r for r in caplog.records if "request failed" in r.message]


# --- mistakes of ours


def test_an_unexpected_failure_is_one_line_in_the_log_and_no_more(
    client: Client,
    db: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(self: object, *args: object, **more: object) -> None:
        raise ZeroDivisionError("a secret of the document")

    monkeypatch.setattr(EmbeddedReplica, "get", fail)
    caplog.set_level(logging.INFO)
    told = client.get(f"{db}/a")
    assert told.status == 500
    assert set(told.json) == {"error", "reason", "ref"}
    assert b"secret" not in told.body
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert "ZeroDivisionError" in lines[0]
    assert str(told.json["ref"]) in lines[0]
    assert "secret" not in lines[0]
    assert "\n" not in lines[0]
    monkeypatch.undo()
    assert client.get(f"{db}/a").status == 404


def test_a_failure_in_the_middle_of_an_answer_breaks_it_off(
    client: Client, db: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    docs = [{"_id": f"d{i:04}", "text": "x" * 1000} for i in range(2000)]
    client.post(f"{db}/_bulk_docs", {"docs": docs})
    whole = EmbeddedReplica.all_docs
    calls = []

    def fail_later(self: EmbeddedReplica, *args: Any) -> Any:
        calls.append(1)
        if len(calls) > 2:
            raise ZeroDivisionError
        return whole(self, *args)

    monkeypatch.setattr(EmbeddedReplica, "all_docs", fail_later)
    with pytest.raises(OSError, match=r"."):  # the connection ends before the answer does
        _read_all(client, f"{db}/_all_docs?include_docs=true")
    assert [r for r in caplog.records if "request failed" in r.getMessage()]


def _read_all(client: Client, path: str) -> bytes:
    from http.client import IncompleteRead

    fresh = Client(f"http://{client.host}")
    try:
        return fresh.get(path).body
    except IncompleteRead as problem:
        raise OSError("cut off") from problem
    finally:
        fresh.close()


SEGMENTS = st.sampled_from(
    [
        "_all_docs", "_bulk_docs", "_bulk_get", "_changes", "_design", "_local", "_find", "_index",
        "_revs_diff", "_purge", "_security", "_revs_limit", "_compact", "_view", "queries", "a",
        "a%2Fb", "_x", "json", "%00", "_design%2Fd", "_partition", "_shards", "attachment",
    ]
)  # fmt: skip
PARAMETERS = st.sampled_from(
    [
        "rev", "open_revs", "revs", "conflicts", "attachments", "atts_since", "limit", "skip",
        "startkey", "keys", "since", "feed", "filter", "style", "include_docs", "new_edits",
        "batch", "heartbeat", "latest", "descending", "doc_ids",
    ]
)  # fmt: skip
VALUES = st.sampled_from(
    ["true", "false", "all", "1", "-1", "99999999999999999999", "1-a", "%5B%5D", "%22a%22", "x",
     "%5B%221-a%22%5D", "null", "%7B%7D", "", "now", "0", "_doc_ids", "main_only"]
)  # fmt: skip
BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["_id", "_rev", "_revisions", "_deleted", "_attachments", "docs", "id", "rev", "keys",
             "selector", "fields", "limit", "index", "start", "ids", "a", "new_edits", "$or",
             "queries", "doc_ids", "sort", "names", "members", "data", "stub"]
        ),
        inner, max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    method=st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "COPY", "PATCH"]),
    segments=st.lists(SEGMENTS, max_size=4),
    query=st.lists(st.tuples(PARAMETERS, VALUES), max_size=3),
    body=BODIES,
)
def test_no_request_makes_the_server_fail(
    client: Client,
    db: str,
    method: str,
    segments: list[str],
    query: list[tuple[str, str]],
    body: Any,
) -> None:
    if method in ("DELETE", "PUT") and not segments:
        return
    search = "&".join(f"{name}={value}" for name, value in [*query, ("timeout", "0")])
    search = search.replace("heartbeat=", "x=")
    path = "/".join([db, *segments]) + "?" + search
    text = json.dumps(body).encode()
    told = client.send(method, path, raw=text, headers={**JSON, "Destination": "b"})
    assert told.status < 500 or told.status == 501, (method, path, text, told.body)
    if told.status >= 400 and method != "HEAD":
        assert {"error", "reason"} == set(told.json)
