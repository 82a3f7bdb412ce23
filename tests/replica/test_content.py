"""Content that can be read only once is written as it was, however often the write is tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from couchmend.core.document import JSON, Doc
from couchmend.errors import BadRequest, NotFound, ReplicaError
from couchmend.replica.base import Refused, Replica, Written
from couchmend.replica.content import plain_length
from couchmend.replica.refusals import bulk_docs_each
from couchmend.replica.spool import IN_MEMORY_BYTES
from tests.contract.backends import AVAILABLE, opened

SIZES = {"small": 9, "large": 2 * IN_MEMORY_BYTES}


class Again:
    """Content that is read anew whenever somebody iterates."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._content), 60_000):
            yield self._content[start : start + 60_000]


@pytest.fixture(scope="module", params=AVAILABLE)
def replica(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Replica]:
    with (
        opened(request.param, tmp_path_factory.mktemp(request.param)) as backend,
        backend.replica() as replica,
    ):
        yield replica


def content(kind: str, seed: str) -> bytes:
    return (seed.encode() * SIZES[kind])[: SIZES[kind]]


def once(data: bytes, content_type: str = "image/png", **more: JSON) -> Doc:
    return {"content_type": content_type, "data": iter(Again(data)), **more}


@pytest.mark.parametrize("kind", list(SIZES))
@pytest.mark.parametrize("new_edits", [True, False], ids=["edit", "replicated"])
def test_beside_a_document_that_refuses_the_batch(
    replica: Replica, kind: str, new_edits: bool
) -> None:
    """The batch is halved again and again."""
    ids = [f"{kind} {new_edits} {n}" for n in range(5)]
    docs: list[Doc] = [
        {"_id": id, "_attachments": {"a": once(content(kind, id)), "b": once(b"b" + id.encode())}}
        for id in ids
    ]
    docs.insert(3, {"_id": "_bad"})
    if not new_edits:
        docs = [{**doc, "_rev": "1-a"} for doc in docs]
    rows = bulk_docs_each(replica, docs, new_edits=new_edits)
    assert [row.id for row in rows if isinstance(row, Refused)] == ["_bad"]
    assert sum(isinstance(row, Written) for row in rows) == (5 if new_edits else 0)
    for id in ids:
        assert replica.attachment(id, "a").read() == content(kind, id)
        assert replica.attachment(id, "b").read() == b"b" + id.encode()


@pytest.mark.parametrize("kind", list(SIZES))
def test_beside_content_whose_length_is_not_known(replica: Replica, kind: str) -> None:
    """As CouchDB shows what it was sent compressed: its `length` is the compressed one."""
    data = content(kind, "abc")
    packed = {"length": 5, "encoding": "gzip", "encoded_length": 5}
    entries = {
        "once": once(data),
        "packed": {"content_type": "text/plain", "data": Again(data), **packed},
        "packed once": once(data, "text/plain", **packed),
    }
    replica.put({"_id": f"unknown {kind}", "_attachments": entries})
    for name in entries:
        found = replica.attachment(f"unknown {kind}", name)
        assert found.length == len(data)
        assert found.read() == data


@pytest.mark.parametrize("kind", list(SIZES))
@pytest.mark.parametrize("form", ["once", "again"])
def test_beside_content_of_another_length(replica: Replica, kind: str, form: str) -> None:
    """It is refused and not cut to what came; what stands beside it is written."""
    data, id = content(kind, "abc"), f"{form} {kind}"
    wrong = once(data) if form == "once" else {"data": Again(data)}
    docs: list[Doc] = [
        {"_id": f"{id} good", "_attachments": {"f": once(data, length=len(data))}},
        {"_id": f"{id} bad", "_attachments": {"f": {**wrong, "length": len(data) + 1}}},
        {"_id": f"{id} also good", "_attachments": {"f": once(data)}},
    ]
    rows = bulk_docs_each(replica, docs)
    assert [isinstance(row, Written) for row in rows] == [True, False, True]
    assert "bytes that were announced" in rows[1].reason  # type: ignore[union-attr]
    for name in ("good", "also good"):
        assert replica.attachment(f"{id} {name}", "f").read() == data
    with pytest.raises(NotFound):
        replica.get(f"{id} bad")


@pytest.mark.parametrize("kind", list(SIZES))
def test_content_that_is_no_bytes_or_cannot_be_read(replica: Replica, kind: str) -> None:
    def broken() -> Iterator[bytes]:
        yield content(kind, "abc")
        raise OSError(5, "Input/output error")

    good: Doc = {"_id": f"{kind} beside", "_attachments": {"f": once(b"good")}}
    text: Doc = {"_id": f"{kind} text", "_attachments": {"f": {"data": iter(["text"])}}}
    rows = bulk_docs_each(replica, [good, text])
    assert [type(row) for row in rows] == [Written, Refused]
    assert replica.attachment(f"{kind} beside", "f").read() == b"good"
    unread: Doc = {"_id": f"{kind} unread", "_attachments": {"ƒ": {"data": broken()}}}
    with pytest.raises(ReplicaError, match="attachment 'ƒ' cannot be read") as problem:
        bulk_docs_each(replica, [unread])
    assert not isinstance(problem.value, BadRequest)
    with pytest.raises(NotFound):
        replica.get(f"{kind} unread")


@pytest.mark.parametrize(
    ("entry", "length"),
    [
        ({"length": 5}, 5),
        ({"length": 5, "encoding": "identity"}, 5),
        ({"length": 5, "encoding": "gzip", "encoded_length": 3}, 5),
        ({"length": 5, "encoding": "gzip", "encoded_length": 5}, None),
        ({"length": 5, "encoding": "gzip"}, None),
        ({"length": -1}, None),
        ({"length": True}, None),
        ({"length": "5"}, None),
        ({"length": 10**5000}, None),
        ({}, None),
    ],
)
def test_what_an_entry_says_of_its_length(entry: Doc, length: int | None) -> None:
    assert plain_length(entry) == length
