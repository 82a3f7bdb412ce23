"""Every way in which a server, or what is before it, lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from tests.lying import (
    Bytes,
    Close,
    Drip,
    Framed,
    Gzip,
    Header,
    Idle,
    Length,
    Lie,
    Match,
    Reset,
    Stall,
    Truncated,
    elsewhere,
    failure,
    html,
    too_many_requests,
)

Kind = Literal["true", "passes", "lasts"]
"""No lie at all, so that nothing may fail; one that passes, so that it does not hurt whoever may
repeat his request; or one that lasts."""


@dataclass(frozen=True, slots=True)
class Told:
    """Lies that are told together: always, or about one request only."""

    kind: Kind
    lies: tuple[Lie, ...]
    match: Match = field(default_factory=Match)


def true(*lies: Lie) -> Told:
    """Odd, but not to be told from the truth."""
    return Told("true", lies)


def once(*lies: Lie) -> Told:
    """A failure that passes."""
    return Told("passes", lies, Match(nth=1))


def always(*lies: Lie) -> Told:
    """A failure that lasts."""
    return Told("lasts", lies)


FAMILIES: dict[str, dict[str, Told]] = {
    "odd but true": {
        "with a length": true(Framed("length")),
        "in chunks": true(Framed("chunked")),
        "closed after the answer": true(Framed("close")),
        "in small pieces": true(Framed("chunked"), Drip(size=300, seconds=0.0005)),
        "late in its middle": true(Stall(7, seconds=0.03)),
        "the connection goes later": true(Idle()),
        "the connection is reset later": true(Idle("reset")),
    },
    "broken": {
        "reset, not passed on": once(Reset(pass_on=False)),
        "reset while it is sent": once(Reset("request")),
        "reset, the answer is lost": once(Reset()),
        "reset, always": always(Reset()),
        "reset in the head": once(Reset("head")),
        "reset before the body": once(Reset(0)),
        "reset in the body": once(Reset(7)),
        "closed, not passed on": once(Close(pass_on=False)),
        "closed, the answer is lost": once(Close()),
        "closed in the head": once(Close("head")),
        "closed in a body with a length": once(Framed("length"), Close(2)),
        "closed in a chunk": once(Framed("chunked"), Close(2)),
        "closed in a chunk, always": always(Framed("chunked"), Close(2)),
        "closed before the last chunk": once(Framed("chunked"), Close("end")),
        "closed in a body without a frame": always(Framed("close"), Close(2)),
        "a length too long": once(Length(9), Close("end")),
    },
    "refused": {
        "408": once(failure(408)),
        "500": once(failure(500)),
        "500, always": always(failure(500)),
        "500 after all": once(failure(500, pass_on=True)),
        "502": once(html(502)),
        "502 after all": once(html(502, pass_on=True)),
        "503": once(failure(503)),
        "503 after all, always": always(failure(503, pass_on=True)),
        "504": once(html(504)),
        "504 after all": once(html(504, pass_on=True)),
        "429": once(too_many_requests()),
        "429, at once": once(too_many_requests("0")),
        "429, nonsense": once(too_many_requests("soon")),
        "429, a date": once(too_many_requests("Wed, 21 Oct 2015 07:28:00 GMT")),
        "429, always": always(too_many_requests()),
        "429, for years": always(too_many_requests("99999999999999999999")),
    },
    "somebody else": {
        "a page": always(html()),
        "a page after all": always(html(pass_on=True)),
        "a page that says 400": always(html(400)),
        "a page that says 404": always(html(404)),
        "a page that says 409": always(html(409)),
        "moved": always(elsewhere("http://elsewhere.example/")),
        "found": always(elsewhere("/sign-in?next=", status=302)),
    },
    "garbled": {
        "no type": true(Header("Content-Type", None)),
        "another type": always(Header("Content-Type", "text/html")),
        "empty": always(Truncated(0)),
        "cut": always(Truncated(2)),
        "one byte cut": always(Bytes(lambda body: body.rstrip()[:-1])),
        "a length too short": always(Length(-3)),
        "more than JSON": always(Bytes(lambda body: body + b"}")),
        "no UTF-8": always(Bytes(lambda body: body.replace(b'":', b'\xff":', 1))),
        "no gzip": always(Gzip("no gzip")),
        "damaged gzip": always(Gzip("checksum")),
        "cut gzip": always(Gzip("cut")),
        "unknown encoding": always(Header("Content-Encoding", "br")),
    },
    "of another shape": {
        shape: always(Bytes(lambda body, shape=shape: shape.encode()))  # type: ignore[misc]
        for shape in ("{}", "[]", "null", "7", "[null]", '{"results":null}')
    },
}

STALLED: dict[str, Told] = {
    "before the answer": once(Stall()),
    "before the answer, always": always(Stall()),
    "not passed on": once(Stall(pass_on=False)),
    "in the head": once(Stall("head")),
    "in the body": once(Stall(2)),
    "before the last chunk": once(Framed("chunked"), Stall("end")),
    "a length too long": once(Length(9)),
    "never silent, never done": always(Drip(1, 0.09)),
}
