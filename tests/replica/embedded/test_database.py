"""What the embedded replica promises beyond the protocol: its file, limits, validators."""

import sqlite3
import threading
from pathlib import Path

import pytest

from couchmend.core.document import JSON, Doc
from couchmend.errors import BadRequest, Forbidden, NotFound, TooLarge, Unavailable
from couchmend.replica.base import ChangesQuery, Refused, Written
from couchmend.replica.embedded import EmbeddedReplica, Limits
from couchmend.replica.embedded.schema import VERSION


def test_a_database_is_there_when_it_is_opened_again(path: Path) -> None:
    with EmbeddedReplica.open(path) as replica:
        rev = replica.put({"_id": "a", "v": 1})
        replica.put_attachment("a", "x", b"bytes", "text/plain", rev=rev)
        replica.put_local("mine", {"seq": 1})
        replica.set_security({"members": {"names": ["jo"]}})
        seq = replica.info().update_seq
    with EmbeddedReplica.open(path) as replica:
        assert replica.get("a")["v"] == 1
        assert replica.attachment("a", "x").read() == b"bytes"
        assert replica.get_local("mine")["seq"] == 1
        assert replica.security() == {"members": {"names": ["jo"]}}
        assert replica.info().update_seq == seq
        assert replica.changes(ChangesQuery(since=seq)).rows == ()


def test_the_file_is_in_wal_mode_and_syncs_every_commit(
    path: Path, replica: EmbeddedReplica
) -> None:
    with replica._connections.write() as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_readers_do_not_wait_for_a_writer(replica: EmbeddedReplica) -> None:
    replica.put({"_id": "a"})
    with replica._connections.write() as connection:
        connection.execute("UPDATE documents SET deleted = deleted")
        answer: list[Doc] = []
        reader = threading.Thread(target=lambda: answer.append(replica.get("a")))
        reader.start()
        reader.join(5)
        assert answer


def test_an_open_read_does_not_hold_the_writer_up(replica: EmbeddedReplica) -> None:
    rev = replica.put_attachment("a", "big", b"x" * 3_000_000, "application/x")
    chunks = iter(replica.attachment("a", "big", rev=rev).chunks)
    first = next(chunks)
    replica.delete("a", rev)
    replica.compact()
    assert first + b"".join(chunks) == b"x" * 3_000_000


def test_a_missing_file_a_folder_and_a_strangers_file_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no such file"):
        EmbeddedReplica.open(tmp_path / "none", create=False)
    with pytest.raises(Unavailable, match="dir:"):
        EmbeddedReplica.open(tmp_path)
    with pytest.raises(Unavailable, match="folder must exist"):
        EmbeddedReplica.open(tmp_path / "no" / "such" / "folder.couch")
    text = tmp_path / "text"
    text.write_bytes(b"no database at all, only text" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        EmbeddedReplica.open(text)
    assert text.read_bytes() == b"no database at all, only text" * 100


def test_another_programs_sqlite_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(Unavailable, match="not a couchmend database"):
        EmbeddedReplica.open(path)
    assert path.read_bytes() == before


def test_a_file_of_a_newer_format_is_refused(path: Path) -> None:
    EmbeddedReplica.open(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(Unavailable, match="newer couchmend"):
        EmbeddedReplica.open(path)


def test_limits_name_themselves(tmp_path: Path) -> None:
    ok = {"_id": "ok", "_rev": "1-a"}
    limits = Limits(max_document_bytes=100, max_depth=3, max_attachment_bytes=10, max_id_bytes=8)
    with EmbeddedReplica.open(tmp_path / "x", limits=limits) as replica:
        too_large: list[tuple[Doc, type[Exception], str]] = [
            ({"_id": "a", "v": "x" * 100}, TooLarge, "max_document_bytes"),
            ({"_id": "a", "v": [[[1]]]}, BadRequest, "max_depth"),
            ({"_id": "nine-long"}, BadRequest, "max_id_bytes"),
            ({"_id": "a", "_attachments": {"x": {"data": b"x" * 11}}}, TooLarge, "max_attachment"),
            (
                {"_id": "a", "_attachments": {"x": {"data": [b"x" * 6] * 2}}},
                TooLarge,
                "max_attachment",
            ),
        ]
        for doc, kind, limit in too_large:
            for new_edits in (True, False):
                with pytest.raises(kind, match=limit):
                    replica.bulk_docs([ok, {**doc, "_rev": "1-a"}], new_edits=new_edits)
        assert replica.all_docs().total_rows == 0
        assert replica.put({"_id": "a", "v": [[1]]})


def test_validators_refuse_as_validate_doc_update_does(path: Path) -> None:
    seen: list[tuple[Doc, Doc | None]] = []

    def validate(new: Doc, old: Doc | None) -> None:
        seen.append((new, old))
        if new.get("refuse"):
            raise Forbidden("refused")

    with EmbeddedReplica.open(path, validators=[validate]) as replica:
        rev = replica.put({"_id": "a", "v": 1})
        rows = replica.bulk_docs(
            [{"_id": "a", "_rev": rev, "refuse": True}, {"_id": "b", "v": 2}, {"refuse": 1}]
        )
        match rows:
            case [Refused("a", _, "forbidden", "refused"), Written("b"), Refused(_, None, _, _)]:
                pass
            case _:
                pytest.fail(str(rows))
        assert seen[1] == (
            {"_id": "a", "_rev": rev, "refuse": True},
            {"_id": "a", "_rev": rev, "v": 1},
        )
        [refused] = replica.bulk_docs(
            [{"_id": "a", "_rev": "1-x", "refuse": 1}, {"_id": "c", "_rev": "1-c"}],
            new_edits=False,
        )
        assert isinstance(refused, Refused)
        assert refused.rev == "1-x"
        assert [row.id for row in replica.changes().rows] == ["a", "b", "c"]


def test_a_merge_that_is_refused_does_not_keep_the_losers_tombstone_out(path: Path) -> None:
    """One request is no transaction: what CouchDB does, whoever writes must know."""

    def validate(new: Doc, old: Doc | None) -> None:
        if not new.get("_deleted") and new.get("refuse"):
            raise Forbidden("refused")

    with EmbeddedReplica.open(path, validators=[validate]) as replica:
        replica.bulk_docs(
            [{"_id": "q", "_rev": "1-aa", "k": 1}, {"_id": "q", "_rev": "1-bb", "k": 2}],
            new_edits=False,
        )
        rows = replica.bulk_docs(
            [
                {"_id": "q", "_rev": "1-bb", "refuse": True},
                {"_id": "q", "_rev": "1-aa", "_deleted": True},
            ]
        )
        assert [type(row) for row in rows] == [Refused, Written]
        doc = replica.get("q", conflicts=True, deleted_conflicts=True)
        assert doc["_rev"] == "1-bb"
        assert "_conflicts" not in doc
        assert len(doc["_deleted_conflicts"]) == 1


def test_conflicted_documents_are_an_index_look_up(replica: EmbeddedReplica) -> None:
    docs: list[Doc] = [{"_id": f"d{i:04}", "_rev": "1-a"} for i in range(500)]
    docs += [{"_id": f"d{i:04}", "_rev": "1-b"} for i in range(0, 500, 50)]
    replica.bulk_docs(docs, new_edits=False)
    found = replica.conflicted()
    assert [row.id for row in found] == [f"d{i:04}" for i in range(0, 500, 50)]
    assert all(row.revs == ("1-b", "1-a") for row in found)
    assert [row.id for row in replica.conflicted(after="d0100", limit=2)] == ["d0150", "d0200"]
    with replica._connections.read() as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT key, id, seq, winner, deleted, leaves, live_leaves, tree"
            " FROM documents WHERE leaves > 1 AND id > ? ORDER BY id LIMIT ?",
            ("", 10),
        ).fetchall()
    assert "documents_in_conflict" in str(plan)


def test_a_sequence_of_another_life_starts_from_the_beginning(tmp_path: Path) -> None:
    with EmbeddedReplica.open(tmp_path / "a") as one, EmbeddedReplica.open(tmp_path / "b") as other:
        one.put({"_id": "x"})
        other.put({"_id": "y"})
        assert len(other.changes(ChangesQuery(since=one.info().update_seq)).rows) == 1
        ahead = other.info().update_seq.replace("1-", "7-", 1)
        assert len(other.changes(ChangesQuery(since=ahead)).rows) == 1


@pytest.mark.parametrize("since", ["rubbish", "", "-1", "1.5", "１", "1e3"])
def test_a_malformed_sequence_is_refused(replica: EmbeddedReplica, since: JSON) -> None:
    with pytest.raises(BadRequest, match="Malformed sequence"):
        replica.changes(ChangesQuery(since=since))


def test_a_closed_replica_says_so(path: Path) -> None:
    replica = EmbeddedReplica.open(path)
    replica.close()
    replica.close()
    with pytest.raises(Unavailable, match="closed"):
        replica.get("a")
    with pytest.raises(Unavailable, match="closed"):
        replica.put({"_id": "a"})


def test_a_resting_replica_wakes_by_itself(path: Path, replica: EmbeddedReplica) -> None:
    replica.put({"_id": "a"})
    replica.rest()
    assert replica.get("a")["_id"] == "a"
    replica.rest()
    replica.put({"_id": "b"})
    assert replica.info().documents == 2


def test_a_file_that_was_deleted_under_an_open_replica_takes_no_writes(path: Path) -> None:
    replica = EmbeddedReplica.open(path)
    replica.put({"_id": "a"})
    path.unlink()
    with pytest.raises(Unavailable, match="deleted or replaced"):
        replica.put({"_id": "b"})
    replica.close()


def test_a_validation_function_that_is_not_enforced_is_noticed(replica: EmbeddedReplica) -> None:
    replica.put({"_id": "_design/plain", "views": {}})
    assert replica.info().notices == ()
    replica.put({"_id": "_design/v", "validate_doc_update": "function () {}"})
    [notice] = replica.info().notices
    assert "_design/v" in notice
    assert "not enforced" in notice
