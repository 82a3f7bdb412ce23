"""All conflicts are found, none is invented, and each is told alike wherever it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

import couchmend
from couchmend.core.policy.policy import Policy
from couchmend.engine.finding.scan import Scanned, ScanReport, scan
from couchmend.errors import DatabaseNotFound, Forbidden, ReplicaError, UsageError
from couchmend.policies import Policies
from couchmend.replica.base import Replica
from couchmend.replica.couch import CouchServer
from couchmend.replica.embedded import EmbeddedReplica
from tests.contract.backends import COUCHDB_URL, Backend, new_name, opened
from tests.engine.storing import fork, revision, store
from tests.engine.workload import Expected, workload
from tests.lying import LyingProxy, Match, failure

EACH = 4


def scanned(replica: Replica, policy: Policy | None = None) -> tuple[list[Scanned], ScanReport]:
    found = scan(replica, policy, name="db")
    return list(found), found.report


def put_all(replica: Replica, docs: list[dict[str, object]]) -> None:
    """As replication writes: whole pages of them."""
    for start in range(0, len(docs), 500):
        assert replica.bulk_docs(docs[start : start + 500], new_edits=False) == []


@contextmanager
def in_memory() -> Iterator[Replica]:
    with EmbeddedReplica.open(":memory:") as replica:
        yield replica


def told(one: Scanned) -> object:
    return (one.document, one.found, one.leaves, one.policy, one.sentence)


def test_the_workload_is_found_alike_everywhere(replica: Replica) -> None:
    docs, expected = workload(EACH)
    put_all(replica, docs)
    found, report = scanned(replica)
    assert {one.document: Expected(one.type, one.hidden, one.leaves) for one in found} == expected
    assert len(found) == len(expected)
    assert report.complete
    assert report.conflicts == len(expected)
    assert report.hidden == EACH
    assert sum(report.by_type.values()) == sum(report.by_severity.values()) == len(expected)
    assert report.by_devices["desk", "phone"] == 8 * EACH
    assert report.by_field["tags"] == EACH
    assert not report.problems
    with in_memory() as here:
        put_all(here, docs)
        others, same = scanned(here)
    assert sorted(map(told, found), key=repr) == sorted(map(told, others), key=repr)
    assert (report.by_field, report.by_devices) == (same.by_field, same.by_devices)
    assert report.documents == same.documents


def test_compaction_leaves_all_conflicts(replica: Replica) -> None:
    """What is known of them may be less; that they are there is not."""
    docs, expected = workload(1)
    put_all(replica, docs)
    replica.compact()
    found, _ = scanned(replica)
    assert {one.document for one in found} == set(expected)
    assert {one.document for one in found if one.hidden} == {"hidden-0000"}


def test_nothing_in_an_empty_database(replica: Replica) -> None:
    found, report = scanned(replica)
    assert found == []
    assert (report.documents, report.rows, report.complete) == (0, 0, True)


def test_it_is_what_the_package_offers() -> None:
    with in_memory() as replica:
        fork(replica, "a", {"x": 0}, {"x": 1}, {"x": 2})
        (one,) = couchmend.scan(replica)
        assert (one.document, one.type, one.fields) == ("a", "edit_edit", ("x",))


def test_progress_comes_to_its_end() -> None:
    seen: list[tuple[int, int]] = []
    with in_memory() as replica:
        put_all(replica, workload(1)[0])
        rows = len(list(replica.changes().rows))
        list(scan(replica, on_progress=lambda rows, total: seen.append((rows, total))))
    assert seen[-1] == (rows, rows)


# --- policies


def test_each_document_has_the_policy_that_matches_it() -> None:
    notes = Policy(name="notes", match={"type": "note"}, ignore_fields=["x"])
    mine = Policy(name="mine", fields={"x": "max"})
    policies = Policies((notes, mine))
    with in_memory() as replica:
        fork(replica, "n", {"type": "note"}, {"type": "note", "x": 1}, {"type": "note", "x": 2})
        fork(replica, "t", {"type": "task"}, {"type": "task", "x": 1}, {"type": "task", "x": 2})
        found = {one.document: (one.policy, one.type) for one in scan(replica, policies)}
        assert found == {"n": ("notes", "merge_candidates"), "t": ("default", "edit_edit")}
        found = {
            one.document: (one.policy, one.type) for one in scan(replica, policies, names=["mine"])
        }
        assert found["t"] == ("mine", "merge_candidates")
        with pytest.raises(UsageError, match="there is no policy 'others'"):
            scan(replica, policies, names=["others"])


def test_possible_deletions_where_the_policy_reports_them() -> None:
    docs, expected = workload(1)
    with in_memory() as replica:
        put_all(replica, docs)
        found, _ = scanned(replica, Policy(dead_branches="report"))
    assert {one.document for one in found} == {*expected, "resolved-0000"}
    (resolved,) = [one for one in found if one.document == "resolved-0000"]
    assert (resolved.type, resolved.hidden) == ("edit_delete", True)


# --- what is hard to read


def test_design_documents_are_told_like_others(replica: Replica) -> None:
    fork(replica, "_design/d", {"views": {}}, {"views": {}, "x": 1}, {"views": {}, "x": 2})
    (one,) = scanned(replica)[0]
    assert one.document == "_design/d"


def test_what_is_nested_too_deep_is_a_conflict_that_says_so() -> None:
    deep: dict[str, object] = {}
    for _ in range(250):
        deep = {"a": deep}
    with in_memory() as replica:
        fork(replica, "a", {"a": 1}, {"a": deep, "b": 1}, {"a": {"a": deep}})
        fork(replica, "b", {"x": 0}, {"x": 1}, {"x": 2})
        found, report = scanned(replica)
    assert [one.document for one in found] == ["a", "b"]
    assert report.conflicts == 2


def test_a_conflict_with_stemmed_chains_has_no_known_ancestor(replica: Replica) -> None:
    """The branches of one history, of which each forgot its beginning."""
    one = [f"{n}-{n:032x}" for n in range(7, 4, -1)]
    store(replica, revision("a", one, {"x": 1}), revision("a", [f"1-{1:032x}"], {"x": 2}))
    (found,) = scanned(replica)[0]
    assert found.type == "version_mismatch"
    assert "forgot" in found.sentence


# --- no write


def honest(proxy: LyingProxy) -> list[str]:
    """The requests that may have written something."""
    reading = ("/_bulk_get",)
    return [
        f"{seen.method} {seen.path}"
        for seen in proxy.seen
        if seen.method not in ("GET", "HEAD")
        and not (seen.method == "POST" and urlsplit(seen.path).path.endswith(reading))
    ]


@pytest.fixture(params=("served", "couchdb") if COUCHDB_URL else ("served",))
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Backend, str]]:
    """A server, and its address with credentials."""
    with opened(request.param, tmp_path_factory.mktemp(request.param)) as backend:
        found = backend.server()
        assert found is not None
        yield backend, COUCHDB_URL if request.param == "couchdb" else found.url


@contextmanager
def behind(url: str, name: str) -> Iterator[tuple[LyingProxy, Replica]]:
    """A database behind a proxy that counts, and lies when it is told to."""
    parts = urlsplit(url)
    with LyingProxy(url) as proxy:
        client = CouchServer(proxy.url, user=parts.username, password=parts.password)
        try:
            replica = client.open(name)
            proxy.forget()
            yield proxy, replica
        finally:
            client.close()


def test_nothing_is_written(server: tuple[Backend, str]) -> None:
    backend, url = server
    docs, expected = workload(2)
    with backend.replica() as replica:
        put_all(replica, docs)
        before = replica.info()
        locals_before = replica.local_docs()
        with behind(url, replica.name) as (proxy, seen_there):
            found, _ = scanned(seen_there)
            assert honest(proxy) == []
            assert len(proxy.seen) >= 3
        assert len(found) == len(expected)
        assert replica.info().update_seq.split("-")[0] == before.update_seq.split("-")[0]
        assert replica.local_docs() == locals_before


@pytest.mark.skipif(not COUCHDB_URL, reason="COUCHMEND_TEST_COUCHDB_URL names no CouchDB")
def test_an_account_that_may_only_read_is_enough() -> None:
    """A member who is refused every write."""
    name, user = new_name(), new_name()
    admin = CouchServer(COUCHDB_URL)
    try:
        replica = admin.create(name)
        users = admin.open("_users")
        users.put(
            {"_id": f"org.couchdb.user:{user}", "name": user, "password": "reads", "roles": [],
             "type": "user"}
        )  # fmt: skip
        try:
            put_all(replica, workload(1)[0])
            refusing = (
                "function(n, o, u) { if (u.roles.indexOf('_admin') < 0) throw({forbidden: 'no'}) }"
            )
            replica.put({"_id": "_design/v", "validate_doc_update": refusing})
            replica.set_security({"members": {"names": [user]}, "admins": {"names": []}})
            reader = CouchServer(_without_user(COUCHDB_URL), user=user, password="reads")
            try:
                seen = reader.open(name)
                with pytest.raises(Forbidden):
                    seen.put({"_id": "x"})
                found, report = scanned(seen)
                assert report.complete
                assert len(found) == len(workload(1)[1])
            finally:
                reader.close()
        finally:
            document = users.get(f"org.couchdb.user:{user}")
            users.delete(document["_id"], document["_rev"])
            admin.delete(name)
    finally:
        admin.close()


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port}"


# --- what breaks off


def test_a_database_that_disappears_in_the_middle(server: tuple[Backend, str]) -> None:
    """What came before is right, and the error says what is not there any more."""
    backend, url = server
    found_server = backend.server()
    assert found_server is not None
    name = new_name()
    made = found_server.create(name)
    put_all(made, workload(40)[0])
    with behind(url, name) as (proxy, replica):
        scanning = scan(replica, name="db")
        conflicts = iter(scanning)
        next(conflicts)
        found_server.delete(name)
        with pytest.raises(ReplicaError) as problem:
            list(conflicts)
        assert proxy.seen
    assert isinstance(problem.value, DatabaseNotFound) or problem.value.status in (404, 500, 503)
    assert not scanning.report.complete
    assert scanning.report.conflicts >= 1


def test_a_server_that_breaks_off_is_asked_again(server: tuple[Backend, str]) -> None:
    backend, url = server
    docs, expected = workload(3)
    with backend.replica() as replica:
        put_all(replica, docs)
        with behind(url, replica.name) as (proxy, there):
            proxy.lie(failure(503), on=Match("POST", "/_bulk_get", nth=1))
            found, report = scanned(there)
    assert {one.document for one in found} == set(expected)
    assert report.complete
