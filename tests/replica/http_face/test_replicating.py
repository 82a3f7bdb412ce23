"""`_replicate`: between databases here, and with listed hosts; nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from couchmend.replica.http_face.guards.users import Users
from couchmend.settings import Server
from tests.replica.http_face.serving import Client, served


@pytest.fixture
def source(client: Client, db: str) -> str:
    """The name of a database with something in it."""
    client.put(f"{db}/a", {"_attachments": {"f": {"data": "aGVsbG8="}}})
    client.put(f"{db}/b?new_edits=false", {"_rev": "1-x", "n": 1})
    client.put(f"{db}/b?new_edits=false", {"_rev": "1-y", "n": 2})
    return db[1:]


def test_between_two_databases(client: Client, source: str) -> None:
    body = {"source": source, "target": f"{source}-copy", "create_target": True}
    told = client.post("/_replicate", body)
    assert told.status == 200, told.body
    assert told.json["ok"] is True
    assert "no_changes" not in told.json
    entry = told.json["history"][0]
    assert (entry["docs_read"], entry["docs_written"], entry["doc_write_failures"]) == (3, 3, 0)
    assert entry["session_id"] == told.json["session_id"]
    assert entry["end_last_seq"] == told.json["source_last_seq"]
    conflicted = client.get(f"/{source}-copy/b?conflicts=true").json
    assert (conflicted["_rev"], conflicted["_conflicts"]) == ("1-y", ["1-x"])
    assert client.get(f"/{source}-copy/a/f").body == b"hello"
    again = client.post("/_replicate", body).json
    assert again["no_changes"] is True


def test_some_documents(client: Client, source: str) -> None:
    for limit, found in (
        ({"doc_ids": ["a"]}, ["a"]),
        ({"selector": {"n": {"$gt": 0}}}, ["b"]),
    ):
        name = f"{source}-{found[0]}"
        body = {"source": {"url": source}, "target": name, "create_target": True, **limit}
        assert client.post("/_replicate", body).status == 200
        assert [row["id"] for row in client.get(f"/{name}/_all_docs").json["rows"]] == found


def test_this_server_by_its_address(client: Client, source: str) -> None:
    for url in (f"http://{client.host}", f"http://localhost:{client.host.partition(':')[2]}"):
        body = {"source": f"{url}/{source}", "target": {"url": f"{url}/{source}-own"}}
        assert client.post("/_replicate", {**body, "create_target": True}).status == 200
    assert client.get(f"/{source}-own").json["doc_count"] == 2


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, "bad_request"),
        ({"source": "{s}"}, 400, "bad_request"),
        ({"source": 5, "target": "{s}"}, 400, "bad_request"),
        ({"source": {}, "target": "{s}"}, 400, "bad_request"),
        ({"source": "nowhere", "target": "{s}"}, 404, "db_not_found"),
        ({"source": "{s}", "target": "nowhere"}, 404, "db_not_found"),
        ({"source": "{s}", "target": "Bad", "create_target": True}, 400, "illegal_database_name"),
        ({"source": "file:/etc/passwd", "target": "{s}"}, 404, "db_not_found"),
        ({"source": "../{s}", "target": "{s}"}, 404, "db_not_found"),
        ({"source": "http://169.254.169.254/x", "target": "{s}"}, 403, "forbidden"),
        ({"source": "http://user:pw@example.org/x", "target": "{s}"}, 403, "forbidden"),
        ({"source": "http://127.0.0.1:1/x", "target": "{s}"}, 403, "forbidden"),
        ({"source": "http://", "target": "{s}"}, 400, "invalid_replication"),
        ({"source": "http://[x/y", "target": "{s}"}, 400, "invalid_replication"),
        ({"source": "http://a:b/y", "target": "{s}"}, 400, "invalid_replication"),
        ({"source": "{s}", "target": "{s}", "continuous": True}, 501, "not_implemented"),
        ({"source": "{s}", "target": "{s}", "filter": "a/b"}, 501, "not_implemented"),
        ({"source": "{s}", "target": "{s}", "cancel": True}, 404, "not_found"),
        ({"source": "{s}", "target": "{s}", "doc_ids": "a"}, 400, "bad_request"),
        ({"source": "{s}", "target": "{s}", "doc_ids": [1]}, 400, "bad_request"),
        ({"source": "{s}", "target": "{s}", "selector": []}, 400, "bad_request"),
        ({"source": "{s}", "target": "{s}", "since_seq": []}, 400, "bad_request"),
        ({"source": "{s}", "target": "{s}", "since_seq": "x"}, 400, "bad_request"),
        ({"source": "{s}", "target": "{s}", "selector": {"$bad": 1}}, 400, "invalid_operator"),
    ],
)
def test_what_is_refused(
    client: Client, source: str, body: dict[str, Any], status: int, error: str
) -> None:
    filled = {
        key: value.replace("{s}", source) if isinstance(value, str) else value
        for key, value in body.items()
    }
    assert client.post("/_replicate", filled).is_error(status, error)


def test_only_a_server_admin_replicates(tmp_path: Path) -> None:
    Users(tmp_path).add("jan", "secret", ())
    with served(tmp_path) as (server, folder):
        folder.create("db").set_security({})
        client = Client(server.url)
        jan = {"Authorization": "Basic amFuOnNlY3JldA=="}
        body = {"source": "db", "target": "db"}
        assert client.send("POST", "/_replicate", body, headers=jan).status == 401
        client.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Client]:
    """Another server, with users."""
    Users(tmp_path).add("boss", "s:ecret", ("_admin",))
    with served(tmp_path) as (server, _):
        client = Client(server.url)
        yield client
        client.close()


BOSS = "Basic Ym9zczpzOmVjcmV0"


def test_with_a_listed_host(tmp_path: Path, other: Client) -> None:
    here = tmp_path / "here"
    here.mkdir()
    with served(here, replicate_hosts=(other.host,)) as (server, _):
        client = Client(server.url)
        client.put("/db")
        client.put("/db/a", {"_attachments": {"f": {"data": "aGVsbG8="}}})
        url = f"http://{other.host}/theirs"
        no_password = client.post("/_replicate", {"source": "db", "target": url})
        assert no_password.status in (401, 404), no_password.body
        sides: list[Any] = [
            {"url": url, "auth": {"basic": {"username": "boss", "password": "s:ecret"}}},
            {"url": url, "headers": {"Authorization": BOSS}},
            url.replace("//", "//boss:s%3Aecret@"),
        ]
        for side in sides:
            body = {"source": "db", "target": side, "create_target": True}
            told = client.post("/_replicate", body)
            assert told.status == 200, told.body
        theirs = other.send("GET", "/theirs/a/f", headers={"Authorization": BOSS})
        assert theirs.body == b"hello"
        back = {"source": {"url": url, "headers": {"authorization": BOSS}}, "target": "db2"}
        assert client.post("/_replicate", {**back, "create_target": True}).status == 200
        assert client.get("/db2/a/f").body == b"hello"
        unusable: list[Any] = [{"X": "1"}, {"Authorization": "Bearer x"}, {"Authorization": 5}, 7]
        for headers in unusable:
            side = {"url": url, "headers": headers}
            refused = client.post("/_replicate", {"source": side, "target": "db2"})
            assert refused.is_error(400, "bad_request")
        assert client.get("/_active_tasks").json == []
        client.close()


BOSS_SAYS = {"headers": {"Authorization": BOSS}}


@pytest.mark.parametrize("create", [False, True])
def test_what_the_settings_say_of_a_host_holds(tmp_path: Path, other: Client, create: bool) -> None:
    here = tmp_path / "here"
    here.mkdir()
    entry = Server(url=f"http://{other.host}", ca_file=tmp_path / "none.pem")
    with served(here, servers=[entry], replicate_hosts=(other.host,)) as (server, _):
        client = Client(server.url)
        client.put("/db")
        target = {"url": f"http://{other.host}/theirs", **BOSS_SAYS}
        body = {"source": "db", "target": target, "create_target": create}
        refused = client.post("/_replicate", body)
        assert refused.is_error(400, "invalid_replication"), refused.body
        client.close()


def test_credentials_of_the_settings_are_not_lent(tmp_path: Path, other: Client) -> None:
    here, password = tmp_path / "here", tmp_path / "password"
    here.mkdir()
    password.write_text("s:ecret")
    entry = Server(url=f"http://{other.host}", user="boss", password_file=password)
    with served(here, servers=[entry], replicate_hosts=(other.host,)) as (server, _):
        client = Client(server.url)
        client.put("/db")
        url = f"http://{other.host}/theirs"
        body = {"source": "db", "target": url, "create_target": True}
        assert client.post("/_replicate", body).status == 401
        body["target"] = {"url": url, **BOSS_SAYS}
        assert client.post("/_replicate", body).status == 200
        client.close()
