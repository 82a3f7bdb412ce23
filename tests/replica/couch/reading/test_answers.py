"""Every row of a bulk answer is checked: what is missing, surplus or about something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from couchmend.core.document import JSON, dumps
from couchmend.errors import ReplicaError, Unsupported
from couchmend.replica.base import (
    AllDocsQuery,
    ChangesQuery,
    Query,
)
from couchmend.replica.couch import CouchReplica, Options
from couchmend.replica.couch.connection.retries import Retries
from tests.replica.scripted_server import ScriptedServer, Told, scripted_server

HASTY = Options(retries=Retries(attempts=2, first_pause_seconds=0.001))

Call = Callable[[CouchReplica], object]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def replica(server: ScriptedServer) -> Iterator[CouchReplica]:
    server.tell(Told(body={"doc_count": 0, "update_seq": 5}))
    with CouchReplica.open(f"{server.url}/notes", options=HASTY) as replica:
        yield replica


def bulk_get(replica: CouchReplica) -> object:
    return list(replica.bulk_get([("a", "1-a"), ("b", None)]))


A, B = {"ok": {"_id": "a", "_rev": "1-a"}}, {"ok": {"_id": "b", "_rev": "1-b"}}


def listed(id: str, rev: str = "1-a") -> JSON:
    return {"id": id, "key": id, "value": {"rev": rev}}


def lines(*rows: JSON) -> bytes:
    """A live feed."""
    return b"".join(dumps(row) + b"\n" for row in (*rows, {"last_seq": "9-a"}))


A_ROW, B_ROW = listed("a"), listed("b")
LISTED = {"id": "a", "key": "a", "value": {"rev": "1-a"}}
ROW = {"seq": "1-a", "id": "a", "changes": [{"rev": "1-a"}]}
OTHER_ROW = {"seq": "2-a", "id": "b", "changes": [{"rev": "1-a"}]}
CHAIN = {"start": 1, "ids": ["a"]}
BAD_CHAINS: list[JSON] = [
    None,
    {"start": 1, "ids": []},
    {"start": 1, "ids": ["b"]},
    {"start": 2, "ids": ["a"]},
    {"start": 1, "ids": ["a", "b"]},
    {"start": "1", "ids": ["a"]},
    {"start": 1, "ids": ["a", 7]},
    {"ids": ["a"]},
]


def local(name: str) -> JSON:
    id = f"_local/{name}"
    return {"id": id, "doc": {"_id": id, "_rev": "0-1"}}


BAD_OUTCOMES: list[JSON] = [
    [],
    [A, A],
    [B],
    [{}],
    None,
    {"ok": A},
    ["a"],
    [{"ok": None}],
    [{"ok": {"_id": "a", "_rev": "2-x"}}],
    [{"ok": {"_id": "a"}}],
    [{"ok": {"_rev": "1-a"}}],
    [{"missing": "2-x"}],
    [{"missing": None}],
    [{"error": "not_found"}],
    [{"error": {"id": "b", "rev": "1-a", "error": "not_found", "reason": "missing"}}],
]
BAD_ROWS: list[JSON] = [
    None,
    "a",
    [],
    {"id": "a"},
    {**ROW, "id": 7},
    {**ROW, "seq": None},
    {**ROW, "changes": []},
    {**ROW, "changes": "1-a"},
    {**ROW, "changes": {"rev": "1-a"}},
    {**ROW, "changes": ["1-a"]},
    {**ROW, "changes": [{"rev": 1}]},
    {**ROW, "changes": [{"rev": "latest"}]},
    {**ROW, "changes": [{"rev": "1-a"}, {"rev": "0-b"}]},
    {**ROW, "changes": [{"rev": "1-a"}, {"rev": None}]},
    {**ROW, "changes": [{"rev": "1-a"}, {"rev": "1-a"}]},
    {**ROW, "deleted": "yes"},
    {**ROW, "doc": {"_id": "b", "_rev": "1-a"}},
    {**ROW, "doc": "a"},
]


def with_revs(replica: CouchReplica) -> object:
    return list(replica.bulk_get([("a", None)], revs=True))


def chained(chain: JSON) -> JSON:
    doc = {"_id": "a", "_rev": "1-a"}
    return {"ok": doc if chain is None else {**doc, "_revisions": chain}}


BAD: list[tuple[Call, JSON]] = [
    (bulk_get, {"results": [{"id": "a", "docs": [A]}]}),
    (bulk_get, {"results": []}),
    (bulk_get, {"results": [{"id": "b", "docs": [B]}, {"id": "a", "docs": [A]}]}),
    (bulk_get, {"results": [{"id": "a", "docs": [A]}, {"id": "a", "docs": [A]}]}),
    (bulk_get, {"results": [{"id": n, "docs": [d]} for n, d in (("a", A), ("b", B), ("b", B))]}),
    *[
        (bulk_get, {"results": [{"id": "a", "docs": docs}, {"id": "b", "docs": [B]}]})
        for docs in BAD_OUTCOMES
    ],
    (bulk_get, {"results": [{"id": "a", "docs": [A]}, {"id": "b", "docs": [B, B]}]}),
    (
        bulk_get,
        {"results": [{"id": "a", "docs": [A]}, {"id": "b", "docs": [{"ok": {"_id": "b"}}]}]},
    ),
    (bulk_get, {"results": ["a", "b"]}),
    (bulk_get, {"rows": []}),
    (bulk_get, []),
    *[(with_revs, {"results": [{"id": "a", "docs": [chained(chain)]}]}) for chain in BAD_CHAINS],
    *[(lambda replica: replica.open_revs("a", revs=True), [chained(c)]) for c in BAD_CHAINS],
    *[(lambda replica: replica.get("a", revs=True), chained(c)["ok"]) for c in BAD_CHAINS],
    (lambda replica: replica.get("a"), {"_id": "b", "_rev": "1-a"}),
    (lambda replica: replica.get("a"), {"_id": "a"}),
    (lambda replica: replica.get("a", rev="1-a"), {"_id": "a", "_rev": "1-b"}),
    (lambda replica: replica.open_revs("a"), {"ok": {}}),
    (lambda replica: replica.open_revs("a"), [B]),
    (lambda replica: replica.open_revs("a"), [A, A]),
    *[
        (call, answer)
        for call in (
            lambda replica: replica.changes(),
            lambda replica: list(replica.change_pages(ChangesQuery())),
        )
        for answer in (
            [],
            {"results": []},
            {"results": {}, "last_seq": "1"},
            {"results": [], "last_seq": None},
            {"results": [], "last_seq": ""},
            {"results": [], "last_seq": True},
            {"results": [], "last_seq": 1.5},
            {"results": [], "last_seq": "1", "pending": "7"},
            {"results": [ROW, ROW], "last_seq": "1"},
            *[{"results": [row], "last_seq": "1"} for row in BAD_ROWS],
        )
    ],
    (lambda replica: replica.changes(ChangesQuery(limit=1)), {"results": [ROW] * 2, "last_seq": 1}),
    (lambda replica: list(replica.follow(ChangesQuery(limit=2))), lines(ROW, ROW)),
    (lambda replica: list(replica.follow()), lines(ROW, OTHER_ROW, ROW)),
    (lambda replica: list(replica.follow(ChangesQuery(doc_ids=["b"]))), lines(ROW)),
    (lambda replica: next(replica.follow()), {"seq": "1", "id": "a"}),
    (lambda replica: next(replica.follow()), {"error": "shutdown", "reason": "r"}),
    (lambda replica: replica.all_docs(), {"total_rows": 1}),
    (lambda replica: replica.all_docs(), {"rows": [], "total_rows": "1"}),
    (lambda replica: replica.all_docs(), {"rows": [{"id": "a"}]}),
    (
        lambda replica: replica.all_docs(),
        {"rows": [{"id": "b", "key": "a", "value": {"rev": "1"}}]},
    ),
    (lambda replica: replica.all_docs(), {"rows": [LISTED, LISTED]}),
    (
        lambda replica: replica.all_docs(),
        {"rows": [{**LISTED, "doc": {"_id": "a", "_rev": "2-x"}}]},
    ),
    (lambda replica: replica.all_docs(AllDocsQuery(limit=0)), {"rows": [LISTED]}),
    (lambda replica: replica.all_docs(AllDocsQuery(keys=["a", "b"])), {"rows": [LISTED]}),
    *[
        (
            lambda replica: replica.all_docs(AllDocsQuery(startkey="b", endkey="d")),
            {"rows": [listed(id) for id in ids]},
        )
        for ids in ("a", "be", "cb", "cc")
    ],
    *[
        (lambda replica: replica.all_docs(), {"rows": [listed("a", rev)]})
        for rev in ("", "nonsense", "1", "1-", "0-1", "latest")
    ],
    *[
        (
            lambda replica, way=way: replica.all_docs(
                AllDocsQuery(endkey="b", inclusive_end=False, descending=way)
            ),
            {"rows": [B_ROW]},
        )
        for way in (False, True)
    ],
    (lambda replica: replica.all_docs(AllDocsQuery(design=True)), {"rows": [A_ROW]}),
    (lambda replica: replica.all_docs(AllDocsQuery(keys=["a", "b"], limit=1)), {"rows": [B_ROW]}),
    (lambda replica: replica.all_docs(AllDocsQuery(keys=["a", "b"], limit=1)), {"rows": []}),
    (lambda replica: replica.all_docs(AllDocsQuery(keys=["a", "b"], skip=1)), {"rows": [A_ROW]}),
    (lambda replica: replica.all_docs(AllDocsQuery(descending=True)), {"rows": [A_ROW, B_ROW]}),
    (lambda replica: replica.all_docs(AllDocsQuery(keys=["a", "b"])), {"rows": [B_ROW, A_ROW]}),
    (
        lambda replica: replica.changes(ChangesQuery(doc_ids=["b"])),
        {"results": [ROW], "last_seq": "1"},
    ),
    (lambda replica: replica.open_revs("a"), []),
    (lambda replica: replica.explain(Query({})), {}),
    (lambda replica: replica.find(Query({})), {"docs": "no"}),
    (lambda replica: replica.find(Query({})), {"docs": [7]}),
    (lambda replica: replica.find(Query({}, limit=1)), {"docs": [{}, {}]}),
    (lambda replica: replica.find(Query({})), {"docs": [], "bookmark": 7}),
    (lambda replica: replica.find(Query({})), {"docs": [], "execution_stats": []}),
    (lambda replica: replica.indexes(), {"indexes": [{}]}),
    (lambda replica: replica.create_index({}), {"result": "created"}),
    (lambda replica: replica.delete_index("d", "n"), {}),
    (lambda replica: replica.local_docs(), {"rows": [{"id": "_local/a"}]}),
    (lambda replica: replica.local_docs(), {"rows": [{"id": "_local/a", "doc": {"_id": "b"}}]}),
    (lambda replica: replica.local_docs(), {"rows": [local("a"), local("b"), local("a")]}),
    (
        lambda replica: replica.local_docs(),
        {"rows": [{"id": "a", "doc": {"_id": "a", "_rev": "1"}}]},
    ),
    *[
        (lambda replica: replica.put_local("a", {}), told)
        for told in (
            {"rev": "0-1"},
            {"ok": True, "rev": "0-1"},
            {"ok": True, "id": "_local/b", "rev": "0-1"},
            {"ok": True, "id": "_local/a", "rev": "new"},
        )
    ],
    (lambda replica: replica.delete_local("a"), {}),
    (lambda replica: replica.delete_local("a"), {"ok": True, "id": "_local/b", "rev": "0-0"}),
    (lambda replica: replica.revs_limit(), "many"),
    (lambda replica: replica.set_revs_limit(5), {}),
    (lambda replica: replica.compact(), []),
    (lambda replica: replica.security(), []),
    (lambda replica: replica.set_security({}), {}),
    (lambda replica: replica.info(), {"doc_count": 1}),
    (lambda replica: replica.info(), {"doc_count": "1", "update_seq": 1}),
    (lambda replica: replica.info(), {"doc_count": 1, "update_seq": 1, "sizes": 7}),
]


@pytest.mark.parametrize(("call", "body"), BAD)
def test_what_breaks_the_protocol(
    server: ScriptedServer, replica: CouchReplica, call: Call, body: JSON
) -> None:
    server.tell(Told(200, body))
    with pytest.raises(ReplicaError) as refusal:
        call(replica)
    assert refusal.value.error == "bad_answer"
    assert refusal.value.target.startswith(f"{server.url}/notes")


def test_a_followed_document_may_come_again_with_another_sequence(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    again = {**ROW, "seq": "3-a", "changes": [{"rev": "2-b"}]}
    server.tell(Told(200, lines(ROW, OTHER_ROW, again)))
    rows = list(replica.follow(ChangesQuery(limit=3, doc_ids=["a", "b"])))
    assert [getattr(row, "seq", None) for row in rows] == ["1-a", "2-a", "3-a"]


def test_a_live_feed_ends_at_its_limit_whatever_follows(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.tell(Told(200, lines(ROW, OTHER_ROW, ROW)))
    rows = list(replica.follow(ChangesQuery(limit=2)))
    assert [getattr(row, "id", None) for row in rows] == ["a", "b"]


def test_sequences_of_other_servers(server: ScriptedServer, replica: CouchReplica) -> None:
    assert replica.info().update_seq == "5"
    server.tell(Told(200, {"results": [{**ROW, "seq": 1}], "last_seq": 7}))
    page = replica.changes(ChangesQuery())
    assert (page.rows[0].seq, page.last_seq, page.pending) == ("1", "7", 0)
    server.tell(Told(200, {"results": [{**ROW, "seq": [1, "g1"]}], "last_seq": [1, "g2"]}))
    (page,) = replica.change_pages(ChangesQuery())
    assert (page.rows[0].seq, page.last_seq) == ('[1,"g1"]', '[1,"g2"]')


def test_a_list_of_revisions_goes_in_a_body(server: ScriptedServer, replica: CouchReplica) -> None:
    revs = [f"1-{n:032x}" for n in range(500)]
    rows = [{"id": "a", "docs": [{"ok": {"_id": "a", "_rev": rev}}]} for rev in revs]
    server.tell(Told(200, {"results": rows}))
    assert len(replica.open_revs("a", revs)) == 500
    asked = server.asked[-1]
    assert (asked.method, asked.path) == ("POST", "/notes/_bulk_get")
    assert asked.json["docs"][0] == {"id": "a", "rev": revs[0]}


@pytest.mark.parametrize(
    "call",
    [
        lambda replica: list(replica.bulk_get([("a", None)], revs_info=True)),
        lambda replica: replica.open_revs("a", local_seq=True),
        lambda replica: replica.get("a", rev="1-a", revs_info=True),
        lambda replica: replica.changes(ChangesQuery(include_docs=True, include={"revs": True})),
        lambda replica: replica.changes(ChangesQuery(descending=True, before="5-a")),
        lambda replica: replica.all_docs(
            AllDocsQuery(include_docs=True, include={"deleted_conflicts": True})
        ),
    ],
)
def test_what_couchdb_does_not_add_is_not_left_out_silently(
    server: ScriptedServer, replica: CouchReplica, call: Call
) -> None:
    server.tell(Told(200, {"_id": "a", "_rev": "1-a"}))
    with pytest.raises(Unsupported) as refusal:
        call(replica)
    assert refusal.value.hint
