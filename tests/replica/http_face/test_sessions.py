"""Session cookies: nobody can make one, and they end when they should."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.errors import BadRequest, UsageError
from couchmend.replica.http_face.guards.protect import protect
from couchmend.replica.http_face.guards.sessions import KEY_FILE, Key, Session, Sessions
from couchmend.replica.http_face.guards.users import Users
from couchmend.settings import ReplicaServer
from tests.replica.http_face.calling import CHEAP, Client, whoami


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.9

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def users(tmp_path: Path) -> Users:
    users = Users(tmp_path, hasher=CHEAP)
    users.add("rüdi", "pä:ss", ["r"])
    users.add("ann", "x")
    return users


@pytest.fixture
def sessions(users: Users, clock: Clock) -> Sessions:
    return Sessions(users, clock=clock)


def test_a_cookie_says_who_signed_in(sessions: Sessions, users: Users) -> None:
    value = sessions.issue(users.require("rüdi"))
    assert sessions.read(value) == Session(users.require("rüdi"), is_ageing=False)


def test_a_cookie_has_the_form_of_couchdb(sessions: Sessions, users: Users) -> None:
    text = base64.urlsafe_b64decode(sessions.issue(users.require("ann")) + "==")
    name, issued, signature = text.split(b":", 2)
    assert name == b"ann"
    assert int(issued, 16) == 1_700_000_000
    assert len(signature) == 32


def test_a_cookie_grows_old(sessions: Sessions, users: Users, clock: Clock) -> None:
    value = sessions.issue(users.require("ann"))
    seen = []
    for _ in range(700):
        session = sessions.read(value)
        seen.append(None if session is None else session.is_ageing)
        clock.now += 1
    assert seen == [False] * 60 + [True] * 540 + [None] * 100


def test_a_cookie_from_the_future_is_not_taken(
    sessions: Sessions, users: Users, clock: Clock
) -> None:
    value = sessions.issue(users.require("ann"))
    clock.now -= 59
    assert sessions.read(value) is not None
    clock.now -= 10
    assert sessions.read(value) is None


def test_a_new_password_ends_sessions_and_new_roles_hold_at_once(
    sessions: Sessions, users: Users
) -> None:
    ann, rudi = sessions.issue(users.require("ann")), sessions.issue(users.require("rüdi"))
    users.set_password("ann", "x")
    assert sessions.read(ann) is None
    assert sessions.read(rudi) is not None
    users.remove("rüdi")
    users.add("rüdi", "pä:ss", ["r"])
    assert sessions.read(rudi) is None


def test_servers_of_one_folder_agree_and_others_do_not(
    users: Users, tmp_path_factory: pytest.TempPathFactory
) -> None:
    value = Sessions(users).issue(users.require("ann"))
    assert Sessions(Users(users.path.parent)).read(value) is not None
    other = Users(tmp_path_factory.mktemp("other"), hasher=CHEAP)
    other.path.write_bytes(users.path.read_bytes())
    other.path.chmod(0o600)
    Sessions(other).issue(other.require("ann"))
    assert Sessions(other).read(value) is None


def test_the_key_is_made_once_and_is_private(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: Key(tmp_path).get_or_make(), range(32)))
    assert len(keys) == 1
    assert len(keys.pop()) == 32
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_no_key_is_made_by_reading(sessions: Sessions, tmp_path: Path) -> None:
    value = base64.urlsafe_b64encode(b"ann:65000000:" + bytes(32)).decode().rstrip("=")
    assert sessions.read(value) is None
    assert not (tmp_path / KEY_FILE).exists()


def test_deleting_the_key_ends_all_sessions(
    sessions: Sessions, users: Users, tmp_path: Path
) -> None:
    value = sessions.issue(users.require("ann"))
    (tmp_path / KEY_FILE).unlink()
    assert sessions.read(value) is None
    again = sessions.issue(users.require("ann"))
    assert again != value
    assert sessions.read(again) is not None
    assert sessions.read(value) is None


@pytest.mark.parametrize("content", [b"", b"abc", b"zz" * 32, b"00" * 31, b"\xff" * 64])
def test_a_damaged_key_is_reported_and_left_alone(
    sessions: Sessions, users: Users, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / KEY_FILE).write_bytes(content)
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(UsageError, match=r"damaged.*delete the file"):
        sessions.issue(users.require("ann"))
    assert (tmp_path / KEY_FILE).read_bytes() == content


def test_a_key_that_others_can_read_is_refused(
    sessions: Sessions, users: Users, tmp_path: Path
) -> None:
    sessions.issue(users.require("ann"))
    (tmp_path / KEY_FILE).chmod(0o644)
    with pytest.raises(UsageError, match="chmod 600"):
        sessions.issue(users.require("ann"))


# --- nobody can make a cookie


@pytest.fixture(scope="module")
def sealed() -> Iterator[tuple[Sessions, str]]:
    """Sessions, and a cookie that is good."""
    with TemporaryDirectory() as folder:
        users = Users(folder, hasher=CHEAP)
        users.add("ann", "x")
        users.add("bob", "x", ["_admin"])
        sessions = Sessions(users)
        yield sessions, sessions.issue(users.require("ann"))


def who(sessions: Sessions, value: str) -> str | None:
    """Whom a cookie signs in."""
    try:
        session = sessions.read(value)
    except BadRequest:
        return None
    return None if session is None else session.user.name


@given(st.data())
def test_no_changed_character_goes_unnoticed(
    sealed: tuple[Sessions, str], data: st.DataObject
) -> None:
    sessions, value = sealed
    at = data.draw(st.integers(0, len(value) - 1))
    character = data.draw(st.characters(max_codepoint=255).filter(lambda c: c != value[at]))
    assert who(sessions, value[:at] + character + value[at + 1 :]) is None


@given(st.data())
def test_no_changed_byte_goes_unnoticed(sealed: tuple[Sessions, str], data: st.DataObject) -> None:
    sessions, value = sealed
    text = bytearray(base64.urlsafe_b64decode(value + "=="))
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    assert who(sessions, base64.urlsafe_b64encode(text).decode().rstrip("=")) is None


@given(st.data())
def test_no_part_of_a_cookie_is_one(sealed: tuple[Sessions, str], data: st.DataObject) -> None:
    sessions, value = sealed
    kept = data.draw(st.integers(0, len(value) - 1))
    assert who(sessions, value[:kept]) is None
    assert who(sessions, value[kept + 1 :]) is None
    assert who(sessions, value + value[:kept] + "A") is None


@given(name=st.sampled_from(["bob", "ann", "", "nobody"]), rest=st.binary(max_size=60))
def test_no_invented_cookie_is_taken(sealed: tuple[Sessions, str], name: str, rest: bytes) -> None:
    sessions, _ = sealed
    text = name.encode() + b":" + rest
    assert who(sessions, base64.urlsafe_b64encode(text).decode().rstrip("=")) is None


@given(name=st.sampled_from(["bob", "ann"]), later=st.integers(-1000, 1000))
def test_a_signature_holds_for_one_name_and_time(
    sealed: tuple[Sessions, str], name: str, later: int
) -> None:
    sessions, value = sealed
    _, issued, signature = base64.urlsafe_b64decode(value + "==").split(b":", 2)
    text = b":".join((name.encode(), b"%X" % (int(issued, 16) + later), signature))
    forged = base64.urlsafe_b64encode(text).decode().rstrip("=")
    assert who(sessions, forged) == ("ann" if forged == value else None)


@given(st.text(max_size=80))
def test_any_text_is_either_malformed_or_nobody(sealed: tuple[Sessions, str], text: str) -> None:
    assert who(sealed[0], text) is None


# --- /_session


@pytest.fixture
def client(users: Users) -> Client:
    return Client(protect(whoami, users.path.parent, users=users))


FORM = {"content-type": "application/x-www-form-urlencoded"}
GOOD = {"name": "rüdi", "password": "pä:ss"}
WRONG = {"error": "unauthorized", "reason": "Name or password is incorrect."}
NOBODY = {
    "ok": True,
    "userCtx": {"name": None, "roles": []},
    "info": {"authentication_handlers": ["cookie", "default"]},
}


def test_signing_in_asking_and_signing_out(client: Client) -> None:
    entered = client.request("POST", "/_session", value=GOOD)
    assert entered.status == 200
    assert entered.json == {"ok": True, "name": "rüdi", "roles": ["r"]}
    attributes = (entered.header("set-cookie") or "").split("; ")[1:]
    assert attributes == ["Max-Age=600", "Path=/", "HttpOnly", "SameSite=Lax"]
    signed_in = client.request("GET", "/_session", headers={"cookie": entered.cookie})
    assert signed_in.json == {
        "ok": True,
        "userCtx": {"name": "rüdi", "roles": ["r"]},
        "info": {"authentication_handlers": ["cookie", "default"], "authenticated": "cookie"},
    }
    elsewhere = client.request("GET", "/db", headers={"cookie": f"a=b; {entered.cookie}; c=d"})
    assert elsewhere.json == {"name": "rüdi", "roles": ["r"]}
    left = client.request("DELETE", "/_session", headers={"cookie": entered.cookie})
    assert left.json == {"ok": True}
    assert (left.header("set-cookie") or "").startswith("AuthSession=; Max-Age=0; Path=/;")
    assert client.request("GET", "/_session", headers={"cookie": left.cookie}).json == NOBODY


def test_a_password_on_every_request_needs_no_session(client: Client) -> None:
    told = client.request("GET", "/_session", auth=("rüdi", "pä:ss")).json
    assert told["userCtx"] == {"name": "rüdi", "roles": ["r"]}
    assert told["info"]["authenticated"] == "default"


@pytest.mark.parametrize(
    "body",
    [b"name=r%C3%BCdi&password=p%C3%A4%3Ass", b"username=r%C3%BCdi&password=p%C3%A4:ss&x=y"],
)
def test_signing_in_with_a_form(client: Client, body: bytes) -> None:
    entered = client.request("POST", "/_session", headers=FORM, body=body)
    assert (entered.status, entered.json["name"]) == (200, "rüdi")


@pytest.mark.parametrize(
    ("scheme", "headers", "secure"),
    [
        ("http", {}, False),
        ("https", {}, True),
        ("http", {"x-forwarded-proto": "https"}, True),
        ("http", {"x-forwarded-proto": "http"}, False),
    ],
)
def test_the_cookie_goes_by_https_only_where_it_came_by_https(
    users: Users, scheme: str, headers: dict[str, str], secure: bool
) -> None:
    client = Client(protect(whoami, users.path.parent, users=users), scheme=scheme)
    for method, value in (("POST", GOOD), ("DELETE", None)):
        answer = client.request(method, "/_session", value=value, headers=headers)
        assert (answer.header("set-cookie") or "").endswith("; Secure") is secure


@pytest.mark.parametrize(
    ("more", "status", "reason"),
    [
        ({"value": {"name": "rüdi", "password": "x"}}, 401, WRONG["reason"]),
        ({"value": {"name": "nobody", "password": "x"}}, 401, WRONG["reason"]),
        ({"value": {"name": "rüdi"}}, 401, WRONG["reason"]),
        ({"headers": FORM, "body": b"name=ann"}, 401, WRONG["reason"]),
        ({"value": GOOD, "auth": ("ann", "wrong")}, 401, WRONG["reason"]),
        ({"value": {"password": "x"}}, 400, "request body must contain a username"),
        ({"value": {"name": 1}}, 400, "request body must contain a username"),
        ({"headers": FORM}, 400, "request body must contain a username"),
        (
            {"value": {"name": "a", "username": "b"}},
            400,
            "request body contains different usernames",
        ),
        ({"value": {"name": "ann", "password": 1}}, 400, "the password must be a string"),
        ({"value": []}, 400, "Request body must be a JSON object"),
        ({"headers": {"content-type": "application/json"}, "body": b"{"}, 400, "invalid UTF-8"),
        ({"headers": FORM, "body": b"name=%FF"}, 400, "the form is not UTF-8"),
        (
            {"headers": {"content-type": "text/plain"}, "body": b"x"},
            415,
            "Content-Type must be 'application/x-www-form-urlencoded' or 'application/json'",
        ),
        ({"headers": FORM, "body": b"x" * 70_000}, 413, "the request entity is too large"),
    ],
)
def test_signing_in_wrongly(
    client: Client, more: dict[str, object], status: int, reason: str
) -> None:
    answer = client.request("POST", "/_session", **more)
    assert answer.status == status
    assert answer.json["reason"].startswith(reason)
    assert "AuthSession=r" not in (answer.header("set-cookie") or "")


def test_asking_to_be_asked(client: Client) -> None:
    answer = client.request("GET", "/_session?basic=true")
    assert (answer.status, answer.json["reason"]) == (401, "Please login.")
    assert client.request("GET", "/_session?basic=true", auth=("ann", "x")).status == 200


def test_other_methods(client: Client) -> None:
    answer = client.request("PUT", "/_session")
    assert (answer.status, answer.header("allow")) == (405, "GET,HEAD,POST,DELETE")
    head = client.request("HEAD", "/_session")
    assert (head.status, head.body) == (200, b"")


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/notes?a=b%23", "/notes?a=b#"),
        ("/a%0D%0ASet-Cookie:x=y", "/a%0D%0ASet-Cookie:x=y"),
        ("/caf%C3%A9", "/caf%C3%A9"),
        ("http://evil.example/", None),
        ("//evil.example/", None),
        ("/%5Cevil.example", None),
        ("javascript:alert(1)", None),
        ("evil", None),
    ],
)
def test_going_on_within_this_server_only(
    client: Client, target: str, location: str | None
) -> None:
    for method, name, value, status in (
        ("POST", "next", GOOD, 200),
        ("POST", "fail", {"name": "ann", "password": "wrong"}, 401),
        ("DELETE", "next", None, 200),
    ):
        answer = client.request(method, f"/_session?{name}={target}", value=value)
        assert answer.header("location") == location
        assert answer.status == (status if location is None else 302)
        assert answer.header("set-cookie") is not None


def test_a_cookie_of_something_else_keeps_nobody_from_signing_in_or_out(client: Client) -> None:
    foreign = {"cookie": "AuthSession=xyz"}
    refused = client.request("GET", "/db", headers=foreign, auth=("ann", "x"))
    assert refused.status == 400
    assert refused.json == {
        "error": "bad_request",
        "reason": "Malformed AuthSession cookie. Please clear your cookies.",
    }
    assert client.request("POST", "/_session", headers=foreign, value=GOOD).status == 200
    assert client.request("DELETE", "/_session", headers=foreign).status == 200
    assert client.request("GET", "/_session", headers={"cookie": "AuthSession="}).json == NOBODY


def test_an_ageing_cookie_is_renewed_and_a_fresh_one_is_not(users: Users) -> None:
    settings = ReplicaServer(session_timeout_seconds=600)
    client = Client(protect(whoami, users.path.parent, settings, users=users))
    for age, renewed in ((30, False), (100, True), (590, True)):
        past = Clock()
        past.now = time.time() - age
        old = Sessions(users, clock=past).issue(users.require("ann"))
        answer = client.request("GET", "/db", headers={"cookie": f"AuthSession={old}"})
        assert answer.json["name"] == "ann"
        assert (answer.header("set-cookie") is not None) is renewed
        if renewed:
            again = client.request("GET", "/db", headers={"cookie": answer.cookie})
            assert again.json["name"] == "ann"
            assert again.header("set-cookie") is None
        left = client.request("DELETE", "/_session", headers={"cookie": f"AuthSession={old}"})
        assert left.cookie == "AuthSession="


def test_the_cookie_decides_when_both_are_sent(client: Client) -> None:
    entered = client.request("POST", "/_session", value=GOOD)
    both = client.request("GET", "/db", headers={"cookie": entered.cookie}, auth=("ann", "wrong"))
    assert both.json["name"] == "rüdi"


def test_a_session_ends_with_the_password(client: Client, users: Users) -> None:
    entered = client.request("POST", "/_session", value=GOOD)
    users.set_password("rüdi", "other")
    answer = client.request("GET", "/_session", headers={"cookie": entered.cookie})
    assert answer.json == NOBODY
