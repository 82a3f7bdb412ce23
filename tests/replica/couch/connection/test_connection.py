"""The HTTP client's way to a server and back: addresses, credentials, and what can go wrong."""

from __future__ import annotations

import gzip
import socket
import threading
import traceback
from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from couchmend.core.document import JSON
from couchmend.errors import (
    BadRequest,
    Conflict,
    CouchmendError,
    DatabaseNotFound,
    DocumentInvalid,
    Forbidden,
    NotFound,
    PreconditionFailed,
    ReplicaError,
    TooLarge,
    Unauthorized,
    Unavailable,
    Unsupported,
    UsageError,
)
from couchmend.replica.base import ChangeRow, ChangesQuery
from couchmend.replica.couch import CouchReplica, CouchServer, Options
from couchmend.replica.couch.connection.address import (
    Address,
    document_path,
    quoted,
)
from couchmend.replica.couch.connection.retries import Retries
from tests.replica.scripted_server import ScriptedServer, Told, scripted_server

INFO = {"db_name": "notes", "doc_count": 3, "update_seq": "7-abc", "purge_seq": "0-x"}
ONCE = Options(retries=Retries(attempts=1))
PASSWORD = "p:a/ß?s#w@rd"
PASSWORD_IN_URL = "p:a%2F%C3%9F%3Fs%23w%40rd"


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.tell(Told(body=INFO))
        yield server


@pytest.fixture
def replica(server: ScriptedServer) -> Iterator[CouchReplica]:
    with CouchReplica.open(f"{server.url}/notes", options=ONCE) as replica:
        server.asked.clear()
        yield replica


def failure(server: ScriptedServer, replica: CouchReplica, told: Told) -> ReplicaError:
    """The error that an answer becomes."""
    server.tell(told)
    with pytest.raises(ReplicaError) as failed:
        replica.get("a/b")
    return failed.value


# --- addresses


@pytest.mark.parametrize(
    ("url", "shown", "name"),
    [
        ("http://host/db", "http://host/db", "db"),
        ("http://host:80/db/", "http://host/db", "db"),
        ("https://host:6984/db", "https://host:6984/db", "db"),
        ("http://jo:secret@host:5984/db", "http://host:5984/db", "db"),
        ("http://host/couch/db", "http://host/couch/db", "db"),
        ("http://host/a%2Fb", "http://host/a%2Fb", "a/b"),
        ("http://host/a+b(c)", "http://host/a%2Bb%28c%29", "a+b(c)"),
        ("http://[::1]:5984/db", "http://[::1]:5984/db", "db"),
    ],
)
def test_addresses(url: str, shown: str, name: str) -> None:
    server, database = Address.parse(url).split_database()
    assert (server.beneath(database).url, database) == (shown, name)


@pytest.mark.parametrize(
    "url",
    [
        "", "host/db", "ftp://host/db", "http://", "http:///db", "http://host:port/db",
        "http://host:99999/db", "http://host/db?x=1", "http://host/db#x", "http://[::1/db",
        "http://jo:se/cret@host/db", "http://jo:se#cret@host/db", "http://jo:se?cret@host/db",
        "http://jo:5984/cret@host/db", "http://jo:/cret@host/db",
    ],
)  # fmt: skip
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Address.parse(url)
    shown = "".join(traceback.format_exception(refusal.value))
    assert "cret" not in shown
    assert refusal.value.hint


def test_an_address_without_a_database() -> None:
    with pytest.raises(UsageError) as refusal:
        CouchReplica.open("http://jo:secret@host:5984")
    assert "http://host:5984/NAME" in refusal.value.hint
    assert "secret" not in str(refusal.value)


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_a_segment_is_one_segment(text: str) -> None:
    segment = quoted(text)
    assert not set(segment) & set("/?#& +")
    assert segment not in (".", "..")


def test_documents_in_a_path() -> None:
    assert document_path("a/b c") == "a%2Fb%20c"
    assert document_path("_design/a/b") == "_design/a%2Fb"
    assert document_path("_local/x y") == "_local/x%20y"
    assert document_path("..") == "%2E%2E"
    for illegal in ("", "_all_docs", "_design/"):
        with pytest.raises(BadRequest):
            document_path(illegal)


# --- credentials


@pytest.mark.parametrize("way", ["url", "arguments"])
def test_credentials_are_sent_and_never_shown(server: ScriptedServer, way: str) -> None:
    if way == "url":
        address = server.url.replace("http://", f"http://j%20o:{PASSWORD_IN_URL}@")
        replica = CouchReplica.open(f"{address}/notes", options=ONCE)
    else:
        replica = CouchReplica.open(
            f"{server.url}/notes", user="j o", password=PASSWORD, options=ONCE
        )
    with replica:
        encoded = b64encode(f"j o:{PASSWORD}".encode()).decode()
        assert server.asked[0].headers["authorization"] == f"Basic {encoded}"
        assert server.asked[0].path == "/notes"
        told = [repr(replica), replica.url, str(vars(replica))]
        for status in (400, 401, 404, 500, 503):
            error = failure(server, replica, Told(status, {"error": "e", "reason": "r"}))
            told += traceback.format_exception(error)
            told.append(str(vars(error)))
    shown = "\n".join(told)
    for secret in (PASSWORD, PASSWORD_IN_URL, encoded, "j o", "j%20o"):
        assert secret not in shown


def test_nobody_is_signed_in_without_credentials(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    replica.info()
    assert "authorization" not in server.asked[0].headers


def test_a_server_shows_no_credentials(server: ScriptedServer) -> None:
    address = server.url.replace("http://", "http://jo:secret@")
    couch = CouchServer(address)
    server.tell(Told(body=["notes"]))
    assert couch.names() == ["notes"]
    server.tell(Told(body=INFO))
    replica = couch.open("notes")
    for shown in (repr(couch), couch.url, repr(replica), replica.url):
        assert "secret" not in shown
        assert "jo" not in shown
    couch.close()
    with pytest.raises(Unavailable):
        couch.names()


# --- requests


def test_one_connection_serves_many_requests(server: ScriptedServer, replica: CouchReplica) -> None:
    for _ in range(5):
        replica.info()
    assert len({asked.client for asked in server.asked}) == 1


def test_compressed_answers_are_read(server: ScriptedServer, replica: CouchReplica) -> None:
    text = b'{"_id":"a","_rev":"1-a","n":12345678901234567890123}'
    server.tell(Told(body=gzip.compress(text), headers={"Content-Encoding": "gzip"}))
    assert replica.get("a")["n"] == 12345678901234567890123
    assert server.asked[0].headers["accept-encoding"] == "gzip"
    assert server.asked[0].headers["accept"] == "application/json"


def test_values_in_the_query_are_encoded(server: ScriptedServer, replica: CouchReplica) -> None:
    server.tell(
        Told(body={"_id": "a&b", "_rev": "1-a+b&c", "_revisions": {"start": 1, "ids": ["a+b&c"]}})
    )
    replica.get("a&b", rev="1-a+b&c", revs=True)
    assert server.asked[0].path == "/notes/a%26b?revs=true&rev=1-a%2Bb%26c"


def test_content_is_sent_with_its_length_or_in_chunks(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.tell(Told(201, {"ok": True, "id": "a", "rev": "1-a"}))
    replica.put_attachment("a", "f", b"bytes", "x/y")
    replica.put_attachment("a", "f", (b"chunk" for _ in range(3)), "x/y", rev="1-a")
    whole, chunked = server.asked
    assert whole.headers["content-length"] == "5"
    assert (whole.body, whole.headers["content-type"]) == (b"bytes", "x/y")
    assert chunked.headers["transfer-encoding"] == "chunked"
    assert (chunked.body, chunked.path) == (b"chunk" * 3, "/notes/a/f?rev=1-a")


def test_several_threads_share_a_replica(server: ScriptedServer, replica: CouchReplica) -> None:
    seen: list[int] = []

    def read() -> None:
        seen.extend(replica.info().documents for _ in range(10))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [3] * 80


# --- failures

STATUSES: list[tuple[int, str, type[ReplicaError]]] = [
    (400, "bad_request", BadRequest),
    (400, "doc_validation", DocumentInvalid),
    (401, "unauthorized", Unauthorized),
    (403, "forbidden", Forbidden),
    (404, "not_found", NotFound),
    (405, "method_not_allowed", Unsupported),
    (408, "timeout", Unavailable),
    (409, "conflict", Conflict),
    (412, "missing_stub", PreconditionFailed),
    (413, "document_too_large", TooLarge),
    (415, "bad_content_type", BadRequest),
    (429, "too_many_requests", Unavailable),
    (500, "unknown_error", ReplicaError),
    (501, "not_implemented", Unsupported),
    (502, "bad_gateway", Unavailable),
    (503, "service_unavailable", Unavailable),
    (504, "gateway_timeout", Unavailable),
]


@pytest.mark.parametrize(("status", "error", "kind"), STATUSES)
def test_a_refusal_is_the_error_of_its_class(
    server: ScriptedServer, replica: CouchReplica, status: int, error: str, kind: type[ReplicaError]
) -> None:
    told = failure(server, replica, Told(status, {"error": error, "reason": "Because."}))
    assert type(told) is kind
    assert (told.error, told.reason) == (error, "Because.")
    assert (told.operation, told.target) == ("GET", f"{server.url}/notes/a%2Fb")
    assert str(told).startswith(f"GET {server.url}/notes/a%2Fb: Because.")
    replica.close()  # nothing is left open by a failure


def test_a_missing_database_is_told_from_a_missing_document(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    told = failure(server, replica, Told(404, {"error": "not_found", "reason": "missing"}))
    assert type(told) is NotFound
    gone = {"error": "not_found", "reason": "Database does not exist."}
    told = failure(server, replica, Told(404, gone))
    assert type(told) is DatabaseNotFound
    assert told.target == f"{server.url}/notes/a%2Fb"
    assert "name" in told.hint
    with pytest.raises(DatabaseNotFound):
        CouchReplica.open(f"{server.url}/notes")


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        (Told(401, {"error": "unauthorized", "reason": "r"}), "give a name and a password"),
        (Told(413, {"error": "document_too_large", "reason": "r"}), "max_document_size"),
        (Told(413, b"<html>413 Request Entity Too Large</html>"), "client_max_body_size"),
        (Told(502, b"<html>nginx</html>"), "proxy"),
        (Told(403, b"  <!DOCTYPE html><title>Sign in</title>"), "proxy"),
        (Told(301, b"", {"Location": "https://elsewhere/"}), "elsewhere"),
        (Told(302, b"<html>moved</html>", {"Location": "https://elsewhere/"}), "proxy"),
        (Told(200, b"<html>Welcome to the hotel</html>"), "proxy"),
        (Told(429, {"error": "too_many_requests", "reason": "r"}), "wait"),
        (Told(500, b"plain words"), "plain words"),
        (Told(405, {"error": "method_not_allowed", "reason": "r"}), "CouchDB 3.1"),
    ],
    ids=str,
)
def test_hints(server: ScriptedServer, replica: CouchReplica, told: Told, hint: str) -> None:
    assert hint in failure(server, replica, told).hint


def test_the_hint_for_a_wrong_password(server: ScriptedServer) -> None:
    server.tell(Told(401, {"error": "unauthorized", "reason": "Name or password is incorrect."}))
    with pytest.raises(Unauthorized) as refusal:
        CouchReplica.open(f"{server.url}/notes", user="jo", password="wrong")
    assert "name and password" in refusal.value.hint


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b"null", b'"x"', b'{"_id":"other"}', b"\xff"])
def test_an_answer_that_is_no_document(
    server: ScriptedServer, replica: CouchReplica, body: bytes
) -> None:
    told = failure(server, replica, Told(200, body))
    assert type(told) is ReplicaError
    assert told.error == "bad_answer"
    assert told.hint


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unavailable) as refusal:
        CouchReplica.open(f"http://jo:{PASSWORD_IN_URL}@127.0.0.1:{port}/notes", options=ONCE)
    assert refusal.value.reason == "connection refused"
    assert "running" in refusal.value.hint
    shown = "".join(traceback.format_exception(refusal.value))
    assert PASSWORD not in shown
    assert PASSWORD_IN_URL not in shown


def test_an_unknown_host() -> None:
    with pytest.raises(Unavailable) as refusal:
        CouchReplica.open("http://host.invalid/notes")
    assert "host" in refusal.value.hint


def test_a_server_that_does_not_speak_tls(server: ScriptedServer) -> None:
    address = server.url.replace("http://", "https://")
    with pytest.raises(Unavailable):
        CouchReplica.open(
            f"{address}/notes",
            options=Options(connect_timeout_seconds=2, retries=Retries(attempts=1)),
        )


def test_a_silent_server(server: ScriptedServer) -> None:
    forever = threading.Event()
    server.tell(Told(hang=forever))
    try:
        with pytest.raises(Unavailable) as refusal:
            CouchReplica.open(
                f"{server.url}/notes",
                options=Options(read_timeout_seconds=0.3, retries=Retries(attempts=1)),
            )
    finally:
        forever.set()
    assert "timeout" in refusal.value.reason


def test_an_answer_that_breaks_off(server: ScriptedServer, replica: CouchReplica) -> None:
    told = failure(server, replica, Told(200, b'{"_id":"a/b"}' * 100, cut=50))
    assert type(told) is Unavailable
    assert told.transient
    assert "may not have" not in told.hint  # nothing was to be done


def test_content_that_breaks_off(server: ScriptedServer, replica: CouchReplica) -> None:
    server.tell(Told(200, b"x" * 1_000_000, {"ETag": '"abc"'}, cut=500_000))
    attachment = replica.attachment("a", "f")
    assert (attachment.length, attachment.digest) == (1_000_000, "md5-abc")
    with pytest.raises(Unavailable):
        attachment.read()


def test_content_that_nobody_reads_to_the_end(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.tell(Told(200, b"x" * 3_000_000, {"ETag": '"abc"'}))
    chunks = iter(replica.attachment("a", "f").chunks)
    assert next(chunks)
    del chunks
    server.tell(Told(body=INFO))
    assert replica.info().documents == 3


def test_a_closed_replica(server: ScriptedServer) -> None:
    replica = CouchReplica.open(f"{server.url}/notes")
    replica.close()
    replica.close()
    with pytest.raises(Unavailable) as refusal:
        replica.info()
    assert "closed" in refusal.value.reason


def test_a_feed_that_breaks_off(server: ScriptedServer, replica: CouchReplica) -> None:
    row = b'{"seq":"1-a","id":"a","changes":[{"rev":"1-a"}]}\n'
    server.tell(Told(200, row + b'{"seq":'))
    events = replica.follow()
    assert next(events) == ChangeRow("1-a", "a", ("1-a",), deleted=False)
    with pytest.raises(CouchmendError):
        next(events)
    server.tell(Told(200, row))
    events = replica.follow(ChangesQuery(since="0"))
    assert isinstance(next(events), ChangeRow)
    with pytest.raises(Unavailable) as refusal:
        next(events)
    assert "last `seq`" in refusal.value.hint


@pytest.mark.parametrize("word", [{"status": "login"}, {"ok": False}, [], "<!DOCTYPE html>"])
def test_a_database_is_made_and_deleted_only_when_the_server_says_so(
    server: ScriptedServer, word: JSON
) -> None:
    """A sign-in page in between answers 200 to anything."""
    couch = CouchServer(server.url, options=ONCE)
    server.tell(Told(200, {"ok": True}))
    couch.create("notes")
    couch.delete("notes")
    server.tell(Told(200, word))
    for change in (couch.create, couch.delete):
        with pytest.raises(ReplicaError) as refusal:
            change("notes")
        assert refusal.value.error == "bad_answer"
        assert "may or may not have been done" in refusal.value.hint
    couch.close()
