"""How long a request and its answer may take, and which setting an error names."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from couchmend.errors import Unavailable
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.connection.retries import Retries
from tests.replica.couch.connection.raw_server import RawServer, raw_server

WELL = b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"ok": true}'


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server


@pytest.fixture
def done() -> Iterator[threading.Event]:
    """Set when the test is over: no server waits any longer."""
    done = threading.Event()
    yield done
    done.set()


def connected(server: RawServer, **seconds: float) -> Connection:
    options = Options(retries=Retries(attempts=1), **seconds)  # type: ignore[arg-type]
    return Connection.open(server.url, user=None, password=None, options=options)


class Chunks:
    """So many bytes, of a length that nobody is told."""

    def __init__(self, number: int, size: int, pause: float = 0) -> None:
        self._number, self._size, self._pause = number, size, pause

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(self._number):
            time.sleep(self._pause)
            yield b" " * self._size


@pytest.mark.parametrize("before", [b"", WELL[:10], WELL[:-5]], ids=["silence", "head", "body"])
def test_silence_ends_with_the_whole(
    server: RawServer, done: threading.Event, before: bytes
) -> None:
    """The server may be silent for long, but not for longer than the whole may take."""
    server.say(before, b"", pause=done, seconds=10)
    began = time.monotonic()
    with (
        closing(
            connected(server, read_timeout_seconds=8, answer_timeout_seconds=0.4)
        ) as connection,
        pytest.raises(Unavailable) as late,
    ):
        connection.answer("GET", "a")
    assert 0.35 < time.monotonic() - began < 4
    assert "answer_timeout_seconds (0.4 s)" in late.value.reason
    assert late.value.transient


@pytest.mark.parametrize("before", [b"", WELL[:10], WELL[:-5]], ids=["silence", "head", "body"])
def test_silence_is_bounded_by_itself(
    server: RawServer, done: threading.Event, before: bytes
) -> None:
    server.say(before, b"", pause=done, seconds=10)
    with (
        closing(
            connected(server, read_timeout_seconds=0.3, answer_timeout_seconds=8)
        ) as connection,
        pytest.raises(Unavailable) as late,
    ):
        connection.answer("GET", "a")
    assert "read_timeout_seconds (0.3 s)" in late.value.reason


def test_sending_counts(server: RawServer, done: threading.Event) -> None:
    """A server that takes what is sent, but slowly."""

    def slowly(client: socket.socket) -> bytes:
        while not done.wait(0.05) and client.recv(50_000):
            pass
        return b""

    server.receive = slowly
    began = time.monotonic()
    with (
        closing(
            connected(server, read_timeout_seconds=8, answer_timeout_seconds=0.5)
        ) as connection,
        pytest.raises(Unavailable) as late,
    ):
        connection.answer("POST", "a", body=b" " * 30_000_000)
    assert 0.45 < time.monotonic() - began < 4
    assert "answer_timeout_seconds" in late.value.reason
    assert "may or may not have been done" in late.value.hint


@pytest.mark.parametrize("body", [b" " * 30_000_000, Chunks(30, 1_000_000), Chunks(50_000, 1000)])
def test_nobody_takes_what_is_sent(
    server: RawServer, done: threading.Event, body: bytes | Chunks
) -> None:
    server.receive = lambda client: b" " if done.wait(10) else b""
    with (
        closing(
            connected(server, read_timeout_seconds=0.3, answer_timeout_seconds=8)
        ) as connection,
        pytest.raises(Unavailable) as late,
    ):
        connection.answer("POST", "a", body=body)
    assert late.value.reason == "nothing that is sent was taken within read_timeout_seconds (0.3 s)"


@pytest.mark.parametrize("content_type", ["application/json", "image/png"])
def test_an_upload_may_take_its_time(server: RawServer, content_type: str) -> None:
    server.receive = _to_the_last_chunk
    server.say(WELL)
    with closing(
        connected(server, read_timeout_seconds=3, answer_timeout_seconds=0.4)
    ) as connection:
        answer = connection.answer(
            "PUT", "a", body=Chunks(10, 1000, pause=0.1), content_type=content_type
        )
    assert answer.json == {"ok": True}


def test_an_attachment_in_memory_may_take_its_time(server: RawServer) -> None:
    size = 30_000_000
    took: list[float] = []

    def slowly(client: socket.socket) -> bytes:
        began, left = time.monotonic(), size
        time.sleep(0.8)
        while left > 0 and (part := client.recv(1_000_000)):
            left -= len(part)
        took.append(time.monotonic() - began)
        return b" "

    server.receive = slowly
    server.say(WELL)
    with closing(
        connected(server, read_timeout_seconds=3, answer_timeout_seconds=0.4)
    ) as connection:
        connection.answer("PUT", "a", body=b" " * size, content_type="image/png")
    assert took[0] > 0.7


def test_the_answer_to_an_upload_may_not(server: RawServer, done: threading.Event) -> None:
    server.receive = _to_the_last_chunk
    server.say(b"", WELL, pause=done, seconds=10)
    began = time.monotonic()
    with (
        closing(
            connected(server, read_timeout_seconds=8, answer_timeout_seconds=0.4)
        ) as connection,
        pytest.raises(Unavailable) as late,
    ):
        connection.answer("PUT", "a", body=Chunks(5, 1000, pause=0.1))
    assert 0.85 < time.monotonic() - began < 4
    assert "answer_timeout_seconds" in late.value.reason


def test_a_body_may_send_requests_of_its_own(server: RawServer, done: threading.Event) -> None:
    """As one does that is read from another database of the same server."""
    server.receive = lambda client: _to_the_last_chunk(client)
    server.say(WELL)
    connection = connected(server, read_timeout_seconds=0.5, answer_timeout_seconds=8)

    class Nested:
        def __iter__(self) -> Iterator[bytes]:
            yield b"["
            yield json.dumps(connection.answer("GET", "other").json).encode()
            server.say(b"", WELL, pause=done, seconds=10)
            yield b"]"

    with closing(connection), pytest.raises(Unavailable) as late:
        connection.answer("PUT", "a", body=Nested())
    assert "read_timeout_seconds (0.5 s)" in late.value.reason
    assert [request.split()[1] for request in server.requests] == [b"/other", b"/a"]


def _to_the_last_chunk(client: socket.socket) -> bytes:
    text = b""
    while b"\r\n\r\n" not in text or (b"chunked" in text and not text.endswith(b"\r\n0\r\n\r\n")):
        if not (part := client.recv(1_000_000)):
            break
        text += part
    return text
