"""The journal from end to end, on a file."""

from __future__ import annotations

from couchmend.core.revtree import Rev
from couchmend.journal import archive, conflicts, databases, leases, records, resolutions
from couchmend.journal.opening import Journal
from tests.journal.findings import ROOT, A, B, C, finding


def test_everything_once(journal: Journal) -> None:
    if True:
        with journal.write() as tx:
            db = databases.register(tx, "notes", "http://u:p@h/notes", 5)
            assert "p@" not in db.url
            databases.advance(tx, db.id, "7-x", 9)
            databases.settle(tx, db.id, {"a\0b": "1", "c": "2"})
            assert databases.settled(tx, db.id, ["a\0b", "z"]) == {"a\0b": "1"}
            databases.pause(tx, "*", "me", 3)
            assert databases.is_paused(tx, "notes")
            assert databases.resume(tx, "*")
        with journal.write() as tx:
            queued = conflicts.queue(tx, db.id, [finding("a\0b"), finding("c")], 10)
            assert [one.what for one in queued] == ["new", "new"]
            assert [one.conflict.document for one in queued] == ["a\0b", "c"]
            again = conflicts.queue(tx, db.id, [finding("c"), finding("a\0b", leafset=[A, C])], 11)
            assert [one.what for one in again] == ["same", "version"]
            assert conflicts.get(tx, again[1].conflict.id) == again[1].conflict
            assert len(conflicts.versions(tx, again[1].conflict.id)) == 2
            assert conflicts.details(tx, again[1].conflict.id) == {"checks": []}
            page = conflicts.listed(tx, conflicts.Wanted(field="title", text="A"), limit=1)
            assert page.cursor is None
            page = conflicts.listed(tx, conflicts.Wanted(field="title"), limit=1)
            rest = conflicts.listed(tx, conflicts.Wanted(device="phone"), after=page.cursor)
            assert [one.document for one in page.conflicts + rest.conflicts] == ["a\0b", "c"]
            assert [row.number for row in conflicts.counts(tx)] == [2]
            number = page.conflicts[0].id
            conflicts.set_state(tx, number, "failed", 12, error="x", next_attempt_at=20, attempts=1)
            assert conflicts.due(tx, db.id, 19) == []
            assert [one.id for one in conflicts.due(tx, db.id, 20)] == [number]
            assert len(conflicts.open_of(tx, db.id)) == 2
            assert conflicts.oldest(tx, db.id) == 10
        content = archive.keep_content(journal, [b"x" * 3_000_000, b"y"])
        assert b"".join(archive.content(journal, content.digest)) == b"x" * 3_000_000 + b"y"
        with journal.write() as tx:
            one = archive.Archived(A, (A, ROOT), False, {"title": "one"})
            archive.keep(tx, db.id, {"c": [one], "a\0b": [one]}, 13)
            archive.attach(tx, db.id, "c", A, "x.txt", "text/plain", "md5-x", content)
        with journal.write() as tx:
            plan = {"winner": str(A), "write": {}, "tombstones": [{"revision": str(B)}]}
            plan["write"] = {"expected": "3-x"}
            begun = resolutions.Begun(
                conflict=number, database_id=db.id, document="c", strategy="merge", by="auto",
                plan=plan, started_at=14,
            )  # fmt: skip
            first, second = resolutions.begin(tx, [begun, begun])
            merge = Rev(3, "e" * 32)
            resolutions.note(tx, first, "written", written=merge, tombstones={B: Rev(3, "f" * 32)})
            assert [r.id for r in resolutions.unfinished(tx, db.id)] == [first, second]
            resolutions.finish(tx, first, "done", 15, "resolved")
            resolutions.finish(tx, second, "failed", 16)
            assert resolutions.recorded(tx, db.id, ["c"]) == {"c": {merge: frozenset({A, B})}}
            assert resolutions.tombstones_of(tx, db.id, ["c"]) == {"c": {B: Rev(3, "f" * 32)}}
            assert resolutions.recent(tx, db.id, ["c", "d"], 14) == {"c": 1}
            assert resolutions.durations(tx, 0) == [1]
            resolutions.acknowledge(tx, db.id, "c", [B], "me", 1)
            assert resolutions.acknowledged(tx, db.id, ["c"]) == {"c": frozenset({B})}
            assert [r.id for r in resolutions.listed(tx, "notes", document="c")] == [second, first]
        with journal.read() as tx:
            assert archive.kept(tx, db.id, ["c"]) == {"c": {A: one}}
            assert archive.size(tx).bodies == 1
        with journal.write() as tx:
            assert leases.acquire(tx, "l", "me", 10)
            assert not leases.acquire(tx, "l", "you", 10)
            assert leases.renew(tx, "l", "me", 10)
            assert leases.release(tx, "l", "me")
            records.record_event(tx, 1, "sweep.finished", {"rows": 1})
            assert records.events_since(tx)[0].data == {"rows": 1}
            number = records.start_operation(tx, "notes", "c", "write", 1, 5)
            assert [one.step for one in records.pending_operations(tx)] == ["write"]
            records.end_operation(tx, number)
            forgotten = archive.forget(tx, db.id, "c", "me", 17)
            assert (forgotten.revisions, forgotten.bodies, forgotten.contents) == (1, 0, 1)
            assert archive.kept(tx, db.id, ["c", "a\0b"]) == {"a\0b": {A: one}}
