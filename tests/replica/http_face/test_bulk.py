"""Many documents at once."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from couchmend.replica.http_face import paging
from couchmend.replica.http_face.guards.users import Users
from tests.replica.http_face.serving import Client, served

BINARY = {"content_type": "application/octet-stream", "data": "aGVsbG8="}


def test_every_row_says_what_became_of_its_document(client: Client, db: str) -> None:
    docs: list[dict[str, Any]] = [
        {"_id": "a", "n": 1},
        {"_id": "_local/z", "n": 1},
        {"_id": "a", "n": 2},
        {"n": "no id"},
        {"_id": "gone", "_deleted": True},
    ]
    told = client.post(f"{db}/_bulk_docs", {"docs": docs})
    assert told.status == 201
    assert [row.get("error") for row in told.json] == [None, None, "conflict", None, None]
    assert told.json[1] == {"ok": True, "id": "_local/z", "rev": "0-1"}
    assert set(told.json[2]) == {"id", "error", "reason"}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "POST body must include `docs` parameter."),
        ({"docs": "no"}, "`docs` parameter must be an array."),
        ({"docs": None}, "`docs` parameter must be an array."),
        ({"docs": [1]}, "Document must be a JSON object"),
        ({"docs": [{}], "new_edits": 3}, "`new_edits` parameter must be a boolean."),
        ([], "Request body must be a JSON object"),
    ],
)
def test_bad_bodies(client: Client, db: str, body: Any, reason: str) -> None:
    assert client.post(f"{db}/_bulk_docs", body).is_error(400, "bad_request", reason)
    assert client.get(db).json["doc_count"] == 0


@pytest.mark.parametrize("id", ["", None, 5, ["a"], "_bad", "_design/", "_local/"])
def test_one_illegal_id_refuses_the_whole_request(client: Client, db: str, id: Any) -> None:
    docs = [{"_id": "fine"}, {"_id": id}]
    assert client.post(f"{db}/_bulk_docs", {"docs": docs}).is_error(400, "illegal_docid")
    assert client.get(f"{db}/fine").status == 404


def test_design_documents_of_somebody_who_is_no_admin(tmp_path: Path) -> None:
    users = Users(tmp_path)
    users.add("boss", "secret", ("_admin",))
    users.add("jan", "secret", ())
    with served(tmp_path) as (server, folder):
        folder.create("db").set_security({"members": {"names": ["jan"]}})
        client = Client(server.url)
        jan = {"Authorization": "Basic amFuOnNlY3JldA=="}
        docs = [{"_id": "a"}, {"_id": "_design/d"}, {"_id": "b"}]
        told = client.send("POST", "/db/_bulk_docs", {"docs": docs}, headers=jan)
        assert [row.get("error") for row in told.json] == [None, "forbidden", None]
        assert told.json[1]["reason"] == "You are not a db or server admin."
        replicated = [{"_id": "_design/d", "_rev": "1-a"}, {"_id": "c", "_rev": "1-a"}]
        body = {"docs": replicated, "new_edits": False}
        told = client.send("POST", "/db/_bulk_docs", body, headers=jan)
        assert [(row["id"], row["rev"], row["error"]) for row in told.json] == [
            ("_design/d", "1-a", "forbidden")
        ]
        for method, path in (
            ("PUT", "/db/_design/d"),
            ("PUT", "/db/_design/d/file"),
            ("PUT", "/db/_security"),
            ("PUT", "/db/_revs_limit"),
        ):
            refused = client.send(method, path, {}, headers=jan)
            assert refused.status == 403, path
        assert client.send("POST", "/db/_compact", {}, headers=jan).status == 401
        assert client.send("POST", "/db/_purge", {}, headers=jan).status == 401
        assert client.send("GET", "/_all_dbs", headers=jan).status == 401
        assert client.send("PUT", "/other", headers=jan).status == 401
        assert client.send("GET", "/db/a").is_error(401, "unauthorized")
        assert client.send("GET", "/db/a", headers=jan).status == 200
        assert client.send("PUT", "/db/_local/x", {}, headers=jan).status == 201
        client.close()


# --- _bulk_get


def test_bulk_get_tells_of_every_item(client: Client, db: str) -> None:
    client.put(f"{db}/a?new_edits=false", {"_rev": "1-a", "n": 1})
    items: list[Any] = [
        {"id": "a"},
        {"id": "a", "rev": "1-a"},
        {"id": "a", "rev": "2-b"},
        {"id": "none"},
        {"id": "a", "rev": "bad"},
        {"id": "a", "rev": None},
        {"id": "a", "rev": 5},
        {"id": "_x"},
        {"rev": "1-a"},
        {},
        7,
        {"id": "a", "atts_since": 3},
        {"id": "a", "atts_since": ["x"]},
    ]
    told = client.post(f"{db}/_bulk_get", {"docs": items}).json["results"]
    assert [row["id"] for row in told] == [
        "a", "a", "a", "none", "a", "a", "a", "_x", None, None, None, "a", "a",
    ]  # fmt: skip
    outcomes = [row["docs"][0] for row in told]
    assert [outcome["ok"]["n"] for outcome in outcomes[:2]] == [1, 1]
    errors = [outcome["error"] for outcome in outcomes[2:]]
    assert [(e["rev"], e["error"], e["reason"]) for e in errors] == [
        ("2-b", "not_found", "missing"),
        ("undefined", "not_found", "missing"),
        ("bad", "bad_request", "Invalid rev format"),
        (None, "bad_request", "Invalid rev format"),
        (5, "bad_request", "Invalid rev format"),
        (None, "illegal_docid", "Only reserved document ids may start with underscore."),
        (None, "bad_request", "document id missed"),
        (None, "bad_request", "document must be a JSON object"),
        (None, "bad_request", "document must be a JSON object"),
        (3, "bad_request", "att_since value must be array of revs."),
        ("x", "bad_request", "Invalid rev format"),
    ]


def test_bulk_get_refuses_what_it_cannot_mean(client: Client, db: str) -> None:
    assert client.post(f"{db}/_bulk_get", {"docs": 5}).is_error(400, "bad_request")
    refused = client.post(f"{db}/_bulk_get?rev=1-a", {"docs": []})
    assert refused.is_error(400, "bad_request", '"rev" query parameter is not acceptable')


def test_attachments_are_included_where_they_are_new(client: Client, db: str) -> None:
    first = client.put(f"{db}/a", {"_attachments": {"f": BINARY}}).json["rev"]
    second = client.put(
        f"{db}/a", {"_rev": first, "_attachments": {"f": {"stub": True}, "g": BINARY}}
    ).json["rev"]
    items = [
        {"id": "a", "rev": second},
        {"id": "a", "rev": second, "atts_since": [first]},
        {"id": "a", "rev": second, "atts_since": ["1-unknown"]},
    ]
    told = client.post(f"{db}/_bulk_get?revs=true&latest=true", {"docs": items}).json["results"]
    shown = [row["docs"][0]["ok"]["_attachments"] for row in told]
    assert [sorted(n for n, a in atts.items() if "data" in a) for atts in shown] == [
        [], ["g"], ["f", "g"],
    ]  # fmt: skip


def test_many_items_come_in_pages(client: Client, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "PAGE_BYTES", 1000)
    docs = [{"_id": f"d{i}", "text": "x" * 50} for i in range(300)]
    client.post(f"{db}/_bulk_docs", {"docs": docs})
    items = [{"id": doc["_id"]} for doc in docs]
    told = client.post(f"{db}/_bulk_get", {"docs": items}).json["results"]
    assert [row["docs"][0]["ok"]["_id"] for row in told] == [doc["_id"] for doc in docs]


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/related"])
def test_bulk_get_in_parts(client: Client, db: str, kind: str) -> None:
    client.put(f"{db}/a", {"n": 1})
    client.put(f"{db}/b", {"_attachments": {"f": BINARY}})
    items = [{"id": "a"}, {"id": "b"}, {"id": "none"}, {"id": "_x"}]
    told = client.post(f"{db}/_bulk_get", {"docs": items}, Accept=kind)
    header = f"Content-Type: {told.headers['content-type']}\r\n\r\n".encode()
    assert told.headers["content-type"].startswith(kind)
    parts: Any = message_from_bytes(header + told.body).get_payload()
    plain, related, missing, illegal = parts
    assert b'"n":1' in plain.get_payload(decode=True)
    assert related["X-Doc-Id"] == "b"
    document, attachment = related.get_payload()
    assert '"follows":true' in document.get_payload()
    assert attachment.get_payload() == "hello"
    for part, reason in ((missing, "missing"), (illegal, "Only reserved")):
        assert part["Content-Type"] == 'application/json; error="true"'
        assert reason in part.get_payload()


# --- revisions


def test_revs_diff(client: Client, db: str) -> None:
    rev = client.put(f"{db}/a", {}).json["rev"]
    told = client.post(f"{db}/_revs_diff", {"a": ["9-z", rev], "b": [], "c": ["1-x"]}).json
    assert told == {
        "a": {"missing": ["9-z"], "possible_ancestors": [rev]},
        "c": {"missing": ["1-x"]},
    }
    told = client.post(f"{db}/_missing_revs", {"a": ["9-z"], "c": ["1-x"]}).json
    assert told == {"missing_revs": {"a": ["9-z"], "c": ["1-x"]}}


@pytest.mark.parametrize("endpoint", ["_revs_diff", "_missing_revs", "_purge"])
@pytest.mark.parametrize(
    ("revs", "reason"),
    [
        (5, "Invalid list of revisions"),
        ("1-a", "Invalid list of revisions"),
        ([5], "Invalid rev format"),
        (["x"], "Invalid rev format"),
        (["-1-a"], "Invalid rev format"),
    ],
)
def test_bad_revisions(client: Client, db: str, endpoint: str, revs: Any, reason: str) -> None:
    assert client.post(f"{db}/{endpoint}", {"a": revs}).is_error(400, "bad_request", reason)


def test_purge_tells_what_was_there(client: Client, db: str) -> None:
    rev = client.put(f"{db}/a", {}).json["rev"]
    told = client.post(f"{db}/_purge", {"a": [rev, "7-z"], "none": ["1-a"]})
    assert (told.status, told.json["purged"]) == (201, {"a": [rev], "none": []})
    assert told.json["purge_seq"] == client.get(db).json["purge_seq"]
    assert client.get(f"{db}/a").is_error(404, "not_found", "missing")
