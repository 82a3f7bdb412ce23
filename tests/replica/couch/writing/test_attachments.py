"""Reading attachments: what can be verified is, and nothing is silently shorter."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
from collections.abc import Callable, Iterator

import pytest

from couchmend.errors import BadRequest, NotFound, ReplicaError, Unavailable
from couchmend.replica.couch import CouchReplica, CouchServer, Options
from couchmend.replica.couch.connection.retries import Retries
from couchmend.replica.couch.writing.drafts import INLINE_BYTES
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import replicate
from tests.contract.backends import COUCHDB_URL
from tests.replica.couch.connection.raw_server import raw_server
from tests.replica.scripted_server import ScriptedServer, Told, scripted_server

CONTENT = bytes(range(256)) * 3000
PACKED = gzip.compress(CONTENT, mtime=0)


def md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


DIGEST = md5(CONTENT)
OTHER = md5(b"other")


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


def packed(etag: str, content: bytes = PACKED) -> Told:
    weak, _, tag = etag.rpartition("/") if etag.startswith("W/") else ("", "", etag)
    shown = f'W/"{tag}"' if weak else f'"{tag}"'
    headers = {"ETag": shown, "Content-Type": "text/plain", "Content-Encoding": "gzip"}
    return Told(200, content, headers)


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
    [(OTHER, "none"), ("1-967a00dff5e02add41819138abb3284d", "bytes")],
    ids=["of what is kept packed", "of a revision"],
)
def test_a_tag_that_is_of_something_else_proves_nothing(
    server: ScriptedServer, replica: CouchReplica, etag: str, ranges: str | None
) -> None:
    server.tell(told(etag, ranges=ranges))
    assert replica.attachment("d", "f").read() == CONTENT
    assert [asked.method for asked in server.asked[1:]] == ["GET", "HEAD"]


@pytest.mark.parametrize("ranges", ["bytes", None])
def test_a_digest_is_of_what_comes_unless_the_server_says_otherwise(
    server: ScriptedServer, replica: CouchReplica, ranges: str | None
) -> None:
    server.tell(told(OTHER, ranges=ranges))
    with pytest.raises(Unavailable, match="does not match its digest"):
        replica.attachment("d", "f").read()


@pytest.mark.parametrize(("said", "right"), [(len(CONTENT), True), (0, True), (5400, False)])
def test_what_was_unpacked_on_the_way_has_the_length_that_is_said_besides(
    server: ScriptedServer, replica: CouchReplica, said: int, right: bool
) -> None:
    """Of what it was sent compressed, CouchDB knows no length and says 0."""
    got = told(OTHER, ranges="none")
    said_besides = Told(200, b"", {**got.headers, "Content-Length": str(said)})
    server.script = lambda asked: said_besides if asked.method == "HEAD" else got
    if right:
        assert replica.attachment("d", "f").read() == CONTENT
    else:
        with pytest.raises(Unavailable, match="bytes came of 5400") as problem:
            replica.attachment("d", "f").read()
        assert problem.value.transient
        assert "Accept-Encoding" in problem.value.hint


@pytest.mark.parametrize(
    "etag",
    [md5(PACKED), DIGEST, f"W/{DIGEST}", f"{DIGEST}-gzip", "1-967a00dff5e02add41819138abb3284d"],
    ids=["kept so", "packed on the way", "nginx", "Apache", "of a revision"],
)
def test_what_comes_packed(server: ScriptedServer, replica: CouchReplica, etag: str) -> None:
    """The length is that of what is read, whoever packed it."""
    server.tell(packed(etag))
    attachment = replica.attachment("d", "f")
    assert server.asked[-1].headers["accept-encoding"] == "gzip"
    assert attachment.length == len(CONTENT)
    assert attachment.read() == CONTENT


@pytest.mark.parametrize("etag", [md5(PACKED), DIGEST], ids=["kept so", "packed on the way"])
@pytest.mark.parametrize("length", [0, 1, 10, len(PACKED) // 2, len(PACKED) - 1])
def test_what_comes_packed_and_not_whole(
    server: ScriptedServer, replica: CouchReplica, etag: str, length: int
) -> None:
    cut = packed(etag)
    for answer in (packed(etag, PACKED[:length]), Told(200, PACKED, cut.headers, cut=length)):
        server.tell(answer)
        with pytest.raises(Unavailable) as problem:
            replica.attachment("d", "f")
        assert problem.value.transient


def test_what_comes_packed_and_is_something_else(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.tell(packed(OTHER))
    with pytest.raises(Unavailable, match="does not match its digest") as problem:
        replica.attachment("d", "f")
    assert problem.value.transient
    assert "pack anew" in problem.value.hint


@pytest.mark.parametrize("length", ["x", "-1", "", "1.5", "9" * 30])
def test_a_length_that_is_none(server: ScriptedServer, replica: CouchReplica, length: str) -> None:
    answer = told(DIGEST)
    headers = {**answer.headers, "Content-Length": length, "Connection": "close"}
    server.tell(Told(200, CONTENT, headers))
    with pytest.raises(ReplicaError) as problem:
        replica.attachment("d", "f")
    assert problem.value.error == "bad_answer"


@pytest.mark.parametrize("etag", [DIGEST, OTHER], ids=["verified", "not to be verified"])
@pytest.mark.parametrize("cut", [0, 100, len(CONTENT)])
def test_what_ends_where_the_connection_ends(etag: str, cut: int) -> None:
    """Only its digest tells that it is whole."""
    ranges = b"bytes" if etag == DIGEST else b"none"
    head = b'HTTP/1.1 200 OK\r\nETag: "%s"\r\nAccept-Ranges: %s\r\n' % (etag.encode(), ranges)
    info = b'{"doc_count":0,"update_seq":5}'
    options = Options(retries=Retries(attempts=2, first_pause_seconds=0.001))
    with raw_server() as server:
        server.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(info), info))
        with CouchReplica.open(f"{server.url}/notes", options=options) as replica:
            server.say(
                head, b"Content-Type: text/plain\r\nConnection: close\r\n\r\n", CONTENT[:cut]
            )
            if etag == DIGEST and cut == len(CONTENT):
                attachment = replica.attachment("d", "f")
                assert (attachment.length, attachment.read()) == (len(CONTENT), CONTENT)
            else:
                with pytest.raises(Unavailable) as problem:
                    replica.attachment("d", "f")
                assert problem.value.transient


def test_a_content_type_in_another_script(server: ScriptedServer, replica: CouchReplica) -> None:
    """CouchDB has it in UTF-8, as the document was written."""
    answer = told(DIGEST)
    shown = "テキスト/プレーン".encode().decode("latin-1")
    server.tell(Told(200, CONTENT, {**answer.headers, "Content-Type": shown}))
    assert replica.attachment("d", "f").content_type == "テキスト/プレーン"


@pytest.mark.parametrize("cut", [0, 1, 70_000, len(CONTENT) - 1])
def test_content_that_breaks_off(server: ScriptedServer, replica: CouchReplica, cut: int) -> None:
    answer = told(OTHER, ranges=None)
    server.tell(Told(200, CONTENT, {**answer.headers, "Accept-Ranges": "none"}, cut=cut))
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


# --- writing


@pytest.mark.parametrize("content_type", ["a\r\nb: c", "a\nb", "té/x", "文/x", "", " x/y", "a\0"])
def test_a_content_type_that_no_header_holds(
    server: ScriptedServer, replica: CouchReplica, content_type: str
) -> None:
    server.asked.clear()
    with pytest.raises(BadRequest, match="of attachment 'name'"):
        replica.put_attachment("d", "name", b"x", content_type)
    assert server.asked == []


@pytest.mark.parametrize(("id", "name"), [("d", "\ud800"), ("\udfff", "f")])
def test_a_name_that_is_no_text(replica: CouchReplica, id: str, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: replica.attachment(id, name),
        lambda: replica.put_attachment(id, name, b"x", "x/y"),
        lambda: replica.delete_attachment(id, name, "1-a"),
        lambda: replica.put({"_id": id, "_attachments": {name: {"data": b"x"}}}),
        lambda: replica.put({"_id": id, "_attachments": {name: {"data": LARGE}}}),
    ]
    for call in calls:
        with pytest.raises(BadRequest):
            call()


LARGE = b"x" * (INLINE_BYTES + 1)


class Again:
    """Chunks that are read anew whenever somebody iterates."""

    def __init__(self, *chunks: object) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk  # type: ignore[misc]


@pytest.mark.parametrize("once", [True, False], ids=["once", "again"])
def test_content_that_is_no_bytes_or_cannot_be_read(
    server: ScriptedServer, replica: CouchReplica, once: bool
) -> None:
    def put(*chunks: object) -> str:
        data = iter(Again(*chunks)) if once else Again(*chunks)
        return replica.put_attachment("d", "name", data, "image/png")

    server.tell(Told(201, {"ok": True, "id": "d", "rev": "1-a"}))
    assert put(b"a", b"", b"b") == "1-a"
    assert server.asked[-1].body == b"ab"
    with pytest.raises(BadRequest, match="data for 'name'"):
        put(b"a", "text")
    with pytest.raises(ReplicaError, match=r"'name' cannot be read: .*disk") as problem:
        put(b"a" * 100_000, OSError(5, "my disk"))
    assert not isinstance(problem.value, Unavailable)
    with pytest.raises(BadRequest, match="data for 'name'"):
        replica.put_attachment("d", "name", 5, "image/png")  # type: ignore[arg-type]


def test_content_that_can_be_read_again_is_sent_again(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.tell(
        Told(429, {"error": "too_many_requests"}), Told(201, {"ok": True, "id": "d", "rev": "1-a"})
    )
    assert replica.put_attachment("d", "f", Again(b"a", b"b"), "image/png") == "1-a"
    assert [asked.body for asked in server.asked[1:]] == [b"ab", b"ab"]


# --- with a CouchDB


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
        with EmbeddedReplica.open(":memory:") as target:
            assert replicate(replica, target).progress.refused == []
            assert target.attachment("d", "f").read() == CONTENT
    with_server.delete(name)
    with_server.close()
