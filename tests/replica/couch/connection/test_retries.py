"""Trying again: when, how often, and how long after."""

from __future__ import annotations

import gc
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.errors import Conflict, NotFound, ReplicaError, Unavailable
from couchmend.replica.base import ChangesQuery
from couchmend.replica.couch import CouchReplica
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.connection.retries import Patience, Retries, asked_to_wait
from couchmend.replica.couch.connection.throttle import Throttle
from tests.replica.scripted_server import Asked, ScriptedServer, Told, scripted_server

BUSY = Told(503, {"error": "service_unavailable", "reason": "Busy."})
WELL = Told(200, {"ok": True})
QUICK = Retries(attempts=4, first_pause_seconds=0.001, longest_pause_seconds=0.002)


class Time:
    """A clock that sleeping moves on."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def patience(time: Time, **changes: object) -> Patience:
    retries = replace(Retries(clock=time.clock, random=lambda: 1.0), **changes)  # type: ignore[arg-type]
    return Patience(retries, time.sleep)


def busy(after: float | None = None) -> Unavailable:
    return Unavailable("busy", transient=True, retry_after_seconds=after)


# --- how long


def test_pauses_double_up_to_the_longest() -> None:
    time = Time()
    waiting = patience(time, attempts=8, first_pause_seconds=1, longest_pause_seconds=10)
    for _ in range(7):
        waiting.wait(busy())
    assert time.slept == [1, 2, 4, 8, 10, 10, 10]
    with pytest.raises(Unavailable) as given_up:
        waiting.wait(busy())
    assert "tried 8 times" in given_up.value.hint


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 30))
def test_the_jitter_is_full(chance: float, failures: int) -> None:
    time = Time()
    waiting = patience(time, attempts=100, total_seconds=1e9, random=lambda: chance)
    for _ in range(failures):
        waiting.wait(busy())
    longest = [min(0.25 * 2**n, 20.0) for n in range(failures)]
    assert time.slept == [pause * chance for pause in longest]


def test_the_whole_is_bounded() -> None:
    time = Time()
    waiting = patience(time, attempts=10**6, total_seconds=60, longest_pause_seconds=7)

    def wait_for_ever() -> None:
        while True:
            waiting.wait(busy())

    with pytest.raises(Unavailable):
        wait_for_ever()
    assert 40 < time.now - 1000 <= 60


def test_progress_renews_the_attempts() -> None:
    time = Time()
    waiting = patience(time, attempts=2, total_seconds=10)
    for _ in range(50):
        waiting.wait(busy())
        waiting.renew()
    assert time.slept == [0.25] * 50
    waiting.wait(busy())
    with pytest.raises(Unavailable):
        waiting.wait(busy())


def test_what_will_not_go_away_is_not_waited_for() -> None:
    time = Time()
    problem = NotFound("missing")
    with pytest.raises(NotFound) as raised:
        patience(time).wait(problem)
    assert raised.value is problem
    assert time.slept == []


def test_the_server_says_how_long() -> None:
    time = Time()
    patience(time, random=lambda: 0.5).wait(busy(after=30))
    assert time.slept == [30.125]
    with pytest.raises(Unavailable) as refusal:
        patience(time).wait(busy(after=121))
    assert "wait for 121 seconds" in refusal.value.hint
    assert len(time.slept) == 1


def test_a_slow_reader_has_all_his_patience_left() -> None:
    time = Time()
    waiting = patience(time, total_seconds=10)
    waiting.renew()
    time.now += 1000  # between two rows
    waiting.wait(busy())
    assert time.slept == [0.25]


# --- Retry-After


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "0"}, 0),
        ({"retry-after": " 17 "}, 17),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 5000}, 999_999_999_999),
        ({"retry-after": formatdate(1_000_060, usegmt=True)}, 60),
        ({"retry-after": formatdate(999_000, usegmt=True)}, 0),
        # The server's clock is two minutes ahead of ours.
        (
            {
                "retry-after": formatdate(1_000_150, usegmt=True),
                "date": formatdate(1_000_120, usegmt=True),
            },
            30,
        ),
        ({"retry-after": "Mon, 12 Jan 1970 13:46:99 GMT"}, None),
        ({"retry-after": "Mon, 99 Foo 1970 13:46:40 GMT"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert asked_to_wait(headers, 1_000_000) == seconds


@given(st.text(max_size=40))
def test_whatever_stands_there(text: str) -> None:
    seconds = asked_to_wait({"retry-after": text}, 0)
    assert seconds is None or seconds >= 0


# --- over a real connection


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def connection(server: ScriptedServer) -> Iterator[Connection]:
    opened = Connection.open(server.url, user=None, password=None, options=Options(retries=QUICK))
    yield opened
    opened.close()


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_reading_is_tried_again(
    server: ScriptedServer, connection: Connection, status: int
) -> None:
    failed = Told(status, {"error": "e", "reason": "r"})
    server.tell(failed, failed, WELL)
    assert connection.answer("GET", "x").json == {"ok": True}
    assert len(server.asked) == 3
    server.tell(failed)
    with pytest.raises(ReplicaError) as given_up:
        connection.answer("GET", "x")
    assert len(server.asked) == 3 + 4
    assert given_up.value.transient
    assert "tried 4 times" in given_up.value.hint


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 412, 413, 415, 501, 302])
def test_a_refusal_is_final(server: ScriptedServer, connection: Connection, status: int) -> None:
    server.tell(Told(status, {"error": "e", "reason": "r"}))
    with pytest.raises(ReplicaError) as refusal:
        connection.answer("GET", "x")
    assert len(server.asked) == 1
    assert not refusal.value.transient


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_write_is_not_tried_again_unless_it_may_be(
    server: ScriptedServer, connection: Connection, method: str
) -> None:
    server.tell(BUSY, WELL)
    with pytest.raises(Unavailable) as refusal:
        connection.answer(method, "x", body=b"{}")
    assert "may or may not have been done" in refusal.value.hint
    assert len(server.asked) == 1
    server.tell(BUSY, WELL)
    assert connection.answer(method, "x", body=b"{}", repeatable=True).json == {"ok": True}
    assert [asked.body for asked in server.asked] == [b"{}"] * 3


def test_a_write_that_was_surely_not_begun_is_tried_again(
    server: ScriptedServer, connection: Connection
) -> None:
    server.tell(Told(429, {"error": "too_many_requests", "reason": "r"}), WELL)
    assert connection.answer("POST", "x", body=b"{}").json == {"ok": True}
    assert len(server.asked) == 2


def test_a_refused_write_says_nothing_of_doubt(
    server: ScriptedServer, connection: Connection
) -> None:
    server.tell(Told(409, {"error": "conflict", "reason": "r"}))
    with pytest.raises(Conflict) as refusal:
        connection.answer("PUT", "x", body=b"{}")
    assert "may not have" not in refusal.value.hint


class Again:
    """A body that can be read again and again."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._parts)


def test_only_a_body_that_is_still_there_is_sent_again(
    server: ScriptedServer, connection: Connection
) -> None:
    server.tell(BUSY, WELL)
    connection.answer("PUT", "x", body=Again(b"a", b"b"), repeatable=True)
    assert [asked.body for asked in server.asked] == [b"ab", b"ab"]
    server.asked.clear()
    server.tell(Told(429, {"error": "e", "reason": "r"}), WELL)
    with pytest.raises(Unavailable):
        connection.answer("PUT", "x", body=iter([b"a", b"b"]), repeatable=True)
    assert len(server.asked) == 1


class Measured(Again):
    """A body that knows its length."""

    length = 6


def test_a_body_of_known_length(server: ScriptedServer, connection: Connection) -> None:
    server.tell(WELL)
    connection.answer("PUT", "x", body=Measured(b"abc", b"def"))
    (asked,) = server.asked
    assert asked.body == b"abcdef"
    assert asked.headers["content-length"] == "6"
    assert "transfer-encoding" not in asked.headers


def test_a_source_that_fails_while_it_is_sent(
    server: ScriptedServer, connection: Connection
) -> None:
    problem = Unavailable("the other database is gone", transient=True)
    begun = []

    class Failing:
        def __iter__(self) -> Iterator[bytes]:
            begun.append(1)
            yield b"a"
            raise problem

    server.tell(WELL)
    with pytest.raises(Unavailable) as raised:
        connection.answer("PUT", "x", body=Failing(), repeatable=True)
    assert raised.value is problem
    assert len(begun) == 1
    assert connection.answer("GET", "x").json == {"ok": True}  # on a connection of its own


@pytest.mark.parametrize("read_once", [False, True])
def test_nobody_listens_at_first(read_once: bool) -> None:
    """A refused connection is tried again, for a write too."""
    body: bytes | Iterator[bytes] = iter([b"{}"]) if read_once else b"{}"
    waited: list[float] = []

    def chance() -> float:
        waited.append(0.5)
        return 0.5

    retries = replace(QUICK, random=chance)
    connection = Connection.open(
        "http://127.0.0.1:1", user=None, password=None, options=Options(retries=retries)
    )
    with pytest.raises(Unavailable) as refusal:
        connection.answer("POST", "x", body=body)
    connection.close()
    assert list(body)  # nothing of it was read
    assert refusal.value.reason == "connection refused"
    assert "may not have" not in refusal.value.hint
    # An address that was never heard of may be wrong: whoever typed it waits for the answer.
    assert len(waited) == 1


def test_a_server_that_was_heard_of_is_waited_for(server: ScriptedServer) -> None:
    waited: list[float] = []

    def chance() -> float:
        waited.append(0.5)
        return 0.5

    server.tell(WELL)
    options = Options(retries=replace(QUICK, random=chance))
    connection = Connection.open(server.url, user=None, password=None, options=options)
    assert connection.answer("GET", "x").json == {"ok": True}
    server.tell(Told(503))
    with pytest.raises(Unavailable):
        connection.answer("GET", "x")
    connection.close()
    assert len(waited) == QUICK.attempts - 1


def test_waiting_ends_when_the_replica_is_closed(server: ScriptedServer) -> None:
    server.tell(Told(503, {"error": "e", "reason": "r"}, {"Retry-After": "60"}))
    connection = Connection.open(server.url, user=None, password=None, options=None)
    database = connection.database("notes")
    ended: list[ReplicaError] = []

    def read() -> None:
        try:
            database.answer("GET", "x")
        except ReplicaError as problem:
            ended.append(problem)

    reader = threading.Thread(target=read)
    reader.start()
    deadline = time.monotonic() + 10
    while not server.asked and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.05)
    assert reader.is_alive()
    connection.close()
    reader.join(5)
    assert not reader.is_alive()
    assert [problem.reason for problem in ended] == ["the replica is closed"]
    assert len(server.asked) == 1


def test_too_long_a_wait_is_told_at_once(server: ScriptedServer, connection: Connection) -> None:
    server.tell(Told(503, {"error": "e", "reason": "r"}, {"Retry-After": "3600"}))
    with pytest.raises(Unavailable) as refusal:
        connection.answer("GET", "x")
    assert refusal.value.retry_after_seconds == 3600
    assert "wait for 3600 seconds" in refusal.value.hint
    assert len(server.asked) == 1


@pytest.mark.parametrize("asked_for", ["1", "3600"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_everybody_holds_back_when_the_server_asks_one(
    server: ScriptedServer, method: str, asked_for: str
) -> None:
    """Also when that one gives up, because it is too long or a write; but nobody for ever."""
    time = Time()
    shared = Throttle(clock=time.clock)
    retries = replace(QUICK, attempts=1, longest_retry_after_seconds=10)
    options = Options(retries=retries, throttle=shared)
    connection = Connection.open(server.url, user=None, password=None, options=options)
    server.tell(Told(503, {"error": "e", "reason": "r"}, {"Retry-After": asked_for}))
    with closing(connection), pytest.raises(Unavailable):
        connection.answer(method, "x", body=b"{}")
    shared.wait(time.sleep)
    assert time.now == 1000 + min(int(asked_for), 10)


FAILING: dict[str, Callable[[CouchReplica], object]] = {
    "changes": lambda replica: list(replica.change_pages(ChangesQuery())),
    "bulk_get": lambda replica: list(replica.bulk_get([("a", "1-a")])),
}


@pytest.mark.parametrize("reading", FAILING)
@pytest.mark.parametrize("busy", [1, 2])
def test_asking_and_reading_share_their_attempts(
    server: ScriptedServer, reading: str, busy: int
) -> None:
    """A server that is busy, and then does not end what it began to answer, over and over."""
    cut = Told(200, b'{"results":[                         ', cut=15)
    answers = itertools.cycle([*[BUSY] * busy, cut])
    server.script = lambda asked: Told(200, {}) if asked.path == "/" else next(answers)
    url = f"{server.url}/notes"
    connection = Connection.open_database(
        url, user=None, password=None, options=Options(retries=QUICK)
    )
    with closing(CouchReplica(connection)) as replica, pytest.raises(ReplicaError) as given_up:
        FAILING[reading](replica)
    assert given_up.value.transient
    assert len([asked for asked in server.asked if asked.path != "/"]) == QUICK.attempts


def test_what_the_server_says_of_itself_is_asked_again(
    server: ScriptedServer, connection: Connection
) -> None:
    """That a server was busy says nothing of what it is."""
    server.tell(BUSY)
    with pytest.raises(Unavailable):
        connection.database("notes").greeting()
    server.tell(Told(200, {"couchdb": "Welcome"}))
    assert connection.greeting() == {"couchdb": "Welcome"}
    server.tell(BUSY)
    assert connection.database("notes").greeting() == {"couchdb": "Welcome"}


def test_a_server_may_say_nothing_of_itself(server: ScriptedServer, connection: Connection) -> None:
    server.tell(Told(403, {"error": "forbidden", "reason": "r"}), Told(200, {"late": True}))
    assert connection.greeting() == {}
    assert connection.greeting() == {}
    assert len(server.asked) == 1


def test_streams_begin_again_but_are_not_read_again(
    server: ScriptedServer, connection: Connection
) -> None:
    server.tell(BUSY, Told(200, b"x" * 100_000, cut=500))
    stream = connection.stream("GET", "x")
    with pytest.raises(Unavailable) as broken:
        b"".join(stream.chunks())
    assert broken.value.transient
    assert len(server.asked) == 2


def test_requests_are_spread(server: ScriptedServer) -> None:
    def at(asked: Asked) -> Told:
        times.append(time.monotonic())
        return WELL

    times: list[float] = []
    server.script = at
    options = Options(throttle=Throttle(50))
    connections = [
        Connection.open(server.url, user=None, password=None, options=options) for _ in range(3)
    ]
    threads = [
        threading.Thread(target=lambda c=connection: [c.answer("GET", "x") for _ in range(4)])
        for connection in connections
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()
    assert len(times) == 12
    assert max(times) - min(times) >= 11 / 50 - 0.02


def test_a_stream_that_nobody_begins_leaves_nothing_open(
    server: ScriptedServer, connection: Connection
) -> None:
    server.tell(Told(200, b"x" * 3_000_000))
    chunks = connection.stream("GET", "x").chunks()
    del chunks  # an unclosed socket would be a warning, and so an error
    gc.collect()
    server.tell(WELL)
    assert connection.answer("GET", "x").json == {"ok": True}
    assert len({asked.client for asked in server.asked}) == 2
