"""Attachments in the file: kept by content, in chunks, streamed both ways."""

import hashlib
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator

import pytest

from couchmend.core.document import JSON
from couchmend.errors import BadRequest, NotFound, PreconditionFailed
from couchmend.replica.embedded import EmbeddedReplica

CHUNK = b"0123456789abcdef" * 4096


def chunks(count: int) -> Iterator[bytes]:
    for n in range(count):
        yield CHUNK[:-4] + n.to_bytes(4)


def test_a_large_attachment_is_never_in_memory_as_a_whole(replica: EmbeddedReplica) -> None:
    digest = hashlib.md5(b"".join(chunks(512))).digest()
    tracemalloc.start()
    try:
        replica.put_attachment("a", "big", chunks(512), "video/x")  # 32 MiB
        attachment = replica.attachment("a", "big")
        seen = hashlib.md5()
        for chunk in attachment.chunks:
            seen.update(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert seen.digest() == digest
    assert attachment.digest == f"md5-{b64encode(digest).decode()}"
    assert attachment.length == 512 * len(CHUNK)
    assert peak < 8_000_000


def test_equal_content_is_stored_once(replica: EmbeddedReplica) -> None:
    for id in "abc":
        replica.put_attachment(id, "x", b"same" * 100_000, "x/x")
    with replica._connections.read() as connection:
        (stored,) = connection.execute("SELECT sum(length(data)) FROM blob_chunks").fetchone()
    assert stored == 400_000
    replica.delete("a", replica.get("a")["_rev"])
    replica.compact()
    assert replica.attachment("b", "x").length == 400_000


def test_an_empty_attachment(replica: EmbeddedReplica) -> None:
    replica.put_attachment("a", "nothing", b"", "x/x")
    assert replica.attachment("a", "nothing").read() == b""
    assert replica.get("a", attachments=True)["_attachments"]["nothing"]["data"] == ""


@pytest.mark.parametrize(
    "stub",
    [
        {"stub": True, "digest": "md5-AAAAAAAAAAAAAAAAAAAAAA=="},
        {"stub": True, "length": 4},
        {"stub": True, "revpos": 7},
    ],
)
def test_a_stub_that_says_something_else_refuses_the_batch(
    replica: EmbeddedReplica, stub: JSON
) -> None:
    rev = replica.put_attachment("a", "x", b"bytes", "x/x")
    with pytest.raises(PreconditionFailed, match="Invalid attachment stub in a for x"):
        replica.bulk_docs([{"_id": "b"}, {"_id": "a", "_rev": rev, "_attachments": {"x": stub}}])
    with pytest.raises(NotFound):
        replica.get("b")


@pytest.mark.parametrize(
    "attachments",
    [
        [], "x", {"x": 1}, {"x": {}}, {"x": {"data": "no base64!"}}, {"x": {"data": 1}},
        {"": {"data": ""}}, {"_x": {"data": ""}}, {"x": {"data": "", "content_type": 1}},
        {"x": {"data": "", "revpos": "1"}},
    ],
)  # fmt: skip
def test_malformed_attachments_are_refused(replica: EmbeddedReplica, attachments: JSON) -> None:
    with pytest.raises(BadRequest):
        replica.put({"_id": "a", "_attachments": attachments})
    assert replica.info().documents == 0


def test_a_source_that_fails_stores_nothing(replica: EmbeddedReplica) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 2_000_000
        raise ConnectionResetError("the client went away")

    with pytest.raises(ConnectionResetError):
        replica.put_attachment("a", "x", broken(), "x/x")
    assert replica.info().documents == 0
    with replica._connections.read() as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (0,)


def test_inline_only_what_is_newer(replica: EmbeddedReplica) -> None:
    first = replica.put_attachment("a", "old", b"1", "x/x")
    replica.put_attachment("a", "new", b"2", "x/x", rev=first)
    shown = replica.get("a", atts_since=[first])["_attachments"]
    assert "data" in shown["new"]
    assert shown["old"]["stub"] is True
    everything = replica.get("a", atts_since=[])["_attachments"]
    assert all("data" in entry for entry in everything.values())
