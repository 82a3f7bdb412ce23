"""The replication log: where a replication goes on, whatever happened to either side."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from couchmend.core.document import Doc
from couchmend.errors import Forbidden, Unavailable
from couchmend.replica.base import ChangesPage, ChangesQuery, DatabaseInfo
from couchmend.replica.embedded import EmbeddedReplica
from couchmend.replica.replicate import Summary, replicate
from couchmend.replica.replicate.checkpoints import last_agreed


def log(*sessions: tuple[str, str | int]) -> Doc:
    """A log with these sessions, newest first, and what they recorded."""
    history = [{"session_id": id, "recorded_seq": seq} for id, seq in sessions]
    return {
        "session_id": sessions[0][0],
        "source_last_seq": sessions[0][1],
        "history": history,
    }


AGREED = [
    ("nothing anywhere", {}, {}, "0"),
    ("only the target remembers", {}, log(("a", "5-x")), "0"),
    ("only the source remembers", log(("a", "5-x")), {}, "0"),
    ("the same session", log(("a", "5-x")), log(("a", "5-x")), "5-x"),
    ("one kill between the two logs", log(("a", "5-x")), log(("a", "7-x")), "5-x"),
    ("an older copy of the target", log(("a", "7-x")), log(("a", "5-x")), "5-x"),
    ("another session in between", log(("b", "9-x"), ("a", "5-x")), log(("a", "5-x")), "5-x"),
    ("the target went on alone", log(("a", "5-x")), log(("b", "9-x"), ("a", "5-x")), "5-x"),
    ("no session in common", log(("a", "5-x")), log(("b", "5-x")), "0"),
    ("integers", log(("a", 5)), log(("a", 7)), "5"),
    ("sequences without a number", log(("a", "xx")), log(("a", "yy")), "0"),
    ("equal sequences without a number", log(("a", "xx")), log(("a", "xx")), "xx"),
    ("rubbish", {"session_id": "a", "history": "?"}, {"session_id": "a", "history": [1]}, "0"),
]


@pytest.mark.parametrize(
    ("source", "target", "seq"), [c[1:] for c in AGREED], ids=[c[0] for c in AGREED]
)
def test_where_two_logs_agree(source: Doc, target: Doc, seq: str) -> None:
    assert last_agreed(source, target)[0] == seq


def fill(replica: EmbeddedReplica, first: int, last: int) -> None:
    replica.bulk_docs([{"_id": f"d{n}", "n": n} for n in range(first, last)])


def ids(replica: EmbeddedReplica) -> set[str]:
    return {row.id for row in replica.changes(ChangesQuery()).rows}


def checked(summary: Summary) -> int:
    return summary.progress.missing_checked


def test_the_next_run_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    with EmbeddedReplica.open(":memory:") as source, EmbeddedReplica.open(tmp_path / "t") as target:
        fill(source, 0, 10)
        assert checked(replicate(source, target)) == 10
        fill(source, 10, 13)
        assert checked(replicate(source, target)) == 3
        assert checked(replicate(source, target)) == 0
        (kept,) = target.local_docs()
        assert kept["replication_id_version"] == 4
        assert [entry["docs_written"] for entry in kept["history"]] == [3, 10]
        assert kept["source_last_seq"] == kept["history"][0]["recorded_seq"]


def test_an_older_copy_of_the_target_gets_what_it_lacks(tmp_path: Path) -> None:
    copy, path = tmp_path / "copy.couch", tmp_path / "target.couch"
    with EmbeddedReplica.open(":memory:") as source:
        with EmbeddedReplica.open(path) as target:
            fill(source, 0, 5)
            replicate(source, target)
        shutil.copy(path, copy)
        with EmbeddedReplica.open(path) as target:
            fill(source, 5, 9)
            replicate(source, target)
        shutil.copy(copy, path)
        with EmbeddedReplica.open(path) as target:
            replicate(source, target)
            assert ids(target) == ids(source)


def test_a_source_that_was_made_anew_is_read_from_the_beginning(tmp_path: Path) -> None:
    with EmbeddedReplica.open(tmp_path / "target.couch") as target:
        for first in (0, 3):
            (tmp_path / "source.couch").unlink(missing_ok=True)
            with EmbeddedReplica.open(tmp_path / "source.couch") as source:
                fill(source, first, first + 3)
                replicate(source, target)
        assert ids(target) == {f"d{n}" for n in range(6)}


class ReadOnly(EmbeddedReplica):
    """A source whose user may not write."""

    def put_local(self, name: str, doc: object) -> str:
        raise Forbidden("you may only read", target=self.url)


def test_a_source_that_may_only_be_read_keeps_no_log(tmp_path: Path) -> None:
    with ReadOnly.open(tmp_path / "s.couch") as source, EmbeddedReplica.open(":memory:") as target:
        fill(source, 0, 5)
        first = replicate(source, target)
        assert checked(first) == 5
        (notice,) = first.progress.notices
        assert "only be read" in notice
        fill(source, 5, 7)
        assert checked(replicate(source, target)) == 2
        assert checked(replicate(source, target)) == 0
        assert source.local_docs() == []
    (tmp_path / "s.couch").unlink()
    with ReadOnly.open(tmp_path / "s.couch") as source, EmbeddedReplica.open(":memory:") as target:
        fill(source, 7, 9)
        assert checked(replicate(source, target)) == 2


def test_different_selections_have_logs_of_their_own() -> None:
    with EmbeddedReplica.open(":memory:") as source, EmbeddedReplica.open(":memory:") as target:
        fill(source, 0, 5)
        replicate(source, target, doc_ids=["d1"])
        replicate(source, target, selector={"n": {"$gt": 3}})
        assert ids(target) == {"d1", "d4"}
        replicate(source, target)
        assert ids(target) == ids(source)
        assert len(target.local_docs()) == 3


def test_history_is_bounded() -> None:
    with EmbeddedReplica.open(":memory:") as source, EmbeddedReplica.open(":memory:") as target:
        for n in range(55):
            fill(source, n, n + 1)
            replicate(source, target)
        (kept,) = source.local_docs()
        assert len(kept["history"]) == 50


def test_an_explicit_beginning_overrides_the_log() -> None:
    with EmbeddedReplica.open(":memory:") as source, EmbeddedReplica.open(":memory:") as target:
        fill(source, 0, 5)
        replicate(source, target)
        assert checked(replicate(source, target, since="0")) == 5


def test_a_later_beginning_does_not_count_for_what_lies_before_it() -> None:
    with EmbeddedReplica.open(":memory:") as source, EmbeddedReplica.open(":memory:") as target:
        fill(source, 0, 5)
        since = source.info().update_seq
        fill(source, 5, 7)
        assert checked(replicate(source, target, since=since)) == 2
        assert target.local_docs() == source.local_docs() == []
        assert checked(replicate(source, target)) == 7
        assert ids(target) == ids(source)


def logs(replica: EmbeddedReplica) -> list[str]:
    return [doc["source_last_seq"] for doc in replica.local_docs()]


class Failing(EmbeddedReplica):
    """Fails whenever it is asked for changes."""

    def changes(self, query: ChangesQuery | None = None) -> ChangesPage:
        raise Unavailable("not now", transient=True)


@pytest.mark.parametrize("since", ["0", "now"])
def test_a_run_that_fails_at_once_notes_nothing(tmp_path: Path, since: str) -> None:
    path = tmp_path / "source.couch"
    with EmbeddedReplica.open(":memory:") as target:
        with EmbeddedReplica.open(path) as source:
            fill(source, 0, 5)
            replicate(source, target)
            before = logs(source), logs(target)
        with Failing.open(path) as source:
            with pytest.raises(Unavailable):
                replicate(source, target, since=since)
            assert (logs(source), logs(target)) == before


def test_a_source_of_unknown_birth_is_not_trusted_for_the_log_of_the_target(
    tmp_path: Path,
) -> None:
    class Ageless(ReadOnly):
        def info(self) -> DatabaseInfo:
            return replace(super().info(), instance_start_time="0")

    with Ageless.open(tmp_path / "s.couch") as source, EmbeddedReplica.open(":memory:") as target:
        fill(source, 0, 5)
        assert checked(replicate(source, target)) == 5
        assert checked(replicate(source, target)) == 5
        assert replicate(source, target).progress.docs_written == 0


def test_one_file_under_two_spellings_is_one_replication(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with EmbeddedReplica.open(":memory:") as target:
        for path, count in (("s.couch", 5), ("./s.couch", 0), (str(tmp_path / "s.couch"), 0)):
            with EmbeddedReplica.open(path) as source:
                if count:
                    fill(source, 0, count)
                assert checked(replicate(source, target)) == count
