"""The proxy that lies in tests: it is invisible until told, and each lie is what it says."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.lying import (
    HTML,
    KEPT_BYTES,
    Bytes,
    Close,
    Drip,
    Framed,
    Framing,
    Gzip,
    Header,
    Idle,
    Json,
    Length,
    Lie,
    Lines,
    LyingProxy,
    Match,
    Place,
    Reset,
    Say,
    Seen,
    Stall,
    Truncated,
    changed_row,
    elsewhere,
    exchanged,
    failure,
    having,
    html,
    row_twice,
    rows_swapped,
    said,
    too_many_requests,
    without,
    without_row,
)
from tests.replica.scripted_server import ScriptedServer, Told, scripted_server

BODY = {"results": [{"id": "a"}, {"id": "b"}, {"id": "ü"}], "last_seq": "3-x"}
TEXT = json.dumps(BODY).encode()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.tell(Told(body=TEXT, headers={"Content-Type": "application/json"}))
        yield server


@pytest.fixture
def proxy(server: ScriptedServer) -> Iterator[LyingProxy]:
    with LyingProxy(server.url) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: LyingProxy) -> Iterator[http.client.HTTPConnection]:
    with closing(_client(proxy)) as client:
        yield client


def _client(proxy: LyingProxy) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=5)


def _get(client: http.client.HTTPConnection, path: str = "/") -> tuple[int, bytes]:
    client.request("GET", path)
    response = client.getresponse()
    return response.status, response.read()


def _raw(proxy: LyingProxy, request: bytes = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n") -> bytes:
    """All bytes of an answer until the connection ends; `RESET` behind them when by a reset."""
    host, port = proxy.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 5) as sock:
        sock.sendall(request)
        told = b""
        try:
            while data := sock.recv(65536):
                told += data
        except ConnectionResetError:
            told += b"RESET"
        return told


# --- the truth


def test_many_requests_on_one_connection(
    proxy: LyingProxy, server: ScriptedServer, client: http.client.HTTPConnection
) -> None:
    for n in range(3):
        client.request("PUT", f"/{n}?q=a%2Fb", body=b"%d" % n, headers={"X-Odd": "ü".encode()})
        response = client.getresponse()
        assert (response.status, response.read()) == (200, TEXT)
        assert response.headers["Content-Type"] == "application/json"
    assert [asked.path for asked in server.asked] == [f"/{n}?q=a%2Fb" for n in range(3)]
    assert [asked.body for asked in server.asked] == [b"0", b"1", b"2"]
    assert len({asked.client for asked in server.asked}) == 1
    shown = [(seen.method, seen.path, seen.body, seen.reached, seen.status) for seen in proxy.seen]
    assert shown == [("PUT", f"/{n}?q=a%2Fb", b"%d" % n, True, 200) for n in range(3)]
    assert [(seen.connection, seen.reused) for seen in proxy.seen] == [
        (1, False), (1, True), (1, True),
    ]  # fmt: skip
    assert proxy.seen[0].headers["x-odd"] == "ü".encode().decode("latin-1")


def test_large_bodies_both_ways(
    proxy: LyingProxy, server: ScriptedServer, client: http.client.HTTPConnection
) -> None:
    large = bytes(range(256)) * 16_384
    server.tell(Told(body=large))
    client.request("PUT", "/length", body=large)
    assert client.getresponse().read() == large
    client.request("PUT", "/chunks", body=iter([large[:10], large[10:]]), encode_chunked=True)
    assert client.getresponse().read() == large
    assert [asked.body for asked in server.asked] == [large, large]
    assert [seen.body for seen in proxy.seen] == [large[:KEPT_BYTES]] * 2


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
def test_the_frame_may_change_without_anybody_noticing(
    proxy: LyingProxy, client: http.client.HTTPConnection, framing: Framing
) -> None:
    proxy.lie(Framed(framing))
    client.request("GET", "/")
    response = client.getresponse()
    assert response.read() == TEXT
    assert (response.headers["Content-Length"] is None) == (framing != "length")
    assert response.headers["Transfer-Encoding"] == ("chunked" if framing == "chunked" else None)
    with LyingProxy(proxy.url) as second, closing(_client(second)) as beyond:
        assert _get(beyond) == _get(beyond) == (200, TEXT)
        assert [seen.reused for seen in second.seen] == [False, framing != "close"]


def test_no_body_where_none_belongs(
    proxy: LyingProxy, server: ScriptedServer, client: http.client.HTTPConnection
) -> None:
    server.tell(Told(headers={"Content-Length": "99"}))
    client.request("HEAD", "/")
    response = client.getresponse()
    assert (response.headers["Content-Length"], response.read()) == ("99", b"")
    server.tell(Told(204), Told(304, headers={"ETag": '"1"'}), Told(body=b"end"))
    assert [_get(client) for _ in range(3)] == [(204, b""), (304, b""), (200, b"end")]
    assert len({asked.client for asked in server.asked}) == 1


def test_requests_that_close_or_expect(proxy: LyingProxy, server: ScriptedServer) -> None:
    told = _raw(proxy, b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert told.endswith(TEXT)
    assert _raw(proxy, b"GET / HTTP/1.0\r\n\r\n").endswith(TEXT)
    told = _raw(
        proxy,
        b"PUT / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
        b"Connection: close\r\n\r\nab",
    )
    assert told.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    assert server.asked[-1].body == b"ab"


def test_many_connections_at_once(proxy: LyingProxy, server: ScriptedServer) -> None:
    server.script = lambda asked: Told(body=asked.path.encode() * 10_000)
    wrong = []

    def ask(n: int) -> None:
        with closing(_client(proxy)) as client:
            for m in range(10):
                path = f"/{n}/{m}"
                if _get(client, path) != (200, path.encode() * 10_000):
                    wrong.append(path)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (wrong, len(server.asked)) == ([], 80)
    assert len({seen.connection for seen in proxy.seen}) == 8


def test_what_comes_is_passed_on_at_once_and_both_sides_learn_that_the_other_went() -> None:
    """A feed that never ends: each line arrives before the next one is sent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        with LyingProxy(f"http://127.0.0.1:{port}") as proxy:
            for who_goes in ("client", "server"):
                with closing(_client(proxy)) as client:
                    client.request("GET", "/feed")
                    feed, _ = listening.accept()
                    with feed:
                        feed.settimeout(5)
                        assert feed.recv(4096).startswith(b"GET /feed HTTP/1.1\r\n")
                        feed.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                        response = client.getresponse()
                        for line in (b"one\n", b"\n", b"two\n"):
                            feed.sendall(b"%x\r\n%b\r\n" % (len(line), line))
                            assert response.readline() == line
                        if who_goes == "client":
                            response.close()
                            client.close()
                            assert feed.recv(1) == b""
                    if who_goes == "server":
                        with pytest.raises(http.client.IncompleteRead):
                            response.read()


def test_a_server_that_is_not_there(server: ScriptedServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with LyingProxy(f"http://127.0.0.1:{port}") as proxy, closing(_client(proxy)) as client:
        assert _get(client) == (502, HTML)
        assert (proxy.seen[0].reached, proxy.seen[0].status) == (False, None)
    with LyingProxy(server.url) as proxy, closing(_client(proxy)) as client:
        assert _get(client) == (200, TEXT)
        with proxy.gone():
            with closing(_client(proxy)) as refused, pytest.raises(ConnectionRefusedError):
                _get(refused)
            with pytest.raises(http.client.RemoteDisconnected):
                _get(client)
        with closing(_client(proxy)) as client:
            assert _get(client) == (200, TEXT)


def test_a_server_that_answers_before_it_has_read_everything() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def refuse() -> None:
            sock, _ = listening.accept()
            with sock:
                sock.recv(10)
                sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass

        thread = threading.Thread(target=refuse)
        thread.start()
        with LyingProxy(f"http://127.0.0.1:{port}") as proxy, closing(_client(proxy)) as client:
            client.request("PUT", "/", body=b"x" * 300_000)
            response = client.getresponse()
            assert (response.status, response.read()) == (413, b"no")
        thread.join()


# --- which requests


def test_rules_say_which_requests(proxy: LyingProxy, client: http.client.HTTPConnection) -> None:
    proxy.lie(Say(500), on=Match("GET", r"^/a\?", nth=2))
    proxy.lie(Say(503), on=Match(path="/a", nth=range(3, 5)))
    proxy.lie(Say(504), on=Match(path="/b$", reused=False))
    statuses = [_get(client, path)[0] for path in ("/a?q", "/b", "/a?q", "/a", "/a", "/a")]
    assert statuses == [200, 200, 500, 503, 503, 200]
    with closing(_client(proxy)) as fresh:
        assert [_get(fresh, "/b")[0] for _ in range(2)] == [504, 200]
    assert [seen.lies for seen in proxy.requests(path="/a")] == [
        (), (Say(500),), (Say(503),), (Say(503),), (),
    ]  # fmt: skip
    proxy.honest()
    proxy.forget()
    assert _get(client, "/a?q") == (200, TEXT)
    assert len(proxy.seen) == 1


def test_a_function_says_which_requests(
    proxy: LyingProxy, client: http.client.HTTPConnection
) -> None:
    def script(seen: Seen) -> list[Lie]:
        return [Say(409)] if seen.method == "PUT" and seen.json["n"] > 1 else []

    proxy.script = script
    statuses = []
    for n in range(4):
        client.request("PUT", "/", body=json.dumps({"n": n}))
        response = client.getresponse()
        response.read()
        statuses.append(response.status)
    assert statuses == [200, 200, 409, 409]
    assert [seen.reached for seen in proxy.seen] == [True, True, False, False]


def test_a_lie_that_fails_is_told(server: ScriptedServer) -> None:
    proxy = LyingProxy(server.url)
    proxy.lie(Json(lambda value: value["nothing"]))
    with closing(_client(proxy)) as client, pytest.raises(ConnectionError):
        _get(client)
    with pytest.raises(RuntimeError, match="a lie went wrong by itself") as caught:
        proxy.close()
    assert isinstance(caught.value.__cause__, KeyError)


# --- the lies

ENDS = [(Reset, b"RESET"), (Close, b"")]
WHOLE: dict[Framing, bytes] = {
    "length": TEXT,
    "chunked": b"%x\r\n%b\r\n0\r\n\r\n" % (len(TEXT), TEXT),
    "close": TEXT,
}


@pytest.mark.parametrize(("end", "trace"), ENDS)
@pytest.mark.parametrize("pass_on", [True, False])
def test_the_answer_is_lost(
    proxy: LyingProxy,
    server: ScriptedServer,
    end: type[Reset | Close],
    trace: bytes,
    pass_on: bool,
) -> None:
    proxy.lie(end(pass_on=pass_on))
    assert _raw(proxy) == trace
    assert len(server.asked) == pass_on
    assert (proxy.seen[0].reached, proxy.seen[0].status) == (pass_on, 200 if pass_on else None)


@pytest.mark.parametrize(("end", "trace"), ENDS)
@pytest.mark.parametrize("framing", list(WHOLE))
def test_the_answer_breaks_off_at_any_byte(
    proxy: LyingProxy, end: type[Reset | Close], trace: bytes, framing: Framing
) -> None:
    places: list[Place] = []
    proxy.script = lambda seen: [Framed(framing), end(places[-1])]
    for at in (0, 1, len(TEXT) // 2, len(TEXT) - 1, len(TEXT), 10_000):
        places.append(at)
        head, _, body = _raw(proxy).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        sent = TEXT[:at]
        if framing == "chunked" and sent:
            sent = b"%x\r\n%b\r\n" % (len(sent), sent)
        assert body == sent + trace
        length = re.search(rb"Content-Length: (\d+)", head)
        assert (None if length is None else int(length[1])) == (
            len(TEXT) if framing == "length" else None
        )
    places.append("start")
    assert _raw(proxy) == trace
    places.append("head")
    told = _raw(proxy)
    assert told.startswith(b"HTTP/1.1 200")
    assert told.endswith(trace)
    assert b"\r\n\r\n" not in told
    places.append("end")
    assert _raw(proxy).endswith(WHOLE[framing].removesuffix(b"0\r\n\r\n") + trace)


def test_a_body_that_is_cut_but_looks_whole(
    proxy: LyingProxy, client: http.client.HTTPConnection
) -> None:
    proxy.lie(Truncated(7), on=Match(nth=1))
    proxy.lie(Truncated(-1), Framed("chunked"), on=Match(nth=2))
    assert [_get(client)[1] for _ in range(3)] == [TEXT[:7], TEXT[:-1], TEXT]
    assert len({seen.connection for seen in proxy.seen}) == 1


@pytest.mark.parametrize("at", ["start", "head", 5, "end"])
def test_stalls_pass_or_do_not(proxy: LyingProxy, at: Place) -> None:
    proxy.lie(Stall(at, seconds=0.2), Framed("chunked"), on=Match(nth=1))
    proxy.lie(Stall(at), Framed("chunked"))
    with closing(_client(proxy)) as client:
        began = time.monotonic()
        assert _get(client) == (200, TEXT)
        assert 0.2 <= time.monotonic() - began < 2
    with closing(_client(proxy)) as client:
        client.timeout = 0.1
        with pytest.raises(TimeoutError):
            _get(client)
    # Closing the proxy does not wait for the stalled one: the fixture's end shows it.


def test_stalled_requests_do_not_reach_the_server(
    proxy: LyingProxy, server: ScriptedServer
) -> None:
    proxy.lie(Stall(seconds=0.05, pass_on=False))
    with closing(_client(proxy)) as client:
        assert _get(client) == (502, HTML)
    assert server.asked == []


@pytest.mark.parametrize(("end", "trace"), ENDS)
def test_uploads_that_nobody_reads(
    proxy: LyingProxy, server: ScriptedServer, end: type[Reset | Close], trace: bytes
) -> None:
    proxy.lie(end("request"), on=Match(nth=1))
    proxy.lie(Say(413, b"no", early=True), on=Match(nth=2))
    head = b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 5000000\r\n\r\n"
    assert _raw(proxy, head + b"x" * 1000) == trace
    told = _raw(proxy, head + b"x" * 1000)
    assert b"Connection: close\r\n" in told
    assert told.endswith(b"\r\n\r\nno")
    assert server.asked == []
    assert [seen.reached for seen in proxy.seen] == [False, False]


def test_drip(proxy: LyingProxy) -> None:
    proxy.lie(Drip(size=40, seconds=0.01))
    with closing(_client(proxy)) as client:
        began = time.monotonic()
        assert _get(client) == (200, TEXT)
        assert time.monotonic() - began > 0.01 * len(TEXT) / 40


@pytest.mark.parametrize("then", ["close", "reset"])
def test_an_idle_connection_ends_unannounced(proxy: LyingProxy, then: str) -> None:
    proxy.lie(Idle("reset" if then == "reset" else "close"))
    told = _raw(proxy)
    assert b"Connection: close" not in told
    assert told.endswith(TEXT if then == "close" else TEXT + b"RESET")


@pytest.mark.parametrize("by", [3, -3])
def test_wrong_lengths(proxy: LyingProxy, by: int) -> None:
    proxy.lie(Length(by), Idle())
    head, _, body = _raw(proxy).partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % (len(TEXT) + by) in head
    assert body == TEXT


def test_other_words(
    proxy: LyingProxy, server: ScriptedServer, client: http.client.HTTPConnection
) -> None:
    proxy.lie(html(), on=Match(nth=1))
    proxy.lie(html(502, pass_on=True), on=Match(nth=2))
    assert [_get(client), _get(client)] == [(200, HTML), (502, HTML)]
    assert len(server.asked) == 1
    proxy.lie(too_many_requests("soon"))
    client.request("GET", "/")
    response = client.getresponse()
    assert (response.status, response.headers["Retry-After"]) == (429, "soon")
    assert json.loads(response.read())["error"] == "too_many_requests"
    proxy.honest()
    proxy.lie(failure(500, "why"), Header("Content-Type", "text/plain"), on=Match("GET"))
    proxy.lie(elsewhere("http://elsewhere/"))
    client.request("GET", "/")
    response = client.getresponse()
    assert (response.status, response.headers["Content-Type"]) == (500, "text/plain")
    assert json.loads(response.read())["error"] == "why"
    client.request("HEAD", "/")
    response = client.getresponse()
    assert (response.status, response.headers["Location"]) == (301, "http://elsewhere/")
    assert response.read() == b""
    proxy.honest()
    assert _get(client) == (200, TEXT)
    assert len({seen.connection for seen in proxy.seen}) == 1


DISTORTED = {
    "missing": (without_row(1), ["a", "ü"], "3-x"),
    "twice": (row_twice(0), ["a", "a", "b", "ü"], "3-x"),
    "swapped": (rows_swapped(0, 2), ["ü", "b", "a"], "3-x"),
    "changed": (changed_row(1, said("id", "c")), ["a", "c", "ü"], "3-x"),
    "all": (said("id", "c"), ["c", "c", "c"], "3-x"),
    "exchanged": (exchanged("a", "d"), ["d", "b", "ü"], "3-x"),
    "having": (having("last_seq", len), ["a", "b", "ü"], 3),
    "without": (without("last_seq"), ["a", "b", "ü"], None),
}


@pytest.mark.parametrize("kind", list(DISTORTED))
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_distorted_json(proxy: LyingProxy, kind: str, framing: Framing) -> None:
    change, ids, seq = DISTORTED[kind]
    proxy.lie(Json(change), Framed(framing), Drip(size=100))
    with closing(_client(proxy)) as client:
        told = json.loads(_get(client)[1])
    assert ([row["id"] for row in told["results"]], told.get("last_seq")) == (ids, seq)


def test_what_is_no_json_stays(
    proxy: LyingProxy, server: ScriptedServer, client: http.client.HTTPConnection
) -> None:
    proxy.lie(Json(lambda value: pytest.fail("there is no value")))
    server.tell(Told(body=b"{bad"), Told(204))
    assert [_get(client), _get(client)] == [(200, b"{bad"), (204, b"")]


def test_compressed_answers_are_changed_all_the_same(
    proxy: LyingProxy, server: ScriptedServer, client: http.client.HTTPConnection
) -> None:
    server.tell(Told(body=gzip.compress(TEXT), headers={"Content-Encoding": "gzip"}))
    assert gzip.decompress(_get(client)[1]) == TEXT
    proxy.lie(Json(without("results")))
    assert json.loads(_get(client)[1]) == {"last_seq": "3-x"}


def test_compression_with_flaws(proxy: LyingProxy, client: http.client.HTTPConnection) -> None:
    bodies = []
    for lie in (Gzip(), Gzip("no gzip"), Gzip("checksum"), Gzip("cut")):
        proxy.honest()
        proxy.lie(lie)
        client.request("GET", "/")
        response = client.getresponse()
        assert response.headers["Content-Encoding"] == "gzip"
        bodies.append(response.read())
    good, none, checksum, cut = bodies
    assert gzip.decompress(good) == none == TEXT
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(checksum)
    with pytest.raises(EOFError):
        gzip.decompress(cut)


def test_bytes_and_lines(
    proxy: LyingProxy, server: ScriptedServer, client: http.client.HTTPConnection
) -> None:
    proxy.lie(Bytes(lambda body: body.replace(b"a", b"\xff", 1)), on=Match(nth=1))
    proxy.lie(Lines(lambda line: [line, line] if line == b"b" else [line]))
    assert b"\xff" in _get(client)[1]
    server.tell(Told(body=b"a\n\nb\nc"))
    assert _get(client)[1] == b"a\n\nb\nb\nc"
