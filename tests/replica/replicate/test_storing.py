"""What is sent to the target, and what becomes of refusals and of what vanishes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import pytest

from couchmend.core.document import JSON, Doc
from couchmend.errors import (
    DatabaseNotFound,
    Forbidden,
    NotFound,
    ReplicaError,
    Unavailable,
)
from couchmend.replica.base import Attachment, BulkGetRow, Missing, Refused, Written
from couchmend.replica.embedded import EmbeddedReplica, Limits
from couchmend.replica.replicate import replicate
from tests.contract.chains import chained, store


@pytest.fixture
def source() -> Iterator[EmbeddedReplica]:
    with EmbeddedReplica.open(":memory:") as replica:
        yield replica


@pytest.fixture
def target() -> Iterator[EmbeddedReplica]:
    with EmbeddedReplica.open(":memory:") as replica:
        yield replica


def attached(replica: EmbeddedReplica, id: str) -> dict[str, bytes]:
    return {name: replica.attachment(id, name).read() for name in replica.get(id)["_attachments"]}


def test_an_attachment_that_the_target_holds_is_not_sent_again(
    source: EmbeddedReplica, target: EmbeddedReplica
) -> None:
    rev = source.put_attachment("a", "photo", b"p" * 1000, "image/png")
    assert replicate(source, target).progress.attachments == 1
    rev = source.put({**source.get("a"), "title": "sunset"})
    rev = source.put_attachment("a", "note", b"n" * 10, "text/plain", rev=rev)
    sent = replicate(source, target).progress
    assert (sent.docs_written, sent.attachments) == (1, 1)
    assert sent.bytes_written < 1000
    rev = source.put_attachment("a", "photo", b"q" * 1000, "image/png", rev=rev)
    assert replicate(source, target).progress.attachments == 1
    source.delete_attachment("a", "note", rev)
    assert replicate(source, target).progress.attachments == 0
    assert attached(target, "a") == attached(source, "a") == {"photo": b"q" * 1000}


def test_a_stub_is_never_trusted_for_other_content(
    source: EmbeddedReplica, target: EmbeddedReplica
) -> None:
    """Two databases with one ancestor, whose attachments differ under one revision."""
    for replica, content in ((source, b"right"), (target, b"wrong")):
        doc = chained("a", "1-a")
        doc["_attachments"] = {"f": {"content_type": "x/x", "data": content, "revpos": 1}}
        store(replica, doc)
    stub = source.get("a")["_attachments"]
    store(source, {**chained("a", "2-b", "1-a"), "_attachments": stub})
    replicate(source, target)
    assert target.attachment("a", "f").read() == b"right"


class Forgetful(EmbeddedReplica):
    """Has compacted away what it held when it was asked about it."""

    stubs = 0

    def bulk_docs(
        self, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
    ) -> list[Written | Refused]:
        refused: list[Written | Refused] = []
        for doc in docs:
            if any("stub" in entry for entry in doc.get("_attachments", {}).values()):
                self.stubs += 1
                refused.append(Refused(doc["_id"], doc["_rev"], "missing_stub", "gone"))
            else:
                refused += super().bulk_docs([doc], new_edits=new_edits)
        return refused


def test_what_is_no_longer_held_is_sent_whole(source: EmbeddedReplica) -> None:
    with Forgetful.open(":memory:") as target:
        source.put_attachment("a", "photo", b"p" * 1000, "image/png")
        replicate(source, target)
        source.put({**source.get("a"), "title": "sunset"})
        sent = replicate(source, target).progress
        assert target.stubs == 1
        assert (sent.docs_written, sent.attachments, sent.doc_write_failures) == (1, 1, 0)
        assert attached(target, "a") == {"photo": b"p" * 1000}


class Losing(EmbeddedReplica):
    """Loses the attachments of one document while it is replicated."""

    def attachment(self, id: str, name: str, *, rev: str | None = None) -> Attachment:
        if id == "d1":
            raise NotFound("missing", target=id)
        return super().attachment(id, name, rev=rev)


def test_an_attachment_that_vanishes_does_not_stop_the_rest(target: EmbeddedReplica) -> None:
    with Losing.open(":memory:") as source:
        for n in range(4):
            source.put_attachment(f"d{n}", "f", b"x" * 100, "x/x")
        done = replicate(source, target).progress
        assert done.docs_written == 3
        (gone,) = done.unreadable
        assert (gone.id, gone.reason) == ("d1", "attachment f: missing")
        leaves = {row.id: row.revs for row in source.changes().rows}
        assert target.revs_diff(leaves).keys() == {"d1"}


def test_a_leaf_without_a_body_is_told(target: EmbeddedReplica) -> None:
    class Bodiless(EmbeddedReplica):
        def bulk_get(self, wanted, **include):  # type: ignore[no-untyped-def]
            for row in super().bulk_get(wanted, **include):
                if row.id == "d1":
                    yield type(row)(row.id, (Missing(row.id, "1-x"),))
                else:
                    yield row

    with Bodiless.open(":memory:") as source:
        source.bulk_docs([{"_id": f"d{n}"} for n in range(3)])
        done = replicate(source, target).progress
        assert (done.docs_written, done.unread, done.doc_write_failures) == (2, 1, 0)


def test_refused_documents_are_told_and_the_rest_is_stored(source: EmbeddedReplica) -> None:
    def refuse(new: Doc, old: Doc | None) -> None:
        if new.get("n") == 2:
            raise Forbidden("not this one")

    limits = Limits(max_document_bytes=500)
    with EmbeddedReplica.open(":memory:", validators=[refuse], limits=limits) as target:
        source.bulk_docs([{"_id": f"d{n}", "n": n} for n in range(5)])
        source.put({"_id": "large", "text": "x" * 1000})
        done = replicate(source, target).progress
        assert {(row.id, row.error) for row in done.refused} == {
            ("d2", "forbidden"),
            ("large", "document_too_large"),
        }
        assert (done.docs_written, done.doc_write_failures) == (4, 2)
        assert all(row.rev == source.get(row.id)["_rev"] for row in done.refused)


def test_thousands_of_failures_are_counted_and_the_first_are_listed(
    source: EmbeddedReplica,
) -> None:
    def refuse(new: Doc, old: Doc | None) -> None:
        raise Forbidden("nothing")

    with EmbeddedReplica.open(":memory:", validators=[refuse]) as target:
        source.bulk_docs([{"_id": f"d{n}"} for n in range(2500)])
        done = replicate(source, target).progress
        assert (done.doc_write_failures, len(done.refused)) == (2500, 1000)


def test_a_row_that_says_nothing_about_the_document_is_a_failure(source: EmbeddedReplica) -> None:
    class Overloaded(EmbeddedReplica):
        def bulk_docs(
            self, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
        ) -> list[Written | Refused]:
            return [Refused(docs[0]["_id"], docs[0]["_rev"], "timeout", "the shard is slow")]

    with Overloaded.open(":memory:") as target:
        source.put({"_id": "a"})
        with pytest.raises(Unavailable, match="the shard is slow") as raised:
            replicate(source, target)
        assert raised.value.transient
        assert target.local_docs() == source.local_docs() == []


def test_large_batches_are_written_in_parts(source: EmbeddedReplica) -> None:
    class Counting(EmbeddedReplica):
        largest = 0

        def bulk_docs(
            self, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
        ) -> list[Written | Refused]:
            self.largest = max(self.largest, sum(len(doc.get("text", "")) for doc in docs))
            return super().bulk_docs(docs, new_edits=new_edits)

    with Counting.open(":memory:") as target:
        for n in range(30):
            source.put({"_id": f"d{n}", "text": "x" * 1_000_000})
        done = replicate(source, target).progress
        assert done.docs_written == 30
        assert 1_000_000 < target.largest <= 5_000_000


def test_a_document_with_more_leaves_than_are_named_one_by_one(
    source: EmbeddedReplica, target: EmbeddedReplica
) -> None:
    leaves = [chained("a", f"2-{n:04x}", "1-a", n=n) for n in range(300)]
    store(source, *leaves)
    store(target, *leaves[:50])
    done = replicate(source, target).progress
    assert (done.missing_found, done.docs_written) == (250, 250)
    assert len(target.open_revs("a")) == 300


class ManyLeaves(EmbeddedReplica):
    """Notes what is read at once, and how much more than is stored was read."""

    at_once = 0
    by_name = 0

    def open_revs(self, id, wanted=None, **include):  # type: ignore[no-untyped-def]
        found = super().open_revs(id, wanted, **include)
        self.at_once = max(self.at_once, len(found))
        return found

    def bulk_get(self, wanted, **include):  # type: ignore[no-untyped-def]
        for row in super().bulk_get(wanted, **include):
            self.by_name += 1
            yield row


class Ahead(EmbeddedReplica):
    """Notes by how much the source was ahead whenever something is stored."""

    source: ManyLeaves
    stored = 0
    most_ahead = 0
    checkpoints: list[int]

    def bulk_docs(
        self, docs: Sequence[Mapping[str, JSON]], *, new_edits: bool = True
    ) -> list[Written | Refused]:
        self.most_ahead = max(self.most_ahead, self.source.by_name - self.stored)
        rows = super().bulk_docs(docs, new_edits=new_edits)
        self.stored += len(docs)
        return rows

    def put_local(self, name: str, doc: Mapping[str, JSON]) -> str:
        self.checkpoints.append(self.stored)
        return super().put_local(name, doc)


def test_leaves_that_are_too_large_to_be_read_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read and stored in parts, and a checkpoint is kept when all are stored."""
    monkeypatch.setattr("couchmend.replica.replicate.session.CHECKPOINT_SECONDS", 0)
    with ManyLeaves.open(":memory:") as source, Ahead.open(":memory:") as target:
        target.source, target.checkpoints = source, []
        text = "x" * 100_000
        for start in range(0, 300, 50):
            store(
                source,
                *[
                    chained("a", f"2-{n:04x}", "1-a", n=n, text=text)
                    for n in range(start, start + 50)
                ],
            )
        done = replicate(source, target).progress
        assert (done.missing_found, done.docs_written) == (300, 300)
        assert (source.at_once, source.by_name) == (0, 300)
        assert target.most_ahead <= 5_000_000 // len(text)
        assert set(target.checkpoints) == {300}
        assert len(target.open_revs("a")) == 300


def test_many_small_leaves_are_read_at_once(target: EmbeddedReplica) -> None:
    with ManyLeaves.open(":memory:") as source:
        store(source, *[chained("a", f"2-{n:04x}", "1-a", n=n) for n in range(300)])
        assert replicate(source, target).progress.docs_written == 300
        assert (source.at_once, source.by_name) == (300, 100)


def rows_told(error: str) -> type[EmbeddedReplica]:
    class Telling(EmbeddedReplica):
        def bulk_get(self, wanted, **include):  # type: ignore[no-untyped-def]
            for row in super().bulk_get(wanted, **include):
                if row.id == "d1":
                    yield BulkGetRow(row.id, (Missing(row.id, "1-x", error, "so it is"),))
                else:
                    yield row

    return Telling


@pytest.mark.parametrize(("error", "transient"), [("timeout", True), ("unauthorized", False)])
def test_a_row_that_could_not_be_read_is_no_loss_but_a_failure(
    target: EmbeddedReplica, error: str, transient: bool
) -> None:
    with rows_told(error).open(":memory:") as source:
        source.bulk_docs([{"_id": f"d{n}"} for n in range(3)])
        with pytest.raises(ReplicaError, match="so it is") as raised:
            replicate(source, target)
        assert raised.value.transient is transient
        assert source.local_docs() == target.local_docs() == []


def test_a_source_that_is_deleted_meanwhile_is_a_failure(target: EmbeddedReplica) -> None:
    class Deleted(EmbeddedReplica):
        def attachment(self, id: str, name: str, *, rev: str | None = None) -> Attachment:
            raise DatabaseNotFound("notes")

    with Deleted.open(":memory:") as source:
        source.put_attachment("a", "f", b"x", "x/x")
        with pytest.raises(DatabaseNotFound):
            replicate(source, target)
        assert target.local_docs() == []


def test_many_attachments_that_vanish_cost_few_requests(target: EmbeddedReplica) -> None:
    class Losing(EmbeddedReplica):
        asked = 0

        def attachment(self, id: str, name: str, *, rev: str | None = None) -> Attachment:
            self.asked += 1
            if int(id) % 2:
                raise NotFound("missing", target=id)
            return super().attachment(id, name, rev=rev)

    count = 64
    with Losing.open(":memory:") as source:
        for n in range(count):
            source.put_attachment(str(n), "f", b"x", "x/x")
        done = replicate(source, target).progress
        assert (done.docs_written, done.unread) == (count // 2, count // 2)
        assert source.asked < count * 7  # each at most once for every halving
