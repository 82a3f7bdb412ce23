"""Every operation of the client, against every way in which a server or what is before it lies.

The outcome is the right result or a clear error, never later than the timeouts allow; what
passes by itself and can be repeated safely is repeated, and nothing else ever is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import pytest

from couchmend.errors import (
    BadRequest,
    Conflict,
    CouchmendError,
    NotFound,
    PreconditionFailed,
    TooLarge,
)
from couchmend.replica.couch import Options
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
    Seen,
    Stall,
    Truncated,
    elsewhere,
    failure,
    html,
    too_many_requests,
)
from tests.replica.couch.lying.lied_to import (
    HASTY,
    IN_TIME_SECONDS,
    PATIENT,
    UPSTREAMS,
    Client,
    World,
    fresh_name,
    outcome,
    plain,
    settled,
    unclear,
    world,
)
from tests.replica.couch.lying.operations import READS, WRITES, Write

pytestmark = pytest.mark.timeout(60)

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

UNKNOWABLE = {
    # What the server says is a legal answer, and nothing else is known.
    ("security", "{}"), ("security", '{"results":null}'),
    ("revs_limit", "7"), ("revs_limit", "cut"), ("revs_limit", "one byte cut"),
    ("revs_limit", "closed in a body without a frame"), ("revs_limit", "a length too short"),
    ("revs_diff", "{}"),
    # The digest is that of the compressed form, and no frame tells the length.
    ("attachment, text", "closed in a body without a frame"),
}  # fmt: skip
COMPRESSED = {"empty", "cut", "one byte cut", "a length too short", "more than JSON", "no UTF-8"}
"""The digest of compressible types is that of the compressed form, and a frame that fits tells
no length but its own."""
NO_JSON = {"attachment", "attachment, text"}

MAYBE_DONE = re.compile(r"may or may not have been done")
NOT_DONE = "429"
CERTAIN = (NotFound, Conflict, PreconditionFailed, BadRequest, TooLarge)
"""What only a CouchDB itself can say."""


@pytest.fixture(scope="module", params=UPSTREAMS)
def there(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A server and a database."""
    with world(request.param, tmp_path_factory.mktemp(request.param)) as there:
        yield there


# --- reading


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("name", list(READS))
def test_reading(there: World, name: str, family: str) -> None:
    expected = plain(settled(lambda: READS[name](there.replica)))
    wrong = []
    with there.client() as client:
        for label, told in FAMILIES[family].items():
            wrong += _reading(client, name, label, told, expected)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("label", list(STALLED))
def test_reading_from_a_server_that_stalls(there: World, label: str) -> None:
    def read(name: str) -> list[str]:
        expected = plain(settled(lambda: READS[name](there.replica)))
        with there.client(HASTY) as client:
            problems = _reading(client, name, label, STALLED[label], expected)
        return [f"{name}: {problem}" for problem in problems]

    with ThreadPoolExecutor(8) as pool:  # it is all waiting
        wrong = [problem for problems in pool.map(read, READS) for problem in problems]
    assert not wrong, "\n".join(wrong)


def _reading(client: Client, name: str, label: str, told: Told, expected: object) -> list[str]:
    if (name, label) in UNKNOWABLE or (name == "attachment, text" and label in COMPRESSED):
        return []
    if name in NO_JSON and (label in FAMILIES["of another shape"] or "type" in label):
        return []
    read, proxy = READS[name], client.proxy
    proxy.lie(*told.lies, on=told.match)
    began = time.monotonic()
    result = outcome(lambda: read(client.replica))
    seconds = time.monotonic() - began
    proxy.honest()
    # An attachment's body is for the caller to read; what broke off is not begun anew.
    must = told.kind == "true" or (told.kind == "passes" and name not in NO_JSON)
    problems = _about_reading(result, expected, must=must)
    if seconds > IN_TIME_SECONDS:
        problems.append(f"it took {seconds:.1f} s")
    if plain(settled(lambda: read(client.replica))) != expected:
        problems.append("the client is wrong from then on")
    return [f"{label}: {problem}" for problem in problems]


def _about_reading(result: object, expected: object, *, must: bool) -> list[str]:
    if plain(result) == expected:
        return []
    if not isinstance(result, CouchmendError):
        return [f"a wrong result: {str(result)[:200]}"]
    if isinstance(result, CERTAIN):
        return [f"{type(result).__name__} is CouchDB's to say, and it did not: {result}"]
    problems = [f"{result!r} does not say {part}: {result}" for part in unclear(result)]
    if must:
        problems.append(f"it should have been repeated: {result!r}")
    return problems


# --- writing


@pytest.mark.parametrize("family", list(FAMILIES))
@pytest.mark.parametrize("name", list(WRITES))
def test_writing(there: World, name: str, family: str) -> None:
    wrong = []
    for label, told in FAMILIES[family].items():
        wrong += _writing(there, name, label, told, PATIENT)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("label", list(STALLED))
def test_writing_to_a_server_that_stalls(there: World, label: str) -> None:
    def write(name: str) -> list[str]:
        problems = _writing(there, name, label, STALLED[label], HASTY)
        return [f"{name}: {problem}" for problem in problems]

    alone = {"set_security", "set_revs_limit"}  # there is one of each
    with ThreadPoolExecutor(8) as pool:
        wrong = [p for problems in pool.map(write, WRITES.keys() - alone) for p in problems]
    wrong += [problem for name in alone for problem in write(name)]
    assert not wrong, "\n".join(wrong)


def _writing(there: World, name: str, label: str, told: Told, options: Options) -> list[str]:
    write, new = WRITES[name], fresh_name()
    given = write.prepare(there, new)
    try:
        with there.client(options) as client:
            client.proxy.lie(*told.lies, on=told.match)
            began = time.monotonic()
            result = outcome(lambda: write.run(client, new, given))
            seconds = time.monotonic() - began
            client.proxy.honest()
            seen = [seen for seen in client.proxy.seen if seen.method != "GET"]
            state = write.state(there, new, given)
            if isinstance(result, CouchmendError):
                problems = _about_failing(write, result, state, seen)
                untouched = all(NOT_DONE in repr(s.lies) for s in seen)
                repeated = told.kind == "passes" and (write.repeatable or untouched)
                repeated = repeated and write.resendable
                if told.kind == "true" or repeated:
                    problems.append(f"it should have been done: {result!r}")
            else:
                problems = _about_success(there, write, new, result, state, seen)
            if seconds > IN_TIME_SECONDS:
                problems.append(f"it took {seconds:.1f} s")
            if isinstance(settled(client.replica.info), CouchmendError):
                problems.append("the client fails from then on")
    finally:
        if name.endswith("database") and new in there.server.names():
            there.server.delete(new)
    return [f"{label}: {problem}" for problem in problems]


def _about_failing(
    write: Write, result: CouchmendError, state: object, seen: Sequence[Seen]
) -> list[str]:
    problems = [f"{result!r} does not say {part}: {result}" for part in unclear(result)]
    if state not in (write.before, write.after):
        problems.append(f"the database is wrong: {state}")
    if isinstance(result, CERTAIN):
        problems.append(f"{type(result).__name__} is CouchDB's to say: {result}")
    sent = [s for s in seen if NOT_DONE not in repr(s.lies)]
    if not write.repeatable and len(sent) > 1:
        problems.append(f"it was sent {len(sent)} times")
    may_be_done = not write.repeatable and any(s.reached for s in seen)
    if may_be_done and not MAYBE_DONE.search(str(result)):
        problems.append(f"it does not say that it may have been done: {result}")
    return problems


def _about_success(
    there: World, write: Write, new: str, result: object, state: object, seen: Sequence[Seen]
) -> list[str]:
    problems = []
    if state != write.after:
        problems.append(f"the database is {state}, but {result!r} is returned")
    elif not write.right(there, new, result):
        problems.append(f"{result!r} is returned")
    if not any(s.reached and s.status in (200, 201, 202) for s in seen):
        problems.append("no server did it, but it is said to be done")
    if not write.repeatable and sum(s.reached for s in seen) > 1:
        problems.append("it was done more than once")
    return problems
