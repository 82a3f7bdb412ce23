"""pouchdb-server answers less than CouchDB does; what its answers look like is scripted here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from couchmend.core.document import JSON, Doc
from couchmend.errors import DatabaseNotFound, NotFound, Unsupported
from couchmend.replica.base import AllDocsQuery, BulkGetRow, ChangesQuery, Found, Missing
from couchmend.replica.couch import CouchReplica, Options
from couchmend.replica.couch.connection.retries import Retries
from tests.replica.scripted_server import Asked, ScriptedServer, Told, scripted_server

GREETING = {"express-pouchdb": "Welcome!", "version": "4.2.0", "pouchdb-adapters": ["leveldb"]}
MISSING = Told(404, {"error": "not_found", "reason": "missing"})


def leaf(id: str, chain: str, *, deleted: bool = False) -> Doc:
    """The document of a chain such as `"cba"`, newest first."""
    ids = list(chain)
    doc: Doc = {"_id": id, "_rev": f"{len(ids)}-{ids[0]}"}
    if deleted:
        doc["_deleted"] = True
    return {**doc, "_revisions": {"start": len(ids), "ids": ids}}


TREES = {
    "torn": [leaf("torn", "xa"), leaf("torn", "ya"), leaf("torn", "zwa", deleted=True)],
    "gone": [leaf("gone", "ba", deleted=True)],
    "one": [leaf("one", "a")],
}
CHANGES = {
    "results": [
        {"seq": 3, "id": "one", "changes": [{"rev": "1-a"}]},
        {
            "seq": 7,
            "id": "torn",
            "changes": [{"rev": "2-x"}, {"rev": "3-z"}, {"rev": "2-y"}],
        },
        {"seq": 9, "id": "gone", "changes": [{"rev": "2-b"}], "deleted": True},
    ],
    "last_seq": 9,
}


def pouchdb_server(asked: Asked) -> Told:
    """As it was seen to answer."""
    parts = urlsplit(asked.path)
    params = {name: value[0] for name, value in parse_qs(parts.query).items()}
    path = unquote(parts.path)
    assert "latest" not in params, "the server dies of it"
    assert params.get("filter") != "_selector", "the server dies of it"
    if path == "/":
        return Told(200, GREETING)
    match path.removeprefix("/notes").strip("/"):
        case "":
            return Told(200, {"doc_count": 2, "update_seq": 9, "db_name": "notes"})
        case "_changes":
            return Told(200, CHANGES)
        case "_bulk_get":
            wanted = asked.json["docs"]
            assert wanted, "the server never answers"
            return Told(200, {"results": [winner(item["id"]) for item in wanted]})
        case "_local/here":
            if asked.method == "PUT" and asked.json.get("_rev") != "0-4":
                return Told(409, {"error": "conflict", "reason": "Document update conflict"})
            told = {"_id": "_local/here", "_rev": "0-4"}
            done = {"ok": True, "id": "_local/here", "rev": "0-5"}
            return Told(200, told if asked.method == "GET" else done)
        case "_revs_limit" | "_local_docs" | "_design_docs":
            return MISSING
        case "_purge":
            return Told(400, {"error": "bad_request", "reason": "only_multipart_accepted"})
        case id if "open_revs" in params:
            return open_revs(id, params)
    return MISSING


def winner(id: str) -> JSON:
    """Winners only, and nothing at all of deleted documents."""
    found = [doc for doc in TREES.get(id, []) if "_deleted" not in doc]
    docs = [{"ok": max(found, key=lambda doc: str(doc["_rev"]))}] if found else [{}]
    return {"id": id, "docs": docs}


def open_revs(id: str, params: dict[str, str]) -> Told:
    docs = TREES.get(id)
    shown = ("_id", "_rev", "_deleted", *(("_revisions",) if "revs" in params else ()))
    leaves = {
        doc["_rev"]: {name: value for name, value in doc.items() if name in shown}
        for doc in docs or []
    }
    if params["open_revs"] == "all":
        return MISSING if docs is None else Told(200, [{"ok": doc} for doc in leaves.values()])
    wanted = json.loads(params["open_revs"])
    return Told(200, [{"ok": leaves[r]} if r in leaves else {"missing": r} for r in wanted])


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        server.script = pouchdb_server
        yield server


@pytest.fixture
def replica(server: ScriptedServer) -> Iterator[CouchReplica]:
    options = Options(retries=Retries(attempts=1))
    with CouchReplica.open(f"{server.url}/notes", options=options) as replica:
        yield replica


def plain(id: str, *revs: str) -> tuple[Found, ...]:
    return tuple(
        Found({name: value for name, value in doc.items() if name != "_revisions"})
        for doc in TREES[id]
        if doc["_rev"] in revs
    )


def test_all_leaves_are_read_tombstones_included(replica: CouchReplica) -> None:
    wanted = [("torn", None), ("gone", None), ("nothing", None), ("torn", None)]
    rows = list(replica.bulk_get(wanted, revs=True))
    torn = BulkGetRow("torn", tuple(Found(doc) for doc in TREES["torn"]))
    assert rows == [
        torn,
        BulkGetRow("gone", (Found(TREES["gone"][0]),)),
        BulkGetRow("nothing", (Missing("nothing", None),)),
        torn,
    ]


def test_named_revisions_have_a_row_each_in_their_order(replica: CouchReplica) -> None:
    wanted = [("torn", "2-y"), ("one", "1-a"), ("torn", "9-q"), ("torn", "2-x"), ("no", "1-a")]
    rows = list(replica.bulk_get(wanted))
    assert rows == [
        BulkGetRow("torn", plain("torn", "2-y")),
        BulkGetRow("one", plain("one", "1-a")),
        BulkGetRow("torn", (Missing("torn", "9-q"),)),
        BulkGetRow("torn", plain("torn", "2-x")),
        BulkGetRow("no", (Missing("no", "1-a"),)),
    ]


@pytest.mark.parametrize(
    ("rev", "leaves"),
    [
        ("1-a", ["2-x", "2-y", "3-z"]),
        ("2-w", ["3-z"]),
        ("3-z", ["3-z"]),
        ("2-q", []),
        ("9-a", []),
        ("4-a", []),
    ],
)
def test_the_leaves_that_descend_from_a_revision(
    replica: CouchReplica, rev: str, leaves: list[str]
) -> None:
    (row,) = replica.bulk_get([("torn", rev)], latest=True)
    assert row.outcomes == (plain("torn", *leaves) or (Missing("torn", rev),))
    if leaves:
        assert replica.get("torn", rev=rev, latest=True)["_rev"] in leaves
    else:
        with pytest.raises(NotFound):
            replica.get("torn", rev=rev, latest=True)


def test_what_is_no_revision_is_said_to_be_none(replica: CouchReplica) -> None:
    (row,) = replica.bulk_get([("torn", "latest")], latest=True)
    assert row.outcomes == (Missing("torn", "latest", "bad_request", "Invalid rev format"),)


@pytest.mark.parametrize("pages", [True, False])
def test_winners_come_first(replica: CouchReplica, pages: bool) -> None:
    query = ChangesQuery(style="all_docs")
    page = next(replica.change_pages(query)) if pages else replica.changes(query)
    assert [row.revs for row in page.rows] == [("1-a",), ("2-y", "3-z", "2-x"), ("2-b",)]
    assert (page.rows[-1].seq, page.last_seq, page.pending) == ("9", "9", 0)


def test_a_local_document_is_stored_whatever_was_there(replica: CouchReplica) -> None:
    assert replica.put_local("here", {"v": 1}) == "0-5"


@pytest.mark.parametrize("wanted", [("one", None), ("one", "1-a")])
@pytest.mark.parametrize("latest", [False, True])
def test_a_database_that_is_gone_is_not_one_without_documents(
    server: ScriptedServer, replica: CouchReplica, wanted: tuple[str, str | None], latest: bool
) -> None:
    gone = {"error": "not_found", "reason": "Database does not exist."}
    server.script = lambda asked: Told(200, GREETING) if asked.path == "/" else Told(404, gone)
    with pytest.raises(DatabaseNotFound):
        list(replica.bulk_get([wanted], latest=latest))


def test_nothing_is_never_asked_for(replica: CouchReplica) -> None:
    assert list(replica.bulk_get([])) == []


def test_what_it_does_not_count(replica: CouchReplica) -> None:
    info = replica.info()
    assert (info.documents, info.deleted_documents, info.update_seq) == (2, 0, "9")
    assert any("deleted" in notice for notice in info.notices)


LACKING: list[tuple[str, Callable[[CouchReplica], object]]] = [
    ("_revs_limit", lambda replica: replica.revs_limit()),
    ("_revs_limit", lambda replica: replica.set_revs_limit(5)),
    ("_purge", lambda replica: replica.purge({"one": ["1-a"]})),
    ("_local_docs", lambda replica: replica.local_docs()),
    ("_design_docs", lambda replica: replica.all_docs(AllDocsQuery(design=True))),
    ("_design_docs", lambda replica: replica.all_docs(AllDocsQuery(design=False))),
    ("selector", lambda replica: replica.changes(ChangesQuery(selector={"v": 1}))),
    ("selector", lambda replica: list(replica.change_pages(ChangesQuery(selector={"v": 1})))),
    ("selector", lambda replica: next(replica.follow(ChangesQuery(selector={"v": 1})))),
]


@pytest.mark.parametrize(("what", "call"), LACKING)
def test_what_it_lacks_is_said(
    replica: CouchReplica, what: str, call: Callable[[CouchReplica], object]
) -> None:
    with pytest.raises(Unsupported) as refusal:
        call(replica)
    assert what in refusal.value.message
    assert "pouchdb-server (express-pouchdb 4.2.0)" in refusal.value.message
    assert refusal.value.hint


def test_elsewhere_a_missing_document_is_just_missing() -> None:
    def couchdb(asked: Asked) -> Told:
        path = urlsplit(asked.path).path
        if path == "/":
            return Told(200, {"couchdb": "Welcome", "version": "3.5.0"})
        if path == "/notes":
            return Told(200, {"doc_count": 0, "doc_del_count": 0, "update_seq": "0", "sizes": {}})
        return MISSING

    with scripted_server() as server:
        server.script = couchdb
        with CouchReplica.open(f"{server.url}/notes") as replica, pytest.raises(NotFound):
            replica.revs_limit()


def test_the_server_is_asked_once_what_it_is(server: ScriptedServer, replica: CouchReplica) -> None:
    for _ in range(3):
        list(replica.bulk_get([("one", None)]))
    assert [asked.path for asked in server.asked].count("/") == 1
