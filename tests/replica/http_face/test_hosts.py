"""By which names the server answers, and where it may listen."""

from __future__ import annotations

from pathlib import Path

import pytest

from couchmend.errors import UsageError
from couchmend.replica.http_face.exchange import Receive, Scope, Send
from couchmend.replica.http_face.guards.hosts import check_listen, host_name, is_loopback
from couchmend.replica.http_face.guards.protect import protect
from couchmend.replica.http_face.guards.users import Users
from couchmend.settings import ReplicaServer
from tests.replica.http_face.calling import CHEAP, Client, whoami


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LocalHost:5985", 200),
        ("localhost.:5985", 200),
        ("127.0.0.1:5985", 200),
        ("127.1.2.3", 200),
        ("[::1]:5985", 200),
        ("[0:0:0:0:0:0:0:1]", 200),
        ("db.example:5985", 200),
        ("DB.example.", 200),
        ("[2001:db8::5]:1", 200),
        ("192.0.2.1:5985", 200),  # where the request arrived
        ("192.0.2.2:5985", 400),
        ("evil.example", 400),
        ("evil.example:5985", 400),
        ("localhost.evil.example", 400),
        ("db.example.evil.example", 400),
        ("127.0.0.1.evil.example", 400),
        ("evil.example:5985@localhost", 400),
        ("localhost@evil.example", 400),
        ("localhost evil.example", 400),
        ("localhost,evil.example", 400),
        ("localhost/evil", 400),
        ("localhost:x", 400),
        ("[::1", 400),
        ("0.0.0.0:5985", 400),
        ("", 400),
        (None, 400),
    ],
)
def test_names_by_which_the_server_is_called(tmp_path: Path, host: str | None, status: int) -> None:
    settings = ReplicaServer(allowed_hosts=("db.example", "2001:DB8::5"))
    app = protect(whoami, tmp_path, settings)
    answer = Client(app, server="192.0.2.1", host=host).request("GET", "/")
    assert answer.status == status


def test_the_refusal_names_the_setting(tmp_path: Path) -> None:
    answer = Client(protect(whoami, tmp_path), host="evil.example").request("GET", "/db")
    assert answer.json["error"] == "bad_request"
    assert "evil.example" in answer.json["reason"]
    assert "replica_server.allowed_hosts" in answer.json["reason"]


def test_two_hosts_are_none(tmp_path: Path) -> None:
    app = protect(whoami, tmp_path)

    async def doubled(scope: Scope, receive: Receive, send: Send) -> None:
        scope["headers"].append((b"host", b"localhost"))
        await app(scope, receive, send)

    assert Client(app).request("GET", "/").status == 200
    assert Client(doubled).request("GET", "/").status == 400


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "127.9.9.9"])
def test_loopback_needs_no_users(host: str) -> None:
    check_listen(host, users_exist=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "db.example", "localhost.x"])
def test_beyond_loopback_there_must_be_users(host: str) -> None:
    check_listen(host, users_exist=True)
    with pytest.raises(UsageError, match=r"couchmend replica users add notes NAME --admin"):
        check_listen(host, users_exist=False, folder="notes")


def test_the_guards_hold_it_too(tmp_path: Path) -> None:
    settings = ReplicaServer(host="0.0.0.0")
    with pytest.raises(UsageError, match="without users"):
        protect(whoami, tmp_path, settings)
    Users(tmp_path, hasher=CHEAP).add("ann", "x")
    assert protect(whoami, tmp_path, settings) is not None


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Example.org:80", "example.org"),
        ("[FE80::1]:80", "fe80::1"),
        ("a:", "a"),
        (":80", None),
        ("a:b:c", None),
        ("a:123456", None),
    ],
)
def test_the_name_in_a_host_header(value: str, name: str | None) -> None:
    assert host_name(value) == name


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("::ffff:127.0.0.1", True), ("::ffff:192.0.2.1", False), ("10.0.0.1", False), ("", False)],
)
def test_loopback_addresses(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
