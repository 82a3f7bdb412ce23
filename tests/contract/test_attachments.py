"""Attachments of one branch: written, read, replaced, carried over, dropped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import pytest

from couchmend.core.document import JSON, Doc
from couchmend.errors import BadRequest, Conflict, NotFound, PreconditionFailed
from couchmend.replica.base import AttachmentData, Replica

BINARY = "application/octet-stream"


def md5(data: bytes) -> str:
    """A digest as CouchDB shows it, of content that no server compresses."""
    return "md5-" + base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def stub(data: bytes, revpos: int, content_type: str = BINARY) -> Doc:
    """How a document shows an attachment."""
    return {
        "content_type": content_type,
        "revpos": revpos,
        "digest": md5(data),
        "length": len(data),
        "stub": True,
    }


def given(data: AttachmentData, content_type: str = BINARY) -> Doc:
    """How a document that is written brings one."""
    return {"content_type": content_type, "data": data}


FORMS: dict[str, Callable[[], AttachmentData]] = {
    "base64": lambda: "aGVsbG8=",
    "bytes": lambda: b"hello",
    "list": lambda: [b"hel", b"lo"],
    "iterator": lambda: iter([b"", b"hell", b"o"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_content_comes_as_base64_bytes_or_chunks(replica: Replica, form: str) -> None:
    rev = replica.put({"_id": "p", "k": 1, "_attachments": {"a.bin": given(FORMS[form]())}})
    assert rev == "1-a9b84f32282253ddb5eef6c42736a766"
    assert replica.get("p") == {
        "_id": "p",
        "_rev": rev,
        "k": 1,
        "_attachments": {"a.bin": stub(b"hello", 1)},
    }
    attachment = replica.attachment("p", "a.bin")
    assert (attachment.content_type, attachment.digest) == (BINARY, md5(b"hello"))
    assert attachment.length == 5
    assert attachment.read() == b"hello"


def test_attachments_inline(replica: Replica) -> None:
    rev = replica.put({"_id": "p", "_attachments": {"a.bin": given(b"hello")}})
    inline = {"content_type": BINARY, "revpos": 1, "digest": md5(b"hello"), "data": "aGVsbG8="}
    assert replica.get("p", attachments=True)["_attachments"] == {"a.bin": inline}
    assert replica.get("p", rev=rev, attachments=True)["_attachments"] == {"a.bin": inline}


def test_a_text_keeps_its_bytes(replica: Replica) -> None:
    """Compressible types may be stored compressed: then the digest is of that form."""
    text = b"hello " * 5000
    replica.put({"_id": "t", "_attachments": {"t.txt": given(text, "text/plain")}})
    attachment = replica.attachment("t", "t.txt")
    assert (attachment.content_type, attachment.length) == ("text/plain", len(text))
    assert attachment.digest == replica.get("t")["_attachments"]["t.txt"]["digest"]
    assert attachment.read() == text
    inline = replica.get("t", attachments=True)["_attachments"]["t.txt"]
    assert base64.b64decode(inline["data"]) == text
    assert replica.get("t")["_attachments"]["t.txt"]["length"] == len(text)


@pytest.mark.parametrize("size", [0, 1, 65_536, 5_000_000])
def test_any_size_streams(replica: Replica, size: int) -> None:
    content = bytes(n % 251 for n in range(1000)) * (size // 1000) + b"x" * (size % 1000)
    chunks = (content[start : start + 40_000] for start in range(0, size, 40_000))
    rev = replica.put_attachment("p", "big", chunks, BINARY)
    attachment = replica.attachment("p", "big")
    assert (attachment.length, attachment.digest) == (size, md5(content))
    assert b"".join(attachment.chunks) == content
    assert replica.get("p")["_attachments"] == {"big": stub(content, 1)}
    again = replica.put_attachment("p", "whole", content, BINARY, rev=rev)
    assert replica.attachment("p", "whole", rev=again).read() == content


def test_adding_replacing_and_deleting_one(replica: Replica) -> None:
    first = replica.put({"_id": "p", "k": 1, "_attachments": {"a.bin": given(b"hello")}})
    second = replica.put_attachment("p", "b.bin", b"second", BINARY, rev=first)
    assert replica.get("p") == {
        "_id": "p",
        "_rev": second,
        "k": 1,
        "_attachments": {"b.bin": stub(b"second", 2), "a.bin": stub(b"hello", 1)},
    }
    third = replica.put_attachment("p", "a.bin", b"other", "image/png", rev=second)
    assert replica.get("p")["_attachments"] == {
        "a.bin": stub(b"other", 3, "image/png"),
        "b.bin": stub(b"second", 2),
    }
    fourth = replica.delete_attachment("p", "b.bin", third)
    assert set(replica.get("p")["_attachments"]) == {"a.bin"}
    last = replica.delete_attachment("p", "a.bin", fourth)
    assert replica.get("p") == {"_id": "p", "_rev": last, "k": 1}
    assert replica.attachment("p", "b.bin", rev=second).read() == b"second"
    assert replica.attachment("p", "a.bin", rev=first).read() == b"hello"


def test_an_attachment_makes_a_new_document(replica: Replica) -> None:
    rev = replica.put_attachment("new", "a", b"x", "text/plain; charset=utf-8")
    assert rev.startswith("1-")
    assert replica.attachment("new", "a").content_type == "text/plain; charset=utf-8"


def test_conflicts(replica: Replica) -> None:
    first = replica.put({"_id": "p", "_attachments": {"a": given(b"1")}})
    second = replica.put_attachment("p", "b", b"2", BINARY, rev=first)
    with pytest.raises(Conflict):
        replica.put_attachment("p", "c", b"3", BINARY)
    with pytest.raises(Conflict):
        replica.put_attachment("p", "c", (b"3" for _ in range(10)), BINARY, rev=first)
    with pytest.raises(Conflict):
        replica.delete_attachment("p", "a", first)
    assert replica.get("p")["_rev"] == second


def test_what_is_not_there(replica: Replica) -> None:
    rev = replica.put({"_id": "p", "_attachments": {"a": given(b"1")}})
    without = replica.put({"_id": "p", "_rev": rev})
    for read in (
        lambda: replica.attachment("p", "a"),
        lambda: replica.attachment("p", "none", rev=rev),
        lambda: replica.attachment("p", "a", rev="1-" + "0" * 32),
        lambda: replica.attachment("none", "a"),
        lambda: replica.attachment("p", ""),
        lambda: replica.delete_attachment("p", "a", without),
    ):
        with pytest.raises(NotFound):
            read()
    with pytest.raises(BadRequest):
        replica.attachment("p", "a", rev="bad")


def test_leaving_attachments_out_drops_them(replica: Replica) -> None:
    first = replica.put({"_id": "p", "_attachments": {"a": given(b"1"), "b": given(b"2")}})
    second = replica.put({"_id": "p", "_rev": first, "_attachments": {"b": {"stub": True}}})
    assert replica.get("p")["_attachments"] == {"b": stub(b"2", 1)}
    third = replica.put({"_id": "p", "_rev": second})
    assert replica.get("p") == {"_id": "p", "_rev": third}


def test_stubs_carry_content_over(replica: Replica) -> None:
    replica.put({"_id": "p", "_attachments": {"a": given(b"1", "image/png")}})
    doc = replica.get("p")
    second = replica.put({**doc, "v": 2})
    assert replica.get("p")["_attachments"] == {"a": stub(b"1", 1, "image/png")}
    renamed = {"a": {"stub": True, "content_type": "image/gif"}}
    replica.put({"_id": "p", "_rev": second, "_attachments": renamed})
    assert replica.get("p")["_attachments"] == {"a": stub(b"1", 1, "image/png")}
    assert replica.attachment("p", "a").read() == b"1"


@pytest.mark.parametrize(
    "bad",
    [
        {"ghost": {"stub": True}},
        {"a": {"stub": True, "revpos": 7}},
    ],
    ids=str,
)
def test_a_stub_that_names_nothing_of_the_extended_revision(replica: Replica, bad: Doc) -> None:
    rev = replica.put({"_id": "p", "_attachments": {"a": given(b"1")}})
    with pytest.raises(PreconditionFailed) as refusal:
        replica.put({"_id": "p", "_rev": rev, "_attachments": bad})
    assert refusal.value.error == "missing_stub"
    assert replica.get("p")["_rev"] == rev
    with pytest.raises(PreconditionFailed):
        replica.put({"_id": "new", "_attachments": {"a": {"stub": True}}})


@pytest.mark.parametrize(
    "entry", [{"data": "not base64!"}, {"data": "YQ"}, {"content_type": BINARY}], ids=str
)
def test_content_that_is_none(replica: Replica, entry: Doc) -> None:
    with pytest.raises(BadRequest):
        replica.put({"_id": "p", "_attachments": {"a": entry}})
    with pytest.raises(NotFound):
        replica.get("p")


@pytest.mark.parametrize(
    "name", ["plain.txt", "two words", "a/b/c", "é中😀", "a+b%?#&=", "..", "not_first_"]
)
def test_any_name(replica: Replica, name: str) -> None:
    rev = replica.put({"_id": "a/b c", "_attachments": {name: given(b"1")}})
    assert replica.attachment("a/b c", name).read() == b"1"
    rev = replica.put_attachment("a/b c", name, b"2", BINARY, rev=rev)
    assert replica.attachment("a/b c", name, rev=rev).read() == b"2"
    assert set(replica.get("a/b c")["_attachments"]) == {name}
    replica.delete_attachment("a/b c", name, rev)
    assert "_attachments" not in replica.get("a/b c")


def test_names_with_an_underscore_first_are_refused(replica: Replica) -> None:
    with pytest.raises(BadRequest):
        replica.put({"_id": "p", "_attachments": {"_a": given(b"1")}})
    with pytest.raises(BadRequest):
        replica.put_attachment("p", "_a", b"1", BINARY)
    with pytest.raises(BadRequest):
        replica.put_attachment("p", "", b"1", BINARY)
    assert replica.all_docs().rows == ()


def test_attachments_of_a_design_document(replica: Replica) -> None:
    rev = replica.put_attachment("_design/d x", "logo.png", b"png", "image/png")
    assert replica.attachment("_design/d x", "logo.png").read() == b"png"
    assert replica.get("_design/d x")["_rev"] == rev


def test_the_same_content_has_the_same_revision_however_it_comes(replica: Replica) -> None:
    ways: dict[str, JSON] = {"text": "YWJj", "bytes": b"abc", "chunks": [b"a", b"bc"]}
    revs = {
        replica.put({"_id": id, "_attachments": {"a": given(data, "image/png")}})
        for id, data in ways.items()
    }
    revs.add(replica.put_attachment("streamed", "a", [b"ab", b"c"], "image/png"))
    assert len(revs) == 1
