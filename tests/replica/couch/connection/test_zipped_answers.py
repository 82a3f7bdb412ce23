"""Compressed answers: whole whatever their size, and never taken for whole when they are cut."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator

import pytest

from couchmend.errors import ReplicaError, Unavailable
from couchmend.replica.couch.connection import Connection, Options
from couchmend.replica.couch.connection.retries import Retries
from couchmend.replica.couch.connection.stream import CHUNK_BYTES
from tests.replica.couch.connection.raw_server import RawServer, raw_server

HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\n"


@pytest.fixture
def server() -> Iterator[RawServer]:
    with raw_server() as server:
        yield server


@pytest.fixture
def connection(server: RawServer) -> Iterator[Connection]:
    options = Options(retries=Retries(attempts=1))
    connection = Connection.open(server.url, user=None, password=None, options=options)
    yield connection
    connection.close()


def framed(zipped: bytes, frame: str) -> bytes:
    """The answer with this body."""
    match frame:
        case "length":
            return HEAD + b"Content-Length: %d\r\n\r\n" % len(zipped) + zipped
        case "chunks":
            parts = [zipped[at : at + 1000] for at in range(0, len(zipped), 1000)]
            text = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
            return HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + text + b"0\r\n\r\n"
    return HEAD + b"\r\n" + zipped


def read(connection: Connection) -> bytes:
    return b"".join(connection.stream("GET", "a", gzip=True).chunks())


SIZES = [0, 1, *(k * CHUNK_BYTES + d for k in (1, 2, 5) for d in (-1, 0, 1))]


@pytest.mark.parametrize("frame", ["length", "chunks", "the end of the connection"])
@pytest.mark.parametrize("size", SIZES)
def test_any_size(server: RawServer, connection: Connection, size: int, frame: str) -> None:
    for plain in (b" " * size, random.Random(size).randbytes(size)):
        server.say(framed(gzip.compress(plain, 1), frame))
        assert read(connection) == plain


@pytest.mark.parametrize("frame", ["length", "chunks", "the end of the connection"])
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES])
def test_several_members(server: RawServer, connection: Connection, size: int, frame: str) -> None:
    parts = [b"a" * size, b"", b"b" * size, b"c"]
    server.say(framed(b"".join(gzip.compress(part) for part in parts), frame))
    assert read(connection) == b"".join(parts)


def test_nothing_at_all(server: RawServer, connection: Connection) -> None:
    server.say(framed(b"", "length"))
    assert read(connection) == b""
    server.say(framed(b"", "the end of the connection"))
    with pytest.raises(Unavailable) as broken:
        read(connection)
    assert broken.value.transient


def test_a_whole_answer_of_the_size_of_a_chunk(server: RawServer, connection: Connection) -> None:
    text = b'{"x":"' + b"y" * (CHUNK_BYTES - 8) + b'"}'
    server.say(framed(gzip.compress(text), "length"))
    assert len(text) == CHUNK_BYTES
    assert len(str(connection.answer("GET").json_object["x"])) == CHUNK_BYTES - 8


@pytest.mark.parametrize("size", [1, CHUNK_BYTES - 1, CHUNK_BYTES, 2 * CHUNK_BYTES])
@pytest.mark.parametrize("missing", [1, 7, 8, 9])
def test_cut(server: RawServer, connection: Connection, size: int, missing: int) -> None:
    """The last eight bytes are the checksum and the length."""
    server.say(framed(gzip.compress(b"x" * size)[:-missing], "the end of the connection"))
    with pytest.raises(Unavailable) as broken:
        read(connection)
    assert broken.value.transient


@pytest.mark.parametrize(
    "rest",
    [b"\0", b"x" * 30, b"\x1f", b"\x1f\x8b\x08", gzip.compress(b"a", mtime=0)[:-1]],
    ids=["zero", "text", "a byte of a head", "a part of a head", "most of a member"],
)
@pytest.mark.parametrize("size", [10, CHUNK_BYTES])
def test_what_does_not_belong_there(
    server: RawServer, connection: Connection, size: int, rest: bytes
) -> None:
    server.say(framed(gzip.compress(b"x" * size) + rest, "length"))
    with pytest.raises(ReplicaError) as broken:
        read(connection)
    assert broken.value.transient
