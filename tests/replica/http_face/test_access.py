"""Who asks, and what they may do, as on a CouchDB 3.5 with the same users and databases."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from couchmend.errors import BadRequest, ReplicaError
from couchmend.replica.http_face.guards.access import (
    Actor,
    check_security,
    design_refusal,
    is_db_member,
    require_db_admin,
    require_db_maintainer,
    require_db_member,
    require_server_admin,
    require_signed_in,
)
from couchmend.replica.http_face.guards.protect import protect
from couchmend.replica.http_face.guards.users import Users
from couchmend.settings import ReplicaServer
from tests.replica.http_face.calling import CHEAP, ELSEWHERE, LOCAL, Client, whoami

ANYBODY = Actor()
PARTY = Actor(None, ("_admin",))
ROOT = Actor("root", ("_admin",))
READER = Actor("bob", ("r",))
DBA = Actor("dba", ())
OUTSIDER = Actor("eve", ("x",))

NEW = {"members": {"roles": ["_admin"]}, "admins": {"roles": ["_admin"]}}
TEAM = {"admins": {"names": ["dba"]}, "members": {"roles": ["r"]}}

STRANGER = (401, "unauthorized", "You are not authorized to access this db.")
NOT_ALLOWED = (403, "forbidden", "You are not allowed to access this db.")
DESIGN_401 = (401, "unauthorized", "You are not a db or server admin.")
DESIGN_403 = (403, "forbidden", "You are not a db or server admin.")
MAINTAIN = (401, "unauthorized", "You are not a server or db admin.")


def outcome(require: Any, *arguments: Any) -> tuple[int, str, str] | None:
    """The refusal as CouchDB answers it, or None."""
    try:
        require(*arguments)
    except ReplicaError as refusal:
        return refusal.status, refusal.error, refusal.reason
    return None


@pytest.mark.parametrize(
    ("actor", "security", "member", "admin", "maintainer"),
    [
        (ANYBODY, NEW, STRANGER, STRANGER, STRANGER),
        (READER, NEW, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED),
        (ROOT, NEW, None, None, None),
        (PARTY, NEW, None, None, None),
        (ANYBODY, TEAM, STRANGER, STRANGER, STRANGER),
        (OUTSIDER, TEAM, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED),
        (READER, TEAM, None, DESIGN_403, MAINTAIN),
        (DBA, TEAM, None, None, None),
        (ROOT, TEAM, None, None, None),
        (ANYBODY, {}, None, DESIGN_401, MAINTAIN),
        (READER, {}, None, DESIGN_403, MAINTAIN),
        (ROOT, {}, None, None, None),
        (ANYBODY, None, STRANGER, STRANGER, STRANGER),
        (READER, None, NOT_ALLOWED, NOT_ALLOWED, NOT_ALLOWED),
        (ROOT, None, None, None, None),
    ],
)
def test_rights_in_a_database(
    actor: Actor, security: Any, member: object, admin: object, maintainer: object
) -> None:
    assert outcome(require_db_member, actor, security) == member
    assert outcome(require_db_admin, actor, security) == admin
    assert outcome(require_db_maintainer, actor, security) == maintainer


@pytest.mark.parametrize(
    ("security", "is_member"),
    [
        ({"members": {"names": ["bob"]}}, True),
        ({"members": {"names": ["ann"], "roles": ["r"]}}, True),
        ({"members": {"names": ["ann"], "roles": []}}, False),
        ({"members": {"names": [], "roles": []}}, True),
        ({"members": {}}, True),
        ({"admins": {"names": ["ann"]}}, True),
        ({"readers": {"names": ["ann"]}}, False),
        ({"readers": {"names": ["bob"]}}, True),
        ({"members": {"names": ["ann"]}, "readers": {"names": ["bob"]}}, False),
        ({"unrelated": 1}, True),
        # What no CouchDB would have stored opens nothing.
        ({"members": None}, False),
        ({"members": []}, False),
        ({"members": {"names": "bob"}}, False),
        ({"members": {"names": {"bob": 1}}}, False),
        ({"members": {"roles": "r"}}, False),
        ({"members": {"names": None}}, False),
        ({"members": {"names": ["ann"]}, "admins": "bob"}, False),
    ],
)
def test_members_by_name_and_role(security: Any, is_member: bool) -> None:
    assert is_db_member(READER, security) is is_member


def test_the_anonymous_have_no_name_to_be_listed() -> None:
    assert not is_db_member(ANYBODY, {"members": {"names": [None, ""]}})


def test_rows_of_a_bulk_write() -> None:
    refusal = design_refusal(READER, TEAM)
    assert refusal is not None
    assert (refusal.error, refusal.reason) == DESIGN_403[1:]
    assert design_refusal(DBA, TEAM) is None


def test_rights_on_the_server() -> None:
    not_admin = (401, "unauthorized", "You are not a server admin.")
    for actor in (ANYBODY, READER, DBA):
        assert outcome(require_server_admin, actor) == not_admin
    for actor in (ROOT, PARTY):
        assert outcome(require_server_admin, actor) is None
    not_signed_in = (401, "unauthorized", "You are not an authenticated user")
    assert outcome(require_signed_in, ANYBODY) == not_signed_in
    for actor in (READER, ROOT, PARTY):
        assert outcome(require_signed_in, actor) is None


@pytest.mark.parametrize("security", [{}, TEAM, NEW, {"x": 1}, {"members": {}, "admins": {}}])
def test_security_objects(security: Any) -> None:
    assert check_security(security) == security


@pytest.mark.parametrize(
    ("security", "reason"),
    [
        (None, "Request body must be a JSON object"),
        ([], "Request body must be a JSON object"),
        ({"admins": []}, "admins or members must be a JSON list of strings"),
        ({"members": "x"}, "admins or members must be a JSON list of strings"),
        ({"members": None}, "admins or members must be a JSON list of strings"),
        ({"readers": 1}, "admins or members must be a JSON list of strings"),
        ({"members": {"names": "x"}}, "names must be a JSON list of strings"),
        ({"admins": {"names": [None]}}, "names must be a JSON list of strings"),
        ({"members": {"roles": [1]}}, "roles must be a JSON list of strings"),
    ],
)
def test_what_is_no_security_object(security: Any, reason: str) -> None:
    with pytest.raises(BadRequest) as caught:
        check_security(security)
    assert caught.value.reason == reason


# --- who asks


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path, hasher=CHEAP)


@pytest.fixture
def client(users: Users) -> Client:
    users.add("rüdi", "pä:ss", ["r"])
    return Client(protect(whoami, users.path.parent, users=users))


ADMIN: dict[str, object] = {"name": None, "roles": ["_admin"]}
NOBODY: dict[str, object] = {"name": None, "roles": []}
RUDI: dict[str, object] = {"name": "rüdi", "roles": ["r"]}


def test_without_users_whoever_uses_this_machine_is_admin(users: Users) -> None:
    app = protect(whoami, users.path.parent, users=users)
    for address, host in ((LOCAL, "localhost"), ("::1", "[::1]:5985"), ("127.0.0.9", "127.0.0.1"),
                          ("::ffff:127.0.0.1", "LOCALHOST:5985")):  # fmt: skip
        assert Client(app, address, host=host).request("GET", "/db").json == ADMIN
    told = Client(app).request("GET", "/_session").json
    assert told["userCtx"] == ADMIN
    assert "authenticated" not in told["info"]


def test_nobody_else_is(users: Users) -> None:
    settings = ReplicaServer(allowed_hosts=("db.example",))
    app = protect(whoami, users.path.parent, settings, users=users)
    assert Client(app, ELSEWHERE).request("GET", "/db").json == NOBODY
    assert Client(app, host="db.example").request("GET", "/db").json == NOBODY
    for name in ("x-forwarded-for", "forwarded"):
        answer = Client(app).request("GET", "/db", headers={name: "for=192.0.2.1"})
        assert answer.json == NOBODY
    assert Client(app).request("GET", "/db", auth=("ann", "x")).status == 401


def test_the_first_user_ends_it_and_the_last_one_brings_it_back(users: Users) -> None:
    client = Client(protect(whoami, users.path.parent, users=users))
    assert client.request("GET", "/db").json == ADMIN
    users.add("ann", "x", ["_admin"])
    assert client.request("GET", "/db").json == NOBODY
    assert client.request("GET", "/db", auth=("ann", "x")).json["roles"] == ["_admin"]
    users.remove("ann")
    assert client.request("GET", "/db").json == ADMIN
    assert Client(client.app, ELSEWHERE).request("GET", "/db").json == NOBODY


def test_a_damaged_users_file_lets_nobody_in(
    users: Users, caplog: pytest.LogCaptureFixture
) -> None:
    client = Client(protect(whoami, users.path.parent, users=users))
    users.path.write_text("{}")
    users.path.chmod(0o600)
    with caplog.at_level(logging.ERROR):
        for more in ({}, {"auth": ("ann", "x")}, {"headers": {"cookie": "AuthSession=YTox"}}):
            answer = client.request("GET", "/db", **more)
            assert answer.status in (400, 500)
            assert "name" not in answer.json
    assert str(users.path) not in answer.body.decode()
    assert str(users.path) in caplog.text


def test_name_and_password(client: Client) -> None:
    assert client.request("GET", "/db").json == NOBODY
    assert client.request("GET", "/db", auth=("rüdi", "pä:ss")).json == RUDI
    for auth in (("rüdi", "wrong"), ("nobody", "pä:ss"), ("", ""), ("", "x"), ("_", "x")):
        answer = client.request("GET", "/db", auth=auth)
        assert answer.status == 401
        assert answer.header("content-type") == "application/json"
        assert answer.json == {
            "error": "unauthorized",
            "reason": "Name or password is incorrect.",
        }


@pytest.mark.parametrize(
    ("authorization", "status", "told"),
    [
        ("Basic Xzpf", 200, NOBODY),  # _:_ signs out
        ("Basic Zm9v", 200, NOBODY),  # no colon
        ("Bearer xxx", 200, NOBODY),
        ("Basic", 200, NOBODY),
        ("basic csO8ZGk6cMOkOnNz", 200, RUDI),
        ("Basic !!!", 400, "Authorization header has invalid base64 value"),
        ("Basic cvxkaTp4", 401, "Name or password is incorrect."),  # Latin-1
    ],
)
def test_other_authorization(client: Client, authorization: str, status: int, told: object) -> None:
    answer = client.request("GET", "/db", headers={"authorization": authorization})
    assert answer.status == status
    assert told == (answer.json if status == 200 else answer.json["reason"])


def test_a_lock_is_told_as_couchdb_does(client: Client) -> None:
    for _ in range(5):
        assert client.request("GET", "/db", auth=("rüdi", "wrong")).status == 401
    locked = {
        "error": "forbidden",
        "reason": "Account is temporarily locked due to multiple authentication failures",
    }
    answer = client.request("GET", "/db", auth=("rüdi", "pä:ss"))
    assert (answer.status, answer.json) == (403, locked)
    body = {"name": "rüdi", "password": "pä:ss"}
    assert client.request("POST", "/_session", value=body).json == locked
    assert Client(client.app, ELSEWHERE).request("POST", "/_session", value=body).status == 200


@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({"accept": "application/json"}, None),
        ({"accept": "*/*"}, None),
        ({}, None),
        ({"accept": "text/html,application/json"}, None),
        ({"accept": "text/html,*/*;q=0.8"}, 'Basic realm="server", charset="UTF-8"'),
        ({"x-couchdb-www-authenticate": "Cookie"}, "Cookie"),
    ],
)
def test_whom_a_refusal_challenges(
    client: Client, headers: dict[str, str], challenge: str | None
) -> None:
    for path, auth in (("/401", None), ("/db", ("rüdi", "wrong"))):
        answer = client.request("GET", path, headers=headers, auth=auth)
        assert answer.status == 401
        assert answer.header("www-authenticate") == challenge
    assert client.request("GET", "/db", headers=headers).header("www-authenticate") is None
