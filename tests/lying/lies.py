"""The lies: small values, each of which says how one exchange goes wrong.

Several combine, in their order: `Json(row_twice(0)), Framed("chunked"), Drip()`.  Whatever has
a method `bend` and an attribute `pass_on` is a lie, so a test may bring its own.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http.client import responses
from typing import Literal, Protocol, runtime_checkable

from couchmend.core.document import JSON
from tests.lying.answer import Answer, Place, Stop
from tests.lying.wire import Framing, Head

HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please.</body></html>"


@runtime_checkable
class Lie(Protocol):
    """What becomes of an answer.  Without `pass_on`, the server never gets the request."""

    @property
    def pass_on(self) -> bool:
        """Whether the server gets the request."""

    def bend(self, answer: Answer) -> Answer:
        """The answer that the client gets instead."""


# --- the connection


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset (RST).  By default the request was passed on and its answer is
    lost: a write has happened."""

    at: Place = "start"
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return replace(answer, stops=(*answer.stops, Stop(self.at, "reset")))


@dataclass(frozen=True, slots=True)
class Close:
    """The connection is closed in good order (FIN), too early."""

    at: Place = "start"
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return replace(answer, stops=(*answer.stops, Stop(self.at, "close")))


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing more comes for some time, or until the client gives up."""

    at: Place = "start"
    seconds: float | None = None
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return replace(answer, stops=(*answer.stops, Stop(self.at, "go on", self.seconds)))


@dataclass(frozen=True, slots=True)
class Drip:
    """The answer comes `size` bytes at a time, with a pause after each."""

    size: int = 1
    seconds: float = 0.001
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return replace(answer, drip=(self.size, self.seconds))


@dataclass(frozen=True, slots=True)
class Idle:
    """The answer is true and whole; then the connection ends although nobody said so."""

    then: Literal["close", "reset"] = "close"
    seconds: float = 0.0
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return replace(answer, afterwards=Stop("end", self.then, self.seconds))


# --- the frame of the body


@dataclass(frozen=True, slots=True)
class Framed:
    """The end of the body is told in this way.  By itself that is no lie at all."""

    framing: Framing
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return answer if answer.framing == "none" else replace(answer, framing=self.framing)


@dataclass(frozen=True, slots=True)
class Length:
    """Content-Length is wrong by so much; then nothing more comes, but the connection stays."""

    by: int
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return replace(Framed("length").bend(answer), surplus=self.by)


@dataclass(frozen=True, slots=True)
class Truncated:
    """Only so many bytes of the body, in a frame that fits them: it looks whole.  A negative
    number counts from the end."""

    at: int
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return Bytes(lambda body: body[: self.at]).bend(answer)


# --- what is said


@dataclass(frozen=True, slots=True)
class Say:
    """Something else is answered.  With `pass_on` the server has done what was asked, and its
    answer is lost.  `early` answers after the request's head and then closes."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    pass_on: bool = False
    early: bool = False

    def bend(self, answer: Answer) -> Answer:
        start = f"HTTP/1.1 {self.status} {responses.get(self.status, 'Odd')}"
        head = Head(start, tuple(self.headers.items()))
        if self.early:
            head = head.having("Connection", "close")
        if answer.framing == "none":  # an answer to HEAD
            return replace(answer, head=head.having("Content-Length", "0"))
        return replace(
            answer, head=head, pieces=[self.body], length=len(self.body), framing="length"
        )


@dataclass(frozen=True, slots=True)
class Header:
    """A header has this value, or is missing for None."""

    name: str
    value: str | None
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        head = answer.head.without(self.name)
        return replace(
            answer, head=head if self.value is None else head.having(self.name, self.value)
        )


@dataclass(frozen=True, slots=True)
class Bytes:
    """The body is changed by a function of its bytes (uncompressed)."""

    change: Callable[[bytes], bytes]
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        if answer.framing == "none":
            return answer
        return answer.with_body(self.change(answer.whole()))


@dataclass(frozen=True, slots=True)
class Json:
    """The JSON of the body is changed by a function; see `tests.lying.distortions`."""

    change: Callable[[JSON], JSON]
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return answer.with_json(self.change)


@dataclass(frozen=True, slots=True)
class Lines:
    """Each line of a live feed, empty ones included, becomes those that a function returns."""

    change: Callable[[bytes], list[bytes]]
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        return replace(answer, pieces=self._changed(answer.pieces), length=None)

    def _changed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        rest = b""
        for piece in pieces:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                yield b"".join(said + b"\n" for said in self.change(line))
        yield rest


@dataclass(frozen=True, slots=True)
class Gzip:
    """The body is compressed: well, or with a flaw (`no gzip` at all; a wrong `checksum`; `cut`
    in its middle, in a frame that fits)."""

    flaw: Literal["no gzip", "checksum", "cut"] | None = None
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        if answer.framing == "none":
            return answer
        body = answer.whole()
        packed = gzip.compress(body)
        match self.flaw:
            case "no gzip":
                packed = body
            case "checksum":
                packed = packed[:-8] + bytes(4) + packed[-4:]
            case "cut":
                packed = packed[: len(packed) // 2]
        bent = answer.with_body(packed)
        return replace(bent, head=bent.head.having("Content-Encoding", "gzip"))


# --- answers that are often needed


def html(status: int = 200, *, pass_on: bool = False) -> Say:
    """A web page, as a sign-in page or a proxy answers it."""
    return Say(status, HTML, {"Content-Type": "text/html; charset=utf-8"}, pass_on=pass_on)


def too_many_requests(retry_after: str | None = None) -> Say:
    """429 as Cloudant says it."""
    return failure(429, "too_many_requests", retry_after=retry_after)


def failure(
    status: int,
    error: str = "error",
    reason: str = "so it is told",
    *,
    retry_after: str | None = None,
    pass_on: bool = False,
) -> Say:
    """A failure in CouchDB's form."""
    headers = {"Content-Type": "application/json"}
    if retry_after is not None:
        headers["Retry-After"] = retry_after
    body = json.dumps({"error": error, "reason": reason}).encode()
    return Say(status, body, headers, pass_on=pass_on)


def elsewhere(url: str, status: int = 301) -> Say:
    """A redirection."""
    return Say(status, b"", {"Location": url})
