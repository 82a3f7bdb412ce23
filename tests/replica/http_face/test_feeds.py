"""Live feeds: what happens is told at once, to hundreds, and nothing is left behind."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from couchmend.replica.embedded import EmbeddedReplica, Folder
from couchmend.replica.http_face.server import BackgroundServer
from tests.replica.http_face.serving import Client, served


class Feed:
    """An open feed, read line by line."""

    def __init__(self, url: str, path: str, **headers: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=10)
        lines = [f"GET {path} HTTP/1.1", f"Host: {parts.hostname}:{parts.port}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while (line := self._file.readline().strip()) != b"":
            name, _, value = line.decode().partition(": ")
            self.headers[name.lower()] = value
        self._rest = b""

    def chunk(self) -> bytes:
        """The next chunk; empty at the end."""
        size = int(self._file.readline(), 16)
        data = self._file.read(size)
        assert self._file.read(2) == b"\r\n"
        return data

    def line(self) -> bytes:
        """The next line."""
        while b"\n" not in self._rest:
            chunk = self.chunk()
            if not chunk:
                return b""
            self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line

    def rest(self) -> bytes:
        """Everything until the end."""
        text = self._rest
        while chunk := self.chunk():
            text += chunk
        return text

    def close(self) -> None:
        self._file.close()
        self._socket.close()


@pytest.fixture
def feeds(server: BackgroundServer) -> Iterator[list[Feed]]:
    """Feeds to close at the end."""
    opened: list[Feed] = []
    yield opened
    for feed in opened:
        feed.close()
    assert eventually(lambda: server.app.open_feeds == 0)


def eventually(holds: object, seconds: float = 5.0) -> bool:
    """Whether something becomes true soon."""
    assert callable(holds)
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_a_continuous_feed_tells_what_happens(
    server: BackgroundServer, client: Client, db: str, feeds: list[Feed]
) -> None:
    client.put(f"{db}/before", {})
    feed = Feed(server.url, f"{db}/_changes?feed=continuous&heartbeat=5000&include_docs=true")
    feeds.append(feed)
    assert (feed.status, feed.headers["content-type"]) == (200, "application/json")
    assert json.loads(feed.line())["id"] == "before"
    for number in range(3):
        client.put(f"{db}/after{number}", {"n": number})
        row = json.loads(feed.line())
        assert (row["id"], row["doc"]["n"]) == (f"after{number}", number)


def test_a_continuous_feed_ends_with_where_it_was(client: Client, db: str) -> None:
    client.put(f"{db}/a", {})
    client.put(f"{db}/b", {})
    lines = client.get(f"{db}/_changes?feed=live&timeout=50").body.splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row.get("id") for row in rows] == ["a", "b", None]
    assert rows[-1] == {"last_seq": rows[1]["seq"], "pending": 0}
    lines = client.get(f"{db}/_changes?feed=continuous&limit=1").body.splitlines()
    assert json.loads(lines[-1])["pending"] == 1
    assert len(lines) == 2
    lines = client.get(f"{db}/_changes?feed=continuous&descending=true").body.splitlines()
    assert [json.loads(line).get("id") for line in lines] == ["b", "a", None]


def test_heartbeats_are_newlines(server: BackgroundServer, db: str, feeds: list[Feed]) -> None:
    feed = Feed(server.url, f"{db}/_changes?feed=continuous&heartbeat=100&timeout=1")
    feeds.append(feed)
    started = time.monotonic()
    assert [feed.line() for _ in range(3)] == [b"", b"", b""]
    assert 0.25 < time.monotonic() - started < 2


def test_longpoll_waits_for_the_first_change(
    server: BackgroundServer, client: Client, db: str, feeds: list[Feed]
) -> None:
    client.put(f"{db}/old", {})
    feed = Feed(server.url, f"{db}/_changes?feed=longpoll&since=now&heartbeat=100")
    feeds.append(feed)
    assert feed.line() == b'{"results":['
    assert feed.line() == b""
    client.put(f"{db}/new", {})
    told = json.loads(b'{"results":[' + feed.rest())
    assert [row["id"] for row in told["results"]] == ["new"]
    assert (told["last_seq"], told["pending"]) == (told["results"][0]["seq"], 0)


def test_longpoll_answers_at_once_when_there_is_something(client: Client, db: str) -> None:
    for name in "abc":
        client.put(f"{db}/{name}", {})
    told = client.get(f"{db}/_changes?feed=longpoll&limit=2").json
    assert ([row["id"] for row in told["results"]], told["pending"]) == (["a", "b"], 1)
    started = time.monotonic()
    nothing = client.get(f"{db}/_changes?feed=longpoll&since=now&timeout=80").json
    assert nothing["results"] == []
    assert 0.07 < time.monotonic() - started < 2


def test_eventsource(server: BackgroundServer, client: Client, db: str, feeds: list[Feed]) -> None:
    client.put(f"{db}/a", {})
    feed = Feed(server.url, f"{db}/_changes?feed=eventsource&heartbeat=100")
    feeds.append(feed)
    assert feed.headers["content-type"] == "text/event-stream"
    data, id, blank = feed.line(), feed.line(), feed.line()
    row = json.loads(data.removeprefix(b"data: "))
    assert (row["id"], json.loads(id.removeprefix(b"id: ")), blank) == ("a", row["seq"], b"")
    assert [feed.line() for _ in range(3)] == [b"event: heartbeat", b"data: ", b""]
    # A browser that reconnects says the last id it has seen, quotes and all.
    last = id.removeprefix(b"id: ").decode()
    again = Feed(server.url, f"{db}/_changes?feed=eventsource&since=0", Last_Event_Id=last)
    feeds.append(again)
    client.put(f"{db}/b", {})
    assert json.loads(again.line().removeprefix(b"data: "))["id"] == "b"


def test_a_filtered_feed_tells_only_what_matches(
    server: BackgroundServer, client: Client, db: str, feeds: list[Feed]
) -> None:
    path = f"{db}/_changes?feed=continuous&filter=_doc_ids&doc_ids=%5B%22b%22%5D&heartbeat=9000"
    feed = Feed(server.url, path)
    feeds.append(feed)
    for name in "abc":
        client.put(f"{db}/{name}", {})
    assert json.loads(feed.line())["id"] == "b"


def test_writes_of_another_process_are_told(
    server: BackgroundServer, folder: Folder, client: Client, db: str, feeds: list[Feed]
) -> None:
    feed = Feed(server.url, f"{db}/_changes?feed=continuous&heartbeat=9000")
    feeds.append(feed)
    with EmbeddedReplica.open(folder.path / f"{db[1:]}.couch") as other:
        other.put({"_id": "theirs"})
    assert json.loads(feed.line())["id"] == "theirs"


def test_three_hundred_feeds_hear_of_a_write_within_a_second(
    server: BackgroundServer, client: Client, db: str
) -> None:
    threads_before = threading.active_count()

    async def listen() -> list[float]:
        parts = urlsplit(server.url)
        request = f"GET {db}/_changes?feed=continuous&since=now&heartbeat=30000 HTTP/1.1\r\n"
        request += f"Host: {parts.hostname}:{parts.port}\r\n\r\n"

        async def one(ready: asyncio.Semaphore) -> float:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
            writer.write(request.encode())
            await reader.readuntil(b"\r\n\r\n")
            ready.release()
            await reader.readuntil(b'"id":"news"')
            heard = time.monotonic()
            writer.close()
            await writer.wait_closed()
            return heard

        ready = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(one(ready)) for _ in range(300)]
        for _ in tasks:
            await asyncio.wait_for(ready.acquire(), 30)
        assert server.app.open_feeds == 300
        assert threading.active_count() - threads_before < 60
        written = time.monotonic()
        await asyncio.to_thread(client.put, f"{db}/news", {})
        return [heard - written for heard in await asyncio.gather(*tasks)]

    delays = asyncio.run(listen())
    assert len(delays) == 300
    assert max(delays) < 1.0, sorted(delays)[-5:]
    assert eventually(lambda: server.app.open_feeds == 0)


def _open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def test_a_client_that_hangs_up_frees_everything(
    server: BackgroundServer, client: Client, db: str
) -> None:
    Feed(server.url, f"{db}/_changes?feed=continuous&heartbeat=60000").close()
    assert eventually(lambda: server.app.open_feeds == 0)
    files = _open_files()
    for _ in range(20):
        Feed(server.url, f"{db}/_changes?feed=longpoll&since=now").close()
    assert eventually(lambda: server.app.open_feeds == 0)
    assert eventually(lambda: _open_files() <= files + 4)


def test_a_feed_ends_when_its_database_is_deleted(
    server: BackgroundServer, client: Client, db: str, feeds: list[Feed]
) -> None:
    client.put(f"{db}/a", {})
    feed = Feed(server.url, f"{db}/_changes?feed=continuous&heartbeat=60000")
    feeds.append(feed)
    last = json.loads(feed.line())["seq"]
    client.delete(db)
    assert json.loads(feed.rest()) == {"last_seq": last, "pending": 0}


def test_a_server_that_ends_ends_its_feeds(tmp_path: Path) -> None:
    with served(tmp_path) as (server, folder):
        folder.create("db")
        continuous = Feed(server.url, "/db/_changes?feed=continuous&heartbeat=60000")
        longpoll = Feed(server.url, "/db/_changes?feed=longpoll&since=now&heartbeat=60000")
        started = time.monotonic()
    assert time.monotonic() - started < 4
    assert set(json.loads(continuous.rest())) == {"last_seq", "pending"}
    assert json.loads(longpoll.rest())["results"] == []
    continuous.close()
    longpoll.close()


def test_head_of_a_feed_ends(client: Client, db: str, server: BackgroundServer) -> None:
    assert client.send("HEAD", f"{db}/_changes?feed=continuous&heartbeat=true").status == 200
    assert eventually(lambda: server.app.open_feeds == 0)


# --- _db_updates


def test_updates_of_databases(
    server: BackgroundServer, client: Client, db: str, feeds: list[Feed]
) -> None:
    told = client.get("/_db_updates").json
    assert (db[1:], "created") in [(row["db_name"], row["type"]) for row in told["results"]]
    since = told["last_seq"]
    assert client.get(f"/_db_updates?since={since}").json == {"results": [], "last_seq": since}
    assert client.get("/_db_updates?since=now").json["results"] == []
    assert len(client.get("/_db_updates?limit=1").json["results"]) == 1
    feed = Feed(server.url, f"/_db_updates?feed=continuous&since={since}&heartbeat=9000")
    feeds.append(feed)
    client.put("/brandnew")
    client.put("/brandnew/a", {})
    client.delete("/brandnew")
    seen = [json.loads(feed.line()) for _ in range(3)]
    kinds = [(row["db_name"], row["type"]) for row in seen]
    assert kinds == [("brandnew", kind) for kind in ("created", "updated", "deleted")]
    polled = client.get(f"/_db_updates?feed=longpoll&since={since}").json
    assert polled["results"][-1]["type"] == "deleted"
    again = client.get("/_db_updates?since=12-unknown").json
    assert again["results"] == client.get("/_db_updates").json["results"]
    refused = client.get("/_db_updates?feed=foo")
    assert refused.is_error(400, "bad_request")
