"""pouchdb-server (express-pouchdb) as a server for our client: what works, what is missing and
said so, and replication to and from it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from couchmend.core.document import Doc
from couchmend.errors import Conflict, NotFound, PreconditionFailed, Unsupported
from couchmend.replica.base import (
    AllDocsQuery,
    ChangeRow,
    ChangesQuery,
    Found,
    Heartbeat,
    Missing,
    Query,
    Refused,
    Replica,
    Written,
)
from couchmend.replica.couch import CouchReplica, CouchServer, Options
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import replicate
from tests.contract.chains import TREE, chained, found, grow, leaves
from tests.e2e.devices import HERE, leaves_of, same_leaves

pytestmark = [pytest.mark.node, pytest.mark.timeout(300)]

LARGE = bytes(range(256)) * 12_000
CONFLICT = "Document update conflict"


@contextmanager
def pouchdb_server(folder: Path) -> Iterator[str]:
    """Its URL; databases are in memory."""
    command = ["node", "--no-deprecation", str(HERE / "express.js"), str(folder), "fullCouchDB"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CouchServer]:
    options = Options(read_timeout_seconds=60)
    with pouchdb_server(tmp_path_factory.mktemp("pouchdb-server")) as url:
        server = CouchServer(url, options=options)
        yield server
        server.close()


@pytest.fixture
def replica(server: CouchServer, request: pytest.FixtureRequest) -> Iterator[CouchReplica]:
    name = "".join(letter for letter in request.node.name if letter.isalnum() or letter == "_")
    with server.create(name[:40]) as replica:
        yield replica
    server.delete(name[:40])


def test_databases(server: CouchServer) -> None:
    server.create("one").close()
    assert "one" in server.names()
    with server.open("one") as replica:
        assert replica.info().documents == 0
    server.delete("one")
    assert "one" not in server.names()
    with pytest.raises(NotFound):
        server.open("one")


def test_documents(replica: CouchReplica) -> None:
    docs: list[Doc] = [{"_id": "b"}, {"_id": "a", "_rev": "1-x"}, {"v": 1}, {"_id": "c/é"}]
    rows = replica.bulk_docs(docs)
    b, a, made_up, c = rows  # the server has its refusals first
    assert (b.id, a, c.id) == ("b", Refused("a", "1-x", "conflict", CONFLICT), "c/é")
    assert isinstance(made_up, Written)
    assert replica.get(made_up.id)["v"] == 1
    rev = str(c.rev)
    assert replica.get("c/é") == {"_id": "c/é", "_rev": rev}
    replica.delete("c/é", rev)
    with pytest.raises(NotFound):
        replica.get("c/é")
    with pytest.raises(Conflict):
        replica.put({"_id": "b"})
    page = replica.all_docs(AllDocsQuery(keys=["b", "c/é", "none"], include_docs=True))
    assert [(row.key, row.deleted, row.error) for row in page.rows] == [
        ("b", False, None),
        ("c/é", True, None),
        ("none", False, "not_found"),
    ]


def test_conflicts(replica: CouchReplica) -> None:
    grow(replica)
    assert replica.get(TREE, conflicts=True)["_conflicts"] == ["2-bbbb"]
    all_leaves = {"2-bbbb", "2-cccc", "3-dddd"}
    assert leaves(replica, TREE) == all_leaves
    (named, gone, all_of_it, none) = replica.bulk_get(
        [(TREE, "2-bbbb"), (TREE, "9-z"), (TREE, None), ("none", None)], revs=True
    )
    (outcome,) = named.outcomes
    assert isinstance(outcome, Found)
    assert outcome.doc["_revisions"] == {"start": 2, "ids": ["bbbb", "aaaa"]}
    assert gone.outcomes == (Missing(TREE, "9-z"),)
    assert {doc["_rev"] for doc in found(all_of_it.outcomes)} == all_leaves
    assert all(isinstance(outcome, Missing) for outcome in none.outcomes)
    missing = replica.revs_diff({TREE: ["2-bbbb", "9-z"], "none": ["1-a"]})
    assert {id: diff.missing for id, diff in missing.items()} == {
        TREE: ("9-z",),
        "none": ("1-a",),
    }


def test_changes(replica: CouchReplica) -> None:
    grow(replica)
    replica.bulk_docs([{"_id": f"d{n}"} for n in range(5)])
    pages = list(replica.change_pages(ChangesQuery(style="all_docs"), rows=2))
    rows = [row for page in pages for row in page.rows]
    assert {row.id for row in rows} == {TREE, *(f"d{n}" for n in range(5))}
    (torn,) = (row for row in rows if row.id == TREE)
    assert torn.revs[0] == "2-cccc"
    assert set(torn.revs) == {"2-bbbb", "2-cccc", "3-dddd"}
    assert replica.changes(ChangesQuery(since=pages[-1].last_seq)).rows == ()
    (row,) = replica.changes(ChangesQuery(doc_ids=["d3"])).rows
    assert row.id == "d3"


def test_changes_as_they_happen(replica: CouchReplica) -> None:
    replica.put({"_id": "before"})
    since = replica.changes().last_seq
    feed = replica.follow(ChangesQuery(since=since), heartbeat_seconds=0.2)
    assert isinstance(next(feed), Heartbeat)
    replica.put({"_id": "after"})
    rows = (row for row in feed if isinstance(row, ChangeRow))
    assert next(rows).id == "after"
    feed.close()


def test_attachments(replica: CouchReplica) -> None:
    entries: dict[str, Doc] = {
        'quoted " /é': {"content_type": "image/png", "data": LARGE},
        "small": {"content_type": "text/plain", "data": b"text"},
        "empty": {"data": b""},
    }
    rev = replica.put({"_id": "a", "_attachments": entries})
    for name, entry in entries.items():
        attachment = replica.attachment("a", name)
        assert attachment.read() == entry["data"]
        assert attachment.length == len(entry["data"])
    rev = replica.put_attachment("a", "streamed", (b"x" * 1000 for _ in range(9)), "x/y", rev=rev)
    assert replica.attachment("a", "streamed").length == 9000
    rev = replica.delete_attachment("a", "streamed", rev)
    assert set(replica.get("a")["_attachments"]) == set(entries)
    with pytest.raises(NotFound):
        replica.attachment("a", "streamed")
    doc = chained("b", "2-b", "1-a", _attachments={"f": {"data": LARGE}, "g": {"data": b"g"}})
    assert replica.bulk_docs([doc, chained("c", "1-c")], new_edits=False) == []
    assert replica.attachment("b", "f").read() == LARGE
    with pytest.raises(PreconditionFailed):
        replica.put({"_id": "c", "_attachments": {"f": {"stub": True, "revpos": 1}}})


def test_local_documents(replica: CouchReplica) -> None:
    replica.put_local("mine", {"v": 1})
    replica.put_local("mine", {**replica.get_local("mine"), "v": 2})
    assert replica.get_local("mine")["v"] == 2
    replica.delete_local("mine")
    with pytest.raises(NotFound):
        replica.get_local("mine")


def test_mango(replica: CouchReplica) -> None:
    replica.bulk_docs([{"_id": f"d{n}", "n": n} for n in range(9)])
    assert replica.create_index({"index": {"fields": ["n"]}, "name": "by-n"})["result"] == "created"
    assert [index.name for index in replica.indexes()] == ["_all_docs", "by-n"]
    page = replica.find(Query({"n": {"$gt": 4}}, fields=["n"], sort=[{"n": "desc"}], limit=2))
    assert page.docs == ({"n": 8}, {"n": 7})


LACKING: dict[str, Callable[[Replica], Any]] = {
    "_purge": lambda replica: replica.purge({"a": ["1-a"]}),
    "_revs_limit": lambda replica: replica.revs_limit(),
    "_local_docs": lambda replica: replica.local_docs(),
    "filter by selector": lambda replica: replica.changes(ChangesQuery(selector={"a": 1})),
}


@pytest.mark.parametrize("what", LACKING)
def test_what_it_lacks_is_said(replica: CouchReplica, what: str) -> None:
    with pytest.raises(Unsupported) as refusal:
        LACKING[what](replica)
    assert f"pouchdb-server (express-pouchdb 4.2.0) has no {what}" in str(refusal.value)
    assert refusal.value.hint


def test_replication_to_it_and_from_it(replica: CouchReplica) -> None:
    with EmbeddedReplica.open(":memory:") as one, EmbeddedReplica.open(":memory:") as other:
        grow(one)
        one.bulk_docs([{"_id": f"d{n}", "n": n, "f": 1.5, "t": "é中😀"} for n in range(300)])
        for n in range(0, 20, 2):
            one.delete(f"d{n}", one.get(f"d{n}")["_rev"])
        entries = {"large": {"data": LARGE}, "small": {"data": b"s", "content_type": "text/plain"}}
        for rev in ("2-x", "2-y"):
            given = {**entries, "own": {"data": rev.encode()}}
            one.bulk_docs([chained("torn", rev, "1-a", _attachments=given)], new_edits=False)
        one.put({"_id": "_design/d", "views": {}})
        for source, target in ((one, replica), (replica, other)):
            first = replicate(source, target)
            assert not first.progress.refused
            again = replicate(source, target)
            assert (again.progress.start_seq, again.progress.docs_written) == (
                first.progress.last_seq,
                0,
            )
        held = leaves_of(one)
        assert len(held) == 303
        same_leaves(held, leaves_of(replica))
        same_leaves(held, leaves_of(other))
        for rev in ("2-x", "2-y"):
            assert other.attachment("torn", "large", rev=rev).read() == LARGE
            assert other.attachment("torn", "own", rev=rev).read() == rev.encode()

        # Back again: an edit of both conflicting sides, there and here.
        other.put({**other.get("d1"), "edited": "there"})
        one.put({**one.get("d1"), "edited": "here"})
        for source, target in ((other, replica), (one, replica), (replica, one), (replica, other)):
            replicate(source, target)
        held = leaves_of(one)
        assert len(held["d1"]) == 2
        same_leaves(held, leaves_of(replica))
        same_leaves(held, leaves_of(other))
