"""A session that several share: one signs in, the others wait for that one and no longer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from couchmend.errors import ReplicaError, Unauthorized, Unavailable
from couchmend.replica.couch import CouchReplica
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.connection.authentication import CookieSession
from couchmend.replica.couch.connection.retries import Retries
from couchmend.replica.couch.connection.servers import Servers
from couchmend.replica.couch.connection.throttle import Throttle
from couchmend.settings import Server
from tests.replica.scripted_server import Asked, ScriptedServer, Told, scripted_server

WELL = Told(200, {"ok": True, "doc_count": 0, "update_seq": "0"})
SIGNED_IN = Told(200, {"ok": True}, {"Set-Cookie": "AuthSession=c; Max-Age=600"})
BUSY = Told(503, {"error": "service_unavailable", "reason": "Busy."})
WRONG = Told(401, {"error": "unauthorized", "reason": "Name or password is incorrect."})
QUICK = Retries(attempts=3, first_pause_seconds=0.001)


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


Connect = Callable[..., Connection]


@pytest.fixture
def session() -> CookieSession:
    return CookieSession("jo", "secret", "a test")


@pytest.fixture
def connect(server: ScriptedServer, session: CookieSession) -> Iterator[Connect]:
    """Connections of the same session."""
    opened: list[Connection] = []

    def connect(options: Options | None = None) -> Connection:
        options = replace(options or Options(retries=QUICK), authentication=session)
        opened.append(Connection.open(server.url, user=None, password=None, options=options))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as threads:
        yield threads


def is_sign_in(asked: Asked) -> bool:
    return asked.path == "/_session"


def sign_ins(server: ScriptedServer) -> int:
    return sum(map(is_sign_in, server.asked))


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_failed_sign_in_fails_for_all_who_wait(
    server: ScriptedServer, connect: Connect, threads: ThreadPoolExecutor
) -> None:
    waiting = threading.Event()
    server.script = lambda asked: replace(BUSY, hang=waiting)
    connections = [connect() for _ in range(8)]
    found = [threads.submit(connection.answer, "GET") for connection in connections]
    until(lambda: len(server.asked) == 1)
    time.sleep(0.1)
    waiting.set()
    problems = [future.exception(10) for future in found]
    assert all(isinstance(problem, Unavailable) for problem in problems)
    assert len({id(problem) for problem in problems}) == 8
    assert len(server.asked) == sign_ins(server) == QUICK.attempts


def test_nobody_is_kept_from_what_needs_no_session(
    server: ScriptedServer, session: CookieSession, connect: Connect, threads: ThreadPoolExecutor
) -> None:
    waiting = threading.Event()
    server.script = lambda asked: replace(SIGNED_IN, hang=waiting) if is_sign_in(asked) else WELL
    found = threads.submit(connect().answer, "GET")
    until(lambda: len(server.asked) == 1)
    began = time.monotonic()
    session.heard({"server": "CouchDB"})
    session.heard({"set-cookie": "AuthSession=prolonged; Max-Age=600"})
    assert session.refused({}) is True
    assert time.monotonic() - began < 1
    waiting.set()
    assert found.result(10).status == 200


def test_who_is_closed_waits_no_longer(
    server: ScriptedServer, connect: Connect, threads: ThreadPoolExecutor
) -> None:
    waiting = threading.Event()
    server.script = lambda asked: replace(SIGNED_IN, hang=waiting) if is_sign_in(asked) else WELL
    one, other = connect(), connect()
    first = threads.submit(one.answer, "GET")
    until(lambda: len(server.asked) == 1)
    second = threads.submit(other.answer, "GET")
    time.sleep(0.05)
    other.close()
    problem = second.exception(5)
    assert isinstance(problem, Unavailable)
    assert problem.reason == "the replica is closed"
    waiting.set()
    assert first.result(10).status == 200


def test_when_the_one_who_signs_in_is_closed_another_does(
    server: ScriptedServer, connect: Connect, threads: ThreadPoolExecutor
) -> None:
    answers = [replace(BUSY, headers={"Retry-After": "0"})]
    server.script = lambda asked: (
        (answers.pop() if answers else SIGNED_IN) if is_sign_in(asked) else WELL
    )
    patient = Options(
        retries=Retries(first_pause_seconds=60, longest_pause_seconds=60, random=lambda: 1)
    )
    one, other = connect(patient), connect()
    first: Future[object] = threads.submit(one.answer, "GET")
    until(lambda: len(server.asked) == 1)
    second = threads.submit(other.answer, "GET")
    time.sleep(0.05)
    assert not second.done()
    one.close()
    assert second.result(10).status == 200
    assert isinstance(first.exception(10), Unavailable)


def test_a_sign_in_counts_as_a_request(server: ScriptedServer, connect: Connect) -> None:
    times: list[float] = []

    def script(asked: Asked) -> Told:
        times.append(time.monotonic())
        return SIGNED_IN if is_sign_in(asked) else WELL

    server.script = script
    connection = connect(Options(retries=QUICK, throttle=Throttle(5)))
    for _ in range(2):
        connection.answer("GET")
    assert len(times) == 3
    assert times[1] - times[0] > 0.15
    assert times[2] - times[1] > 0.15


def test_a_sign_in_that_is_cut_off_is_tried_again(server: ScriptedServer, connect: Connect) -> None:
    answers = [replace(SIGNED_IN, cut=3), BUSY]
    server.script = lambda asked: (
        (answers.pop() if answers else SIGNED_IN) if is_sign_in(asked) else WELL
    )
    assert connect().answer("GET").status == 200
    assert sign_ins(server) == 3


def test_a_page_in_between_is_no_session(server: ScriptedServer, connect: Connect) -> None:
    headers = {"Content-Type": "text/html", "Set-Cookie": "AuthSession=c"}
    server.tell(Told(200, b"<!DOCTYPE html>Sign in", headers))
    with pytest.raises(ReplicaError) as refusal:
        connect().answer("GET")
    assert "web page" in refusal.value.hint


def test_a_server_that_was_never_heard_of(session: CookieSession) -> None:
    waited: list[float] = []

    def chance() -> float:
        waited.append(0.5)
        return 0.5

    options = Options(authentication=session, retries=replace(Retries(), random=chance))
    connection = Connection.open("http://127.0.0.1:1", user=None, password=None, options=options)
    with closing(connection), pytest.raises(Unavailable):
        connection.answer("GET")
    assert len(waited) == 1  # as without a session


def test_a_session_of_no_length_is_used_once(server: ScriptedServer, connect: Connect) -> None:
    brief = Told(200, {"ok": True}, {"Set-Cookie": "AuthSession=c; Max-Age=0"})
    server.script = lambda asked: brief if is_sign_in(asked) else WELL
    connection = connect()
    for _ in range(2):
        assert connection.answer("GET").status == 200
    assert sign_ins(server) == 2


# --- what the settings' servers share


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("secret")
    return file


def test_databases_share_a_session(server: ScriptedServer, password_file: Path) -> None:
    server.script = lambda asked: SIGNED_IN if is_sign_in(asked) else WELL
    entry = Server(url=server.url, user="jo", password_file=password_file, authentication="cookie")
    servers = Servers([entry], {})
    for name in ("a", "b", "c"):
        url = f"{server.url}/{name}"
        with CouchReplica.open(url, options=servers.options(url)) as replica:
            replica.info()
    assert sign_ins(server) == 1


def test_a_wrong_password_is_tried_once_for_all(
    server: ScriptedServer, password_file: Path
) -> None:
    server.tell(WRONG)
    entry = Server(url=server.url, user="jo", password_file=password_file, authentication="cookie")
    servers = Servers([entry], {})
    for name in ("a", "b", "c"):
        url = f"{server.url}/{name}"
        with pytest.raises(Unauthorized):
            CouchReplica.open(url, options=servers.options(url))
    assert len(server.asked) == 1
    password_file.write_text("another")  # is another password
    with pytest.raises(Unauthorized):
        CouchReplica.open(f"{server.url}/a", options=servers.options(f"{server.url}/a"))
    assert len(server.asked) == 2


def test_what_is_shared_without_an_entry() -> None:
    servers = Servers((), {})

    def shares(one: str, other: str) -> tuple[bool, bool]:
        first, second = servers.options(one), servers.options(other)
        assert first.throttle is not None
        return (
            first.throttle is second.throttle,
            first.authentication is second.authentication,
        )

    assert shares("http://jo:a@host/x", "http://jo:a@HOST:80/y/z") == (True, True)
    assert shares("http://jo:a@host/x", "http://jo:b@host/x") == (True, False)
    assert shares("http://jo:a@host/x", "http://mo:a@host/x") == (True, False)
    assert shares("http://jo:a@host/x", "http://jo:a@host:81/x") == (False, False)
    assert shares("http://jo:a@host/x", "https://jo:a@host/x") == (False, False)
