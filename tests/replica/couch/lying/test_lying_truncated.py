"""Answers cut off at every single byte, in every frame: never taken for whole."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import pytest

from couchmend.errors import ReplicaError, Unavailable
from couchmend.replica.base import AllDocsQuery, ChangesQuery, Replica
from couchmend.replica.couch.connection.retries import Retries
from tests.contract.chains import chained, store
from tests.lying import Answer, Close, Framed, Framing, Lie, Match, Reset, Say, Truncated
from tests.replica.couch.lying.lied_to import PATIENT, UPSTREAMS, Client, World, outcome, world

ONE_ATTEMPT = replace(PATIENT, retries=Retries(attempts=1))
THREE_ATTEMPTS = replace(PATIENT, retries=replace(PATIENT.retries, attempts=3))

OPERATIONS: dict[str, Callable[[Replica], object]] = {
    "get": lambda r: r.get("a", revs=True),
    "open_revs": lambda r: r.open_revs("a"),
    "changes": lambda r: [row.revs for row in r.changes(ChangesQuery(doc_ids=["a", "b"])).rows],
    "change_pages": lambda r: [
        (row.id, row.revs)
        for page in r.change_pages(ChangesQuery(doc_ids=["a", "b"]), rows=10)
        for row in page.rows
    ],
    "bulk_get": lambda r: list(r.bulk_get([("a", "1-aa"), ("b", None)], revs=True)),
    "all_docs": lambda r: r.all_docs(AllDocsQuery(keys=["a"])).rows,
    "bulk_docs": lambda r: r.bulk_docs([{"_id": "a", "v": 2}, {"_id": "b"}]),
    "new_edits=False": lambda r: r.bulk_docs([chained("a", "1-aa", v=1)], new_edits=False),
    "put_local": lambda r: r.put_local("l", {"v": 1}),
    "get_local": lambda r: r.get_local("l"),
    "revs_diff": lambda r: r.revs_diff({"a": ["1-aa", "2-bb"]}),
}
"""Each of them can be done again and again with the same result."""

ENDS: dict[str, Callable[[int], Sequence[Lie]]] = {
    "length": lambda at: [Framed("length"), Close(at)],
    "chunked": lambda at: [Framed("chunked"), Close(at)],
    "close": lambda at: [Framed("close"), Close(at)],
    "reset": lambda at: [Framed("length"), Reset(at)],
    "fits": lambda at: [Truncated(at)],
    "fits, chunked": lambda at: [Truncated(at), Framed("chunked")],
}
FRAMED = {"length", "chunked", "reset"}
"""Frames in which even a space that is cut off is missed."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """No lie, but it remembers what went by."""

    answers: list[Say] = field(default_factory=list)
    pass_on: bool = True

    def bend(self, answer: Answer) -> Answer:
        status, body = answer.status, answer.whole()
        self.answers.append(Say(status, body, {"Content-Type": "application/json"}))
        return answer.with_body(body)


@pytest.fixture(scope="module", params=UPSTREAMS)
def there(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A server and a database."""
    with world(request.param, tmp_path_factory.mktemp(request.param)) as there:
        store(there.replica, chained("a", "1-aa", v=1), chained("b", "2-bb", "1-cc"))
        there.replica.put_local("l", {"v": 1})
        yield there


def _told(client: Client, name: str) -> tuple[object, Say]:
    """What an operation returns, and the one answer that it got for it."""
    recorded = Recorded()
    right = OPERATIONS[name](client.replica)  # the first time it may ask what server this is
    client.proxy.lie(recorded)
    assert OPERATIONS[name](client.replica) == right
    client.proxy.honest()
    (said,) = recorded.answers
    return right, said


@pytest.mark.parametrize("end", list(ENDS))
@pytest.mark.parametrize("name", list(OPERATIONS))
def test_cut_at_every_byte(there: World, name: str, end: str) -> None:
    wrong = []
    with there.client(ONE_ATTEMPT) as client:
        right, said = _told(client, name)
        for at in range(len(said.body) + (end not in FRAMED)):
            client.proxy.honest()
            client.proxy.lie(said, *ENDS[end](at))
            result = outcome(lambda: OPERATIONS[name](client.replica))
            if end in FRAMED:
                fine = isinstance(result, Unavailable) and result.transient
            else:
                whole = not said.body[at:].strip()
                fine = result == right if whole else isinstance(result, ReplicaError)
            if not fine:
                wrong.append(f"{said.body[:at]!r}: {result!r}")
        client.proxy.honest()
        assert OPERATIONS[name](client.replica) == right
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("framing", ["length", "close"])
@pytest.mark.parametrize("name", ["get", "change_pages", "bulk_get", "new_edits=False"])
def test_compressed_and_cut_at_every_byte(there: World, name: str, framing: Framing) -> None:
    wrong = []
    with there.client(ONE_ATTEMPT) as client:
        right, said = _told(client, name)
        packed = gzip.compress(said.body, mtime=0)
        headers = {**said.headers, "Content-Encoding": "gzip"}
        for at in range(len(packed)):
            client.proxy.honest()
            client.proxy.lie(Say(said.status, packed[:at], headers), Framed(framing))
            result = outcome(lambda: OPERATIONS[name](client.replica))
            if not isinstance(result, ReplicaError):
                wrong.append(f"{at} of {len(packed)} bytes: {result!r}")
        client.proxy.honest()
        client.proxy.lie(Say(said.status, packed, headers), Framed(framing))
        assert OPERATIONS[name](client.replica) == right
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("end", ["length", "chunked", "close"])
@pytest.mark.parametrize("name", ["get", "changes", "change_pages", "bulk_get", "new_edits=False"])
def test_cut_once_at_every_byte_is_asked_again(there: World, name: str, end: str) -> None:
    """Nothing is lost and nothing doubled, wherever the first answer ended."""
    wrong = []
    with there.client(THREE_ATTEMPTS) as client:
        right, said = _told(client, name)
        for at in range(0, len(said.body), 3):
            client.proxy.honest()
            client.proxy.lie(*ENDS[end](at), on=Match(nth=1))
            result = outcome(lambda: OPERATIONS[name](client.replica))
            if result != right:
                wrong.append(f"{said.body[:at]!r}: {result!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("ending", [Close, Reset])
@pytest.mark.parametrize("name", ["get", "bulk_docs"])
def test_cut_in_the_head(there: World, name: str, ending: type[Close | Reset]) -> None:
    """Headers that break off: what is missing might have been the length."""
    with there.client(ONE_ATTEMPT) as client:
        for headers in ({}, {"X-Long": "x" * 200}, {"X-One": "1", "X-Two": "2"}):
            client.proxy.honest()
            client.proxy.lie(Say(200, b'{"ok":true}', headers), ending("head"))
            result = outcome(lambda: OPERATIONS[name](client.replica))
            assert isinstance(result, Unavailable), result
            assert result.transient
