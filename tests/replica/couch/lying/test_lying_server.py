"""Every operation of the client, against every way in which a server or what is before it lies.

The outcome is the right result or a clear error, never later than the timeouts allow; what
passes by itself and can be repeated safely is repeated, and nothing else ever is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

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
from tests.lying import Seen
from tests.replica.couch.lying.families import FAMILIES, STALLED, Told
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
    unclear,
    world,
)
from tests.replica.couch.lying.operations import READS, WRITES, Write

pytestmark = pytest.mark.timeout(60)

UNKNOWABLE = {
    # What the server says is a legal answer, and nothing else is known.
    ("security", "{}"), ("security", '{"results":null}'),
    ("revs_limit", "7"), ("revs_limit", "cut"), ("revs_limit", "one byte cut"),
    ("revs_limit", "closed in a body without a frame"), ("revs_limit", "a length too short"),
    ("revs_diff", "{}"),
}  # fmt: skip
NO_JSON = {"attachment", "attachment, text", "attachment, JSON"}

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
    expected = plain(outcome(lambda: READS[name](there.replica)))
    wrong = []
    with there.client() as client:
        for label, told in FAMILIES[family].items():
            wrong += _reading(client, name, label, told, expected)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("label", list(STALLED))
def test_reading_from_a_server_that_stalls(there: World, label: str) -> None:
    def read(name: str) -> list[str]:
        expected = plain(outcome(lambda: READS[name](there.replica)))
        with there.client(HASTY) as client:
            problems = _reading(client, name, label, STALLED[label], expected)
        return [f"{name}: {problem}" for problem in problems]

    with ThreadPoolExecutor(8) as pool:  # it is all waiting
        wrong = [problem for problems in pool.map(read, READS) for problem in problems]
    assert not wrong, "\n".join(wrong)


def _reading(client: Client, name: str, label: str, told: Told, expected: object) -> list[str]:
    if (name, label) in UNKNOWABLE:
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
    if plain(outcome(lambda: read(client.replica))) != expected:
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
            if isinstance(outcome(client.replica.info), CouchmendError):
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
