"""What opening and writing a journal promises: privacy, durability, and words for what fails."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import text

from couchmend.errors import JournalError, UsageError
from couchmend.journal import conflicts, databases
from couchmend.journal.opening import Journal, open_journal
from tests.journal.findings import finding, notes, queued
from tests.journal.servers import Server


@contextmanager
def refused(match: str, hint: str = "") -> Iterator[None]:
    """What is within raises a `JournalError` that says so, what to do, and no secret."""
    with pytest.raises(JournalError, match=match) as caught:
        yield
    assert hint in caught.value.hint
    assert "geheim" not in str(caught.value)


def count(journal: Journal) -> int:
    with journal.read() as tx:
        return sum(row.number for row in conflicts.counts(tx))


def test_only_its_owner_reads_a_new_journal(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "journal.db"
    before = os.umask(0)
    try:
        with open_journal(f"sqlite:///{path}") as journal, journal.write() as tx:
            notes(tx)
            modes = {one.name: one.stat().st_mode & 0o777 for one in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert "journal.db-wal" in modes


def test_writes_are_on_disk_when_they_end(tmp_path: Path) -> None:
    with open_journal(f"sqlite:///{tmp_path}/j.db") as journal, journal.read() as tx:
        assert tx.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert tx.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert tx.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert tx.exec_driver_sql("PRAGMA secure_delete").scalar() == 1


def test_an_exception_rolls_back(journal: Journal) -> None:
    def fail() -> None:
        with journal.write() as tx:
            queued(tx, notes(tx), "a")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(journal) == 0
    with journal.read() as tx:
        assert databases.every(tx) == []


def test_a_read_sees_one_state(journal: Journal, url: str) -> None:
    with journal.write() as tx:
        number = notes(tx)
    with open_journal(url) as other, other.read() as reader:
        assert databases.is_paused(reader, "notes") is False
        with journal.write() as tx:
            databases.pause(tx, "notes", "me", 1)
            queued(tx, number, "a")
        assert databases.is_paused(reader, "notes") is False
        assert conflicts.open_ones(reader, number, ["a"]) == {}
    with journal.read() as tx:
        assert databases.is_paused(tx, "notes")


def test_a_journal_in_memory_is_one_for_all_threads() -> None:
    with open_journal("sqlite://") as journal:
        with journal.write() as tx:
            notes(tx)
        seen: list[int] = []

        def look() -> None:
            with journal.read() as tx:
                seen.append(len(databases.every(tx)))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        assert seen == [1]


def test_sixteen_threads_at_once(journal: Journal) -> None:
    with journal.write() as tx:
        number = notes(tx)
    failures: list[BaseException] = []

    def work(thread: int) -> None:
        try:
            for step in range(5):
                with journal.write() as tx:
                    mine = [finding(f"{thread}-{step}-{one}") for one in range(4)]
                    conflicts.queue(tx, number, [*mine, finding("shared")], step)
                with journal.read() as tx:
                    assert conflicts.open_ones(tx, number, [f"{thread}-{step}-0"])
        except BaseException as problem:  # noqa: BLE001  # told below, in the test's own thread
            failures.append(problem)

    threads = [threading.Thread(target=work, args=(one,)) for one in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert count(journal) == 16 * 5 * 4 + 1


def test_killed_within_a_transaction(url: str) -> None:
    with open_journal(url) as journal, journal.write() as tx:
        queued(tx, notes(tx), "before")
    script = """
        import os, signal, sys
        from couchmend.journal import conflicts, databases
        from couchmend.journal.opening import open_journal
        from tests.journal.findings import finding
        journal = open_journal(sys.argv[1])
        with journal.write() as tx:
            one = databases.named(tx, "notes").id
            conflicts.queue(tx, one, [finding("committed")], 1)
        with journal.write() as tx:
            conflicts.queue(tx, one, [finding(f"lost-{n}") for n in range(2000)], 1)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), url],
        env={**os.environ, "PYTHONPATH": paths},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    with open_journal(url, busy_timeout_seconds=20) as journal:
        with journal.write() as tx:
            number = notes(tx)
            queued(tx, number, "after")
        with journal.read() as tx:
            there = [one.document for one in conflicts.open_of(tx, number)]
        assert there == ["before", "committed", "after"]


# --- what fails, in words


def test_locked_for_longer_than_it_waits(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/j.db"
    with (
        open_journal(url) as one,
        open_journal(url, busy_timeout_seconds=0.1) as other,
        one.write(),
        refused("another process has held it", "try again"),
        other.write(),
    ):
        pass


def test_locked_postgresql(postgresql: Server) -> None:
    with (
        postgresql.database() as url,
        open_journal(url) as one,
        open_journal(url, busy_timeout_seconds=0.1) as other,
    ):
        with one.write() as tx:
            number = notes(tx)
        with one.write() as tx:
            queued(tx, number, "a")
            with refused("another process has held it", "try again"), other.write() as second:
                queued(second, number, "b")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_text("this is a letter, and a long one at that" * 100)
    with refused("no journal, nor any SQLite", "another file"):
        open_journal(f"sqlite:///{path}")
    assert path.read_text().startswith("this is a letter")


def test_a_database_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE guests (name TEXT)")
    made.close()
    with refused("something else", "of its own"):
        open_journal(f"sqlite:///{path}")


def test_a_damaged_file(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with open_journal(f"sqlite:///{path}") as journal, journal.write() as tx:
        conflicts.queue(tx, notes(tx), [finding(f"doc-{n}") for n in range(300)], 1)
    pages = bytearray(path.read_bytes())
    pages[4096:] = os.urandom(len(pages) - 4096)
    path.write_bytes(pages)
    with refused("damaged", "backup"), open_journal(f"sqlite:///{path}") as journal:
        count(journal)


def test_a_full_disk(tmp_path: Path) -> None:
    with open_journal(f"sqlite:///{tmp_path}/j.db") as journal:
        with journal.write() as tx:
            number = notes(tx)
            queued(tx, number, "before")
            pages = tx.exec_driver_sql("PRAGMA page_count").scalar()
        many = [finding(f"doc-{n}", sentence="x" * 500) for n in range(2000)]
        with refused("no space left", "free some space"), journal.write() as tx:
            tx.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            conflicts.queue(tx, number, many, 1)
        with journal.write() as tx:
            tx.exec_driver_sql("PRAGMA max_page_count = 1000000")
            queued(tx, number, "after")
        assert count(journal) == 2


def test_a_full_file_system(tmp_path: Path) -> None:
    """The same with a file system that is really full, where this may make one."""
    room = tmp_path / "room"
    room.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(room)],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("a small file system can be mounted by root only (run the tests as root)")
    try:
        with open_journal(f"sqlite:///{room}/j.db") as journal:
            with journal.write() as tx:
                number = notes(tx)
            many = [finding(f"doc-{n}", sentence="x" * 500) for n in range(3000)]
            with refused("no space left", "free some space"), journal.write() as tx:
                conflicts.queue(tx, number, many, 1)
            assert count(journal) == 0
    finally:
        subprocess.run(["umount", str(room)], check=True)


OPENING_AS_NOBODY = """
import os, sys
from couchmend.errors import JournalError
from couchmend.journal.opening import open_journal
open_journal("sqlite://").close()  # imports what it needs while it may
if os.geteuid() == 0:
    os.setuid(65534)
for url in sys.argv[1:]:
    try:
        open_journal(url)
    except JournalError as problem:
        print(problem)
"""


def test_no_permission() -> None:
    with tempfile.TemporaryDirectory() as name:
        there, closed = Path(name) / "there.db", Path(name) / "closed" / "j.db"
        open_journal(f"sqlite:///{there}").close()
        open_journal(f"sqlite:///{closed}").close()
        there.chmod(0o444)
        closed.parent.chmod(0)
        Path(name).chmod(0o555)
        urls = [f"sqlite:///{there}", f"sqlite:///{closed}", f"sqlite:///{name}/new.db"]
        done = subprocess.run(
            [sys.executable, "-c", OPENING_AS_NOBODY, *urls],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)},
            capture_output=True,
            text=True,
            check=False,
        )
        Path(name).chmod(0o755)
        closed.parent.chmod(0o755)
    said = done.stdout.splitlines()
    assert len(said) == 3, done.stderr
    assert all("this user" in line for line in said), said


def test_there_is_none(tmp_path: Path) -> None:
    with refused("there is no journal", "sweep"):
        open_journal(f"sqlite:///{tmp_path}/j.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_a_postgresql_that_does_not_answer() -> None:
    with refused("cannot be reached", "is it running"):
        open_journal("postgresql://me:geheim@127.0.0.1:9/journal")


def test_a_wrong_password_is_not_shown(postgresql: Server) -> None:
    rules = postgresql.folder / "pg_hba.conf"
    before = rules.read_text()
    postgresql.execute("CREATE USER guest PASSWORD 'right'")
    rules.write_text(f"local all guest scram-sha-256\n{before}")
    try:
        postgresql.execute("SELECT pg_reload_conf()")
        with postgresql.database() as url:
            wrong = url.replace("postgres:@", "guest:geheim@", 1)
            assert wrong != url
            with refused("password is wrong", "PGPASSWORD"):
                open_journal(wrong)
    finally:
        rules.write_text(before)
        postgresql.execute("SELECT pg_reload_conf()")
        postgresql.execute("DROP USER guest")


def test_a_database_of_postgresql_that_is_not_there(postgresql: Server) -> None:
    with refused("no such database", "createdb"):
        open_journal(postgresql.url.replace("/postgres?", "/nowhere?"))


@pytest.mark.parametrize("url", ["journal.db", "mysql://h/d", "sqlite:journal.db", "sqlite://j.db"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(UsageError, match="no place for a journal") as caught:
        open_journal(url)
    assert "sqlite:///" in caught.value.hint


def test_an_address_is_shown_without_its_password(postgresql: Server) -> None:
    with postgresql.database() as url:
        secret = url.replace("postgres:@", "postgres:geheim@", 1)
        assert secret != url
        with open_journal(secret) as journal:
            assert "geheim" not in journal.url
            assert "postgres" in journal.url


def test_a_journal_that_is_closed(journal: Journal) -> None:
    journal.close()
    with refused("closed"), journal.read() as tx:
        tx.execute(text("SELECT 1"))


def test_two_transactions_in_one_thread_are_a_mistake(tmp_path: Path) -> None:
    with (
        open_journal(f"sqlite:///{tmp_path}/j.db") as journal,
        journal.write(),
        pytest.raises(RuntimeError, match="open in this thread"),
        journal.write(),
    ):
        pass
