"""What is read or sent piece by piece: live feeds, long feeds, attachments."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from itertools import islice

import pytest

from couchmend.core.document import Doc
from couchmend.errors import CouchmendError, ReplicaError, TooLarge, Unavailable
from couchmend.replica.base import ChangeRow, ChangesQuery, Heartbeat, Replica
from tests.lying import (
    Bytes,
    Close,
    Drip,
    Framed,
    Lie,
    Lines,
    Match,
    Reset,
    Say,
    Stall,
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
    World,
    fresh_name,
    outcome,
    unclear,
    world,
)

LARGE = bytes(range(256)) * 8_192
FEED = "feed=continuous"


@pytest.fixture(scope="module", params=UPSTREAMS)
def there(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A server and a database."""
    with world(request.param, tmp_path_factory.mktemp(request.param)) as there:
        there.replica.put_attachment("large", "f.png", LARGE, "image/png")
        yield there


# --- a live feed


def _followed(replica: Replica, rows: int = 4) -> tuple[list[ChangeRow], ReplicaError | None]:
    """The first rows of a feed, until they are there or it fails or ends."""
    came: list[ChangeRow] = []
    feed = replica.follow(ChangesQuery(style="all_docs"), heartbeat_seconds=0.1, timeout_seconds=1)
    try:
        for row in feed:
            if isinstance(row, ChangeRow):
                came.append(row)
            if len(came) == rows:
                break
    except ReplicaError as problem:
        return came, problem
    finally:
        feed.close()
    return came, None


def _shown(rows: Sequence[ChangeRow]) -> list[object]:
    return [(row.id, row.revs, row.deleted) for row in rows]


def test_a_feed_that_breaks_off_at_every_byte(there: World) -> None:
    """The rows before the break are true, and that it broke off is told."""
    right = _shown(_followed(there.replica)[0])
    wrong = []
    with there.client() as client:
        for at in range(0, 370, 3):
            client.proxy.honest()
            framing, end = (("chunked", Close), ("close", Close), ("chunked", Reset))[at % 3]
            client.proxy.lie(Framed(framing), end(at), on=Match(path=FEED))  # type: ignore[arg-type]
            rows, problem = _followed(client.replica)
            if _shown(rows) != right[: len(rows)] or len(rows) == 4:
                wrong.append(f"{at}: {_shown(rows)}")
            if not isinstance(problem, Unavailable) or not problem.transient or unclear(problem):
                wrong.append(f"{at}: {problem!r}")
        client.proxy.honest()
        assert _shown(_followed(client.replica)[0]) == right
    assert not wrong, "\n".join(wrong)


def _line(line: bytes) -> Lines:
    """Whatever comes, this is said instead."""
    return Lines(lambda came: [line])


FED: dict[str, tuple[Lie, bool]] = {
    "a line that is no JSON": (Lines(lambda line: [line[:-1]]), False),
    "a page": (html(), False),
    "a row without leaves": (Lines(lambda line: [b'{"seq":"1-a","id":"a","changes":[]}']), False),
    "a row without an id": (
        Lines(lambda line: [b'{"seq":"1-a","changes":[{"rev":"1-a"}]}']),
        False,
    ),
    "an error": (Lines(lambda line: [b'{"error":"timeout","reason":"no"}']), False),
    "an array": (Lines(lambda line: [b"[1]"]), False),
    "no UTF-8": (Lines(lambda line: [b'{"seq":"\xff"}']), False),
    "many heartbeats": (Lines(lambda line: [b"", b"", line, b""]), True),
    "byte after byte": (Drip(9, 0.0005), True),
    "spaces": (Lines(lambda line: [b"  " + line + b" \r"]), True),
}


@pytest.mark.parametrize("label", list(FED))
def test_a_feed_that_says_something_else(there: World, label: str) -> None:
    lie, fine = FED[label]
    right = _shown(_followed(there.replica)[0])
    with there.client() as client:
        client.proxy.lie(lie, on=Match(path=FEED))
        rows, problem = _followed(client.replica)
        assert _shown(rows) == (right if fine else [])
        assert (problem is None) == fine
        assert problem is None or unclear(problem) == []
        client.proxy.honest()
        assert _shown(_followed(client.replica)[0]) == right


_D2 = b'{"seq":"1-a","id":"d2","changes":[{"rev":"1-a"}]}'

UNASKED: dict[str, tuple[Lines, ChangesQuery, int]] = {
    "a row twice": (Lines(lambda line: [line, line]), ChangesQuery(), 1),
    "a row that came before": (Lines(lambda line: [_D2 if line else line]), ChangesQuery(), 1),
    "a row too many that came before": (
        Lines(lambda line: [_D2, _D2] if b'"id"' in line else [line]),
        ChangesQuery(doc_ids=["d2"], limit=2),
        1,
    ),
    "a row for another document": (
        Lines(lambda line: [line.replace(b'"d1"', b'"foreign"')]),
        ChangesQuery(doc_ids=["d1"]),
        0,
    ),
}


@pytest.mark.parametrize("label", list(UNASKED))
def test_a_feed_of_rows_that_nobody_asked_for(there: World, label: str) -> None:
    lie, query, right = UNASKED[label]
    came: list[ChangeRow] = []
    with there.client() as client:
        client.proxy.lie(lie, on=Match(path=FEED))
        feed = client.replica.follow(query, heartbeat_seconds=0.1, timeout_seconds=1)
        with pytest.raises(ReplicaError) as caught:
            came.extend(row for row in feed if isinstance(row, ChangeRow))
    assert (caught.value.error, unclear(caught.value)) == ("bad_answer", [])
    assert len(came) == right


@pytest.mark.parametrize("at", [0, 100, 300])
def test_a_feed_that_falls_silent(there: World, at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No heartbeat comes: the server is gone although nobody said so."""
    monkeypatch.setattr("couchmend.replica.couch.reading.changes._GRACE_SECONDS", 0.3)
    right = _shown(_followed(there.replica)[0])
    with there.client(HASTY) as client:
        client.proxy.lie(Stall(at), on=Match(path=FEED))
        began = time.monotonic()
        rows, problem = _followed(client.replica)
        assert time.monotonic() - began < IN_TIME_SECONDS
        assert _shown(rows) == right[: len(rows)]
        assert isinstance(problem, Unavailable)
        assert (problem.transient, unclear(problem)) == (True, [])


OPENING: dict[str, Lie] = {
    "reset": Reset(),
    "closed": Close(pass_on=False),
    "429": too_many_requests("0"),
    "503": failure(503),
    "502": html(502),
}


@pytest.mark.parametrize("label", list(OPENING))
def test_a_feed_that_does_not_begin_at_once(there: World, label: str) -> None:
    right = _shown(_followed(there.replica)[0])
    with there.client() as client:
        client.proxy.lie(OPENING[label], on=Match(path=FEED, nth=1))
        assert _followed(client.replica)[1] is None
        client.proxy.honest()
        client.proxy.lie(OPENING[label], on=Match(path=FEED))
        rows, problem = _followed(client.replica)
        assert (rows, isinstance(problem, Unavailable)) == ([], True)
        assert len(client.proxy.requests(path=FEED)) == 2 + PATIENT.retries.attempts
    assert len(right) == 4


@pytest.mark.parametrize("lie", [elsewhere("/sign-in"), html(404), html(403)])
def test_a_feed_of_somebody_else(there: World, lie: Say) -> None:
    with there.client() as client:
        client.proxy.lie(lie, on=Match(path=FEED))
        rows, problem = _followed(client.replica)
        assert rows == []
        assert problem is not None
        assert unclear(problem) == []
        assert len(client.proxy.requests(path=FEED)) == 1


def test_a_feed_that_ends_by_itself(there: World) -> None:
    """With a last line, that is an end and no failure."""
    with there.client() as client:
        client.proxy.lie(Say(200, b'\n{"last_seq":"1-a","pending":0}\n'), on=Match(path=FEED))
        beats = list(client.replica.follow(heartbeat_seconds=1, timeout_seconds=5))
    assert beats == [Heartbeat()]


# --- a long feed


def _row(n: int) -> Doc:
    return {"seq": f"{n}-x", "id": f"d{n}", "changes": [{"rev": f"1-{n:032x}"}]}


def test_a_server_that_begins_anew_whenever_it_is_asked_to_go_on(there: World) -> None:
    """It gives the first rows and breaks off, again and again, wherever one wants to go on."""
    body = json.dumps({"results": [_row(n) for n in range(3)], "last_seq": "9-x"}).encode()
    cut = body.index(b'{"seq": "2-x"')
    with there.client() as client:
        client.proxy.lie(Say(200, body), Framed("chunked"), Close(cut), on=Match(path="_changes"))
        rows = (
            row.id
            for page in client.replica.change_pages(ChangesQuery(), rows=1)
            for row in page.rows
        )
        result = outcome(lambda: list(islice(rows, 20)))
    assert isinstance(result, CouchmendError), f"rows come twice: {result}"
    assert unclear(result) == []


@pytest.mark.parametrize("end", [Close, Reset])
def test_a_long_feed_that_breaks_off_many_times(there: World, end: type[Close | Reset]) -> None:
    """Every answer breaks off after a few rows; all rows come, each once, in order."""
    docs: list[Doc] = [{"_id": f"long{n:03}"} for n in range(60)]
    there.replica.bulk_docs(docs)
    query = ChangesQuery(style="all_docs")
    right = [row.id for page in there.replica.change_pages(query) for row in page.rows]
    with there.client() as client:
        client.proxy.lie(Framed("chunked"), end(1_500), on=Match(path="_changes", nth=range(1, 5)))
        pages = list(client.replica.change_pages(query, rows=7))
        asked = len(client.proxy.requests(path="_changes"))
    assert [row.id for page in pages for row in page.rows] == right
    assert all(len(page.rows) <= 7 for page in pages)
    assert asked > 4


# --- attachments


def _read(replica: Replica, came: bytearray) -> None:
    for chunk in replica.attachment("large", "f.png").chunks:
        came += chunk


@pytest.mark.parametrize("at", [0, 1, 65_536, len(LARGE) // 2, len(LARGE) - 1])
@pytest.mark.parametrize("end", [Close, Reset])
def test_an_attachment_that_breaks_off(there: World, at: int, end: type[Close | Reset]) -> None:
    with there.client() as client:
        for lies in (
            (Framed("length"), end(at)),
            (Framed("chunked"), end(at)),
            (Framed("close"), end(at)),
        ):
            client.proxy.honest()
            client.proxy.lie(*lies, on=Match(path="f.png"))
            came = bytearray()
            with pytest.raises(ReplicaError) as caught:
                _read(client.replica, came)
            assert unclear(caught.value) == []
            assert LARGE.startswith(came)
        client.proxy.honest()
        assert client.replica.attachment("large", "f.png").read() == LARGE


def test_an_attachment_in_which_a_byte_is_another(there: World) -> None:
    """The digest of what is stored as it is tells."""
    with there.client() as client:
        client.proxy.lie(Bytes(lambda body: body[:-1] + b"!"), on=Match(path="f.png"))
        result = outcome(lambda: client.replica.attachment("large", "f.png").read())
        assert isinstance(result, ReplicaError)
        assert unclear(result) == []


UPLOADED: dict[str, Lie] = {
    "reset after the head": Reset("request"),
    "closed after the head": Close("request"),
    "never read": Stall("request"),
    "too large": Say(413, b"<html>413 Request Entity Too Large</html>", early=True),
}


@pytest.mark.parametrize("label", list(UPLOADED))
@pytest.mark.parametrize("how", ["bytes", "chunks", "document"])
def test_an_upload_that_nobody_takes(there: World, label: str, how: str) -> None:
    """The error comes in time, and says what to do; a refusal is seen although not all is sent."""
    content, name = LARGE * 4, fresh_name()
    document: Doc = {"_id": name, "_attachments": {"f": {"data": content}}}

    def upload(replica: Replica) -> object:
        match how:
            case "bytes":
                return replica.put_attachment(name, "f", content, "image/png")
            case "chunks":
                chunks = (content[i : i + 65_536] for i in range(0, len(content), 65_536))
                return replica.put_attachment(name, "f", chunks, "image/png")
        return replica.put(document)

    with there.client(HASTY) as client:
        client.proxy.lie(UPLOADED[label], on=Match("PUT"))
        client.proxy.lie(UPLOADED[label], on=Match("POST"))
        began = time.monotonic()
        result = outcome(lambda: upload(client.replica))
        assert time.monotonic() - began < IN_TIME_SECONDS
        assert isinstance(result, TooLarge if label == "too large" else Unavailable), result
        assert unclear(result) == []
        client.proxy.honest()
        assert not isinstance(outcome(client.replica.info), CouchmendError)
    assert there.replica.revs_diff({name: ["1-a"]})[name].possible_ancestors == ()
