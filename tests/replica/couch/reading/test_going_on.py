"""Long answers that break off are gone on with: nothing twice, nothing lost, nothing made up."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchmend.core.document import JSON
from couchmend.errors import ReplicaError, Unavailable
from couchmend.replica.base import ChangesPage, ChangesQuery, Found
from couchmend.replica.couch import CouchReplica, Options
from couchmend.replica.couch.connection.retries import Retries
from tests.replica.scripted_server import Asked, ScriptedServer, Told, scripted_server

HASTY = Options(
    retries=Retries(attempts=3, first_pause_seconds=0.0005, longest_pause_seconds=0.001)
)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture(scope="module")
def replica(server: ScriptedServer) -> Iterator[CouchReplica]:
    server.tell(Told(body={"doc_count": 0, "update_seq": 5}))
    with CouchReplica.open(f"{server.url}/notes", options=HASTY) as replica:
        yield replica


class Feed:
    """Rows 1 to `total`, of which each answer is cut where `cuts` says, and then no more."""

    def __init__(self, total: int, cuts: Sequence[int] = (), end: bytes | None = None) -> None:
        self.asked: list[dict[str, str]] = []
        self.bodies: list[JSON] = []
        self._total = total
        self._cuts = list(cuts)
        self._end = end

    def __call__(self, asked: Asked) -> Told:
        params = {name: value[0] for name, value in parse_qs(urlsplit(asked.path).query).items()}
        if not urlsplit(asked.path).path.endswith("_changes"):
            return Told(200, {"couchdb": "Welcome"})
        self.asked.append(params)
        self.bodies.append(json.loads(asked.body) if asked.body else None)
        since = int(params.get("since", "0").partition("-")[0])
        last = min(self._total, since + int(params.get("limit", self._total)))
        rows = ",\r\n".join(json.dumps(self.row(number)) for number in range(since + 1, last + 1))
        end = f'\n],\n"last_seq":"{last}-x","pending":{self._total - last}}}\n'.encode()
        body = b'{"results":[\n' + rows.encode() + (end if self._end is None else self._end)
        cut = self._cuts.pop(0) % (len(body) + 1) if self._cuts else None
        return Told(200, body, cut=cut)

    @staticmethod
    def row(number: int) -> JSON:
        return {"seq": f"{number}-x", "id": f"d{number}", "changes": [{"rev": f"1-{number}"}]}


def ids(pages: Sequence[ChangesPage]) -> list[str]:
    return [row.id for page in pages for row in page.rows]


def test_rows_are_not_lost_when_what_puts_them_in_order_fails(server: ScriptedServer) -> None:
    """Which leaf wins is asked of the server in the middle of the feed, where it is needed."""
    failures = [Told(503), Told(503)]

    def script(asked: Asked) -> Told:
        if asked.path == "/" and failures:
            return failures.pop()
        return feed(asked)

    class TornFeed(Feed):
        @staticmethod
        def row(number: int) -> JSON:
            leaves = [{"rev": f"1-{number}"}, {"rev": f"1-{number}b"}]
            return {"seq": f"{number}-x", "id": f"d{number}", "changes": leaves}

    options = replace(HASTY, retries=replace(HASTY.retries, attempts=2))
    server.tell(Told(body={"doc_count": 0, "update_seq": 5}))
    with CouchReplica.open(f"{server.url}/notes", options=options) as replica:
        feed = TornFeed(total=20)
        server.script = script
        pages = list(replica.change_pages(ChangesQuery(style="all_docs"), 5))
    assert failures == []
    assert ids(pages) == [f"d{n}" for n in range(1, 21)]


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    total=st.integers(min_value=0, max_value=40),
    cuts=st.lists(st.integers(min_value=0, max_value=4000), max_size=2),
    rows=st.integers(min_value=1, max_value=12),
    limit=st.none() | st.integers(min_value=1, max_value=50),
)
def test_each_row_once_wherever_the_feed_breaks_off(
    server: ScriptedServer,
    replica: CouchReplica,
    total: int,
    cuts: list[int],
    rows: int,
    limit: int | None,
) -> None:
    server.script = Feed(total, cuts)
    pages = list(replica.change_pages(ChangesQuery(limit=limit), rows))
    expected = total if limit is None else min(limit, total)
    assert ids(pages) == [f"d{number}" for number in range(1, expected + 1)]
    assert all(len(page.rows) == rows for page in pages[:-1])
    assert 0 < len(pages[-1].rows) <= rows or expected == 0
    assert all(page.last_seq == page.rows[-1].seq for page in pages[:-1])
    assert pages[-1].last_seq in (f"{expected}-x", "0")


def test_one_request_is_enough(server: ScriptedServer, replica: CouchReplica) -> None:
    server.script = feed = Feed(5000)
    pages = list(replica.change_pages(ChangesQuery(since="10-x", style="all_docs"), 100))
    assert feed.asked == [{"since": "10-x", "style": "all_docs"}]
    assert [len(page.rows) for page in pages] == [100] * 49 + [90]
    assert (pages[-1].last_seq, pages[-1].pending) == ("5000-x", 0)


def test_what_lies_beyond_the_limit_is_counted(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.script = Feed(50)
    pages = list(replica.change_pages(ChangesQuery(limit=20), 10))
    assert [page.pending for page in pages] == [0, 30]
    server.script = Feed(50)
    *_, last = replica.change_pages(ChangesQuery(limit=20, pending=False), 10)
    assert last.pending == 0


def test_it_goes_on_after_the_last_row_with_what_is_left_of_the_limit_and_the_same_filter(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.script = feed = Feed(50, [400])
    query = ChangesQuery(
        limit=20, doc_ids=[f"d{number}" for number in range(51)], selector={"v": 1}
    )
    assert len(ids(list(replica.change_pages(query)))) == 20
    first, second = feed.asked
    came = int(second["since"].partition("-")[0])
    assert came > 0
    assert (first["limit"], second["limit"]) == ("20", str(20 - came))
    assert feed.bodies[0] == feed.bodies[1] is not None


def test_progress_gives_back_all_attempts(server: ScriptedServer, replica: CouchReplica) -> None:
    server.script = feed = Feed(100, [1500] * 4)
    assert len(ids(list(replica.change_pages(ChangesQuery())))) == 100
    assert len(feed.asked) == 5 > HASTY.retries.attempts


def test_without_progress_the_attempts_end(server: ScriptedServer, replica: CouchReplica) -> None:
    server.script = feed = Feed(100, [500] + [20] * 30)
    came: list[str] = []
    with pytest.raises(Unavailable) as refusal:  # noqa: PT012
        for page in replica.change_pages(ChangesQuery(), 1):
            came += ids([page])
    assert refusal.value.transient
    assert came == [f"d{number}" for number in range(1, len(came) + 1)]
    assert len(feed.asked) == 1 + HASTY.retries.attempts - 1


@pytest.mark.parametrize(
    ("end", "transient"),
    [
        (b"\n]}\n", False),
        (b'\n],\n"pending":0}\n', False),
        (b"\n]", True),
        (b"", True),
        (b'\n],"last_seq":"5-x"} and more', False),
    ],
)
def test_an_end_that_is_none_is_never_taken_for_one(
    server: ScriptedServer, replica: CouchReplica, end: bytes, transient: bool
) -> None:
    server.script = feed = Feed(5, end=end)
    pages: list[ChangesPage] = []
    with pytest.raises(ReplicaError) as refusal:  # noqa: PT012
        for page in replica.change_pages(ChangesQuery(), 2):
            pages.append(page)  # noqa: PERF402
    assert refusal.value.transient is transient
    assert ids(pages) == [f"d{number}" for number in range(1, len(ids(pages)) + 1)]
    assert (len(feed.asked) > 1) is transient


def test_a_row_that_comes_again_is_an_error(server: ScriptedServer, replica: CouchReplica) -> None:
    rows = [Feed.row(1), Feed.row(2), Feed.row(2)]
    server.tell(Told(200, {"results": rows, "last_seq": "2-x"}))
    with pytest.raises(ReplicaError, match="twice"):
        list(replica.change_pages(ChangesQuery()))


def test_a_server_that_begins_again_is_not_believed(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    feed = Feed(100, [3000] * 10)

    def anew(asked: Asked) -> Told:
        path, _, _ = asked.path.partition("?")
        return feed(Asked(asked.method, path, asked.headers, asked.body, asked.client))

    server.script = anew
    pages: list[ChangesPage] = []
    with pytest.raises(ReplicaError, match="comes twice"):  # noqa: PT012
        for page in replica.change_pages(ChangesQuery(), 2):
            pages.append(page)  # noqa: PERF402
    assert ids(pages) == [f"d{number}" for number in range(1, len(ids(pages)) + 1)]
    assert len(feed.asked) == 2


def test_a_descending_feed_is_not_gone_on_with(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.script = Feed(100, [2000])
    with pytest.raises(Unavailable):
        list(replica.change_pages(ChangesQuery(descending=True)))


def test_a_reader_who_leaves_early_closes_the_feed(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.script = Feed(10_000)
    pages = replica.change_pages(ChangesQuery(), 10)
    assert len(next(pages).rows) == 10
    pages.close()
    server.script = Feed(3)
    assert len(ids(list(replica.change_pages(ChangesQuery())))) == 3


def test_compressed_feeds(server: ScriptedServer, replica: CouchReplica) -> None:
    feed = Feed(1000)
    seen: list[str] = []

    def compressed(asked: Asked) -> Told:
        told = feed(asked)
        assert isinstance(told.body, bytes)
        seen.append(asked.headers["accept-encoding"])
        cut = 3000 if len(seen) == 1 else None
        return Told(200, gzip.compress(told.body), {"Content-Encoding": "gzip"}, cut=cut)

    server.script = compressed
    assert len(ids(list(replica.change_pages(ChangesQuery())))) == 1000
    assert seen == ["gzip", "gzip"]


# --- bulk reads


class Documents:
    """Answers bulk reads; each answer is cut where `cuts` says, and then no more."""

    def __init__(self, cuts: Sequence[int] = ()) -> None:
        self.sizes: list[int] = []
        self._cuts = list(cuts)

    def __call__(self, asked: Asked) -> Told:
        if not urlsplit(asked.path).path.endswith("_bulk_get"):
            return Told(200, {"couchdb": "Welcome"})
        wanted = asked.json["docs"]
        self.sizes.append(len(wanted))
        rows = [
            {"id": item["id"], "docs": [{"ok": {"_id": item["id"], "_rev": item["rev"]}}]}
            for item in wanted
        ]
        body = json.dumps({"results": rows}).encode()
        cut = self._cuts.pop(0) % (len(body) + 1) if self._cuts else None
        return Told(200, body, cut=cut)


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60
)
@given(
    total=st.integers(min_value=0, max_value=40),
    cuts=st.lists(st.integers(min_value=0, max_value=4000), max_size=2),
)
def test_each_document_once_wherever_the_answer_breaks_off(
    server: ScriptedServer, replica: CouchReplica, total: int, cuts: list[int]
) -> None:
    server.script = Documents(cuts)
    wanted = [(f"d{number}", f"1-{number}") for number in range(total)]
    rows = list(replica.bulk_get(wanted))
    assert [(row.id, row.outcomes) for row in rows] == [
        (id, (Found({"_id": id, "_rev": rev}),)) for id, rev in wanted
    ]


def test_only_what_is_missing_is_asked_for_again(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.script = documents = Documents([2000])
    wanted = [(f"d{number}", f"1-{number}") for number in range(100)]
    assert len(list(replica.bulk_get(wanted))) == 100
    first, second = documents.sizes
    assert first == 100
    assert 0 < second < 100


def test_no_request_asks_for_more_than_a_server_can_hold(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.script = documents = Documents()
    wanted = ((f"d{number}", f"1-{number}") for number in range(2500))
    assert sum(1 for _ in replica.bulk_get(wanted)) == 2500
    assert documents.sizes == [1000, 1000, 500]
    server.script = documents = Documents()
    assert list(replica.bulk_get([])) == []
    assert documents.sizes == []


def test_wanted_is_read_as_it_is_asked_for(server: ScriptedServer, replica: CouchReplica) -> None:
    server.script = Documents()
    read = 0

    def wanted() -> Iterator[tuple[str, str]]:
        nonlocal read
        for number in range(10_000):
            read += 1
            yield f"d{number}", f"1-{number}"

    rows = replica.bulk_get(wanted())
    assert next(rows).id == "d0"
    assert read == 1000
    rows.close()


# --- memory

_MEASURED = """
import resource, sys
from couchmend.replica.base import ChangesQuery
from couchmend.replica.couch import CouchReplica
with CouchReplica.open(sys.argv[1]) as replica:
    for total in (20_000, int(sys.argv[2])):
        count = 0
        for page in replica.change_pages(ChangesQuery(limit=total), 1000):
            count += len(page.rows)
        assert count == total, count
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, flush=True)
"""


LONG_ROW = (
    '{"seq":"%d-g1AAAACreJzLYWBgYMpgTmEQTc4vTc5ISTK1tDBxMDQy1zMAQsMckHQiQ1L9____szKYE5lzgQ",'
    '"id":"task-%08d","changes":[{"rev":"1-967a00dff5e02add41819138abb3284d"}]}'
)


@contextmanager
def endless_feed() -> Iterator[str]:
    """A server of as many rows as are asked for, made as they are sent."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            limit = int(parse_qs(url.query).get("limit", ["0"])[0])
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            if not url.path.endswith("_changes"):
                self._chunk(b'{"doc_count":1,"update_seq":"1-x"}')
            else:
                self._chunk(b'{"results":[\n')
                for start in range(0, limit, 100):
                    rows = ",\r\n".join(LONG_ROW % (n + 1, n) for n in range(start, start + 100))
                    self._chunk((rows + (",\r\n" if start + 100 < limit else "")).encode())
                self._chunk(b'\n],\n"last_seq":"1-x","pending":0}\n')
            self._chunk(b"")

        def _chunk(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/large"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    "total", [200_000, pytest.param(1_000_000, marks=pytest.mark.long)], ids=str
)
def test_memory_does_not_grow_with_the_feed(total: int) -> None:
    with endless_feed() as url:
        started = time.monotonic()
        told = subprocess.run(
            [sys.executable, "-c", _MEASURED, url, str(total)],
            check=True,
            capture_output=True,
            env={"PYTHONPATH": "src"},
        )
        assert time.monotonic() - started < 110
    few, many = map(int, told.stdout.split())
    assert many < few + 4096  # KiB
