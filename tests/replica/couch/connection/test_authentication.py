"""As whom requests are made: basic, sessions with cookies, tokens from files."""

from __future__ import annotations

import threading
import traceback
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from couchmend.errors import Unauthorized, Unavailable, UsageError
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.connection.authentication import (
    Authentication,
    Basic,
    Bearer,
    CookieSession,
)
from couchmend.replica.couch.connection.retries import Retries
from tests.replica.scripted_server import Asked, ScriptedServer, Told, scripted_server

WELL = Told(200, {"ok": True})
NOBODY = Told(401, {"error": "unauthorized", "reason": "You are not a server admin."})
WRONG = Told(401, {"error": "unauthorized", "reason": "Name or password is incorrect."})
QUICK = Retries(attempts=3, first_pause_seconds=0.001)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


Connect = Callable[[Authentication], Connection]


@pytest.fixture
def connect(server: ScriptedServer) -> Iterator[Connect]:
    opened: list[Connection] = []

    def connect(authentication: Authentication) -> Connection:
        options = Options(authentication=authentication, retries=QUICK)
        url = f"{server.url}/couch/notes"
        opened.append(Connection.open_database(url, user=None, password=None, options=options))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


class Sessions:
    """A server that hands out cookies, and takes the last one only."""

    def __init__(self, max_age: int | None = 600) -> None:
        self.max_age = max_age
        self.number = 0
        self.sign_ins: list[bytes] = []
        self.password_is_right = True
        self.prolonged: str | None = None

    def __call__(self, asked: Asked) -> Told:
        if asked.path == "/couch/_session":
            self.sign_ins.append(asked.body)
            if not self.password_is_right:
                return WRONG
            self.number += 1
            return Told(200, {"ok": True}, {"Set-Cookie": self.cookie(f"c{self.number}")})
        taken = f"AuthSession={self.prolonged or f'c{self.number}'}"
        if self.number == 0 or asked.headers.get("cookie") != taken:
            return NOBODY
        return WELL

    def cookie(self, value: str) -> str:
        age = "" if self.max_age is None else f"; Max-Age={self.max_age}"
        return f"AuthSession={value}; Version=1{age}; Path=/; HttpOnly"


# --- basic


def test_basic(server: ScriptedServer, connect: Connect) -> None:
    server.tell(WELL)
    connect(Basic("jö", "p:w", "a test")).answer("GET")
    expected = b64encode("jö:p:w".encode()).decode()
    assert server.asked[0].headers["authorization"] == f"Basic {expected}"


def test_a_wrong_password_is_not_tried_again(server: ScriptedServer, connect: Connect) -> None:
    server.tell(WRONG)
    with pytest.raises(Unauthorized) as refusal:
        connect(Basic("jo", "secret", "the name and password of a test")).answer("GET")
    assert len(server.asked) == 1
    assert refusal.value.hint == "the server does not take the name and password of a test"


# --- sessions


def test_one_sign_in_serves_many_requests(server: ScriptedServer, connect: Connect) -> None:
    server.script = sessions = Sessions()
    connection = connect(CookieSession("j o", "s&c=r/t", "a test"))
    for _ in range(3):
        connection.answer("POST", "x", body=b"{}")
    assert sessions.sign_ins == [b"name=j+o&password=s%26c%3Dr%2Ft"]
    signing_in = server.asked[0]
    assert signing_in.headers["content-type"] == "application/x-www-form-urlencoded"
    assert "cookie" not in signing_in.headers
    assert all("authorization" not in asked.headers for asked in server.asked)


def test_a_session_that_the_server_ended_is_renewed(
    server: ScriptedServer, connect: Connect
) -> None:
    server.script = sessions = Sessions()
    connection = connect(CookieSession("jo", "secret", "a test"))
    connection.answer("GET")
    sessions.number += 1  # as after a restart with another secret
    assert connection.answer("POST", "x", body=b"{}").status == 200  # was certainly not begun
    assert len(sessions.sign_ins) == 2


def test_a_body_that_is_gone_cannot_be_sent_with_a_new_session(
    server: ScriptedServer, connect: Connect
) -> None:
    server.script = sessions = Sessions()
    connection = connect(CookieSession("jo", "secret", "a test"))
    connection.answer("GET")
    sessions.number += 1
    with pytest.raises(Unauthorized):
        connection.answer("POST", "x", body=iter([b"{}"]))


def test_a_session_is_renewed_before_it_ends(server: ScriptedServer, connect: Connect) -> None:
    now = [0.0]
    server.script = sessions = Sessions(max_age=100)
    connection = connect(CookieSession("jo", "secret", "a test", clock=lambda: now[0]))
    for moment, sign_ins in ((0, 1), (89, 1), (91, 2), (180, 2), (182, 3)):
        now[0] = moment
        connection.answer("GET")
        assert len(sessions.sign_ins) == sign_ins


def test_a_prolonged_session_is_taken_up(server: ScriptedServer, connect: Connect) -> None:
    sessions = Sessions(max_age=100)
    now = [0.0]

    def prolonging(asked: Asked) -> Told:
        told = sessions(asked)
        if told is WELL and now[0] == 80:
            sessions.prolonged = "longer"
            return Told(200, {"ok": True}, {"Set-Cookie": sessions.cookie("longer")})
        return told

    server.script = prolonging
    connection = connect(CookieSession("jo", "secret", "a test", clock=lambda: now[0]))
    for moment in (0, 80, 120, 160):
        now[0] = moment
        connection.answer("GET")
    assert len(sessions.sign_ins) == 1
    assert server.asked[-1].headers["cookie"] == "AuthSession=longer"


def test_a_wrong_password_is_not_tried_for_ever(server: ScriptedServer, connect: Connect) -> None:
    now = [0.0]
    server.script = sessions = Sessions()
    sessions.password_is_right = False
    session = CookieSession("jo", "secret", "a test", clock=lambda: now[0])
    connection = connect(session)
    for _ in range(5):
        with pytest.raises(Unauthorized) as refusal:
            connection.answer("GET")
        assert refusal.value.reason == "Name or password is incorrect."
    assert len(server.asked) == 1
    shown = "".join(traceback.format_exception(refusal.value)) + repr(session)
    assert "secret" not in shown
    sessions.password_is_right = True
    now[0] = 61  # somebody may have set it right
    connection.answer("GET")
    assert len(sessions.sign_ins) == 2


def test_a_server_that_never_takes_its_own_cookies(
    server: ScriptedServer, connect: Connect
) -> None:
    sessions = Sessions()

    def forgetful(asked: Asked) -> Told:
        return sessions(asked) if asked.path.endswith("_session") else NOBODY

    server.script = forgetful
    with pytest.raises(Unauthorized):
        connect(CookieSession("jo", "secret", "a test")).answer("GET")
    assert len(sessions.sign_ins) == 2
    assert len(server.asked) == 4


def test_a_server_without_sessions(server: ScriptedServer, connect: Connect) -> None:
    server.tell(WELL)
    with pytest.raises(Unauthorized) as refusal:
        connect(CookieSession("jo", "secret", "a test")).answer("GET")
    assert "basic" in refusal.value.hint


def test_signing_in_is_tried_again_when_the_server_is_busy(
    server: ScriptedServer, connect: Connect
) -> None:
    sessions = Sessions()
    busy = [Told(503, {"error": "e", "reason": "r"})] * 2
    server.script = lambda asked: busy.pop() if busy else sessions(asked)
    assert connect(CookieSession("jo", "secret", "a test")).answer("GET").status == 200
    busy = [Told(503, {"error": "e", "reason": "r"})] * 9
    with pytest.raises(Unavailable):
        connect(CookieSession("jo", "secret", "a test")).answer("GET")


def test_threads_renew_a_session_once(server: ScriptedServer, connect: Connect) -> None:
    server.script = sessions = Sessions()
    connection = connect(CookieSession("jo", "secret", "a test"))
    barrier = threading.Barrier(8)
    statuses: list[int] = []

    def read() -> None:
        for _ in range(3):
            barrier.wait(10)
            statuses.append(connection.answer("GET").status)
            if barrier.wait(10) == 0:
                sessions.number += 1

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * 24
    assert len(sessions.sign_ins) == 3


# --- tokens


def test_a_token_is_read_again_when_it_changes(
    server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("one.two-three_=\n")
    server.tell(WELL)
    connection = connect(Bearer(file, "a test"))
    connection.answer("GET")
    file.write_text("another")
    connection.answer("GET")
    sent = [asked.headers["authorization"] for asked in server.asked]
    assert sent == ["Bearer one.two-three_=", "Bearer another"]


def test_a_refused_token_is_looked_for_again(
    server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text("old")

    def script(asked: Asked) -> Told:
        if asked.headers["authorization"] == "Bearer new":
            return WELL
        if write:
            file.write_text(write)
        return NOBODY

    server.script = script
    write = ""
    connection = connect(Bearer(file, "the token in a test"))
    with pytest.raises(Unauthorized) as refusal:
        connection.answer("GET")
    assert len(server.asked) == 1
    assert "the token in a test" in refusal.value.hint
    write = "new"
    assert connection.answer("POST", body=b"{}").status == 200
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    "reason",
    [
        "Malformed token",
        "Bad HMAC",
        "Missing exp claim",
        "Malformed AuthSession cookie. Please clear your cookies.",
    ],
)
def test_a_token_that_the_server_cannot_read_is_no_bad_request(
    server: ScriptedServer, connect: Connect, tmp_path: Path, reason: str
) -> None:
    file = tmp_path / "token"
    file.write_text("old")
    server.tell(Told(400, {"error": "bad_request", "reason": reason}))
    with pytest.raises(Unauthorized) as refusal:
        connect(Bearer(file, "the token in a test")).answer("POST", body=b"{}")
    assert "the token in a test" in refusal.value.hint


@pytest.mark.parametrize("text", ["", "\n", "two words", "a\r\nX-Injected: b", "ü", "Bearer x"])
def test_what_is_no_token(
    server: ScriptedServer, connect: Connect, tmp_path: Path, text: str
) -> None:
    file = tmp_path / "token"
    file.write_text(text)
    with pytest.raises(UsageError) as refusal:
        connect(Bearer(file, "a test")).answer("GET")
    assert str(file) in str(refusal.value)
    assert "Injected" not in str(refusal.value)
    assert server.asked == []


def test_a_token_file_that_is_not_there(
    server: ScriptedServer, connect: Connect, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as refusal:
        connect(Bearer(tmp_path / "none", "COUCHMEND_COUCHDB_TOKEN_FILE")).answer("GET")
    assert "COUCHMEND_COUCHDB_TOKEN_FILE" in refusal.value.hint


def test_a_redirect_carries_nothing_elsewhere(server: ScriptedServer, connect: Connect) -> None:
    with scripted_server() as elsewhere:
        elsewhere.tell(WELL)
        server.tell(Told(302, b"", {"Location": f"{elsewhere.url}/notes?token=abc"}))
        with pytest.raises(Unavailable) as refusal:
            connect(Basic("jo", "secret", "a test")).answer("GET")
        assert elsewhere.asked == []
    assert elsewhere.url in refusal.value.hint
    assert "abc" not in refusal.value.hint
