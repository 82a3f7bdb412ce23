"""Attachments: whole, in ranges, in parts, streamed both ways."""

from __future__ import annotations

import base64
import gzip
import hashlib
import http.client
import json
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from couchmend.replica.embedded import Limits
from tests.replica.http_face.serving import Answered, Client, served

DIGITS = b"0123456789"
BINARY = {"Content-Type": "application/octet-stream"}


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@pytest.fixture
def digits(client: Client, db: str) -> str:
    """The path of an attachment of ten digits."""
    assert client.send("PUT", f"{db}/a/ten", raw=DIGITS, headers=BINARY).status == 201
    return f"{db}/a/ten"


def test_whole(client: Client, digits: str) -> None:
    told = client.get(digits)
    assert (told.status, told.body) == (200, DIGITS)
    assert told.headers["etag"] == f'"{md5(DIGITS)}"'
    assert told.headers["content-md5"] == md5(DIGITS)
    assert told.headers["content-type"] == "application/octet-stream"
    assert told.headers["content-length"] == "10"
    assert told.headers["accept-ranges"] == "bytes"
    assert told.headers["content-security-policy"] == "sandbox"
    headed = client.send("HEAD", digits)
    assert (headed.body, headed.headers["content-length"]) == (b"", "10")
    known = client.send("GET", digits, headers={"If-None-Match": told.headers["etag"]})
    assert (known.status, known.body) == (304, b"")


@pytest.mark.parametrize(
    ("asked", "described", "content"),
    [
        ("2-4", "2-4/10", b"234"),
        ("-4", "6-9/10", b"6789"),
        ("8-", "8-9/10", b"89"),
        ("8-100", "8-9/10", b"89"),
        ("0-0", "0-0/10", b"0"),
        ("9-", "9-9/10", b"9"),
        ("0-9", "0-9/10", DIGITS),
        ("-100", "0-9/10", DIGITS),
    ],
)
def test_one_range(client: Client, digits: str, asked: str, described: str, content: bytes) -> None:
    told = client.send("GET", digits, headers={"Range": f"bytes={asked}"})
    assert (told.status, told.body) == (206, content)
    assert told.headers["content-range"] == f"bytes {described}"
    headed = client.send("HEAD", digits, headers={"Range": f"bytes={asked}"})
    assert (headed.status, headed.headers["content-length"]) == (206, str(len(content)))


@pytest.mark.parametrize("asked", ["bytes=x", "bytes=1", "lines=1-2", "bytes=0-", "bytes=", "2-4"])
def test_what_is_no_range_is_ignored(client: Client, digits: str, asked: str) -> None:
    told = client.send("GET", digits, headers={"Range": asked})
    assert (told.status, told.body) == (200, DIGITS)


@pytest.mark.parametrize("asked", ["20-30", "20-", "5-2", "-0", "10-", "0-1,20-30"])
def test_ranges_outside(client: Client, digits: str, asked: str) -> None:
    told = client.send("GET", digits, headers={"Range": f"bytes={asked}"})
    assert told.is_error(416, "requested_range_not_satisfiable", "Requested range not satisfiable")


def test_several_ranges(client: Client, digits: str) -> None:
    told = client.send("GET", digits, headers={"Range": "bytes=0-1,4-5, -1"})
    assert told.status == 206
    parts = _parts(told)
    assert [(part["Content-Range"], part.get_payload()) for part in parts] == [
        ("bytes 0-1/10", "01"),
        ("bytes 4-5/10", "45"),
        ("bytes 9-9/10", "9"),
    ]
    many = ",".join("1-1" for _ in range(20))
    assert client.send("GET", digits, headers={"Range": f"bytes={many}"}).body == DIGITS


def test_names_with_slashes_and_other_letters(client: Client, db: str) -> None:
    rev = client.send("PUT", f"{db}/a/dir/t.txt", raw=b"1").json["rev"]
    second = client.send("PUT", f"{db}/a/%C3%A9%22?rev={rev}", raw=b"2")
    assert urlsplit(second.headers["location"]).path == f"{db}/a/%C3%A9%22"
    assert client.get(f"{db}/a/dir/t.txt").body == b"1"
    assert client.get(f"{db}/a/dir%2Ft.txt").body == b"1"
    assert client.get(f"{db}/a/%C3%A9%22").body == b"2"
    assert set(client.get(f"{db}/a").json["_attachments"]) == {"dir/t.txt", 'é"'}
    design = client.send("PUT", f"{db}/_design/d/site/index.html", raw=b"3")
    assert design.status == 201
    assert client.get(f"{db}/_design/d/site/index.html").body == b"3"


def test_revisions(client: Client, db: str, digits: str) -> None:
    first = client.get(f"{db}/a").json["_rev"]
    conflict = client.send("PUT", digits, raw=b"x")
    assert conflict.is_error(409, "conflict", "Document update conflict.")
    changed = client.send("PUT", f"{digits}?rev={first}", raw=b"x")
    assert changed.status == 201
    assert client.get(f"{digits}?rev={first}").body == DIGITS
    assert client.get(digits).body == b"x"
    tagged = {"If-Match": f'"{changed.json["rev"]}"'}
    assert client.send("PUT", digits, raw=b"y", headers=tagged).status == 201
    unknown = client.send("PUT", f"{db}/new/f?rev=1-abc", raw=b"x")
    assert unknown.is_error(409, "not_found", "missing_rev")


def test_deleting(client: Client, db: str, digits: str) -> None:
    rev = client.get(f"{db}/a").json["_rev"]
    assert client.delete(digits).is_error(409, "conflict")
    other = client.delete(f"{db}/a/none?rev={rev}")
    assert other.is_error(404, "not_found", "Document is missing attachment")
    assert client.delete(f"{db}/a/none").is_error(404, "not_found")
    assert client.delete(f"{db}/none/f").is_error(404, "not_found", "missing")
    gone = client.delete(f"{digits}?rev={rev}")
    assert (gone.status, gone.json["id"]) == (200, "a")
    missing = client.get(digits)
    assert missing.is_error(404, "not_found", "Document is missing attachment")


def test_bad_attachments(client: Client, db: str) -> None:
    name = client.send("PUT", f"{db}/a/_x", raw=b"1")
    reason = "Attachment name '_x' starts with prohibited character '_'"
    assert name.is_error(400, "bad_request", reason)
    encoding = client.send("PUT", f"{db}/a/x", raw=b"1", headers={"Content-Encoding": "br"})
    reason = "Only gzip and identity content-encodings are supported"
    assert encoding.is_error(415, "bad_content_type", reason)
    digest = client.send("PUT", f"{db}/a/x", raw=b"1", headers={"Content-MD5": "AAAA"})
    assert digest.is_error(400, "content_md5_mismatch", "Possible message corruption.")
    assert client.get(f"{db}/a/x?rev=zz").is_error(400, "bad_request", "Invalid rev format")
    assert client.get(f"{db}/a").status == 404


def test_a_packed_upload_is_unpacked(client: Client, db: str) -> None:
    text = b"hello " * 1000
    packed = {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    assert client.send("PUT", f"{db}/a/t", raw=gzip.compress(text), headers=packed).status == 201
    told = client.get(f"{db}/a/t")
    assert (told.body, told.headers["content-md5"]) == (text, md5(text))
    broken = client.send("PUT", f"{db}/b/t", raw=gzip.compress(text)[:-9], headers=packed)
    assert broken.is_error(400, "bad_request", "Request body is not properly gzipped.")


@pytest.mark.parametrize("content_type", ["text/plain\r\nX-Evil: 1", "tëxt/plain", "", "\x00"])
def test_a_stored_content_type_cannot_break_an_answer(
    client: Client, db: str, content_type: str
) -> None:
    stored = {"_attachments": {"f": {"content_type": content_type, "data": "aGVsbG8="}}}
    assert client.put(f"{db}/a", stored).status == 201
    told = client.get(f"{db}/a/f")
    assert told.headers["content-type"] == "application/octet-stream"
    assert "x-evil" not in told.headers
    assert b"X-Evil" not in client.get(f"{db}/a?attachments=true").body.partition(b"}}}")[2]


def _chunks(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


def test_large_attachments_are_streamed(client: Client, db: str) -> None:
    content = bytes(range(256)) * (20_000)
    connection = http.client.HTTPConnection(client.host)
    connection.request("PUT", f"{db}/a/big", _chunks(content, 70_001), encode_chunked=True,
                       headers={"Transfer-Encoding": "chunked", **BINARY})  # fmt: skip
    assert connection.getresponse().read()
    connection.close()
    told = client.get(f"{db}/a/big")
    assert told.body == content
    assert told.headers["content-length"] == str(len(content))
    middle = client.send("GET", f"{db}/a/big", headers={"Range": "bytes=3000000-3000009"})
    assert middle.body == content[3_000_000:3_000_010]


def test_attachments_have_a_limit(tmp_path: Path) -> None:
    limits = Limits(max_attachment_bytes=1000)
    with served(tmp_path, limits=limits) as (server, _):
        client = Client(server.url)
        client.put("/db")
        assert client.send("PUT", "/db/a/f", raw=b"x" * 1000).status == 201
        large = client.send("PUT", "/db/b/f", raw=b"x" * 1001)
        assert large.is_error(413, "attachment_too_large", "f")
        inline = {"_attachments": {"f": {"data": base64.b64encode(b"x" * 1001).decode()}}}
        assert client.put("/db/c", inline).is_error(413, "attachment_too_large", "f")
        bomb = gzip.compress(b"x" * 100_000)
        packed = client.send("PUT", "/db/d/f", raw=bomb, headers={"Content-Encoding": "gzip"})
        assert packed.is_error(413, "attachment_too_large", "f")
        related = related_body({"_attachments": {"f": {"follows": True}}}, [b"x" * 1001])
        refused = client.send("PUT", "/db/e", raw=related, headers=RELATED)
        assert refused.status == 413
        assert client.get("/db").json["doc_count"] == 1
        client.close()


# --- documents with their attachments in parts

RELATED = {"Content-Type": 'multipart/related; boundary="frontier"'}


def related_body(doc: Any, contents: list[bytes], encoding: str | None = None) -> bytes:
    """What CouchDB's replicator sends."""
    parts = [b"Content-Type: application/json\r\n\r\n" + json.dumps(doc).encode()]
    for place, content in enumerate(contents):
        head = f'Content-Disposition: attachment; filename="{place}"\r\n'
        if encoding:
            head += f"Content-Encoding: {encoding}\r\n"
        parts.append(head.encode() + b"\r\n" + content)
    return b"--frontier\r\n" + b"\r\n--frontier\r\n".join(parts) + b"\r\n--frontier--"


def _parts(told: Answered) -> list[Any]:
    head = f"Content-Type: {told.headers['content-type']}\r\n\r\n".encode()
    parts = message_from_bytes(head + told.body).get_payload()
    assert isinstance(parts, list)
    return parts


def follows(content: bytes, **more: Any) -> dict[str, Any]:
    return {
        "follows": True,
        "content_type": "application/octet-stream",
        "length": len(content),
        "digest": f"md5-{md5(content)}",
        **more,
    }


def test_a_document_with_parts_is_stored(client: Client, db: str) -> None:
    contents = [b"\r\n--frontie", b"", b"--frontier--", bytes(range(256)) * 5000]
    doc = {"n": 1, "_attachments": {f"f{i}": follows(c) for i, c in enumerate(contents)}}
    written = client.send("PUT", f"{db}/a", raw=related_body(doc, contents), headers=RELATED)
    assert written.status == 201
    for place, content in enumerate(contents):
        assert client.get(f"{db}/a/f{place}").body == content
    inline = {"_attachments": {"f": {"data": base64.b64encode(contents[3]).decode()}}}
    client.put(f"{db}/b", inline)
    assert client.get(f"{db}/b/f").headers["etag"] == client.get(f"{db}/a/f3").headers["etag"]


def test_a_replicated_document_with_parts(client: Client, db: str) -> None:
    doc = {
        "_revisions": {"start": 3, "ids": ["ccc", "bbb"]},
        "_attachments": {"f": follows(b"hello", revpos=2)},
    }
    path = f"{db}/a?new_edits=false"
    written = client.send("PUT", path, raw=related_body(doc, [b"hello"]), headers=RELATED)
    assert (written.status, written.json["rev"]) == (201, "3-ccc")
    assert client.get(f"{db}/a").json["_attachments"]["f"]["revpos"] == 2


def test_packed_parts_are_unpacked(client: Client, db: str) -> None:
    text = b"hello " * 100
    packed = gzip.compress(text)
    entry = {
        "follows": True,
        "content_type": "text/plain",
        "encoding": "gzip",
        "length": len(text),
        "encoded_length": len(packed),
        "digest": f"md5-{md5(packed)}",
    }
    body = related_body({"_attachments": {"f": entry}}, [packed], "gzip")
    assert client.send("PUT", f"{db}/a", raw=body, headers=RELATED).status == 201
    assert client.get(f"{db}/a/f").body == text


GOOD = related_body({"_attachments": {"f": follows(b"hello")}}, [b"hello"])


@pytest.mark.parametrize("cut", sorted({1, 5, 12, 40, 60, *range(70, len(GOOD) - 1, 17)}))
def test_a_cut_off_body_stores_nothing(client: Client, db: str, cut: int) -> None:
    refused = client.send("PUT", f"{db}/a", raw=GOOD[:cut], headers=RELATED)
    assert refused.status == 400
    assert refused.json["error"] == "bad_request"
    assert client.get(db).json["doc_count"] == 0


@pytest.mark.parametrize(
    ("doc", "contents", "status"),
    [
        ({"_attachments": {"f": {"follows": True}}}, [], 400),
        ({"_attachments": {"f": {"follows": True, "length": 4}}}, [b"hello"], 400),
        ({"_attachments": {"f": {"follows": True, "digest": "md5-AAAA"}}}, [b"hello"], 400),
        ({"_attachments": {"f": {"follows": True, "encoding": "gzip"}}}, [b"hello"], 400),
        ({"_attachments": {"f": {"follows": True, "encoding": "br"}}}, [b"hello"], 415),
        ({"_attachments": {"_f": {"follows": True}}}, [b"hello"], 400),
        ({"_attachments": []}, [b"hello"], 400),
        ([], [b"hello"], 400),
    ],
)
def test_parts_that_are_not_what_the_document_says(
    client: Client, db: str, doc: Any, contents: list[bytes], status: int
) -> None:
    body = related_body(doc, contents)
    assert client.send("PUT", f"{db}/a", raw=body, headers=RELATED).status == status
    assert client.get(db).json["doc_count"] == 0


def test_what_is_no_multipart_body(client: Client, db: str) -> None:
    no_boundary = {"Content-Type": "multipart/related"}
    refused = client.send("PUT", f"{db}/a", raw=GOOD, headers=no_boundary)
    assert refused.is_error(400, "bad_request")
    long_boundary = {"Content-Type": f'multipart/related; boundary="{"x" * 300}"'}
    assert client.send("PUT", f"{db}/a", raw=GOOD, headers=long_boundary).status == 400
    text = GOOD.replace(b"application/json", b"text/plain")
    refused = client.send("PUT", f"{db}/a", raw=text, headers=RELATED)
    assert refused.is_error(415, "bad_content_type", "Content-Type must be application/json")
    headers = b"--frontier\r\n" + b"X: y\r\n" * 500 + b"\r\n--frontier--"
    assert client.send("PUT", f"{db}/a", raw=headers, headers=RELATED).status == 400


@pytest.fixture
def attached(client: Client, db: str) -> str:
    """The path of a document with an attachment at each of two revisions."""
    rev = client.put(f"{db}/a", {"_attachments": {"one": {"data": "MQ=="}}}).json["rev"]
    client.put(f"{db}/a", {"_rev": rev, "_attachments": {
        "one": {"stub": True}, 'tw"o': {"data": "Mg==", "content_type": "text/plain"}
    }})  # fmt: skip
    return f"{db}/a"


def test_a_document_is_told_in_parts(client: Client, attached: str) -> None:
    told = client.get(f"{attached}?attachments=true")
    assert told.headers["content-type"].startswith("multipart/related; boundary=")
    assert int(told.headers["content-length"]) == len(told.body)
    assert told.headers["etag"] == f'"{client.get(attached).json["_rev"]}"'
    document, *files = _parts(told)
    entries = json.loads(document.get_payload())["_attachments"]
    assert all(entry["follows"] and "stub" not in entry for entry in entries.values())
    by_name = {"one": "1", 'tw"o': "2"}
    assert [part.get_payload() for part in files] == [by_name[name] for name in entries]
    names = [part.get_filename() for part in files]
    assert names == [name.replace('"', "%22") for name in entries]
    as_json = client.get(f"{attached}?attachments=true", Accept="application/json").json
    assert as_json["_attachments"]["one"]["data"] == "MQ=="


def test_only_newer_attachments_are_told(client: Client, attached: str) -> None:
    first = client.get(f"{attached}?revs_info=true").json["_revs_info"][1]["rev"]
    told = client.get(f"{attached}?atts_since=%5B%22{first}%22%5D")
    document, *files = _parts(told)
    entries = json.loads(document.get_payload())["_attachments"]
    assert (entries["one"]["stub"], entries['tw"o']["follows"]) == (True, True)
    assert [part.get_payload() for part in files] == ["2"]
    newest = client.get(attached).json["_rev"]
    nothing = client.get(f"{attached}?atts_since=%5B%22{newest}%22%5D")
    assert nothing.headers["content-type"] == "application/json"
    as_json = client.get(
        f"{attached}?atts_since=%5B%22{first}%22%5D&revs=true", Accept="application/json"
    ).json
    assert sorted(as_json["_attachments"]["one"]) == [
        "content_type", "digest", "length", "revpos", "stub",
    ]  # fmt: skip
    assert "_revisions" in as_json


def test_revisions_are_told_in_parts(client: Client, db: str, attached: str) -> None:
    told = client.get(f"{attached}?open_revs=all&revs=true")
    assert told.headers["content-type"].startswith("multipart/mixed; boundary=")
    (only,) = _parts(told)
    document, *files = only.get_payload()
    assert json.loads(document.get_payload())["_revisions"]["start"] == 2
    assert len(files) == 2
    plain = client.get(f"{attached}?open_revs=%5B%229-z%22%5D")
    (missing,) = _parts(plain)
    assert missing["Content-Type"] == 'application/json; error="true"'
    assert json.loads(missing.get_payload()) == {"missing": "9-z"}
    client.put(f"{db}/b", {"n": 1})
    (document,) = _parts(client.get(f"{db}/b?open_revs=all"))
    assert set(json.loads(document.get_payload())) == {"_id", "_rev", "n"}


def test_what_is_told_in_parts_can_be_stored_in_parts(
    client: Client, db: str, attached: str
) -> None:
    told = client.get(f"{attached}?attachments=true&revs=true")
    kind = {"Content-Type": told.headers["content-type"]}
    again = client.send("PUT", f"{db}/copy?new_edits=false", raw=told.body, headers=kind)
    assert again.status == 201
    first, copy = client.get(attached).json, client.get(f"{db}/copy").json
    assert copy["_attachments"] == first["_attachments"]
    assert copy["_rev"] == first["_rev"]
