"""Writing: every row of every answer, and documents whose attachments are large."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from couchmend.core.document import JSON, Doc
from couchmend.errors import (
    BadRequest,
    DocumentInvalid,
    Forbidden,
    PreconditionFailed,
    ReplicaError,
    TooLarge,
    Unavailable,
)
from couchmend.replica.base import Refused, Written
from couchmend.replica.couch import CouchReplica
from couchmend.replica.couch.writing.drafts import INLINE_BYTES
from tests.contract.backends import COUCHDB_URL, OverHttp, opened
from tests.replica.scripted_server import Asked, ScriptedServer, Told, scripted_server

Call = Callable[[CouchReplica], object]

WRITTEN_A = {"ok": True, "id": "a", "rev": "1-a"}
WRITTEN_B = {"ok": True, "id": "b", "rev": "1-b"}
LARGE = bytes(range(256)) * (INLINE_BYTES // 256) + b"more"


class Chunks:
    """Content that is read anew whenever somebody iterates."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        return (self._content[i : i + 60_000] for i in range(0, len(self._content), 60_000))


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with scripted_server() as server:
        yield server


@pytest.fixture
def replica(server: ScriptedServer) -> Iterator[CouchReplica]:
    server.tell(Told(body={"doc_count": 0, "update_seq": 5}))
    with CouchReplica.open(f"{server.url}/notes") as replica:
        server.asked.clear()
        yield replica


# --- rows


def edit(replica: CouchReplica) -> object:
    return replica.bulk_docs([{"_id": "a"}, {"_id": "b"}])


def replicated(replica: CouchReplica) -> object:
    return replica.bulk_docs([{"_id": "a", "_rev": "1-a"}], new_edits=False)


def revs_diff(replica: CouchReplica) -> object:
    return replica.revs_diff({"a": ["1-a"]})


def purge(replica: CouchReplica) -> object:
    return replica.purge({"a": ["1-a"]})


def large(replica: CouchReplica) -> object:
    return replica.bulk_docs([{"_id": "a", "_attachments": {"f": {"data": LARGE}}}])


def large_replicated(replica: CouchReplica) -> object:
    doc = {"_id": "a", "_rev": "1-a", "_attachments": {"f": {"data": LARGE}}}
    return replica.bulk_docs([doc], new_edits=False)


BAD: list[tuple[Call, JSON]] = [
    (edit, []),
    (edit, [WRITTEN_A]),
    (edit, [WRITTEN_A, WRITTEN_B, WRITTEN_B]),
    (edit, [WRITTEN_A, WRITTEN_A]),
    (edit, [WRITTEN_A, {"id": "c", "rev": "1-c"}]),
    (edit, [WRITTEN_A, {"id": "b"}]),
    (edit, [WRITTEN_A, {"id": "b", "rev": 1}]),
    (edit, [WRITTEN_A, {"id": "b", "rev": "latest"}]),
    (edit, [WRITTEN_A, {"id": "b", "error": True, "reason": "r"}]),
    (edit, [WRITTEN_A, {"error": "conflict", "reason": "r"}]),
    (edit, [WRITTEN_A, None]),
    (edit, [WRITTEN_A, "b"]),
    (edit, {"ok": True}),
    (edit, None),
    (replicated, [{"id": "other", "error": "forbidden", "reason": "r"}]),
    (replicated, [{"id": "a", "rev": "2-a", "error": "forbidden", "reason": "r"}]),
    (replicated, [{"id": "a", "rev": "1-a", "error": "forbidden"}] * 2),
    (replicated, [{"id": "a", "rev": 1, "error": "forbidden"}]),
    (replicated, [{"id": "a"}]),
    (replicated, [{"error": "forbidden"}]),
    (replicated, [[]]),
    (replicated, {}),
    (revs_diff, {"b": {"missing": ["1-a"]}}),
    (revs_diff, {"a": {"missing": ["2-x"]}}),
    (revs_diff, {"a": {"missing": "1-a"}}),
    (revs_diff, {"a": {}}),
    (revs_diff, []),
    (purge, {"purged": {}}),
    (purge, {"purged": {"a": [], "b": []}}),
    (purge, {"purged": {"a": ["2-b"]}}),
    (large, []),
    (large, WRITTEN_B),
    (large, {"ok": True, "id": "a"}),
    (large, {"ok": True, "id": "a", "rev": "latest"}),
    (large_replicated, {"ok": True, "id": "a", "rev": "2-b"}),
    (large_replicated, [WRITTEN_A]),
]


@pytest.mark.parametrize(("call", "body"), BAD)
def test_what_breaks_the_protocol(
    server: ScriptedServer, replica: CouchReplica, call: Call, body: JSON
) -> None:
    server.tell(Told(201, body))
    with pytest.raises(ReplicaError) as refusal:
        call(replica)
    assert refusal.value.error == "bad_answer"
    assert refusal.value.target.startswith(f"{server.url}/notes")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40
)
@given(st.data())
def test_rows_in_any_order_are_put_in_ours(
    server: ScriptedServer, replica: CouchReplica, data: st.DataObject
) -> None:
    ids = data.draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=6))
    refused = data.draw(st.lists(st.booleans(), min_size=len(ids), max_size=len(ids)))
    expected: list[Written | Refused] = []
    rows: list[Doc] = []
    for place, (id, no) in enumerate(zip(ids, refused, strict=True)):
        if no:
            expected.append(Refused(id, f"1-{place}", "conflict", f"r{place}"))
            rows.append({"id": id, "error": "conflict", "reason": f"r{place}"})
        else:
            expected.append(Written(id, f"2-{place}"))
            rows.append({"id": id, "rev": f"2-{place}"})
    # Rows of one document are in the order in which it was given; nothing else tells them apart.
    order = data.draw(st.permutations(ids))
    waiting = {id: [row for row in rows if row["id"] == id] for id in ids}
    told = [waiting[id].pop(0) for id in order]
    docs = [{"_id": id, "_rev": f"1-{place}"} for place, id in enumerate(ids)]
    server.tell(Told(201, told))
    assert replica.bulk_docs(docs) == expected
    spoilt = data.draw(st.sampled_from(["dropped", "doubled", "foreign", "renamed"]))
    place = data.draw(st.integers(0, len(told) - 1))
    match spoilt:
        case "dropped":
            del told[place]
        case "doubled":
            told.insert(place, told[place])
        case "foreign":
            told.insert(place, {"id": "other", "rev": "1-x"})
        case "renamed":
            told[place] = {**told[place], "id": "other"}
    server.tell(Told(201, told))
    with pytest.raises(ReplicaError) as problem:
        replica.bulk_docs(docs)
    assert problem.value.error == "bad_answer"


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_rows_of_one_document_are_told_apart_by_their_generations(
    server: ScriptedServer, replica: CouchReplica, order: tuple[int, ...]
) -> None:
    docs: list[Doc] = [
        {"_id": "a", "_rev": "2-b"},
        {"_id": "a", "_rev": "1-a"},
        {"_id": "a"},
        {"_id": "a", "_rev": "4-d"},
    ]
    rows: list[Doc] = [
        {"id": "a", "rev": "3-x"},
        {"id": "a", "error": "conflict", "reason": "r"},
        {"id": "a", "rev": "7-of-a-tombstone"},
        {"id": "a", "rev": "5-y"},
    ]
    server.tell(Told(201, [rows[place] for place in order]))
    told = replica.bulk_docs(docs)
    assert (told[0], told[3]) == (Written("a", "3-x"), Written("a", "5-y"))
    kinds = (Refused, Written) if order.index(1) < order.index(2) else (Written, Refused)
    assert (type(told[1]), type(told[2])) == kinds  # nothing else tells these apart


def test_new_documents_are_told_apart_whatever_the_order(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    def answer(asked: Asked) -> Told:
        rows = [{"id": doc["_id"], "rev": f"1-{doc['v']}"} for doc in asked.json["docs"]]
        return Told(201, rows[::-1])

    server.script = answer
    rows = replica.bulk_docs([{"v": n} for n in range(5)])
    assert [row.rev for row in rows] == [f"1-{n}" for n in range(5)]
    assert len({row.id for row in rows}) == 5


@pytest.mark.parametrize("way", ["status", "row", "both"])
def test_what_only_a_part_of_a_cluster_has_stored_is_told_apart(
    server: ScriptedServer, replica: CouchReplica, way: str
) -> None:
    if way == "status":
        server.tell(Told(202, [WRITTEN_A, WRITTEN_B]))
        assert edit(replica) == [Written("a", "1-a", True), Written("b", "1-b", True)]
    else:
        status = 202 if way == "both" else 201
        server.tell(Told(status, [{**WRITTEN_A, "accepted": True}, WRITTEN_B]))
        assert edit(replica) == [Written("a", "1-a", True), Written("b", "1-b", False)]
    server.tell(Told(202, WRITTEN_A))
    assert large(replica) == [Written("a", "1-a", True)]


def test_refused_revisions(server: ScriptedServer, replica: CouchReplica) -> None:
    row = {"id": "a", "rev": "1-a", "error": "forbidden", "reason": "no"}
    server.tell(Told(201, [row]))
    assert replicated(replica) == [Refused("a", "1-a", "forbidden", "no")]
    server.tell(Told(201, [{"id": "a", "error": "timeout", "reason": {"why": 1}}]))
    assert replicated(replica) == [Refused("a", "1-a", "timeout", '{"why":1}')]
    server.tell(Told(201, [WRITTEN_A]))
    assert replicated(replica) == []


def test_nothing_is_asked_about_nothing(server: ScriptedServer, replica: CouchReplica) -> None:
    assert replica.bulk_docs([]) == []
    assert replica.revs_diff({}) == {}
    assert server.asked == []


def test_purges_are_as_large_as_the_server_allows(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.script = lambda asked: Told(201, {"purged": asked.json} if asked.body else {})
    wanted = {f"d{n}": [f"1-{n}", f"1-x{n}"] for n in range(250)}
    wanted["large"] = [f"1-{n}" for n in range(2500)]
    assert replica.purge(wanted) == {id: tuple(revs) for id, revs in wanted.items()}
    purges = [asked for asked in server.asked if asked.method == "POST"]
    assert len(purges) == 6
    for asked in purges:
        assert len(asked.json) <= 100
        assert sum(map(len, asked.json.values())) <= 1000


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        (
            Told(413, {"error": "document_too_large", "reason": "b"}),
            "a document is over the server's max_document_size",
        ),
        (
            Told(413, b"<html>413 Request Entity Too Large</html>"),
            "(nginx: client_max_body_size); the largest of 2 documents is b, 1018 bytes",
        ),
    ],
    ids=["couchdb", "proxy"],
)
def test_what_is_too_large_is_named(
    server: ScriptedServer, replica: CouchReplica, told: Told, hint: str
) -> None:
    server.tell(told)
    with pytest.raises(TooLarge) as refusal:
        replica.bulk_docs([{"_id": "a"}, {"_id": "b", "t": "x" * 1000}])
    assert hint in str(refusal.value)


# --- documents with large attachments


def test_a_large_document_is_written_alone_with_its_length(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    def answer(asked: Asked) -> Told:
        if asked.method == "POST":
            return Told(201, [{"id": doc["_id"], "rev": "1-x"} for doc in asked.json["docs"]])
        return Told(201, {"ok": True, "id": "l/é", "rev": "1-l"})

    server.script = answer
    once = iter([LARGE, LARGE])
    docs: list[Doc] = [
        {"_id": "a", "_attachments": {"s": {"data": b"small"}}},
        {
            "_id": "l/é",
            "v": 1,
            "_attachments": {
                "chunks": {"data": Chunks(LARGE), "length": len(LARGE), "digest": "md5-x"},
                "text": {"data": "aGVsbG8=", "content_type": "text/plain"},
                "once": {"data": once, "content_type": "image/png", "revpos": 3},
                "kept": {"stub": True, "revpos": 1},
                "empty": {"data": b""},
            },
        },
        {"_id": "b"},
    ]
    rows = replica.bulk_docs(docs)
    assert rows == [Written("a", "1-x"), Written("l/é", "1-l"), Written("b", "1-x")]
    together, alone = server.asked
    assert [doc["_id"] for doc in together.json["docs"]] == ["a", "b"]
    assert (alone.method, alone.path) == ("PUT", "/notes/l%2F%C3%A9")
    assert int(alone.headers["content-length"]) == len(alone.body) > 3 * len(LARGE)
    assert "transfer-encoding" not in alone.headers
    assert alone.body.count(LARGE) == 3
    doc = json.loads(alone.body.split(b"\r\n\r\n", 1)[1].split(b"\r\n--", 1)[0])
    octets = {"content_type": "application/octet-stream"}
    assert doc == {
        "_id": "l/é",
        "v": 1,
        "_attachments": {
            "chunks": {**octets, "follows": True, "length": len(LARGE)},
            "text": {"data": "aGVsbG8=", "content_type": "text/plain"},
            "once": {
                "content_type": "image/png", "revpos": 3, "follows": True, "length": 2 * len(LARGE)
            },
            "kept": {"stub": True, "revpos": 1},
            "empty": {**octets, "follows": True, "length": 0},
        },
    }  # fmt: skip


@pytest.mark.parametrize("size", [1000, len(LARGE)], ids=["together", "alone"])
def test_content_is_opened_once(server: ScriptedServer, replica: CouchReplica, size: int) -> None:
    """To open it may be a request to another server."""
    opened = []

    class Source(Chunks):
        def __iter__(self) -> Iterator[bytes]:
            opened.append(self)
            return super().__iter__()

    server.script = lambda asked: Told(201, WRITTEN_A if asked.method == "PUT" else [WRITTEN_A])
    entry = {"data": Source(LARGE[:size]), "length": size}
    assert replica.bulk_docs([{"_id": "a", "_attachments": {"f": entry}}]) == [Written("a", "1-a")]
    assert len(opened) == 1


def test_small_attachments_go_together(server: ScriptedServer, replica: CouchReplica) -> None:
    server.tell(Told(201, [WRITTEN_A]))
    half = LARGE[: INLINE_BYTES // 2]
    entries = {
        "x": {"data": Chunks(half), "length": len(half), "digest": "md5-x"},
        "y": {"data": iter([half])},
    }
    replica.bulk_docs([{"_id": "a", "_attachments": entries}])
    (asked,) = server.asked
    (doc,) = asked.json["docs"]
    assert {name: set(entry) for name, entry in doc["_attachments"].items()} == {
        "x": {"content_type", "data"},
        "y": {"content_type", "data"},
    }


@pytest.mark.parametrize(
    ("told", "row"),
    [
        (Told(409, {"error": "conflict", "reason": "c"}), Refused("l", None, "conflict", "c")),
        (Told(403, {"error": "forbidden", "reason": "f"}), Refused("l", None, "forbidden", "f")),
        (
            Told(401, {"error": "unauthorized", "reason": "u"}),
            Refused("l", None, "unauthorized", "u"),
        ),
        (
            Told(412, {"error": "missing_stub", "reason": "s"}),
            Refused("l", None, "missing_stub", "s"),
        ),
        (
            Told(413, {"error": "attachment_too_large", "reason": "f"}),
            Refused("l", None, "attachment_too_large", "f"),
        ),
        (
            Told(400, {"error": "bad_request", "reason": "b"}),
            Refused("l", None, "bad_request", "b"),
        ),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Told) else "",
)
def test_what_a_lone_document_is_refused_for(
    server: ScriptedServer, replica: CouchReplica, told: Told, row: Refused
) -> None:
    """Among others it is its row; alone, as in a bulk write, the last three are raised."""

    def answer(asked: Asked) -> Told:
        match asked.method:
            case "POST":
                return Told(201, [WRITTEN_A])
            case "GET":
                return Told(200, {"db_name": "notes"})
        return told

    server.script = answer
    lone = {"_id": "l", "_attachments": {"f": {"data": LARGE}}}
    assert replica.bulk_docs([lone, {"_id": "a"}]) == [row, Written("a", "1-a")]
    if told.status in (400, 412, 413):
        kind = {400: BadRequest, 412: PreconditionFailed, 413: TooLarge}[told.status]
        with pytest.raises(kind) as refusal:
            replica.bulk_docs([lone])
        assert refusal.value.target == f"{server.url}/notes/l"
    else:
        assert replica.bulk_docs([lone]) == [row]


def test_a_refused_database_is_no_refused_document(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    server.tell(
        Told(403, {"error": "forbidden", "reason": "You are not allowed to access this db."})
    )
    with pytest.raises(Forbidden):
        large(replica)


@pytest.mark.parametrize(
    "doc",
    [{"_id": "a", "_foo": 1}, {"_id": "a", "_rev": "x"}, {"_id": "_a"}],
    ids=["member", "rev", "id"],
)
def test_nothing_is_sent_that_a_server_would_hang_up_on(
    server: ScriptedServer, replica: CouchReplica, doc: Doc
) -> None:
    with pytest.raises(BadRequest):
        replica.bulk_docs([{"_id": "ok"}, {**doc, "_attachments": {"f": {"data": LARGE}}}])
    assert server.asked == []


@pytest.mark.parametrize(
    "entries",
    [[], {"f": {"data": 1}}, {"f": {"data": [1]}}, {"f": {"data": b"", "content_type": 1}}],
)
def test_what_is_no_attachment(
    server: ScriptedServer, replica: CouchReplica, entries: JSON
) -> None:
    server.tell(Told(400, {"error": "doc_validation", "reason": "no"}))
    with pytest.raises((BadRequest, DocumentInvalid)):
        replica.bulk_docs([{"_id": "a", "_attachments": entries or ["x"]}])


def test_a_replicated_document_is_sent_again_and_an_edited_one_is_not(
    server: ScriptedServer, replica: CouchReplica
) -> None:
    """Of an edit it is unknown whether it was carried out."""
    breaks = Told(201, {"ok": True, "id": "a", "rev": "1-a"}, cut=3)
    server.tell(breaks, Told(201, {"ok": True, "id": "a", "rev": "1-a"}))
    assert large_replicated(replica) == []
    first, second = server.asked
    assert first.path == second.path == "/notes/a?new_edits=false"
    assert first.body == second.body
    server.tell(breaks, Told(201, {"ok": True, "id": "a", "rev": "1-a"}))
    with pytest.raises(Unavailable):
        large(replica)
    assert len(server.asked) == 3


# --- with real servers


@pytest.fixture(scope="module", params=["served", "couchdb"] if COUCHDB_URL else ["served"])
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CouchReplica]:
    with opened(request.param, tmp_path_factory.mktemp("real")) as backend:
        assert isinstance(backend, OverHttp)
        with backend.replica() as replica:
            assert isinstance(replica, CouchReplica)
            yield replica


CONTENTS = {
    'quoted " /é': (LARGE, "image/png"),
    "text": (b"compressible " * 100_000, "text/plain"),
    "empty": (b"", "application/json"),
    "small": (b"small", "x/y; charset=utf-8"),
    "last": (LARGE[::-1], "application/octet-stream"),
}


@pytest.mark.parametrize("form", ["bytes", "chunks", "once", "packed-length"])
@pytest.mark.parametrize("new_edits", [True, False], ids=["edit", "replicated"])
def test_contents_arrive(real: CouchReplica, form: str, new_edits: bool) -> None:
    entries: Doc = {}
    for name, (content, content_type) in CONTENTS.items():
        data: JSON = content if form == "bytes" else Chunks(content)
        entries[name] = {"content_type": content_type, "data": data}
        if form == "once":
            entries[name]["data"] = iter(data)
        elif form != "bytes":
            entries[name]["length"] = len(content)
        if form == "packed-length" and name in ("text", "small"):
            # Of an attachment that it was sent compressed, CouchDB knows no other length.
            entries[name] |= {"length": 3, "encoding": "gzip", "encoded_length": 3}
    id = f"{form} {new_edits}"
    doc: Doc = {"_id": id, "v": 1, "_attachments": entries}
    if not new_edits:
        doc |= {"_rev": "2-b", "_revisions": {"start": 2, "ids": ["b", "a"]}}
    rows = real.bulk_docs([doc], new_edits=new_edits)
    found = real.get(id, revs=True)
    assert rows == ([Written(id, found["_rev"])] if new_edits else [])
    assert new_edits or found["_revisions"] == doc["_revisions"]
    assert set(found["_attachments"]) == set(CONTENTS)
    for name, (content, content_type) in CONTENTS.items():
        attachment = real.attachment(id, name)
        assert attachment.content_type == content_type
        assert attachment.length == len(content)
        assert attachment.read() == content


def test_kept_attachments_stay_beside_new_ones(real: CouchReplica) -> None:
    entries = {"one": {"data": b"1"}, "two": {"data": b"2"}}
    rev = real.put({"_id": "kept", "_attachments": entries})
    stubs = real.get("kept")["_attachments"]
    order: Doc = {"n1": {"data": LARGE}, "two": stubs["two"], "n2": {"data": b"x"}}
    real.put({"_id": "kept", "_rev": rev, "_attachments": order})
    assert set(real.get("kept")["_attachments"]) == {"n1", "two", "n2"}
    for name, content in (("n1", LARGE), ("two", b"2"), ("n2", b"x")):
        assert real.attachment("kept", name).read() == content


def test_a_large_conflict_is_a_row(real: CouchReplica) -> None:
    real.put({"_id": "there"})
    rows = real.bulk_docs([{"_id": "there", "_attachments": {"f": {"data": LARGE * 8}}}])
    assert rows == [Refused("there", None, "conflict", "Document update conflict.")]
    stub = {"f": {"data": LARGE * 8}, "gone": {"stub": True, "revpos": 1}}
    with pytest.raises(PreconditionFailed):
        real.bulk_docs([{"_id": "none", "_attachments": stub}])
    assert real.info().name  # the connections are as good as new


def test_content_that_breaks_off_is_not_stored(real: CouchReplica) -> None:
    class Breaks(Chunks):
        def __iter__(self) -> Iterator[bytes]:
            yield from super().__iter__()
            raise Unavailable("the source went away")

    entry = {"data": Breaks(LARGE), "length": len(LARGE)}
    with pytest.raises(Unavailable, match="the source went away"):
        real.bulk_docs([{"_id": "broken", "_attachments": {"f": entry}}])
    real.put({"_id": "after"})
    with pytest.raises(ReplicaError, match="missing"):
        real.get("broken")


WRITE = """
import hashlib, resource, sys
from couchmend import open_replica

class Large:
    def __iter__(self):
        return (bytes([n % 251]) * 65536 for n in range(int(sys.argv[2]) // 65536))

with open_replica(sys.argv[1]) as replica:
    replica.put({"_id": "warm", "_attachments": {"f": {"data": b"x" * 2**21}}})
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    length = int(sys.argv[2])
    entries = {
        "said": {"data": Large(), "length": length},
        "unsaid": {"data": iter(Large())},
        "text": {"data": Large(), "length": length, "content_type": "text/plain"},
    }
    replica.put({"_id": "large", "_attachments": entries})
    for name in entries:
        digest = hashlib.md5()
        for chunk in replica.attachment("large", name).chunks:
            digest.update(chunk)
        print(digest.hexdigest())
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_does_not_grow_with_the_content(real: CouchReplica) -> None:
    length = 30 << 20
    is_couchdb = COUCHDB_URL and real.url.split("/")[2] == COUCHDB_URL.rpartition("@")[2]
    url = f"{COUCHDB_URL}/{real.name}" if is_couchdb else real.url  # with the password
    done = subprocess.run(
        [sys.executable, "-c", WRITE, url, str(length)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[4] / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *digests, grown = done.stdout.split()
    expected = hashlib.md5()
    for n in range(length // 65536):
        expected.update(bytes([n % 251]) * 65536)
    assert digests == [expected.hexdigest()] * 3
    assert int(grown) < 16, f"{grown} MiB more for {length >> 20} MiB"
