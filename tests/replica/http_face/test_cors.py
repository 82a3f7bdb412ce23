"""What web pages may do: those of listed origins, of any, and of others."""

from __future__ import annotations

from pathlib import Path

import pytest

from couchmend.replica.http_face.guards.protect import protect
from couchmend.replica.http_face.guards.sessions import Sessions
from couchmend.replica.http_face.guards.users import Users
from couchmend.settings import ReplicaServer
from tests.replica.http_face.calling import CHEAP, Answer, Client, whoami

APP = "http://app.example"
EVIL = "http://evil.example"
ADMIN: dict[str, object] = {"name": None, "roles": ["_admin"]}
NOBODY: dict[str, object] = {"name": None, "roles": []}


@pytest.fixture
def users(tmp_path: Path) -> Users:
    return Users(tmp_path, hasher=CHEAP)


def served(users: Users, *origins: str, credentials: bool = False, scheme: str = "http") -> Client:
    settings = ReplicaServer(cors_origins=origins, cors_credentials=credentials)
    return Client(protect(whoami, users.path.parent, settings, users=users), scheme=scheme)


def cors(answer: Answer) -> dict[str, str]:
    """The headers that a browser looks at."""
    return {k: v for k, v in answer.headers if k.startswith("access-control-") or k == "vary"}


def test_a_listed_origin_may_read_and_write(users: Users) -> None:
    client = served(users, APP, "app://obsidian.md")
    for origin in (APP, "app://obsidian.md"):
        for method in ("GET", "PUT", "POST", "DELETE", "COPY"):
            answer = client.request(method, "/db/doc", headers={"origin": origin})
            assert answer.status == 200
            assert answer.json == ADMIN
            told = cors(answer)
            exposed = told.pop("access-control-expose-headers").split(", ")
            assert {"etag", "content-type", "x-couch-request-id"} <= set(exposed)
            assert told == {"access-control-allow-origin": origin, "vary": "Origin"}


def test_refusals_can_be_read_by_a_listed_origin_too(users: Users) -> None:
    answer = served(users, APP).request("GET", "/", headers={"origin": APP}, auth=("a", "b"))
    assert answer.status == 401
    assert cors(answer)["access-control-allow-origin"] == APP


@pytest.mark.parametrize(
    "origin",
    [EVIL, "null", "https://app.example", "http://app.example:8080", "http://app.example.evil",
     "http://xapp.example", "http://localhost:3000", "http://127.0.0.1", ""],
)  # fmt: skip
@pytest.mark.parametrize("origins", [(), (APP,)])
def test_another_origin_learns_nothing_and_changes_nothing(
    users: Users, origin: str, origins: tuple[str, ...]
) -> None:
    client = served(users, *origins)
    read = client.request("GET", "/db", headers={"origin": origin})
    assert read.json == NOBODY
    assert set(cors(read)) <= {"vary"}
    for method in ("PUT", "POST", "DELETE", "COPY", "PATCH", "MADE-UP"):
        answer = client.request(method, "/_session", headers={"origin": origin})
        assert answer.status == 403
        assert answer.json["error"] == "forbidden"
        assert "replica_server.cors_origins" in answer.json["reason"]
        assert set(cors(answer)) <= {"vary"}


def test_another_origin_may_change_nothing_even_with_a_password(users: Users) -> None:
    users.add("ann", "x", ["_admin"])
    answer = served(users).request("PUT", "/db", headers={"origin": EVIL}, auth=("ann", "x"))
    assert answer.status == 403


@pytest.mark.parametrize(
    ("site", "status"),
    [("cross-site", 403), ("same-site", 403), ("same-origin", 200), ("none", 200)],
)
def test_browsers_that_tell_the_site_without_an_origin(
    users: Users, site: str, status: int
) -> None:
    answer = served(users, APP).request("POST", "/db", headers={"sec-fetch-site": site})
    assert answer.status == status


def test_a_link_on_another_site_can_be_followed_but_nothing_embedded(users: Users) -> None:
    client = served(users)
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}
    page = {**link, "sec-fetch-dest": "document"}
    assert client.request("GET", "/db", headers=page).json == ADMIN
    assert client.request("POST", "/db", headers=page).status == 403
    assert client.request("GET", "/db", headers={**link, "sec-fetch-dest": "iframe"}).json == NOBODY
    image = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
    assert client.request("GET", "/db", headers=image).json == NOBODY


@pytest.mark.parametrize(
    ("scheme", "host", "origin", "own"),
    [
        ("http", "localhost:5985", "http://localhost:5985", True),
        ("http", "LOCALHOST:5985", "http://localhost:5985", True),
        ("http", "localhost", "http://localhost", True),
        ("http", "localhost:80", "http://localhost", True),
        ("https", "localhost", "https://localhost:443", True),
        ("http", "localhost", "https://localhost", True),  # behind a proxy that speaks HTTPS
        ("https", "localhost", "http://localhost", False),
        ("http", "localhost:5985", "http://localhost:5984", False),
        ("http", "localhost:5985", "http://127.0.0.1:5985", False),
    ],
)
def test_pages_of_the_server_itself(
    users: Users, scheme: str, host: str, origin: str, own: bool
) -> None:
    app = served(users).app
    client = Client(app, scheme=scheme, host=host)
    answer = client.request("POST", "/db", headers={"origin": origin})
    assert answer.status == (200 if own else 403)
    assert cors(answer) == {}


def test_programs_are_not_browsers(users: Users) -> None:
    assert served(users).request("POST", "/db").json == ADMIN


def test_a_preflight(users: Users) -> None:
    users.add("ann", "x")
    asked = {
        "origin": APP,
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type, authorization",
    }
    answer = served(users, APP, credentials=True).request("OPTIONS", "/db/x", headers=asked)
    assert (answer.status, answer.body) == (204, b"")
    told = cors(answer)
    assert {"PUT", "DELETE", "COPY"} <= set(told["access-control-allow-methods"].split(", "))
    assert {"content-type", "authorization", "if-match"} <= set(
        told["access-control-allow-headers"].split(", ")
    )
    assert told["access-control-max-age"] == "600"
    assert told["access-control-allow-origin"] == APP
    assert told["access-control-allow-credentials"] == "true"
    assert told["vary"] == "Origin"


def test_a_preflight_of_another_origin_and_what_is_none(users: Users) -> None:
    client = served(users, APP)
    evil = {"origin": EVIL, "access-control-request-method": "PUT"}
    answer = client.request("OPTIONS", "/db", headers=evil)
    assert set(cors(answer)) == {"vary"}
    assert answer.json == NOBODY  # it went on to the application
    assert client.request("OPTIONS", "/db", headers={"origin": APP}).json == ADMIN


# --- cookies


def signed_in(users: Users) -> dict[str, str]:
    user = users.add("ann", "x", ["r"])
    return {"cookie": f"AuthSession={Sessions(users).issue(user)}"}


def test_pages_of_listed_origins_use_the_cookie_only_where_the_settings_say_so(
    users: Users,
) -> None:
    cookie = signed_in(users)
    headers = {**cookie, "origin": APP}
    with_it = served(users, APP, credentials=True).request("POST", "/db", headers=headers)
    assert with_it.json["name"] == "ann"
    assert cors(with_it)["access-control-allow-credentials"] == "true"
    without = served(users, APP).request("POST", "/db", headers=headers)
    assert without.json == NOBODY
    assert "access-control-allow-credentials" not in cors(without)
    own = served(users).request(
        "POST", "/db", headers={**cookie, "origin": "http://localhost:5985"}
    )
    assert own.json["name"] == "ann"


def test_any_origin_is_never_given_credentials(users: Users) -> None:
    headers = {**signed_in(users), "origin": EVIL}
    client = served(users, "*", credentials=True)
    for method in ("GET", "POST"):
        answer = client.request(method, "/db", headers=headers)
        assert answer.json == NOBODY
        told = cors(answer)
        assert told["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in told
    asked = client.request("GET", "/db", headers={"origin": EVIL}, auth=("ann", "x"))
    assert asked.json["name"] == "ann"  # a password that the page itself knows


def test_any_origin_is_never_admin_for_want_of_users(users: Users) -> None:
    client = served(users, "*", APP)
    for method in ("GET", "PUT"):
        assert client.request(method, "/db", headers={"origin": EVIL}).json == NOBODY
        assert client.request(method, "/db", headers={"origin": APP}).json == ADMIN
    assert client.request("PUT", "/db").json == ADMIN
