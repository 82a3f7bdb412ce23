"""The server and its databases as wholes."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from couchmend import __version__
from couchmend.replica.embedded import Folder
from tests.replica.http_face.serving import Client, served


def test_welcome_looks_like_couchdb_3(client: Client) -> None:
    told = client.get("/").json
    assert told["couchdb"] == "Welcome"
    assert told["version"].startswith("3.")
    assert told["vendor"] == {"name": "couchmend", "version": __version__}
    assert client.get("/").json["uuid"] == told["uuid"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/", "GET,HEAD"),
        ("PUT", "/_up", "GET,HEAD"),
        ("POST", "/_uuids", "GET"),
        ("PUT", "/_all_dbs", "GET,HEAD"),
        ("PATCH", "/{db}", "DELETE,GET,HEAD,POST"),
        ("OPTIONS", "/{db}", "DELETE,GET,HEAD,POST"),
        ("PUT", "/{db}/_changes", "GET,POST,HEAD"),
        ("GET", "/{db}/_bulk_docs", "POST"),
        ("DELETE", "/{db}/_all_docs", "GET,HEAD,POST"),
        ("GET", "/{db}/_all_docs/queries", "POST"),
        ("POST", "/{db}/_security", "PUT,GET"),
        ("GET", "/{db}/_compact", "POST"),
        ("GET", "/{db}/_find", "POST"),
        ("PUT", "/{db}/_index", "GET,POST"),
        ("GET", "/{db}/_index/a/json/b", "DELETE"),
        ("PATCH", "/{db}/doc", "DELETE,GET,HEAD,POST,PUT,COPY"),
        ("POST", "/{db}/doc/attachment", "DELETE,GET,HEAD,PUT"),
    ],
)
def test_method_not_allowed(client: Client, db: str, method: str, path: str, allowed: str) -> None:
    answered = client.send(method, path.replace("/{db}", db))
    assert answered.is_error(405, "method_not_allowed", f"Only {allowed} allowed")
    assert answered.headers["allow"] == allowed


def test_a_database_that_is_missing_is_said_before_the_method(client: Client) -> None:
    assert client.send("PATCH", "/nowhere").is_error(404, "not_found", "Database does not exist.")


def test_uuids(client: Client) -> None:
    told = client.get("/_uuids?count=3")
    assert len(set(told.json["uuids"])) == 3
    assert told.headers["cache-control"] == "no-cache"
    wrong = "count must be a positive integer"
    assert client.get("/_uuids?count=x").is_error(400, "bad_request", wrong)
    assert client.get("/_uuids?count=-1").is_error(400, "bad_request", wrong)
    too_many = client.get("/_uuids?count=1001")
    assert too_many.is_error(400, "bad_request", "count parameter too large")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["a", "b/c", "d"]),
        ("?limit=1&skip=1", ["b/c"]),
        ("?startkey=%22b%22", ["b/c", "d"]),
        ("?endkey=%22b%22", ["a"]),
        ("?descending=true&limit=2", ["d", "b/c"]),
        ("?descending=true&startkey=%22b/c%22", ["b/c", "a"]),
        ("?endkey=%22d%22&inclusive_end=false", ["a", "b/c"]),
        ("?keys=%5B%22d%22,%22zzz%22%5D", ["d"]),
    ],
)
def test_all_dbs(tmp_path: Path, query: str, names: list[str]) -> None:
    with served(tmp_path) as (server, _):
        client = Client(server.url)
        for path in ("/a", "/b%2Fc", "/d"):
            created = client.put(path)
            assert (created.status, urlsplit(created.headers["location"]).path) == (201, path)
        assert client.get("/_all_dbs" + query).json == names
        infos = client.get("/_dbs_info" + query).json
        assert [(row["key"], row["info"]["db_name"]) for row in infos] == [(n, n) for n in names]
        client.close()


def test_infos_of_named_databases(client: Client, db: str) -> None:
    told = client.post("/_dbs_info", {"keys": [db[1:], "none", 7]}).json
    assert told[0]["info"]["doc_count"] == 0
    assert told[1:] == [
        {"key": "none", "error": "not_found"},
        {"key": 7, "error": "not_found"},
    ]
    missing = client.post("/_dbs_info", {})
    assert missing.is_error(400, "bad_request", "`keys` member must exist.")
    many = client.post("/_dbs_info", {"keys": ["a"] * 101})
    assert many.is_error(400, "bad_request", "too_many_keys")


def test_what_other_addresses_of_a_couchdb_say(client: Client, db: str) -> None:
    assert client.get("/_active_tasks").json == []
    assert len(client.get("/_membership").json["all_nodes"]) == 1
    assert client.get("/favicon.ico").status == 404
    assert client.get("/_utils/index.html").json["error"] == "not_found"
    assert client.get("/_node/_local/_stats").is_error(501, "not_implemented")
    assert client.get("/_scheduler/jobs").is_error(501, "not_implemented")
    assert client.get("/_nonesuch").is_error(404, "not_found", "Database does not exist.")
    assert client.get(f"{db}/_shards").is_error(501, "not_implemented")
    partition = client.get(f"{db}/_partition/p")
    assert partition.is_error(400, "bad_request", "database is not partitioned")


def test_creating_and_deleting(client: Client) -> None:
    assert client.put("/fresh?q=8&n=1").status == 201
    wrong = client.put("/other?q=x")
    assert wrong.is_error(400, "bad_request", "The `q` value should be a positive integer.")
    assert client.put("/other?partitioned=true").is_error(501, "not_implemented")
    by_accident = client.delete("/fresh?rev=1-a")
    assert by_accident.is_error(400, "bad_request")
    assert client.delete("/fresh").status == 200
    assert client.get("/fresh").status == 404


def test_empty_path_segments_do_not_count(client: Client, db: str) -> None:
    assert client.put(f"/{db}//a", {}).status == 201
    assert client.get(f"{db}/a/").status == 200


def test_security_object(client: Client, db: str) -> None:
    shapes: list[Any] = [[], {"admins": 5}, {"admins": {"names": 5}}, {"members": {"roles": [5]}}]
    for wrong in shapes:
        refused = client.put(f"{db}/_security", wrong)
        assert refused.is_error(400, "bad_request")
    assert client.put(f"{db}/_security", {}).json == {"ok": True}
    assert client.get(f"{db}/_security").json == {}


@pytest.mark.parametrize("value", [0, -5, 1.5, "5", None, True, 10**20])
def test_limits_are_positive_integers(client: Client, db: str, value: object) -> None:
    for name in ("revs_limit", "purged_infos_limit"):
        refused = client.send("PUT", f"{db}/_{name}", raw=json.dumps(value).encode())
        assert refused.is_error(400, "bad_request", f"`{name}` must be positive integer")
    assert client.get(f"{db}/_revs_limit").json == 1000


def test_upkeep(client: Client, db: str) -> None:
    client.put(f"{db}/_design/x", {"views": {}})
    assert client.post(f"{db}/_compact", {}).status == 202
    assert client.post(f"{db}/_compact/x", {}).status == 202
    assert client.post(f"{db}/_view_cleanup").status == 202
    started = client.get(db).json["instance_start_time"]
    committed = client.post(f"{db}/_ensure_full_commit", {})
    assert (committed.status, committed.json) == (201, {"ok": True, "instance_start_time": started})
    untyped = client.send("POST", f"{db}/_compact")
    assert untyped.is_error(415, "bad_content_type", "Content-Type must be application/json")


def test_an_unenforced_validation_function_is_told(
    client: Client, db: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert "notices" not in client.get(db).json
    caplog.set_level(logging.WARNING)
    client.put(f"{db}/_design/v", {"validate_doc_update": "function () {}"})
    client.put(f"{db}/_design/w", {"validate_doc_update": "function () {}"})
    notices = client.get(db).json["notices"]
    assert len(notices) == 2
    assert "_design/v" in notices[0]
    assert "not enforced" in notices[0]
    logged = [record.message for record in caplog.records if "not enforced" in record.message]
    assert [("_design/v" in line, "_design/w" in line) for line in logged] == [
        (True, False),
        (False, True),
    ]


def test_every_answer_names_the_server_and_forbids_sniffing(client: Client, db: str) -> None:
    for answered in (client.get("/"), client.get(db), client.get("/nowhere"), client.get("/%zz")):
        assert answered.headers["server"] == f"couchmend/{__version__}"
        assert answered.headers["x-content-type-options"] == "nosniff"


def test_head_is_get_without_a_body(client: Client, db: str) -> None:
    client.put(f"{db}/a", {"n": 1})
    for path in ("/", db, f"{db}/a", "/nowhere", f"{db}/nothing"):
        got, headed = client.get(path), client.send("HEAD", path)
        assert (headed.status, headed.body) == (got.status, b"")
        assert headed.headers["content-length"] == got.headers["content-length"]
    for path in (f"{db}/_changes", f"{db}/_all_docs"):
        assert client.send("HEAD", path).status == 200


def test_a_database_that_another_program_deleted_is_gone(client: Client, folder: Folder) -> None:
    client.put("/shared")
    client.put("/shared/a", {})
    for file in folder.path.glob("shared.couch*"):
        file.unlink()
    assert client.get("/shared/a").is_error(404, "not_found", "Database does not exist.")
