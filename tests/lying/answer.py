"""An answer on its way to the client, and how it is brought there."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from couchmend.core.document import JSON
from tests.lying.wire import Framing, Head, Wire

Place = int | Literal["request", "start", "head", "end"]
"""Where in an exchange something happens: after the head of the request, before the answer's
first byte, in the middle of the answer's head, after so many bytes of its body, or after all
of them (of a chunked body, before the chunk that ends it).  A number beyond the body's end is
the end."""

Then = Literal["reset", "close", "go on"]


@dataclass(frozen=True, slots=True)
class Stop:
    """Something that happens at a place: wait (for ever when `seconds` is None), then go on or
    end the connection."""

    at: Place
    then: Then
    seconds: float | None = 0.0


class Ended(Exception):
    """The connection is to end, in good order or by a reset."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client will get.  Lies make other answers of it.

    head: status line and headers; those that frame the body follow from the rest.
    pieces: the body as it comes, read once.
    length: of the body, where it is known.
    surplus: how much more than that Content-Length claims.
    drip: how many bytes at once, and the seconds between them.
    afterwards: what becomes of the connection when the answer was sent.
    """

    head: Head
    pieces: Iterable[bytes]
    framing: Framing
    length: int | None
    surplus: int = 0
    stops: tuple[Stop, ...] = ()
    drip: tuple[int, float] | None = None
    afterwards: Stop | None = None

    @property
    def status(self) -> int:
        """The status that the client sees."""
        return int(self.head.start.split(" ")[1])

    def with_body(self, body: bytes) -> Answer:
        """The same with another body, whole and uncompressed."""
        head = self.head.without("content-encoding")
        return replace(self, head=head, pieces=[body], length=len(body))

    def whole(self) -> bytes:
        """The body, read to its end and uncompressed."""
        body = b"".join(self.pieces)
        if "gzip" in (self.head.get("content-encoding") or ""):
            return gzip.decompress(body)
        return body

    def with_json(self, change: Callable[[JSON], JSON]) -> Answer:
        """The same with another JSON value; one that is none, or absent, stays as it is."""
        if self.framing == "none":
            return self
        body = self.whole()
        try:
            value = json.loads(body)
        except ValueError:
            return self.with_body(body)
        return self.with_body(json.dumps(change(value), ensure_ascii=False).encode())

    def framed(self) -> Answer:
        """With a head that says how the body ends."""
        if self.framing == "none":
            return self
        answer = self
        head = self.head.without("content-length", "transfer-encoding", "keep-alive")
        match self.framing:
            case "length":
                if answer.length is None:
                    body = b"".join(answer.pieces)
                    answer = replace(answer, pieces=[body], length=len(body))
                claimed = max(0, (answer.length or 0) + answer.surplus)
                head = head.having("Content-Length", str(claimed))
            case "chunked":
                head = head.having("Transfer-Encoding", "chunked")
            case "close":
                head = head.having("Connection", "close")
        return replace(answer, head=head)


def deliver(answer: Answer, client: Wire) -> None:
    """Send it, and do at each place what is to be done there.

    Raises:
        Ended: the connection is to end.
        OSError: the client has gone.
    """
    # Before anything is framed: a reset must not wait for the end of an endless answer.
    _at("request", answer, client)
    _at("start", answer, client)
    answer = answer.framed()
    head = bytes(answer.head)
    _send(head[: len(head) // 2], answer, client)
    _at("head", answer, client)
    _send(head[len(head) // 2 :], answer, client)
    for piece in _between_stops(answer, client):
        if answer.framing == "chunked":
            piece = b"%x\r\n%b\r\n" % (len(piece), piece)
        _send(piece, answer, client)
    _at("end", answer, client)
    if answer.framing == "chunked":
        _send(b"0\r\n\r\n", answer, client)
    if answer.afterwards is not None:
        _happens(answer.afterwards, client)
    if answer.framing == "close" or answer.head.closes:
        raise Ended(reset=False)


def _between_stops(answer: Answer, client: Wire) -> Iterator[bytes]:
    """The body in such pieces that every stop lies between two of them."""
    stops = sorted((s for s in answer.stops if isinstance(s.at, int)), key=lambda s: int(s.at))
    sent = 0
    for piece in answer.pieces:
        while stops and int(stops[0].at) <= sent + len(piece):
            cut = int(stops[0].at) - sent
            if cut:
                yield piece[:cut]
            piece, sent = piece[cut:], sent + cut
            _happens(stops.pop(0), client)
        if piece:
            yield piece
            sent += len(piece)
    for stop in stops:
        _happens(stop, client)


def _at(place: Place, answer: Answer, client: Wire) -> None:
    for stop in answer.stops:
        if stop.at == place:
            _happens(stop, client)


def _happens(stop: Stop, client: Wire) -> None:
    if stop.seconds is None or stop.seconds > 0:
        client.pause(stop.seconds)
    if stop.then != "go on":
        raise Ended(reset=stop.then == "reset")


def _send(data: bytes, answer: Answer, client: Wire) -> None:
    if answer.drip is None:
        client.send(data)
        return
    size, seconds = answer.drip
    for start in range(0, len(data), size):
        client.send(data[start : start + size])
        client.pause(seconds)
