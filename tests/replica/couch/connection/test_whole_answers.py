"""Only what is whole is taken for whole, and nothing takes for ever."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from couchmend.errors import ReplicaError, Unavailable
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.connection.retries import Retries
from tests.replica.couch.connection.raw_server import RawServer, raw_server, request_of

BODY = json.dumps({"_id": "a", "n": [1, 2.5, None, True], "text": 'ü\\"'}).encode() + b"\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ZIPPED = gzip.compress(BODY)


def chunked(body: bytes) -> bytes:
    """In chunks of ten bytes, with the end."""
    parts = [body[at : at + 10] for at in range(0, len(body), 10)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


FRAMES = {
    "length": HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(BODY),
    "end of the connection": HEAD + b"Connection: close\r\n\r\n" + BODY,
    "gzip and length": HEAD
    + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED)
    + ZIPPED,
    "gzip and chunks": HEAD
    + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    + chunked(ZIPPED),
    "gzip and the end of the connection": HEAD + b"Content-Encoding: gzip\r\n\r\n" + ZIPPED,
}


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server


def connected(server: RawServer, attempts: int = 1, **options: float) -> Connection:
    retries = Retries(attempts=attempts, first_pause_seconds=0.001)
    return Connection.open(
        server.url,
        user=None,
        password=None,
        options=Options(retries=retries, **options),  # type: ignore[arg-type]
    )


@pytest.fixture
def connection(server: RawServer) -> Iterator[Connection]:
    connection = connected(server)
    yield connection
    connection.close()


@pytest.mark.parametrize("frame", FRAMES)
def test_cut_at_every_byte(server: RawServer, connection: Connection, frame: str) -> None:
    whole = FRAMES[frame]
    enough = {len(whole)}
    if "chunks" in frame:  # the empty chunk at the end is there, if not its new lines
        enough |= set(range(len(whole) - 4, len(whole)))
    if frame == "end of the connection":
        enough.add(len(whole) - 1)  # the value is whole, the new line after it is missing
    for end in range(1, len(whole) + 1):
        server.say(whole[:end])
        if end in enough:
            assert connection.answer("GET", "a").json == json.loads(BODY)
            continue
        with pytest.raises(ReplicaError) as broken:
            connection.answer("GET", "a")
        assert broken.value.transient, end
        assert broken.value.hint


@pytest.mark.parametrize("frame", [frame for frame in FRAMES if frame != "end of the connection"])
@pytest.mark.parametrize("lines", [False, True])
def test_streams_cut_at_every_byte(
    server: RawServer, connection: Connection, frame: str, lines: bool
) -> None:
    whole = FRAMES[frame]
    enough = {len(whole)}
    if "chunks" in frame:
        enough |= set(range(len(whole) - 4, len(whole)))
    for end in range(whole.index(b"\r\n\r\n") + 4, len(whole) + 1):
        server.say(whole[:end])
        stream = connection.stream("GET", "a", gzip=True)
        assert stream.status == 200
        read = stream.lines() if lines else stream.chunks()
        if end in enough:
            assert b"".join(read) == (BODY.rstrip(b"\n") if lines else BODY)
            continue
        with pytest.raises(Unavailable) as broken:
            list(read)
        assert broken.value.transient


def test_a_cut_answer_is_asked_for_again(server: RawServer) -> None:
    whole = FRAMES["length"]
    left = [whole[:60], whole[:-1], whole[:-30], whole]

    def answer(client: socket.socket) -> None:
        client.sendall(left.pop(0))

    server.answer = answer
    retries = Retries(first_pause_seconds=0.001)
    connection = Connection.open(
        server.url, user=None, password=None, options=Options(retries=retries)
    )
    assert connection.answer("GET", "a").json["_id"] == "a"
    assert len(server.requests) == 4
    connection.close()
    left = [whole[:60], whole]
    connection = connected(server)
    with pytest.raises(Unavailable) as broken:
        connection.answer("POST", "a", body=b"{}")
    assert "may or may not have been done" in broken.value.hint
    assert len(server.requests) == 5
    connection.close()


def test_a_number_without_a_length_may_be_half(server: RawServer, connection: Connection) -> None:
    server.say(HEAD + b"\r\n1000\n")
    assert connection.answer("GET", "_revs_limit").json == 1000
    server.say(HEAD + b"\r\n10")
    with pytest.raises(Unavailable):
        connection.answer("GET", "_revs_limit")


@pytest.mark.parametrize(
    "told",
    [
        HEAD + b"Content-Length: 10\r\n\r\n" + BODY,  # less than there is
        HEAD + b"Content-Length: 99999\r\n\r\n" + BODY,
        HEAD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n{}\n",
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
        HEAD + b"Content-Encoding: br\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + BODY,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n" + BODY,
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/9.9 abc\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"",
        HEAD + b"x" * 70_000 + b": y\r\n\r\n{}",
        HEAD + b"".join(b"h%d: y\r\n" % n for n in range(500)) + b"\r\n{}",
    ],
    ids=lambda told: repr(told[48:90]),
)
def test_nonsense(server: RawServer, told: bytes) -> None:
    # What follows the nonsense may come when the connection seems to be good for another.
    with closing(connected(server, attempts=2)) as connection:
        server.say(told)
        with pytest.raises(ReplicaError):
            connection.answer("GET", "a")
        server.say(FRAMES["length"])
        assert connection.answer("GET", "a").json["_id"] == "a"


def test_several_compressed_members(server: RawServer, connection: Connection) -> None:
    body = gzip.compress(b'{"a":' + b" " * 3_000_000) + gzip.compress(b"1}")
    server.say(HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert connection.answer("GET", "a").json == {"a": 1}
    stream = connection.stream("GET", "a", gzip=True)
    assert max(len(chunk) for chunk in stream.chunks()) <= 256 * 1024


# --- time


@pytest.mark.parametrize(
    ("before", "dripped"),
    [
        (b"", HEAD),
        (HEAD, b"x: " + b"y" * 1000),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b" " * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0" * 1000),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n" * 200),
        (HEAD + b"\r\n", b" " * 1000),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n", b" " * 1000),
    ],
    ids=["status", "headers", "body", "length of a chunk", "chunks", "unframed", "refusal"],
)
def test_a_server_that_drips(server: RawServer, before: bytes, dripped: bytes) -> None:
    done = threading.Event()
    server.say(
        before, *(dripped[at : at + 1] for at in range(len(dripped))), pause=done, seconds=0.02
    )
    connection = connected(server, read_timeout_seconds=0.3, answer_timeout_seconds=0.6)
    began = time.monotonic()
    with pytest.raises(Unavailable) as broken:
        connection.answer("GET", "a")
    took = time.monotonic() - began
    done.set()
    connection.close()
    assert 0.2 < took < 2
    assert broken.value.transient
    assert "_timeout_seconds (0." in broken.value.reason
    assert "one by one" in broken.value.hint


def test_a_feed_may_drip_for_longer(server: RawServer) -> None:
    done = threading.Event()
    server.say(HEAD + b"\r\n", *([b"\n"] * 40), pause=done, seconds=0.02)
    connection = connected(server, read_timeout_seconds=0.3, answer_timeout_seconds=0.3)
    assert b"".join(connection.stream("GET", "a").chunks()) == b"\n" * 40
    connection.close()


def test_a_feed_may_not_be_silent(server: RawServer) -> None:
    done = threading.Event()
    server.say(HEAD + b"\r\n", b"\n", pause=done, seconds=5)
    connection = connected(server)
    stream = connection.stream("GET", "a", read_timeout_seconds=0.2)
    with pytest.raises(Unavailable) as broken:
        list(stream.chunks())
    done.set()
    connection.close()
    assert broken.value.reason == "nothing came within 0.2 s"


def test_an_upload_may_take_longer_than_connecting(server: RawServer) -> None:
    """A connection's time limit is none for sending; silence in between is."""
    told: list[int] = []

    def slowly(client: socket.socket) -> None:
        body = b""
        while not body.endswith(b"\r\n0\r\n\r\n"):
            if not (part := client.recv(400_000)):
                return
            body = body[-10:] + part
            time.sleep(0.02)
        told.append(1)
        client.sendall(FRAMES["length"])

    server.answer = slowly
    connection = connected(server, connect_timeout_seconds=0.1, read_timeout_seconds=5)
    assert connection.answer("PUT", "a", body=Large()).json["_id"] == "a"
    connection.close()
    assert told


class Large:
    """Eight million bytes whose length nobody knows."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"x" * 4_000_000] * 2)


def test_an_answer_before_everything_is_sent(server: RawServer) -> None:
    refused = b'{"error":"too_large","reason":"the request entity is too large"}'
    done = threading.Event()

    def early(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 413 No\r\nContent-Length: %d\r\n\r\n" % len(refused) + refused)
        done.wait(5)  # and never reads on

    server.answer = early
    connection = connected(server, read_timeout_seconds=2)
    with pytest.raises(ReplicaError) as refusal:
        connection.answer("PUT", "a", body=Large())
    assert refusal.value.error == "too_large"
    assert "max_http_request_size" in refusal.value.hint
    server.say(FRAMES["length"])  # on another connection: on the first one a body is owed
    assert connection.answer("GET", "a").json["_id"] == "a"
    done.set()
    connection.close()


def test_a_request_is_read_to_its_end() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"PUT / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab")
        ours.sendall(b"cd")
        assert request_of(theirs).endswith(b"abcd")
