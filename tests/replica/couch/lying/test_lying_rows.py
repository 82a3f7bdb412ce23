"""Well-formed JSON that is not the answer: rows missing, doubled, foreign, members cut out.

What contradicts the request or itself is a clear error; what only comes in another order is
put right.  (A row of a listing that is merely missing cannot be told from one that never was.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from couchmend.core.document import JSON
from couchmend.errors import CouchmendError, ReplicaError
from couchmend.replica.base import AllDocsQuery, ChangesQuery, Query, Refused, Replica
from tests.contract.chains import chained
from tests.lying import (
    Change,
    Framed,
    Json,
    Match,
    changed_row,
    exchanged,
    having,
    row_twice,
    rows_swapped,
    said,
    without,
    without_row,
)
from tests.replica.couch.lying.lied_to import (
    UPSTREAMS,
    World,
    fresh_name,
    outcome,
    plain,
    unclear,
    world,
)
from tests.replica.couch.lying.operations import Read


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the requests whose answers are changed, and the changes that must be noticed
    (`wrong`), and those that may be put right instead (`odd`)."""

    read: Read
    path: str
    wrong: dict[str, Change]
    odd: dict[str, Change]

    def __init__(
        self, read: Read, path: str, wrong: dict[str, Change], odd: dict[str, Change] | None = None
    ) -> None:
        object.__setattr__(self, "read", read)
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "wrong", wrong)
        object.__setattr__(self, "odd", odd or {})


def _nothing(value: JSON) -> JSON:
    return None


def _shorter(revisions: JSON) -> JSON:
    return {**revisions, "ids": revisions["ids"][1:]}


SOME = [("x", "2-bbbb"), ("d1", None), ("d2", None)]

READS: dict[str, Asked] = {
    "bulk_get": Asked(
        lambda r: list(r.bulk_get(SOME, revs=True)),
        "_bulk_get",
        {
            "a row missing": without_row(1),
            "the last row missing": without_row(2),
            "a row twice": row_twice(0),
            "the last row twice": row_twice(2),
            "a foreign row": exchanged("d1", "foreign"),
            "a foreign document": changed_row(1, having("ok", said("_id", "foreign"))),
            "another revision": changed_row(0, having("ok", said("_rev", "2-cccc"))),
            "a revision that is none": said("_rev", "latest"),
            "no revision": without("_rev"),
            "no id": changed_row(0, having("ok", without("_id"))),
            "no chain": without("_revisions"),
            "a chain of something else": having("_revisions", _shorter),
            "an empty chain": having("_revisions", lambda chain: {**chain, "ids": []}),
            "no outcome": said("docs", []),
            "an outcome that is none": said("docs", [{}]),
            "a null": said("docs", [None]),
            "two outcomes for one revision": changed_row(
                0, having("docs", lambda docs: [*docs, *docs])
            ),
            "a row that is none": changed_row(1, _nothing),
            "no rows": without("results"),
        },
        {"rows swapped": rows_swapped(0, 1)},
    ),
    "open_revs": Asked(
        lambda r: sorted(r.open_revs("x", revs=True), key=str),
        "/x",
        {
            "a foreign document": changed_row(0, having("ok", said("_id", "foreign"))),
            "no revision": changed_row(1, having("ok", without("_rev"))),
            "no chain": without("_revisions"),
            "a chain of something else": having("_revisions", _shorter),
            "a row that is none": changed_row(1, _nothing),
            "an outcome that is none": changed_row(1, lambda row: {}),
            "none": lambda rows: [],
        },
        {"a leaf twice": row_twice(0)},
    ),
    "get": Asked(
        lambda r: r.get("x", revs=True),
        "/x",
        {
            "a foreign document": said("_id", "foreign"),
            "no id": without("_id"),
            "no revision": without("_rev"),
            "a revision that is none": said("_rev", 7),
            "no chain": without("_revisions"),
            "a chain of something else": having("_revisions", _shorter),
        },
    ),
    "get a revision": Asked(
        lambda r: r.get("x", rev="2-bbbb"), "/x", {"another revision": said("_rev", "2-cccc")}
    ),
    "all_docs, keys": Asked(
        lambda r: r.all_docs(AllDocsQuery(keys=["d1", "none", "d2"], include_docs=True)),
        "_all_docs",
        {
            "a row missing": without_row(1),
            "the last row missing": without_row(2),
            "a row twice": row_twice(0),
            "a foreign row": exchanged("d1", "foreign"),
            "a foreign document": changed_row(0, having("doc", said("_id", "foreign"))),
            "a document of another revision": changed_row(0, having("doc", said("_rev", "9-a"))),
            "no revision": having("value", without("rev")),
            "no value": without("value"),
            "a row that is none": changed_row(1, _nothing),
            "no rows": without("rows"),
        },
        {"rows swapped": rows_swapped(0, 2)},
    ),
    "all_docs, a range": Asked(
        lambda r: r.all_docs(AllDocsQuery(startkey="d0", endkey="d3", limit=4)),
        "_all_docs",
        {
            "more rows than asked for": row_twice(3),
            "a row twice": lambda value: row_twice(0)(without_row(3)(value)),
            "a row of another range": exchanged("d2", "z"),
            "an id that is not the key": changed_row(1, said("id", "d0")),
            "no id": without("id"),
            "a revision that is none": said("rev", "latest"),
            "a revision of no generation": said("rev", "0-a"),
        },
        {"rows swapped": rows_swapped(0, 1)},
    ),
    "all_docs, an open range": Asked(
        lambda r: r.all_docs(AllDocsQuery(startkey="d0", endkey="d3", inclusive_end=False)),
        "_all_docs",
        {"the end that was excluded": exchanged("d2", "d3")},
    ),
    "all_docs, backwards": Asked(
        lambda r: r.all_docs(
            AllDocsQuery(startkey="d3", endkey="d0", inclusive_end=False, descending=True)
        ),
        "_all_docs",
        {
            "the end that was excluded": exchanged("d1", "d0"),
            "a row of another range": exchanged("d3", "d4"),
            "rows swapped": rows_swapped(0, 1),
        },
    ),
    "all_docs, some keys": Asked(
        lambda r: r.all_docs(AllDocsQuery(keys=["d0", "d1", "d2", "d3"], skip=1, limit=2)),
        "_all_docs",
        {
            "the last row missing": without_row(1),
            "more rows than asked for": row_twice(1),
            "rows swapped": rows_swapped(0, 1),
            "another key": exchanged("d1", "d0"),
        },
    ),
    "all_docs, design documents": Asked(
        lambda r: r.all_docs(AllDocsQuery(design=True)),
        "_design_docs",
        {
            "a row of no design document": exchanged("_design/d", "d1"),
            "a row twice": row_twice(0),
            "rows swapped": rows_swapped(0, 1),
        },
    ),
    "changes": Asked(
        lambda r: [(c.id, c.revs) for c in r.changes(ChangesQuery(limit=3)).rows],
        "_changes",
        {
            "more rows than asked for": row_twice(0),
            "no last_seq": without("last_seq"),
            "a last_seq that is none": said("last_seq", None),
            "no rows": without("results"),
            "no seq": without("seq"),
            "no id": without("id"),
            "an id that is none": said("id", 7),
            "no changes": without("changes"),
            "no leaf": said("changes", []),
            "a leaf that is none": said("changes", [{}]),
            "a revision that is none": said("rev", 7),
            "a revision of no generation": said("rev", "latest"),
            "a row that is none": changed_row(1, _nothing),
        },
    ),
    "changes, some": Asked(
        lambda r: [(c.id, c.revs) for c in r.changes(ChangesQuery(doc_ids=["d1", "d2"])).rows],
        "_changes",
        {"a foreign row": exchanged("d1", "foreign")},
    ),
    "change_pages": Asked(
        lambda r: [
            (row.id, row.revs)
            for p in r.change_pages(ChangesQuery(limit=4), rows=2)
            for row in p.rows
        ],
        "_changes",
        {
            "no last_seq": without("last_seq"),
            "no rows": without("results"),
            "no seq": without("seq"),
            "no leaf": said("changes", []),
            "a row that is none": changed_row(1, _nothing),
        },
    ),
    "revs_diff": Asked(
        lambda r: r.revs_diff({"x": ["2-bbbb", "4-dd"], "y": ["1-aa"]}),
        "_revs_diff",
        {
            "a foreign id": exchanged("y", "foreign"),
            "a foreign revision": exchanged("1-aa", "1-bb"),
            "nothing missing": without("missing"),
            "missing what is none": said("missing", None),
            "a revision that is none": said("missing", [7]),
            "ancestors that are none": having("y", lambda row: {**row, "possible_ancestors": 7}),
        },
    ),
    "get_local": Asked(
        lambda r: r.get_local("l"),
        "_local",
        {"a foreign document": said("_id", "_local/m"), "no id": without("_id")},
    ),
    "local_docs": Asked(
        lambda r: r.local_docs(),
        "_local_docs",
        {
            "no document": without("doc"),
            "a document that is none": said("doc", 7),
            "a row twice": row_twice(0),
            "a document that is no local one": exchanged("_local/l", "l"),
        },
    ),
    "info": Asked(
        lambda r: (r.info().documents, r.info().deleted_documents),
        "",
        {
            "no count": without("doc_count"),
            "a count that is none": said("doc_count", "many"),
            "no sequence": without("update_seq"),
        },
    ),
    "find": Asked(
        lambda r: r.find(Query({"n": {"$gt": 1}})).docs,
        "_find",
        {
            "no documents": without("docs"),
            "documents that are none": said("docs", [7]),
            "more than asked for": having("docs", lambda docs: docs * 20),
        },
    ),
    "indexes": Asked(
        lambda r: r.indexes(),
        "_index",
        {
            "no name": without("name"),
            "a name that is none": said("name", 7),
            "no definition": without("def"),
            "fields that are none": said("fields", [7]),
            "no indexes": without("indexes"),
        },
    ),
}


@pytest.fixture(scope="module", params=UPSTREAMS)
def there(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    """A server and a database."""
    with world(request.param, tmp_path_factory.mktemp(request.param)) as there:
        yield there


@pytest.mark.parametrize("name", list(READS))
def test_reading(there: World, name: str) -> None:
    asked, complaints = READS[name], []
    right = plain(outcome(lambda: asked.read(there.replica)))
    with there.client() as client:
        for label, change in (asked.wrong | asked.odd).items():
            client.proxy.honest()
            client.proxy.lie(Json(change), Framed("chunked"), on=Match(path=asked.path))
            result = outcome(lambda: asked.read(client.replica))
            if isinstance(result, ReplicaError):
                complaints += [f"{label}: {result} lacks {part}" for part in unclear(result)]
                if result.error != "bad_answer":
                    complaints.append(f"{label}: {result!r}")
            elif label in asked.wrong or plain(result) != right:
                complaints.append(f"{label}: {str(result)[:300]}")
        client.proxy.honest()
        assert plain(outcome(lambda: asked.read(client.replica))) == right
    assert not complaints, "\n".join(complaints)


def _add(*rows: JSON) -> Change:
    return lambda value: [*value, *rows]


EDITED: dict[str, Change] = {
    "a row missing": without_row(0),
    "a row twice": row_twice(0),
    "a row twice, one missing": lambda rows: [rows[0], rows[0]],
    "a foreign row": changed_row(1, said("id", "foreign")),
    "a foreign row more": _add({"ok": True, "id": "foreign", "rev": "1-aa"}),
    "no revision": without("rev"),
    "a revision that is none": said("rev", 7),
    "a revision of no generation": said("rev", "latest"),
    "neither written nor refused": changed_row(0, lambda row: {"id": row["id"]}),
    "a row that is none": changed_row(0, _nothing),
}


@pytest.mark.parametrize("label", list(EDITED))
def test_edits(there: World, label: str) -> None:
    """Everything was written; what the server says of it is of no use."""
    one, other = fresh_name(), fresh_name()
    with there.client() as client:
        client.proxy.lie(Json(EDITED[label]))
        result = outcome(lambda: client.replica.bulk_docs([{"_id": one}, {"_id": other}]))
        assert isinstance(result, ReplicaError), result
        assert (result.error, unclear(result)) == ("bad_answer", [])
        assert "may or may not have been done" in str(result)
        assert len(client.proxy.seen) == 1
    assert len({there.replica.get(name)["_rev"] for name in (one, other)}) == 1


def test_edits_whose_rows_have_changed_places(there: World) -> None:
    one, other = fresh_name(), fresh_name()
    with there.client() as client:
        client.proxy.lie(Json(rows_swapped(0, 1)))
        rows = client.replica.bulk_docs([{"_id": one, "v": 1}, {"_id": other, "v": 2}])
    assert [row.id for row in rows] == [one, other]
    assert [row.rev for row in rows] == [there.replica.get(name)["_rev"] for name in (one, other)]


FOREIGN: dict[str, Change] = {
    "a refusal of nothing that was sent": _add({"id": "foreign", "error": "forbidden"}),
    "a refusal of another revision": lambda rows: [
        {"id": "@", "rev": "7-ff", "error": "forbidden", "reason": "r"}
    ],
    "a refusal of nothing": _add({"error": "forbidden"}),
    "a row that is none": _add(None),
}


@pytest.mark.parametrize("label", list(FOREIGN))
def test_revisions(there: World, label: str) -> None:
    name = fresh_name()
    with there.client() as client:
        client.proxy.lie(Json(lambda rows: exchanged("@", name)(FOREIGN[label](rows))))
        docs = [chained(name, "2-bb", "1-aa")]
        result = outcome(lambda: client.replica.bulk_docs(docs, new_edits=False))
        assert isinstance(result, ReplicaError), result
        assert (result.error, unclear(result)) == ("bad_answer", [])


def test_refused_revisions_are_told(there: World) -> None:
    name = fresh_name()
    row = {"id": name, "rev": "2-bb", "error": "forbidden", "reason": "r"}
    with there.client() as client:
        client.proxy.lie(Json(_add(row)))
        docs = [chained(name, "2-bb", "1-aa")]
        rows = client.replica.bulk_docs(docs, new_edits=False)
    assert rows == [Refused(name, "2-bb", "forbidden", "r")]


def _write(replica: Replica, kind: str, name: str) -> object:
    match kind:
        case "put_attachment":
            return replica.put_attachment(name, "a", b"a", "text/plain")
        case "delete_attachment":
            rev = replica.put({"_id": name, "_attachments": {"a": {"data": b"a"}}})
            return replica.delete_attachment(name, "a", rev)
        case "put_local":
            return replica.put_local(name, {})
        case "delete_local":
            replica.put_local(name, {})
            return replica.delete_local(name)
        case "purge":
            return replica.purge({name: [replica.put({"_id": name})]})
    raise ValueError(kind)


WRITTEN: dict[str, tuple[str, dict[str, Change]]] = {
    "put_attachment": (
        "/a$",
        {"a foreign document": said("id", "foreign"), "no revision": without("rev")},
    ),
    "delete_attachment": (
        r"/a\?rev",
        {"a foreign document": said("id", "foreign"), "a revision that is none": said("rev", 7)},
    ),
    "put_local": (
        "_local/",
        {
            "no revision": without("rev"),
            "a revision that is none": said("rev", "latest"),
            "a foreign document": said("id", "_local/foreign"),
        },
    ),
    "delete_local": ("_local/", {"a foreign document": said("id", "_local/foreign")}),
    "purge": (
        "_purge",
        {
            "nothing purged": without("purged"),
            "another document": having("purged", lambda purged: {"foreign": []}),
            "another revision": having("purged", lambda purged: {id: ["1-aa"] for id in purged}),
            "revisions that are none": having("purged", lambda purged: {id: [7] for id in purged}),
        },
    ),
}


@pytest.mark.parametrize("kind", list(WRITTEN))
def test_writing(there: World, kind: str) -> None:
    path, changes = WRITTEN[kind]
    complaints = []
    with there.client() as client:
        for label, change in changes.items():
            client.proxy.honest()
            client.proxy.lie(Json(change), on=Match(path=path))
            result = outcome(lambda: _write(client.replica, kind, fresh_name()))
            if not isinstance(result, ReplicaError) or result.error != "bad_answer":
                complaints.append(f"{label}: {result!r}")
            elif unclear(result):
                complaints.append(f"{label}: {result}")
    assert not complaints, "\n".join(complaints)


def test_databases(there: World) -> None:
    with there.client() as client:
        for change in (_nothing, said("x", 1), lambda names: [7], lambda names: {"a": 1}):
            client.proxy.honest()
            client.proxy.lie(Json(change))
            result = outcome(client.server.names)
            if isinstance(result, CouchmendError):
                assert unclear(result) == []
            else:
                assert there.replica.name in str(result)
