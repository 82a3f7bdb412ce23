"""A proxy before a real server that tells the truth until a test says otherwise."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from couchmend.core.document import JSON
from tests.lying.answer import Answer, Ended, deliver
from tests.lying.lies import Lie, html
from tests.lying.listening import Listening
from tests.lying.wire import Abandoned, BrokenOff, Framing, Head, Wire

KEPT_BYTES = 64 * 1024
"""Of each request's body so much is kept; one that is not longer is there before any lie."""

_CONNECT_SECONDS = 10.0
_JOIN_SECONDS = 10.0


@dataclass(slots=True)
class Seen:
    """A request.

    path: with the query, as it was sent.
    headers: their names in lower case.
    body: its first `KEPT_BYTES`.
    connection: the number of the client's connection; `reused` when it had a request before.
    reached: whether the server got the request whole, and `status` what it answered.
    lies: those that were told about it.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int
    reused: bool
    reached: bool = False
    status: int | None = None
    lies: tuple[Lie, ...] = ()

    @property
    def json(self) -> JSON:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class Match:
    """Which requests: of this method, with this regular expression somewhere in the path and
    query, and of all those only the first, second … (counted from 1)."""

    method: str | None = None
    path: str = ""
    nth: int | Collection[int] | None = None
    reused: bool | None = None

    def fits(self, seen: Seen) -> bool:
        """Whether it is one of those, whichever."""
        return (
            self.method in (None, seen.method)
            and self.reused in (None, seen.reused)
            and re.search(self.path, seen.path) is not None
        )

    def counts(self, count: int) -> bool:
        """Whether the lies are for this one of those."""
        if isinstance(self.nth, int):
            return count == self.nth
        return self.nth is None or count in self.nth


@dataclass(slots=True)
class _Rule:
    match: Match
    lies: tuple[Lie, ...]
    count: int = 0


@dataclass(slots=True)
class _Sent:
    """The server's body on its way; `finished` when there is nothing left of it."""

    pieces: Iterator[bytes]
    finished: bool = False

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        self.finished = True


class LyingProxy:
    """Passes requests on to the server at `upstream` (`http://host:port`), for a `with` block.

    >>> with LyingProxy("http://127.0.0.1:5984") as proxy:
    ...     proxy.lie(Reset(at=10), on=Match("GET", "/_changes", nth=1))
    ...     replica = CouchReplica.open(f"{proxy.url}/db")
    ...     page = replica.changes()       # the first answer broke off after ten bytes
    ...     assert [seen.reached for seen in proxy.seen] == [True, True, True]

    Without a lie, heads are passed on as they are, bodies piece by piece as they come (chunks
    may be cut anew), and either side learns at once that the other has gone.  A request is
    passed on whole before its answer is read.  `script` is asked about each request that no
    rule of `lie` is for.  A lie that itself fails makes the end of the `with` block raise.
    """

    def __init__(
        self,
        upstream: str,
        script: Callable[[Seen], Sequence[Lie]] = lambda seen: (),
    ) -> None:
        parts = urlsplit(upstream)
        self._upstream = parts.hostname or "", parts.port or 80
        self.script = script
        self.seen: list[Seen] = []
        """Every request so far, in the order in which they came."""
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        self._wires: set[Wire] = set()
        self._connections = 0
        self._problems: list[Exception] = []
        self._listening = Listening(0, self._accept)
        self.url = f"http://127.0.0.1:{self._listening.port}"

    # --- telling it what to do

    def lie(self, *lies: Lie, on: Match | None = None) -> None:
        """Tell these lies, in this order, about the requests that match; of several rules that
        match, the first one holds."""
        with self._lock:
            self._rules.append(_Rule(on or Match(), lies))

    def honest(self) -> None:
        """Lie no more."""
        with self._lock:
            self._rules.clear()
            self.script = lambda seen: ()

    def forget(self) -> None:
        """Begin `seen` anew."""
        with self._lock:
            self.seen = []

    def requests(self, method: str | None = None, path: str = "") -> list[Seen]:
        """Those of `seen` that match."""
        match = Match(method, path)
        return [seen for seen in self.seen if match.fits(seen)]

    @contextmanager
    def gone(self) -> Iterator[None]:
        """No server there: live connections end, new ones are refused."""
        port = self._listening.port
        self._listening.close()
        self.drop_connections()
        try:
            yield
        finally:
            self._listening = Listening(port, self._accept)

    def drop_connections(self) -> None:
        """End every connection at once, whether idle or not."""
        with self._lock:
            for wire in self._wires:
                wire.interrupt()

    # --- its life

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End everything.

        Raises:
            RuntimeError: a lie failed by itself, or a thread does not end.
        """
        self._listening.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(_JOIN_SECONDS)
        if any(thread.is_alive() for thread in self._threads):
            raise RuntimeError("a connection of the proxy does not end")
        if self._problems:
            raise RuntimeError("a lie went wrong by itself") from self._problems[0]

    def _accept(self, sock: socket.socket) -> None:
        with self._lock:
            self._connections += 1
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(target=self._serve, args=(sock, self._connections))
            self._threads.append(thread)
            thread.start()

    # --- one connection

    def _serve(self, sock: socket.socket, number: int) -> None:
        client = self._wire(sock)
        upstream = _Upstream(self._connected)
        end = client.close
        try:
            reused = False
            while (head := client.head()) is not None:
                self._exchange(client, upstream, head, number, reused)
                reused = True
        except Ended as ended:
            end = client.reset if ended.reset else client.close
        except (BrokenOff, Abandoned):
            pass
        except OSError:
            end = client.reset
        except Exception as problem:  # noqa: BLE001  # raised when the proxy is closed
            self._problems.append(problem)
            end = client.reset
        finally:
            upstream.close()
            end()
            with self._lock:
                self._wires -= {client, *upstream.used}

    def _exchange(
        self, client: Wire, upstream: _Upstream, head: Head, number: int, reused: bool
    ) -> None:
        method, path, _ = head.start.split(" ", 2)
        if (head.get("expect") or "").lower() == "100-continue":
            client.send(b"HTTP/1.1 100 Continue\r\n\r\n")
            head = head.without("expect")
        framing: Framing = "chunked" if head.chunked else "length" if head.length else "none"
        body: Iterable[bytes] = client.body(framing, head.length)
        if framing == "length" and (head.length or 0) <= KEPT_BYTES:
            body = [b"".join(body)]
        headers = {name.lower(): value for name, value in head.headers}
        kept = b"" if isinstance(body, Iterator) else next(iter(body))
        seen = Seen(method, path, headers, kept, number, reused)
        seen.lies = self._lies(seen)
        for lie in seen.lies:
            if getattr(lie, "at", None) == "request" or getattr(lie, "early", False):
                deliver(lie.bend(_no_answer(method)), client)
                raise Ended(reset=False)
        if all(lie.pass_on for lie in seen.lies):
            answer = upstream.answer(seen, head, body, client)
        else:
            for _ in body:
                pass
            answer = _no_answer(method)
        pieces = answer.pieces
        for lie in seen.lies:
            answer = lie.bend(answer)
        deliver(answer, client)
        if isinstance(pieces, _Sent) and not pieces.finished:
            upstream.close()
        if head.closes:
            raise Ended(reset=False)

    def _lies(self, seen: Seen) -> tuple[Lie, ...]:
        """Note the request, and say what becomes of it."""
        with self._lock:
            self.seen.append(seen)
            applying: tuple[Lie, ...] | None = None
            for rule in self._rules:
                if rule.match.fits(seen):
                    rule.count += 1
                    if applying is None and rule.match.counts(rule.count):
                        applying = rule.lies
            script = self.script
        # Outside the lock: a script may ask the server itself, even through this proxy.
        return tuple(script(seen)) if applying is None else applying

    def _connected(self) -> Wire:
        return self._wire(socket.create_connection(self._upstream, _CONNECT_SECONDS))

    def _wire(self, sock: socket.socket) -> Wire:
        sock.settimeout(None)
        wire = Wire(sock)
        with self._lock:
            self._wires.add(wire)
        return wire


class _Upstream:
    """The connection to the server that belongs to one of the client's."""

    def __init__(self, connect: Callable[[], Wire]) -> None:
        self._connect = connect
        self._wire: Wire | None = None
        self.used: list[Wire] = []

    def close(self) -> None:
        if self._wire is not None:
            self._wire.drop()
            self._wire = None

    def answer(self, seen: Seen, head: Head, body: Iterable[bytes], client: Wire) -> Answer:
        """Pass a request on, and read the head of what the server answers."""
        if self._wire is not None and self._wire.gone():
            self.close()
        if self._wire is None:
            try:
                self._wire = self._connect()
            except OSError:
                for _ in body:
                    pass
                return html(502).bend(_no_answer(seen.method))
            self.used.append(self._wire)
        wire = self._wire
        refused = self._send(wire, seen, head, body)
        told = wire.head(watched=client)
        while told is not None and told.start.startswith("HTTP/1.1 1"):
            told = wire.head(watched=client)
        if told is None or not told.start.startswith("HTTP/1."):
            raise BrokenOff("the server closed without an answer, or speaks no HTTP")
        seen.status = int(told.start.split(" ")[1])
        framing: Framing = "length" if told.length is not None else "close"
        if told.chunked:
            framing = "chunked"
        if seen.method == "HEAD" or seen.status in (204, 304):
            framing = "none"
        sent = _Sent(wire.body(framing, told.length, watched=client))
        if framing == "none" or (framing == "length" and not told.length):
            sent.finished = True
        answer = Answer(told, sent, framing, told.length)
        if told.closes or refused:
            answer = replace(answer, head=told.having("Connection", "close"))
        return answer

    def _send(self, wire: Wire, seen: Seen, head: Head, body: Iterable[bytes]) -> bool:
        """Send a request; True when the server would not have it whole."""
        try:
            wire.send(bytes(head))
            kept = bytearray()
            for piece in body:
                if len(kept) < KEPT_BYTES:
                    kept += piece
                wire.send(b"%x\r\n%b\r\n" % (len(piece), piece) if head.chunked else piece)
            seen.body = bytes(kept[:KEPT_BYTES])
            if head.chunked:
                wire.send(b"0\r\n\r\n")
        except BrokenOff:
            raise  # the client went away in the middle
        except OSError:
            return True
        seen.reached = True
        return False


def _no_answer(method: str) -> Answer:
    """What stands where the server was not asked: a proxy's 502, unless a lie says more."""
    framing: Framing = "none" if method == "HEAD" else "length"
    return html(502).bend(Answer(Head("HTTP/1.1 502 Bad Gateway"), [], framing, 0))
