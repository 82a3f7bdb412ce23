"""With a real CouchDB: its own replicator and our HTTP face, ours with large databases.

Set `COUCHMEND_TEST_COUCHDB_URL=http://user:password@host:port`; its replicator reaches our
server only on the same machine.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import urllib3

from couchmend.core.document import Doc
from couchmend.replica.base import ChangesQuery, Replica
from couchmend.replica.couch import CouchReplica
from couchmend.replica.embedded import EmbeddedReplica, Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.replica.replicate import replicate
from couchmend.settings import ReplicaServer
from tests.contract.backends import COUCHDB_URL, CouchDB
from tests.contract.chains import chained, grow, store
from tests.replica.replicate.leaves import leaves_of_all

pytestmark = [
    pytest.mark.skipif(not COUCHDB_URL, reason="COUCHMEND_TEST_COUCHDB_URL names no CouchDB"),
    pytest.mark.timeout(900),
]

MANY = 100_000


@pytest.fixture
def couchdb() -> Iterator[Replica]:
    """A new database of the CouchDB."""
    backend = CouchDB(COUCHDB_URL)
    with backend.replica() as replica:
        yield replica
    backend.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[CouchReplica]:
    """A new database of our server."""
    if urlsplit(COUCHDB_URL).hostname not in ("127.0.0.1", "localhost", "::1"):
        pytest.skip("the CouchDB is on another machine and cannot reach a server here")
    folder = Folder(tmp_path)
    folder.create("notes")
    with (
        BackgroundServer(folder, ReplicaServer(port=0)) as server,
        CouchReplica.open(f"{server.url}/notes") as replica,
    ):
        yield replica
    folder.close()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[EmbeddedReplica]:
    with EmbeddedReplica.open(tmp_path / "local.couch") as replica:
        yield replica


def couchdb_replicates(source: Replica, target: Replica) -> Doc:
    """Have the CouchDB's own replicator do it."""
    parts = urlsplit(COUCHDB_URL)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")

    def side(replica: Replica) -> Doc:
        told: Doc = {"url": replica.url}
        if urlsplit(replica.url).port == parts.port:
            told["auth"] = {"basic": {"username": user, "password": password}}
        return told

    answer = urllib3.request(
        "POST",
        f"{parts.scheme}://{parts.hostname}:{parts.port}/_replicate",
        json={"source": side(source), "target": side(target)},
        headers=urllib3.make_headers(basic_auth=f"{user}:{password}"),
        timeout=300,
        retries=False,
    )
    told: Doc = answer.json()
    assert answer.status == 200, told
    return told


def furnish(replica: Replica) -> None:
    """Conflicts, tombstones, attachments, odd ids and values."""
    grow(replica)
    replica.bulk_docs([{"_id": f"d{n}", "n": n, "big": 2**70, "f": 1.0} for n in range(300)])
    replica.put({"_id": "a/b é", "_attachments": {"f.txt": {"data": b"text " * 999}}})
    replica.put_attachment("large", "f", random.Random(1).randbytes(3_000_000), "image/png")
    for n in range(5):
        replica.delete(f"d{n}", replica.get(f"d{n}")["_rev"])
    replica.put({"_id": "_design/d", "language": "query", "views": {}})


def test_its_replicator_pulls_from_our_server(couchdb: Replica, served: CouchReplica) -> None:
    furnish(served)
    told = couchdb_replicates(served, couchdb)
    assert told["history"][0]["doc_write_failures"] == 0
    assert leaves_of_all(couchdb) == leaves_of_all(served)
    served.put({"_id": "later"})
    # It counts on from one session to the next.
    written = told["history"][0]["docs_written"]
    assert couchdb_replicates(served, couchdb)["history"][0]["docs_written"] == written + 1
    assert couchdb_replicates(served, couchdb)["no_changes"] is True


def test_its_replicator_pushes_to_our_server(couchdb: Replica, served: CouchReplica) -> None:
    furnish(couchdb)
    told = couchdb_replicates(couchdb, served)
    assert told["history"][0]["doc_write_failures"] == 0
    assert leaves_of_all(couchdb) == leaves_of_all(served)
    couchdb.put({"_id": "later"})
    written = told["history"][0]["docs_written"]
    assert couchdb_replicates(couchdb, served)["history"][0]["docs_written"] == written + 1
    assert couchdb_replicates(couchdb, served)["no_changes"] is True


def test_its_replicator_brings_back_and_forth_what_both_edit(
    couchdb: Replica, served: CouchReplica
) -> None:
    furnish(served)
    couchdb_replicates(served, couchdb)
    for replica in (served, couchdb):
        for n in range(10, 20):
            replica.put({**replica.get(f"d{n}"), "by": replica.url})
    couchdb_replicates(served, couchdb)
    couchdb_replicates(couchdb, served)
    assert leaves_of_all(couchdb) == leaves_of_all(served)
    assert len(served.get("d12", conflicts=True)["_conflicts"]) == 1
    assert served.get("d12") == couchdb.get("d12")


def leaf_revisions(replica: Replica) -> dict[str, frozenset[str]]:
    pages = replica.change_pages(ChangesQuery(style="all_docs"))
    return {row.id: frozenset(row.revs) for page in pages for row in page.rows}


def test_a_hundred_thousand_documents_in_both_directions(
    couchdb: Replica, local: EmbeddedReplica
) -> None:
    for start in range(0, MANY, 5000):
        docs = [{"_id": f"d{n:06}", "n": n, "text": "x" * 200} for n in range(start, start + 5000)]
        local.bulk_docs(docs)
    up = replicate(local, couchdb).progress
    assert (up.docs_written, up.doc_write_failures) == (MANY, 0)
    for start in range(0, 2000, 500):
        edits = [
            {"_id": f"d{n:06}", "_rev": local.get(f"d{n:06}")["_rev"], "n": -n}
            for n in range(start, start + 500)
        ]
        local.bulk_docs(edits)
        couchdb.bulk_docs([{**doc, "there": True} for doc in edits])
    down = replicate(couchdb, local).progress
    assert (down.docs_written, down.doc_write_failures) == (2000, 0)
    assert replicate(local, couchdb).progress.docs_written == 2000
    assert leaf_revisions(couchdb) == leaf_revisions(local)
    with EmbeddedReplica.open(":memory:") as fresh:
        whole = replicate(couchdb, fresh).progress
        assert (whole.docs_written, whole.unread) == (MANY + 2000, 0)
        assert leaf_revisions(fresh) == leaf_revisions(local)


def test_five_thousand_leaves_of_one_document(couchdb: Replica, local: EmbeddedReplica) -> None:
    leaves = [chained("a", f"2-{n:032x}", "1-a", n=n) for n in range(5000)]
    store(local, *leaves)
    assert replicate(local, couchdb).progress.docs_written == 5000
    with EmbeddedReplica.open(":memory:") as fresh:
        assert replicate(couchdb, fresh).progress.docs_written == 5000
        assert leaf_revisions(fresh) == leaf_revisions(local)
        assert fresh.get("a") == local.get("a") == couchdb.get("a")


def test_attachments_of_twenty_megabytes(couchdb: Replica, local: EmbeddedReplica) -> None:
    contents = [random.Random(n).randbytes(20_000_000) for n in range(3)]
    for n, content in enumerate(contents):
        local.put_attachment(f"d{n}", "film", content, "video/mp4")
    text = b"compressible text " * 1_100_000
    local.put({"_id": "both", "_attachments": {
        "film": {"data": contents[0], "content_type": "video/mp4"},
        "text": {"data": text, "content_type": "text/plain"},
    }})  # fmt: skip
    assert replicate(local, couchdb).progress.attachments == 5
    with EmbeddedReplica.open(":memory:") as fresh:
        assert replicate(couchdb, fresh).progress.attachments == 5
        for n, content in enumerate(contents):
            kept = hashlib.sha256(fresh.attachment(f"d{n}", "film").read()).digest()
            assert kept == hashlib.sha256(content).digest()
        assert fresh.attachment("both", "text").read() == text
