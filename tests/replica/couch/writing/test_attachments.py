"""Reading attachments: what can be verified is, and nothing is silently shorter."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
from collections.abc import Iterator

import pytest

from couchmend.errors import NotFound, ReplicaError, Unavailable
from couchmend.replica.couch import CouchReplica, CouchServer, Options
from couchmend.replica.couch.connection.retries import Retries
from tests.contract.backends import COUCHDB_URL
from tests.replica.couch.connection.raw_server import raw_server
from tests.replica.scripted_server import ScriptedServer, Told, scripted_server

CONTENT = bytes(range(256)) * 3000
DIGEST = base64.b64encode(hashlib.md5(CONTENT).digest()).decode()
OTHER = base64.b64encode(hashlib.md5(b"").digest()).decode()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def replica(server: ScriptedServer) -> Iterator[CouchReplica]:
    server.tell(Told(body={"doc_count": 0, "update_seq": 5}))
    with CouchReplica.open(f"{server.url}/notes") as replica:
        yield replica


def told(etag: str, content: bytes = CONTENT, ranges: str | None = "bytes") -> Told:
    headers = {"ETag": f'"{etag}"', "Content-Type": "image/png"}
    return Told(200, content, headers | ({"Accept-Ranges": ranges} if ranges else {}))


def test_what_matches_its_digest(server: ScriptedServer, replica: CouchReplica) -> None:
    server.tell(told(DIGEST))
    attachment = replica.attachment("d", "f", rev="1-a")
    assert (attachment.content_type, attachment.length) == ("image/png", len(CONTENT))
    assert attachment.digest == f"md5-{DIGEST}"
    assert attachment.read() == CONTENT
    assert server.asked[-1].path == "/notes/d/f?rev=1-a"


@pytest.mark.parametrize("place", [0, 1000, len(CONTENT) - 1])
def test_one_changed_byte_is_an_error(
    server: ScriptedServer, replica: CouchReplica, place: int
) -> None:
    damaged = bytearray(CONTENT)
    damaged[place] ^= 1
    server.tell(told(DIGEST, bytes(damaged)))
    attachment = replica.attachment("d", "f")
    with pytest.raises(Unavailable, match="does not match its digest") as problem:
        attachment.read()
    assert problem.value.transient
    assert problem.value.target == f"{server.url}/notes/d/f"


@pytest.mark.parametrize(
    ("etag", "ranges"),
    [(OTHER, "none"), (OTHER, None), ("1-967a00dff5e02add41819138abb3284d", "bytes")],
    ids=["compressed", "unknown", "revision"],
)
def test_a_tag_that_is_of_something_else_proves_nothing(
    server: ScriptedServer, replica: CouchReplica, etag: str, ranges: str | None
) -> None:
    server.tell(told(etag, ranges=ranges))
    assert replica.attachment("d", "f").read() == CONTENT


@pytest.mark.parametrize("cut", [0, 1, 70_000, len(CONTENT) - 1])
def test_content_that_breaks_off(server: ScriptedServer, replica: CouchReplica, cut: int) -> None:
    answer = told(OTHER, ranges=None)
    server.tell(Told(200, CONTENT, answer.headers, cut=cut))
    attachment = replica.attachment("d", "f")
    with pytest.raises(Unavailable) as problem:
        attachment.read()
    assert problem.value.transient


def test_content_of_unknown_length() -> None:
    head = b'HTTP/1.1 200 OK\r\nETag: "x"\r\nContent-Type: text/plain\r\n'
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(CONTENT), CONTENT) for _ in range(3))
    info = b'{"doc_count":0,"update_seq":5}'
    # The server may end a connection that seems to be good for another request.
    options = Options(retries=Retries(attempts=2, first_pause_seconds=0.001))
    with raw_server() as server:
        server.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(info), info))
        with CouchReplica.open(f"{server.url}/notes", options=options) as replica:
            server.say(head, chunks, b"0\r\n\r\n")
            attachment = replica.attachment("d", "f")
            assert attachment.length == 3 * len(CONTENT)
            assert attachment.read() == 3 * CONTENT
            server.say(head, chunks)  # without an end
            with pytest.raises(Unavailable) as problem:
                replica.attachment("d", "f")
            assert problem.value.transient


def test_a_page_is_no_attachment(server: ScriptedServer, replica: CouchReplica) -> None:
    server.tell(Told(200, b"<html>please sign in</html>", {"Content-Type": "text/html"}))
    with pytest.raises(ReplicaError, match="without its digest"):
        replica.attachment("d", "f")


def test_an_attachment_has_a_name(replica: CouchReplica) -> None:
    with pytest.raises(NotFound):
        replica.attachment("d", "")
    with pytest.raises(NotFound):
        replica.delete_attachment("d", "", "1-a")


@pytest.mark.skipif(not COUCHDB_URL, reason="COUCHMEND_TEST_COUCHDB_URL names no CouchDB")
def test_what_couchdb_was_sent_compressed() -> None:
    """CouchDB does not know its length: it shows the compressed one, and sends it in chunks."""
    with_server = CouchServer(COUCHDB_URL)
    name = "couchmend-test-compressed"
    if name in with_server.names():
        with_server.delete(name)
    with with_server.create(name) as replica:
        credentials, _, where = COUCHDB_URL.partition("://")[2].rpartition("@")
        connection = http.client.HTTPConnection(where)
        headers = {
            "Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}",
            "Content-Type": "text/plain",
            "Content-Encoding": "gzip",
        }
        connection.request("PUT", f"/{name}/d/f", gzip.compress(CONTENT), headers)
        assert json.loads(connection.getresponse().read())["ok"] is True
        connection.close()
        shown = replica.get("d")["_attachments"]["f"]
        assert shown["length"] < len(CONTENT)
        attachment = replica.attachment("d", "f")
        assert attachment.length == len(CONTENT)
        assert attachment.read() == CONTENT
    with_server.delete(name)
    with_server.close()
