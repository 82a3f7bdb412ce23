"""Documents in conflict are read whole, in batches, whatever the database says meanwhile."""

from __future__ import annotations

import itertools
import tracemalloc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from couchmend.core.plans.assessing import classified
from couchmend.core.policy.policy import DEFAULT
from couchmend.core.revtree import Rev
from couchmend.engine.finding.reading import (
    BATCH_BYTES,
    InConflict,
    Known,
    NotInConflict,
    Reader,
    Reading,
    Unread,
    Vanished,
    row_of,
)
from couchmend.replica.base import ChangeRow, ChangesQuery, Replica
from couchmend.replica.couch import CouchReplica, CouchServer
from couchmend.replica.embedded import EmbeddedReplica, Folder
from couchmend.replica.http_face.server import BackgroundServer
from couchmend.settings import ReplicaServer
from tests.engine.storing import fork, rev_of, revision, store
from tests.lying import Json, LyingProxy, Match

r = Rev.parse


@pytest.fixture
def memory() -> Iterator[EmbeddedReplica]:
    with EmbeddedReplica.open(":memory:") as replica:
        yield replica


def candidates(replica: Replica) -> list[ChangeRow]:
    page = replica.changes(ChangesQuery(style="all_docs"))
    return [row for row in page.rows if len(row.revs) > 1]


def read(replica: Replica, *rows: ChangeRow, **options: Any) -> list[Reading]:
    return list(Reader(replica, "db", **options).documents(rows or candidates(replica)))


def test_one_answer_a_row_in_their_order(replica: Replica) -> None:
    fork(replica, "open", {"x": 0}, {"x": 1}, {"x": 2})
    fork(replica, "hidden", {"x": 0}, {"x": 1}, None)
    fork(replica, "gone", {"x": 0}, None, None)
    replica.put({"_id": "plain", "x": 1})
    ids = ["hidden", "unknown", "open", "plain", "gone"]
    found = read(replica, *map(row_of, ids))
    assert [one.row.id for one in found] == ids
    kinds = [InConflict, Vanished, InConflict, NotInConflict, NotInConflict]
    assert [type(one) for one in found] == kinds


def test_a_document_that_was_purged_after_the_feed_was_read(memory: EmbeddedReplica) -> None:
    leaves = fork(memory, "a", {"x": 0}, {"x": 1}, {"x": 2})
    rows = candidates(memory)
    memory.purge({"a": leaves})
    assert read(memory, *rows) == [Vanished(rows[0])]


def test_a_document_that_was_resolved_after_the_feed_was_read(memory: EmbeddedReplica) -> None:
    loser, _ = sorted(fork(memory, "a", {"x": 0}, {"x": 1}, {"x": 2}))
    rows = candidates(memory)
    memory.delete("a", loser)
    (found,) = read(memory, *rows)
    assert isinstance(found, NotInConflict)


def test_an_edit_after_the_feed_was_read_is_what_is_told(memory: EmbeddedReplica) -> None:
    leaves = fork(memory, "a", {"x": 0}, {"x": 1}, {"x": 2})
    rows = candidates(memory)
    newer = memory.put({"_id": "a", "_rev": leaves[0], "x": 3})
    (found,) = read(memory, *rows)
    assert isinstance(found, InConflict)
    assert set(found.doc.live) == {r(newer), r(leaves[1])}


# --- ancestors


def test_ancestors_come_with_what_they_say(replica: Replica) -> None:
    fork(replica, "a", {"x": 0}, {"x": 1}, {"x": 2})
    (found,) = read(replica, row_of("a"))
    assert isinstance(found, InConflict)
    assert found.doc.bodies[r(rev_of(1, "a"))] == {"x": 0}


def test_an_inner_tombstone_is_known_for_one(memory: EmbeddedReplica) -> None:
    """Deleted, then created again on both sides: there is no common ancestor."""
    root, dead = rev_of(1, "a"), rev_of(2, "a")
    store(
        memory,
        revision("a", [root], {"x": 0}),
        revision("a", [dead, root], {}, deleted=True),
        *(revision("a", [rev_of(3, "a", n), dead, root], {"x": n}) for n in (1, 2)),
    )
    (found,) = read(memory)
    assert isinstance(found, InConflict)
    assert found.doc.tree.is_deleted(r(dead))
    told = classified(found.doc, DEFAULT)
    assert told is not None
    assert told.kind.type == "version_mismatch"


def test_an_older_ancestor_where_the_newest_is_lost(memory: EmbeddedReplica) -> None:
    one, two = rev_of(1, "a"), rev_of(2, "a")
    store(memory, revision("a", [one], {"x": 0}))
    for number in (1, 2):
        store(memory, revision("a", [rev_of(3, "a", number), two, one], {"x": number}))
    (found,) = read(memory)
    assert isinstance(found, InConflict)
    assert found.doc.bodies[r(one)] == {"x": 0}
    assert r(two) not in found.doc.bodies


class Asked(EmbeddedReplica):
    """Remembers which revisions it was asked for."""

    def bulk_get(self, wanted: Iterable[tuple[str, str | None]], **include: Any) -> Any:
        items = list(wanted)
        self.asked = [*getattr(self, "asked", []), *items]
        return super().bulk_get(items, **include)


def test_what_is_remembered_is_not_read_again() -> None:
    root = r(rev_of(1, "a"))
    seen: list[list[str]] = []

    def lookup(ids: Sequence[str]) -> Mapping[str, Known]:
        seen.append(list(ids))
        known = Known(
            acknowledged=frozenset({root}),
            recorded={root: frozenset({root})},
            bodies={root: {"x": "kept"}},
        )
        return {"a": known}

    with Asked.open(":memory:") as replica:
        fork(replica, "a", {"x": 0}, {"x": 1}, {"x": 2})
        fork(replica, "b", {"x": 0}, {"x": 1}, {"x": 2})
        replica.put({"_id": "c"})
        found = read(replica, *map(row_of, "abc"), lookup=lookup)
        assert [item for item in replica.asked if item[1]] == [("b", rev_of(1, "b"))]
    assert seen == [["a", "b"]]
    assert isinstance(found[0], InConflict)
    assert found[0].doc.bodies[root] == {"x": "kept"}
    assert found[0].doc.acknowledged == {root}
    assert found[0].doc.recorded == {root: {root}}


def test_resolved_documents_cost_no_request_for_ancestors() -> None:
    with Asked.open(":memory:") as replica:
        loser, _ = sorted(fork(replica, "a", {"x": 0}, {"x": 1}, {"x": 2}))
        replica.delete("a", loser)
        read(replica)
        assert [rev for _, rev in replica.asked if rev] == []


# --- leaves that cannot be read


@contextmanager
def served(folder: Folder) -> Iterator[LyingProxy]:
    with BackgroundServer(folder, ReplicaServer(port=0)) as server, LyingProxy(server.url) as proxy:
        yield proxy


def test_a_leaf_without_a_body_is_tolerated(tmp_path: Any) -> None:
    """Trap 26: it is listed, and nobody can read it."""
    folder = Folder(tmp_path)
    try:
        with served(folder) as proxy:
            replica = folder.create("db")
            leaves = fork(replica, "a", {"x": 0}, {"x": 1}, {"x": 2}, {"x": 3})
            lost = leaves[1]

            def missing(answer: Any) -> Any:
                for row in answer["results"]:
                    row["docs"] = [
                        {"missing": lost} if doc.get("ok", {}).get("_rev") == lost else doc
                        for doc in row["docs"]
                    ]
                return answer

            proxy.lie(Json(missing), on=Match("POST", "/_bulk_get"))
            client = CouchServer(proxy.url)
            try:
                (found,) = read(client.open("db"), row_of("a", leaves))
            finally:
                client.close()
            assert isinstance(found, InConflict)
            assert set(found.doc.live) == {r(leaves[0]), r(leaves[2])}
            assert found.doc.unreadable == (r(lost),)
            told = classified(found.doc, DEFAULT)
            assert told is not None
            assert told.fields == ("x",)
    finally:
        folder.close()


def test_an_error_about_a_document_is_told_and_the_others_come(tmp_path: Any) -> None:
    folder = Folder(tmp_path)
    try:
        with served(folder) as proxy:
            replica = folder.create("db")
            for id in "abc":
                fork(replica, id, {"x": 0}, {"x": 1}, {"x": 2})

            def fail(answer: Any) -> Any:
                for row in answer["results"]:
                    if row["id"] == "b":
                        said = {"id": "b", "rev": "undefined", "error": "timeout", "reason": "late"}
                        row["docs"] = [{"error": said}]
                return answer

            proxy.lie(Json(fail), on=Match("POST", "/_bulk_get"))
            client = CouchServer(proxy.url)
            try:
                found = read(client.open("db"), *map(row_of, "abc"))
            finally:
                client.close()
            assert [type(one) for one in found] == [InConflict, Unread, InConflict]
            assert isinstance(found[1], Unread)
            assert "late" in str(found[1].error)
    finally:
        folder.close()


# --- much


def test_5000_leaves(replica: Replica) -> None:
    """Bulk reads of CouchDB would take the better part of a minute (trap 19); so do writes."""
    count = 300 if isinstance(replica, CouchReplica) else 5000
    root = rev_of(1, "a")
    leaves = [rev_of(2, "a", number) for number in range(count)]
    assert replica.bulk_docs([revision("a", [root], {"x": -1})], new_edits=False) == []
    docs = [revision("a", [leaf, root], {"x": n}) for n, leaf in enumerate(leaves)]
    assert replica.bulk_docs(docs, new_edits=False) == []
    fork(replica, "b", {"x": 0}, {"x": 1}, {"x": 2})
    rows = sorted(candidates(replica), key=lambda row: row.id)
    found = read(replica, *rows)
    assert [type(one) for one in found] == [InConflict, InConflict]
    assert isinstance(found[0], InConflict)
    assert len(found[0].doc.live) == count
    assert found[0].doc.bodies[r(root)] == {"x": -1}


def test_leaves_of_7_megabytes_are_never_all_held() -> None:
    """Twelve documents are 168 MB, and twice that while they are read; a few at a time are less."""
    size = 7_000_000
    with EmbeddedReplica.open(":memory:") as replica:
        for number in range(12):
            id = f"d{number}"
            fork(replica, id, {"x": 0}, {"x": "a" * size}, {"x": "b" * size})
        rows = candidates(replica)
        tracemalloc.start()
        try:
            count = 0
            for one in Reader(replica, "db").documents(rows):
                assert isinstance(one, InConflict)
                assert one.bytes > BATCH_BYTES
                count += 1
                del one
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert count == 12
    assert peak < 22 * size


def test_batches_shrink_and_grow(memory: EmbeddedReplica) -> None:
    """All are read once, whatever their sizes."""
    sizes = itertools.cycle([10, 10, 400_000])
    ids = [f"d{number:04d}" for number in range(130)]
    for id, size in zip(ids, sizes, strict=False):
        fork(memory, id, {"x": 0}, {"x": "a" * size}, {"x": "b"})
    found = read(memory, *map(row_of, ids))
    assert [one.row.id for one in found] == ids
    assert {type(one) for one in found} == {InConflict}


def test_it_can_be_left_before_its_end(memory: EmbeddedReplica) -> None:
    for id in "abc":
        fork(memory, id, {"x": 0}, {"x": 1}, {"x": 2})
    readings = Reader(memory, "db").documents(candidates(memory))
    assert isinstance(next(readings), InConflict)
    readings.close()
    assert memory.info().documents == 3
