"""One document at a time."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.replica.http_face.serving import Client

TREE = [
    {"_id": "x", "_rev": "1-aaaa", "v": 1},
    {"_id": "x", "_rev": "2-bbbb", "_revisions": {"start": 2, "ids": ["bbbb", "aaaa"]}, "v": 2},
    {"_id": "x", "_rev": "2-cccc", "_revisions": {"start": 2, "ids": ["cccc", "aaaa"]}, "v": 3},
]


def _conflict(client: Client, db: str) -> None:
    assert client.post(f"{db}/_bulk_docs", {"docs": TREE, "new_edits": False}).json == []


@pytest.mark.parametrize(
    "id",
    [
        "a", "a b", "a/b", "é中😀", "a+b", "?", "#", "%", "a%2Fb", "_design/d", "_design/d/e",
        "_local/x/y", "a\tb", "..", ".", "a'b\"c", "<b>",
    ],
)  # fmt: skip
def test_every_id_has_an_address(client: Client, db: str, id: str) -> None:
    path = f"{db}/{quote(id, safe='')}"
    written = client.put(path, {"n": 1})
    assert (written.status, written.json["id"]) == (201, id)
    there = urlsplit(written.headers["location"]).path
    assert there == path
    assert client.get(there).json["_id"] == id


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
def test_any_text_is_an_id_or_refused(client: Client, db: str, id: str) -> None:
    written = client.put(f"{db}/{quote(id, safe='')}", {"new": True})
    if written.status == 201:
        assert client.get(f"{db}/{quote(id, safe='')}").json["_id"] == id
    else:
        assert written.status in (400, 404, 409, 412), (id, written.body)


def test_a_plus_is_a_space_in_paths(client: Client, db: str) -> None:
    assert client.put(f"{db}/a+b", {}).json["id"] == "a b"


def test_an_encoded_slash_after_design_is_redirected(client: Client, db: str) -> None:
    client.put(f"{db}/_design/d", {"views": {}})
    redirected = client.send("HEAD", f"{db}/_design%2Fd")
    assert redirected.status == 200


@pytest.mark.parametrize("value", [1, 1.0, 12345678901234567890123, -0.5, 1e100, 2**63])
def test_numbers_keep_their_type(client: Client, db: str, value: float) -> None:
    client.put(f"{db}/n", {"n": value})
    told = client.get(f"{db}/n").json["n"]
    assert (told, type(told)) == (value, type(value))


def test_a_document_goes_by_the_path_whatever_id_it_says(client: Client, db: str) -> None:
    assert client.put(f"{db}/a", {"_id": "other"}).json["id"] == "a"
    wrong = client.put(f"{db}/a", {"_id": 5})
    assert wrong.is_error(400, "illegal_docid", "Document id must be a string")


def test_revisions_in_body_query_and_header_must_agree(client: Client, db: str) -> None:
    rev = client.put(f"{db}/a", {}).json["rev"]
    both = client.send("PUT", f"{db}/a?rev={rev}", {}, headers={"If-Match": '"2-y"'})
    assert both.is_error(400, "bad_request", "Document rev and etag have different values")
    body = client.put(f"{db}/a?rev={rev}", {"_rev": "2-y"})
    assert body.is_error(400, "bad_request")
    assert "different values" in body.json["reason"]
    again = client.send("PUT", f"{db}/a", {"n": 2}, headers={"If-Match": f'"{rev}"'})
    assert again.status == 201
    stale = client.send("DELETE", f"{db}/a", headers={"If-Match": rev})
    assert stale.is_error(409, "conflict", "Document update conflict.")


def test_replicated_revisions_are_kept_as_they_are(client: Client, db: str) -> None:
    assert client.put(f"{db}/a?new_edits=false", {"_rev": "3-abc"}).json["rev"] == "3-abc"
    chain = {"_revisions": {"start": 4, "ids": ["abd", "abc"]}, "n": 1}
    written = client.put(f"{db}/a?new_edits=false", chain)
    assert (written.json["rev"], written.headers["etag"]) == ("4-abd", '"4-abd"')
    assert client.get(f"{db}/a?revs=true").json["_revisions"] == chain["_revisions"]
    nothing = client.put(f"{db}/b?new_edits=false", {})
    assert nothing.is_error(400, "bad_request")


def test_etags(client: Client, db: str) -> None:
    rev = client.put(f"{db}/a", {"n": 1}).json["rev"]
    for tag in (f'"{rev}"', f'W/"{rev}"', f'"other", "{rev}"'):
        known = client.send("GET", f"{db}/a", headers={"If-None-Match": tag})
        assert (known.status, known.body, known.headers["etag"]) == (304, b"", f'"{rev}"')
    assert client.send("GET", f"{db}/a", headers={"If-None-Match": '"1-x"'}).status == 200
    assert "etag" in client.get(f"{db}/a?conflicts=true&revs=true").headers
    for query in ("revs_info=true", "local_seq=true", "meta=true"):
        assert "etag" not in client.get(f"{db}/a?{query}").headers
    _conflict(client, db)
    assert "etag" not in client.get(f"{db}/x?conflicts=true").headers


def test_latest_and_meta_and_losers(client: Client, db: str) -> None:
    _conflict(client, db)
    assert client.get(f"{db}/x?rev=2-bbbb&latest=true").json["_rev"] == "2-bbbb"
    assert client.get(f"{db}/x?rev=1-aaaa&latest=true").json["_rev"] == "2-cccc"
    assert "_conflicts" not in client.get(f"{db}/x?rev=2-bbbb&meta=true").json
    meta = client.get(f"{db}/x?meta=true").json
    assert (meta["_conflicts"], len(meta["_revs_info"])) == (["2-bbbb"], 2)


def test_a_deleted_document(client: Client, db: str) -> None:
    _conflict(client, db)
    for rev in ("2-bbbb", "2-cccc"):
        assert client.delete(f"{db}/x?rev={rev}").status == 200
    assert client.get(f"{db}/x").is_error(404, "not_found", "deleted")
    assert client.delete(f"{db}/x?rev=2-cccc").is_error(404, "not_found", "deleted")
    leaves = client.get(f"{db}/x?open_revs=all", Accept="application/json").json
    newest = max(leaf["ok"]["_rev"] for leaf in leaves)
    shown = client.get(f"{db}/x?deleted=true").json
    assert shown == {"_id": "x", "_rev": newest, "_deleted": True}
    assert client.delete(f"{db}/never").is_error(404, "not_found", "missing")
    written = client.put(f"{db}/born-dead", {"_deleted": True})
    assert written.status == 200


def test_open_revs(client: Client, db: str) -> None:
    _conflict(client, db)
    as_json = {"Accept": "application/json"}
    found = client.get(f"{db}/x?open_revs=%5B%222-bbbb%22,%229-z%22%5D", **as_json).json
    assert (found[0]["ok"]["v"], found[1]) == (2, {"missing": "9-z"})
    nowhere = client.get(f"{db}/none?open_revs=%5B%221-a%22%5D", **as_json)
    assert nowhere.json == [{"missing": "1-a"}]
    assert client.get(f"{db}/x?open_revs=%5B%5D", **as_json).json["_rev"] == "2-cccc"


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("rev=zzz", "Invalid rev format"),
        ("open_revs=rubbish", "invalid UTF-8 JSON"),
        ("open_revs=%5B1%5D", "Invalid rev format"),
        ("open_revs=%7B%7D", "Invalid list of revisions"),
        ("atts_since=5", "Invalid list of revisions"),
        ("atts_since=%5B%22x%22%5D", "Invalid rev format"),
    ],
)
def test_bad_options(client: Client, db: str, query: str, reason: str) -> None:
    client.put(f"{db}/a", {})
    assert client.get(f"{db}/a?{query}").is_error(400, "bad_request", reason)


def test_unknown_options_are_ignored(client: Client, db: str) -> None:
    client.put(f"{db}/a", {})
    assert client.get(f"{db}/a?revs=maybe&limit=x&r=2&foo").status == 200


def test_posting(client: Client, db: str) -> None:
    named = client.post(db, {"n": 1})
    assert named.status == 201
    assert client.get(f"{db}/{named.json['id']}").json["n"] == 1
    untyped = client.send("POST", db, raw=b"{}")
    assert untyped.is_error(415, "bad_content_type", "Content-Type must be application/json")
    empty = client.post(db, {"_id": ""})
    assert empty.is_error(400, "illegal_docid", "Document id must not be empty")


def test_batches_are_accepted_and_written(client: Client, db: str) -> None:
    put = client.put(f"{db}/a?batch=ok", {"n": 1})
    assert (put.status, put.json) == (202, {"ok": True, "id": "a"})
    posted = client.post(f"{db}?batch=ok", {"n": 1})
    assert (posted.status, set(posted.json)) == (202, {"ok", "id"})
    assert client.get(f"{db}/a").json["n"] == 1
    assert client.get(f"{db}/{posted.json['id']}").json["n"] == 1


def test_copying(client: Client, db: str) -> None:
    client.put(f"{db}/a", {"n": 1})
    client.send("PUT", f"{db}/a/f.txt?rev=" + client.get(f"{db}/a").json["_rev"], raw=b"text")

    copied = client.send("COPY", f"{db}/a", headers={"Destination": "b%20c"})
    assert (copied.status, copied.json["id"]) == (201, "b c")
    assert copied.headers["etag"] == f'"{copied.json["rev"]}"'
    assert urlsplit(copied.headers["location"]).path == f"{db}/b%20c"
    assert client.get(f"{db}/b%20c/f.txt").body == b"text"
    again = client.send("COPY", f"{db}/a", headers={"Destination": "b%20c"})
    assert again.is_error(409, "conflict")
    over = f"b%20c?rev={copied.json['rev']}"
    assert client.send("COPY", f"{db}/a", headers={"Destination": over}).status == 201
    for headers, reason in (
        ({}, "Destination header is mandatory for COPY."),
        ({"Destination": "http://other/db"}, "Destination URL must be relative."),
    ):
        refused = client.send("COPY", f"{db}/a", headers=headers)
        assert refused.is_error(400, "bad_request", reason)
    local = client.send("COPY", f"{db}/a", headers={"Destination": "_local/c"})
    assert (local.status, local.json["rev"]) == (201, "0-1")
    assert client.get(f"{db}/_local/c").json == {"_id": "_local/c", "_rev": "0-1", "n": 1}
    back = client.send("COPY", f"{db}/_local/c", headers={"Destination": "d"})
    assert back.status == 201
    missing = client.send("COPY", f"{db}/none", headers={"Destination": "z"})
    assert missing.is_error(404, "not_found", "missing")


def test_local_documents(client: Client, db: str) -> None:
    written = client.put(f"{db}/_local/a", {"n": 1})
    assert (written.json["rev"], written.status) == ("0-1", 201)
    read = client.get(f"{db}/_local%2Fa?revs=true")
    assert read.json["_revisions"] == {"start": 0, "ids": ["1"]}
    assert read.headers["etag"] == written.headers["etag"]
    tagged = {"If-None-Match": read.headers["etag"]}
    assert client.send("GET", f"{db}/_local/a", headers=tagged).status == 304
    assert client.get(f"{db}/_local/a?rev=0-7").is_error(404, "not_found", "missing")
    dead = {"_rev": "0-1", "_deleted": True}
    emptied = client.put(f"{db}/_local/a", dead)
    assert (emptied.status, emptied.json["rev"]) == (200, "0-0")
    assert client.put(f"{db}/_local/a?rev=0-7", {}).json["rev"] == "0-8"
    told = client.post(f"{db}/_bulk_docs", {"docs": [{"_id": "_local/a", **dead}]}).json
    assert told == [{"ok": True, "id": "_local/a", "rev": "0-0"}]
    assert client.get(f"{db}/_local/a").status == 404
    client.put(f"{db}/_local/a", {})
    assert client.delete(f"{db}/_local/a").json["rev"] == "0-0"
    assert client.delete(f"{db}/_local/a").is_error(404, "not_found", "missing")
    bare = client.get(f"{db}/_local")
    assert bare.is_error(400, "bad_request", "Invalid _local document id.")
    attached = client.get(f"{db}/_local/a/b")
    assert attached.is_error(400, "bad_request", "_local documents do not accept attachments.")
    unknown = client.put(f"{db}/_local/a", {"_foo": 1})
    assert unknown.is_error(400, "doc_validation", "Bad special document member: _foo")


def test_functions_of_design_documents_are_not_run(client: Client, db: str) -> None:
    assert client.get(f"{db}/_design/d/_view/v").is_error(404, "not_found", "missing")
    client.put(f"{db}/_design/d", {"views": {"v": {"map": "function(d){emit(1)}"}}})
    for function in ("_view/v", "_list/l/v", "_show/s", "_update/u", "_rewrite/x", "_search/s"):
        for method in ("GET", "POST"):
            refused = client.send(method, f"{db}/_design/d/{function}")
            assert refused.is_error(501, "not_implemented")
            assert "JavaScript" in refused.json["reason"]
    other = client.get(f"{db}/_design/d/file")
    assert other.is_error(404, "not_found", "Document is missing attachment")
