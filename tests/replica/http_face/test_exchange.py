"""Requests taken apart, gzip unpacked, multipart read in any pieces, feeds without a network."""

from __future__ import annotations

import asyncio
import gzip
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.errors import BadRequest, TooLarge
from couchmend.replica.http_face.bells import Bells
from couchmend.replica.http_face.exchange import Inflater, Message, Request
from couchmend.replica.http_face.paging import MAX_ROWS, PageSize
from couchmend.replica.http_face.related_reader import RelatedReader
from couchmend.replica.http_face.routes.attachment import stretch
from couchmend.replica.spool import Spool


def request(path: str = "/", query: str = "", **headers: str) -> Request:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "scheme": "http",
    }
    return Request(scope, receive)


@pytest.mark.parametrize(
    ("accept", "wanted", "taken"),
    [
        (None, "multipart/mixed", True),
        ("*/*", "multipart/mixed", True),
        ("application/json", "multipart/mixed", False),
        ("application/json", "application/json", True),
        ("multipart/*", "multipart/mixed", True),
        ("text/html, */*;q=0.1", "multipart/mixed", True),
        ("*/*, multipart/mixed;q=0", "multipart/mixed", False),
        ("multipart/*;q=0.0, */*", "multipart/mixed", False),
        ("multipart/mixed;q=0", "multipart/mixed", False),
        ("MULTIPART/MIXED", "multipart/mixed", True),
        ("multipart/mixed;q=rubbish", "multipart/mixed", False),
        ("", "multipart/mixed", False),
    ],
)
def test_accept(accept: str | None, wanted: str, taken: bool) -> None:
    asked = request() if accept is None else request(accept=accept)
    assert asked.accepts(wanted) is taken


def test_queries_take_the_last_of_a_name_and_plus_for_a_space() -> None:
    query = request(query="a=1&b=x+y%20z&a=2&flag&=&c=%C3%A9").query
    assert query == {"a": "2", "b": "x y z", "flag": "", "": "", "c": "é"}


@given(st.binary(max_size=3000), st.integers(1, 50), st.booleans())
def test_gzip_is_unpacked_whatever_the_pieces(data: bytes, size: int, twice: bool) -> None:
    packed = gzip.compress(data) + (gzip.compress(data) if twice else b"")
    inflate = Inflater(10_000)
    found = b""
    for start in range(0, len(packed), size):
        found += b"".join(inflate.feed(packed[start : start + size]))
    inflate.finish()
    assert found == data * (2 if twice else 1)


@given(st.binary(min_size=1, max_size=2000), st.data())
def test_gzip_that_is_cut_off_is_noticed(data: bytes, draw: st.DataObject) -> None:
    packed = gzip.compress(data)
    inflate = Inflater(10_000)
    for _ in inflate.feed(packed[: draw.draw(st.integers(0, len(packed) - 1))]):
        pass
    with pytest.raises(BadRequest):
        inflate.finish()


def test_gzip_is_unpacked_no_further_than_allowed() -> None:
    inflate = Inflater(1_000_000)
    pieces = inflate.feed(gzip.compress(b"\0" * 100_000_000, 1))
    assert [len(next(pieces)) for _ in range(3)] == [256 * 1024] * 3
    with pytest.raises(TooLarge):
        next(pieces)


CONTENT = st.binary(max_size=200) | st.sampled_from(
    [b"--frontier", b"\r\n--frontie", b"\r\n", b"\r\n--", b"--", b"\r\n--frontier-"]
)


@given(st.lists(CONTENT, max_size=4), st.integers(1, 60))
def test_multipart_is_read_whatever_the_pieces(contents: list[bytes], size: int) -> None:
    parts = [b"Content-Type: application/json\r\n\r\n{}"]
    parts += [b"Content-Type: x/y\r\n\r\n" + content for content in contents]
    body = b"--frontier\r\n" + b"\r\n--frontier\r\n".join(parts) + b"\r\n--frontier--"
    spool = Spool()
    reader = RelatedReader(spool, b"frontier", 1000, 1000)
    for start in range(0, len(body), size):
        reader.feed(body[start : start + size])
    read = reader.result()
    assert read.document == b"{}"
    assert [b"".join(upload.content(1000)) for upload in read.uploads] == contents
    spool.close()


@given(st.binary(max_size=100), st.integers(1, 30), st.data())
def test_a_stretch_is_what_was_asked_for(data: bytes, size: int, draw: st.DataObject) -> None:
    start = draw.draw(st.integers(0, len(data)))
    stop = draw.draw(st.integers(start, len(data)))
    chunks = (data[i : i + size] for i in range(0, len(data), size))
    assert b"".join(stretch(chunks, start, stop)) == data[start:stop]


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 10**8)), max_size=20))
def test_pages_stay_within_bounds(pages: list[tuple[int, int]]) -> None:
    size = PageSize()
    for rows, weight in pages:
        size.learn(rows, weight)
        assert 1 <= size.rows <= MAX_ROWS


def test_bells_ring_from_threads_and_stop_with_the_last_listener() -> None:
    async def play() -> None:
        bells = Bells()
        bells.attach(asyncio.get_running_loop())
        wakes: list[Any] = []
        ended = []

        def subscribe(wake: Any) -> Any:
            wakes.append(wake)
            return lambda: ended.append(wake)

        first, second = bells.hang("x", subscribe), bells.hang("x", subscribe)
        assert len(wakes) == 1
        assert not await first.wait(0.01)
        await asyncio.to_thread(wakes[0])
        assert await first.wait(1)
        assert await second.wait(1)
        first.reset()
        assert not await first.wait(0)
        bells.take_down("x", first)
        assert not ended
        bells.take_down("x", second)
        assert ended == wakes
        assert len(bells) == 0
        last = bells.hang("x", subscribe)
        bells.close()
        assert last.muted
        assert bells.hang("y", subscribe).muted

    asyncio.run(play())
