"""Every row of a bulk answer is checked: what is missing, surplus or about something else."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from couchmend.core.document import JSON
from couchmend.errors import ReplicaError, Unsupported
from couchmend.replica.base import (
    AllDocsQuery,
    ChangesQuery,
    Query,
    Refused,
    Written,
)
from couchmend.replica.couch import CouchReplica
from tests.replica.scripted_server import ScriptedServer, Told, scripted_server

Call = Callable[[CouchReplica], object]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def replica(server: ScriptedServer) -> Iterator[CouchReplica]:
    server.tell(Told(body={"doc_count": 0, "update_seq": 5}))
    with CouchReplica.open(f"{server.url}/notes") as replica:
        yield replica


def edit(replica: CouchReplica) -> object:
    return replica.bulk_docs([{"_id": "a"}, {"_id": "b"}])


def replicated(replica: CouchReplica) -> object:
    return replica.bulk_docs([{"_id": "a", "_rev": "1-a"}], new_edits=False)


def bulk_get(replica: CouchReplica) -> object:
    return list(replica.bulk_get([("a", "1-a"), ("b", None)]))


def revs_diff(replica: CouchReplica) -> object:
    return replica.revs_diff({"a": ["1-a"]})


A, B = {"ok": {"_id": "a", "_rev": "1-a"}}, {"ok": {"_id": "b", "_rev": "1-b"}}
WRITTEN_A = {"ok": True, "id": "a", "rev": "1-a"}
WRITTEN_B = {"ok": True, "id": "b", "rev": "1-b"}
ROW = {"seq": "1-a", "id": "a", "changes": [{"rev": "1-a"}]}

BAD: list[tuple[Call, JSON]] = [
    (edit, []),
    (edit, [WRITTEN_A]),
    (edit, [WRITTEN_A, WRITTEN_B, WRITTEN_B]),
    (edit, [WRITTEN_A, WRITTEN_A]),
    (edit, [WRITTEN_A, {"id": "c", "rev": "1-c"}]),
    (edit, [WRITTEN_A, {"id": "b"}]),
    (edit, {"ok": True}),
    (replicated, [{"id": "other", "error": "forbidden", "reason": "r"}]),
    (replicated, [{"error": "forbidden"}]),
    (replicated, {}),
    (bulk_get, {"results": [{"id": "a", "docs": [A]}]}),
    (bulk_get, {"results": [{"id": "b", "docs": [B]}, {"id": "a", "docs": [A]}]}),
    (bulk_get, {"results": [{"id": "a", "docs": []}, {"id": "b", "docs": [B]}]}),
    (bulk_get, {"results": [{"id": "a", "docs": [A, A]}, {"id": "b", "docs": [B]}]}),
    (bulk_get, {"results": [{"id": "a", "docs": [B]}, {"id": "b", "docs": [B]}]}),
    (bulk_get, {"results": [{"id": "a", "docs": [{}]}, {"id": "b", "docs": [B]}]}),
    (
        bulk_get,
        {
            "results": [
                {"id": "a", "docs": [{"ok": {"_id": "a", "_rev": "2-x"}}]},
                {"id": "b", "docs": [B]},
            ]
        },
    ),
    (bulk_get, {"rows": []}),
    (revs_diff, {"b": {"missing": ["1-a"]}}),
    (revs_diff, {"a": {"missing": ["2-x"]}}),
    (revs_diff, {"a": {"missing": "1-a"}}),
    (revs_diff, {"a": {}}),
    (revs_diff, []),
    (lambda replica: replica.open_revs("a"), {"ok": {}}),
    (lambda replica: replica.open_revs("a"), [B]),
    (lambda replica: replica.purge({"a": ["1-a"]}), {"purged": {}}),
    (lambda replica: replica.purge({"a": ["1-a"]}), {"purged": {"a": [], "b": []}}),
    (lambda replica: replica.changes(), {"results": []}),
    (lambda replica: replica.changes(), {"results": [{"id": "a"}], "last_seq": "1"}),
    (lambda replica: replica.changes(), {"results": [{**ROW, "changes": []}], "last_seq": "1"}),
    (lambda replica: replica.changes(), {"results": [], "last_seq": None}),
    (lambda replica: replica.all_docs(), {"total_rows": 1}),
    (lambda replica: replica.all_docs(), {"rows": [{"id": "a"}]}),
    (lambda replica: replica.find(Query({})), {"docs": "no"}),
    (lambda replica: replica.indexes(), {"indexes": [{}]}),
    (lambda replica: replica.local_docs(), {"rows": [{"id": "_local/a"}]}),
    (lambda replica: replica.revs_limit(), "many"),
    (lambda replica: replica.security(), []),
    (lambda replica: replica.put_attachment("a", "f", b"", "x/y"), {"id": "b", "rev": "1-b"}),
    (lambda replica: replica.info(), {"doc_count": 1}),
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


def test_rows_in_another_order_are_put_in_ours(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.tell(
        Told(
            201,
            [
                {"id": "b", "error": "conflict", "reason": "r"},
                {"id": "made-up", "rev": "1-x"},
                WRITTEN_A,
                {"id": "b", "rev": "2-b"},
            ],
        )
    )
    rows = replica.bulk_docs(
        [{"_id": "a"}, {"v": 1}, {"_id": "b", "_rev": "1-b"}, {"_id": "b", "_rev": "1-c"}]
    )
    assert rows == [
        Written("a", "1-a"),
        Written("made-up", "1-x"),
        Refused("b", "1-b", "conflict", "r"),
        Written("b", "2-b"),
    ]


@pytest.mark.parametrize("way", ["status", "row"])
def test_what_only_a_part_of_a_cluster_has_stored_is_told_apart(
    server: ScriptedServer, replica: CouchReplica, way: str
) -> None:
    if way == "status":
        server.tell(Told(202, [WRITTEN_A, WRITTEN_B]))
        assert edit(replica) == [Written("a", "1-a", True), Written("b", "1-b", True)]
    else:
        server.tell(Told(201, [{**WRITTEN_A, "accepted": True}, WRITTEN_B]))
        assert edit(replica) == [Written("a", "1-a", True), Written("b", "1-b", False)]


def test_refused_revisions(server: ScriptedServer, replica: CouchReplica) -> None:
    row = {"id": "a", "rev": "1-a", "error": "forbidden", "reason": "no"}
    server.tell(Told(201, [row]))
    assert replicated(replica) == [Refused("a", "1-a", "forbidden", "no")]
    server.tell(Told(201, [WRITTEN_A]))
    assert replicated(replica) == []


def test_sequences_of_other_servers(server: ScriptedServer, replica: CouchReplica) -> None:
    assert replica.info().update_seq == "5"
    server.tell(Told(200, {"results": [{**ROW, "seq": 1}], "last_seq": 7}))
    page = replica.changes(ChangesQuery())
    assert (page.rows[0].seq, page.last_seq, page.pending) == ("1", "7", 0)


def test_a_list_of_revisions_goes_in_a_body(server: ScriptedServer, replica: CouchReplica) -> None:
    revs = [f"1-{n:032x}" for n in range(500)]
    rows = [{"id": "a", "docs": [{"ok": {"_id": "a", "_rev": rev}}]} for rev in revs]
    server.tell(Told(200, {"results": rows}))
    assert len(replica.open_revs("a", revs)) == 500
    asked = server.asked[-1]
    assert (asked.method, asked.path) == ("POST", "/notes/_bulk_get")
    assert asked.json["docs"][0] == {"id": "a", "rev": revs[0]}


def test_purges_are_as_large_as_the_server_allows(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.script = lambda asked: Told(201, {"purged": asked.json})
    wanted = {f"d{n}": [f"1-{n}", f"1-x{n}"] for n in range(250)}
    wanted["large"] = [f"1-{n}" for n in range(2500)]
    server.asked.clear()
    assert replica.purge(wanted) == {id: tuple(revs) for id, revs in wanted.items()}
    for asked in server.asked:
        assert len(asked.json) <= 100
        assert sum(map(len, asked.json.values())) <= 1000


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
