"""What is kept is given back, once and whole; what is forgotten is gone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update

from couchmend.core.document import dumps, loads
from couchmend.core.revtree import Rev
from couchmend.errors import EngineRefused, JournalError
from couchmend.journal import archive, conflicts, contents, records, resolutions, tables
from couchmend.journal.archive import Archived
from couchmend.journal.exporting import copy, export
from couchmend.journal.integrity import check
from couchmend.journal.opening import Journal, open_journal
from tests.journal.findings import ROOT, A, B, begun, notes, queued


def rows(journal: Journal, name: str) -> int:
    with journal.read() as tx:
        return tx.scalar(select(func.count()).select_from(tables.metadata.tables[name])) or 0


def test_what_is_kept_stays_and_is_completed(journal: Journal) -> None:
    with journal.write() as tx:
        db = notes(tx)
        archive.keep(tx, db, {"a": [Archived(A, (A,), False, None)]}, 1)
        archive.keep(tx, db, {"a": [Archived(A, (A, ROOT), False, {"n": 1})]}, 2)
        archive.keep(tx, db, {"a": [Archived(A, (A,), False, {"n": 2})]}, 3)
        assert archive.kept(tx, db, ["a", "b"]) == {
            "a": {A: Archived(A, (A, ROOT), False, {"n": 1})}
        }


def test_a_body_is_kept_once(journal: Journal) -> None:
    body = {"big": 12345678901234567890123, "float": 1.0, "nul": "a\0b", "long": "x" * 5000}
    with journal.write() as tx:
        db = notes(tx)
        for document in ("a", "b\0", "c" * 5000):
            archive.keep(tx, db, {document: [Archived(A, (A,), False, body)]}, 1)
        found = archive.kept(tx, db, ["a", "b\0", "c" * 5000])
        assert [found[name][A].body for name in ("a", "b\0", "c" * 5000)] == [body] * 3
        size = archive.size(tx)
    assert (size.documents, size.revisions, size.bodies) == (3, 3, 1)
    assert size.stored < size.length


def test_revisions_of_any_hash(journal: Journal) -> None:
    strange = Rev(1, "no hash at all " * 300)
    with journal.write() as tx:
        db = notes(tx)
        archive.keep(tx, db, {"a": [Archived(strange, (strange,), True, {})]}, 1)
        assert list(archive.kept(tx, db, ["a"])["a"]) == [strange]


@pytest.mark.parametrize("length", [0, 1, contents.CHUNK_BYTES, 2 * contents.CHUNK_BYTES + 7])
def test_contents_come_back(journal: Journal, length: int) -> None:
    given = os.urandom(length)
    kept = archive.keep_content(journal, [given[:10], b"", given[10:]])
    again = archive.keep_content(journal, [given])
    assert kept == again
    assert kept.length == length
    assert b"".join(archive.content(journal, kept.digest)) == given
    assert all(len(one) <= contents.CHUNK_BYTES for one in archive.content(journal, kept.digest))
    assert rows(journal, "contents") == 1


def test_a_content_that_breaks_off_leaves_nothing(journal: Journal) -> None:
    def broken() -> Iterator[bytes]:
        yield os.urandom(3 * contents.CHUNK_BYTES)
        assert rows(journal, "content_chunks") >= 2
        raise OSError("the line is dead")

    with pytest.raises(OSError, match="dead"):
        archive.keep_content(journal, broken())
    assert rows(journal, "contents") == rows(journal, "content_chunks") == 0


def test_what_a_killed_process_left_is_discarded(journal: Journal) -> None:
    with journal.write() as tx:
        tx.execute(tables.contents.insert().values(length=0, chunks=0, touched_at=5))
    archive.keep_content(journal, [b"x"])
    assert rows(journal, "contents") == 1


def test_a_damaged_content_is_not_given_out(journal: Journal) -> None:
    kept = archive.keep_content(journal, [b"x" * 1000])
    with journal.write() as tx:
        tx.execute(update(tables.content_chunks).values(data=b"nonsense"))
    with pytest.raises(JournalError, match="damaged"):
        list(archive.content(journal, kept.digest))
    with pytest.raises(JournalError, match="not kept"):
        list(archive.content(journal, "00" * 32))


def test_forgetting_leaves_what_others_need(journal: Journal) -> None:
    shared = archive.keep_content(journal, [b"shared"])
    own = archive.keep_content(journal, [b"own"])
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a", sentence="secret", details={"decisions": ["secret"]})
        for document, body in (("a", {"own": 1}), ("b", {"n": 1})):
            kept = [Archived(A, (A,), False, {"same": 1}), Archived(B, (B,), False, body)]
            archive.keep(tx, db, {document: kept}, 1)
            archive.attach(tx, db, document, A, "s", "text/plain", "md5-s", shared)
        archive.attach(tx, db, "a", B, "o", "text/plain", "md5-o", own)
        (one,) = resolutions.begin(tx, [begun(db, "a", conflict=number)])
    with pytest.raises(EngineRefused, match="under way"), journal.write() as tx:
        archive.forget(tx, db, "a", "me", 2)
    with journal.write() as tx:
        resolutions.finish(tx, one, "failed", 3, error="secret")
        done = archive.forget(tx, db, "a", "me", 4)
    assert done == archive.Forgotten(revisions=2, bodies=1, attachments=2, contents=1, plans=1)
    with journal.read() as tx:
        assert list(archive.kept(tx, db, ["a", "b"])) == ["b"]
        assert [a.content for a in archive.attachments(tx, db, "b")] == [shared]
        assert conflicts.details(tx, number) is None
        assert conflicts.get(tx, number).sentence == ""
        assert (resolutions.get(tx, one).plan, resolutions.get(tx, one).error) == (None, "")
        (record,) = records.accesses(tx, action="forgot")
        assert (record.user, record.target, record.at) == ("me", "notes/a", 4)
    with pytest.raises(JournalError, match="not kept"):
        list(archive.content(journal, own.digest))


def test_what_is_forgotten_is_in_no_file(tmp_path: Path) -> None:
    marks = [os.urandom(64), os.urandom(64)]
    with open_journal(f"sqlite:///{tmp_path}/j.db") as journal:
        kept = archive.keep_content(journal, [marks[0]])
        with journal.write() as tx:
            db = notes(tx)
            body = {"text": marks[1].hex()}  # short enough to be kept as it is
            archive.keep(tx, db, {"a": [Archived(A, (A,), False, body)]}, 1)
            archive.attach(tx, db, "a", A, "x", "text/plain", "md5", kept)

        def files() -> bytes:
            return b"".join(one.read_bytes() for one in sorted(tmp_path.iterdir()))

        needles = [marks[0], marks[1].hex().encode()]
        assert all(needle in files() for needle in needles)
        with journal.write() as tx:
            archive.forget(tx, db, "a", "me", 2)
        assert not any(needle in files() for needle in needles)


def filled(journal: Journal) -> None:
    kept = archive.keep_content(journal, [b"x" * 2_000_000])
    with journal.write() as tx:
        db = notes(tx)
        number = queued(tx, db, "a\0b")
        archive.keep(tx, db, {"a\0b": [Archived(A, (A, ROOT), False, {"n": "x" * 900})]}, 1)
        archive.attach(tx, db, "a\0b", A, "x", "text/plain", "md5-x", kept)
        one = resolutions.begin(tx, [begun(db, "a\0b", conflict=number)])[0]
        resolutions.finish(tx, one, "done", 2)
        undo = resolutions.begin(tx, [begun(db, "a\0b", kind="undo", undo_of=one)])[0]
        resolutions.finish(tx, undo, "done", 3)


def test_check_finds_what_is_damaged(journal: Journal) -> None:
    filled(journal)
    found = check(journal)
    assert (found.sound, found.bodies, found.contents) == (True, 1, 1)
    with journal.write() as tx:
        tx.execute(update(tables.bodies).values(body=b'{"n":"y"}'))
        tx.execute(update(tables.content_chunks).values(data=b"y"))
        tx.execute(update(tables.conflict_counts).values(number=7))
    problems = " ".join(check(journal).problems)
    assert all(word in problems for word in ("body", "content", "numbers of conflicts"))


def test_export_holds_everything(journal: Journal) -> None:
    filled(journal)
    header, *lines, footer = export(journal)
    assert header["version"] == tables.REVISION
    assert all(loads(dumps(line)) == line for line in lines)
    assert sum(footer["rows"].values()) == len(lines)
    assert [one["row"]["body"]["n"] for one in lines if one["table"] == "bodies"] == ["x" * 900]
    assert {"attachments", "content_chunks", "conflicts", "resolutions"} <= set(footer["rows"])
    short = list(export(journal, with_contents=False))
    assert "content_chunks" not in short[-1]["rows"]


def test_a_copy_is_the_same_and_goes_on(journal: Journal, tmp_path: Path) -> None:
    filled(journal)
    with open_journal(f"sqlite:///{tmp_path}/copy.db") as other:
        copy(journal, other)
        assert list(export(other)) == list(export(journal))
        assert check(other).sound


def test_a_copy_to_postgresql_goes_on_counting(journal: Journal, postgresql: object) -> None:
    from tests.journal.servers import Server

    assert isinstance(postgresql, Server)
    filled(journal)
    with postgresql.database() as url, open_journal(url) as other:
        copy(journal, other)
        assert list(export(other)) == list(export(journal))
        with other.write() as tx:
            assert queued(tx, 1, "next") == 2
