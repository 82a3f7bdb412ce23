"""Opening the journal, and its transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from couchmend.errors import JournalError, UsageError
from couchmend.journal.addresses import Address, address, shown_url
from couchmend.journal.failures import translated
from couchmend.journal.tables import REVISION, metadata

BUSY_TIMEOUT_SECONDS: Final = 30.0
"""How long a write waits for those of other processes."""

VERSION_TABLE: Final = "alembic_version"
_APPLICATION: Final = 0x434D6A6C  # "CMjl": what `file` and others see the journal by
_WRITING: Final = "couchmend_writing"
_ERASED: Final = "couchmend_erased"
_LOCK: Final = 0x636F756368  # of PostgreSQL's advisory locks: to make or migrate the tables


def open_journal(
    url: str,
    *,
    create: bool = True,
    any_version: bool = False,
    busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS,
) -> Journal:
    """Open a journal; one that is not there is made.

    url: `sqlite:///relative.db`, `sqlite:////absolute.db`, `sqlite://` for one in memory, or
        `postgresql://[user[:password]@]host[:port]/database`.
    create: whether it may be made.
    any_version: whether it may be of another version; `upgrading` does nothing else with it.

    Raises:
        UsageError: the URL is none of these, or a library for it is not installed.
        JournalError: it cannot be opened or is of another version; says why and what to do.
    """
    place = address(url)
    with translated(place.shown):
        journal = Journal(place, busy_timeout_seconds)
        try:
            _prepare(journal, place, create=create, any_version=any_version)
        except BaseException:
            journal.close()
            raise
    return journal


class Journal:
    """An open journal; several threads may use it at once.

    In memory there is one connection, which everybody takes in turn.
    """

    def __init__(self, place: Address, busy_timeout_seconds: float = BUSY_TIMEOUT_SECONDS) -> None:
        self._place = place
        self._timeout = busy_timeout_seconds
        self._engine = _engine(place, busy_timeout_seconds)
        self._closed = False
        # SQLite takes one writer at a time: within a process they queue here, which is fair.
        self._writing = threading.Lock() if place.is_sqlite else None
        self._reading = self._writing if place.is_sqlite and place.path is None else None
        self._within = threading.local()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it is, without credentials."""
        return self._place.shown

    @property
    def path(self) -> Path | None:
        """Its file; None in memory and on PostgreSQL."""
        return self._place.path

    @property
    def engine(self) -> Engine:
        """What its connections come from; for migrations."""
        return self._engine

    @property
    def is_sqlite(self) -> bool:
        """Whether it is SQLite, else PostgreSQL."""
        return self._place.is_sqlite

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the journal from beginning to end.

        Raises:
            JournalError: the journal cannot be read.
        """
        with translated(self.url), self._in_turn(self._reading), self._connection() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin() as transaction:
                try:
                    yield connection
                finally:
                    transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that is on disk when this ends; rolled back on an exception.

        Raises:
            JournalError: the journal cannot be written; nothing of the transaction is stored.
        """
        with translated(self.url), self._in_turn(self._writing), self._connection() as connection:
            connection.execution_options(**{_WRITING: True})
            with connection.begin():
                yield connection
            if connection.info.pop(_ERASED, False):
                self._flush(connection)

    def close(self) -> None:
        """Close its connections; transactions that are under way end as they would have."""
        self._closed = True
        self._engine.dispose()

    def copy_into(self, path: Path) -> None:
        """Copy a SQLite journal into an empty file, as it is now; others may go on meanwhile.

        Raises:
            JournalError: it cannot be read, or the copy not be written.
        """
        with translated(str(path)), self._connection() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            with closing(sqlite3.connect(path)) as copy:
                driver.backup(copy, pages=1000)
                copy.execute("PRAGMA journal_mode = DELETE")

    def _flush(self, connection: Connection) -> None:
        """What was erased is in the write-ahead log until that is written over."""
        if self.path is not None:
            connection.connection.driver_connection.execute(  # type: ignore[union-attr]
                "PRAGMA wal_checkpoint(TRUNCATE)"
            ).fetchall()

    def _connection(self) -> AbstractContextManager[Connection]:
        if self._closed:
            raise JournalError("it is closed", operation="journal", target=self.url)
        return self._engine.connect()

    @contextmanager
    def _in_turn(self, lock: threading.Lock | None) -> Iterator[None]:
        if lock is None:
            yield
            return
        if getattr(self._within, "turn", False):
            raise RuntimeError("a transaction of the journal is open in this thread already")
        if not lock.acquire(timeout=self._timeout):
            raise JournalError(
                "another thread has held it for longer than this one waits",
                operation="journal",
                target=self.url,
                hint="try again when it is done; `couchmend doctor` shows what runs",
            )
        self._within.turn = True
        try:
            yield
        finally:
            self._within.turn = False
            lock.release()


def erased(tx: Connection) -> None:
    """Say that a transaction erases something that must not stay in any file."""
    tx.info[_ERASED] = True


# --- engines


def _engine(place: Address, busy_timeout_seconds: float) -> Engine:
    if place.is_sqlite:
        return _sqlite_engine(place, busy_timeout_seconds)
    milliseconds = int(busy_timeout_seconds * 1000)
    try:
        return create_engine(
            place.url,
            hide_parameters=True,
            pool_size=16,
            max_overflow=16,
            pool_timeout=busy_timeout_seconds,
            pool_pre_ping=True,
            connect_args={
                "connect_timeout": 10,
                "application_name": "couchmend",
                "options": f"-c lock_timeout={milliseconds} -c synchronous_commit=on",
            },
        )
    except ImportError as problem:
        raise UsageError(
            "the library for PostgreSQL is not installed",
            operation="journal",
            target=place.shown,
            hint="pip install 'couchmend[postgres]'",
        ) from problem


def _sqlite_engine(place: Address, busy_timeout_seconds: float) -> Engine:
    arguments = {"check_same_thread": False, "timeout": busy_timeout_seconds}
    if place.path is None:
        engine = create_engine(
            place.url, hide_parameters=True, connect_args=arguments, poolclass=StaticPool
        )
    else:
        engine = create_engine(
            place.url,
            hide_parameters=True,
            connect_args=arguments,
            pool_size=16,
            max_overflow=-1,
        )
    event.listen(engine, "connect", _set_up)
    event.listen(engine, "begin", _begin)
    return engine


def _set_up(connection: DBAPIConnection, entry: ConnectionPoolEntry) -> None:
    # The driver begins transactions too late; with None it leaves that to us.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        "cache_size = -16000",
        "temp_store = MEMORY",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get(_WRITING)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


# --- making


def _prepare(journal: Journal, place: Address, *, create: bool, any_version: bool) -> None:
    if place.path is not None:
        _make_file(place.path, place.shown, create=create)
        with journal.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA journal_mode = WAL").fetchall()
    with journal.read() as tx:
        found = revision(tx)
    if found is None:
        if not create:
            raise JournalError(
                "there is no journal",
                operation="journal",
                target=place.shown,
                hint="it is made by the first `couchmend sweep`",
            )
        with journal.write() as tx:
            _make_tables(tx, place.shown)
            found = revision(tx)
    if not any_version:
        _check_revision(found or "", place.shown)


def _make_file(path: Path, shown: str, *, create: bool) -> None:
    if _is_there(path):
        return
    if not create:
        raise JournalError(
            "there is no journal",
            operation="journal",
            target=shown,
            hint="it is made by the first `couchmend sweep`",
        )
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Only its owner may read it, from the beginning; the files beside it take after it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as problem:
        raise JournalError(
            f"it cannot be made: {problem.strerror}",
            operation="journal",
            target=shown,
            hint="its folder must exist, or be makable, and be writable by this user",
        ) from problem


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return True  # opening it will say what is wrong


def revision(tx: Connection) -> str | None:
    """The migration that a journal stands at; None of an empty database.

    Raises:
        JournalError: there is something else in it.
    """
    names = inspect(tx).get_table_names()
    if not names:
        return None
    if VERSION_TABLE not in names or "conflict_versions" not in names:
        raise JournalError(
            "it is no journal: something else is in this database",
            operation="journal",
            target=shown_url(tx.engine.url),
            hint="a journal needs a file, or a database or schema of PostgreSQL, of its own",
        )
    found: str | None = tx.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return found


def _make_tables(tx: Connection, shown: str) -> None:
    hold_schema(tx)
    if revision(tx) is not None:  # another process was faster
        return
    metadata.create_all(tx)
    tx.execute(
        text(
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL,"
            f" CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    tx.execute(
        text(f"INSERT INTO {VERSION_TABLE} VALUES (:revision)"),  # noqa: S608
        {"revision": REVISION},
    )
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(f"PRAGMA application_id = {_APPLICATION}")


def hold_schema(tx: Connection) -> None:
    """Keep other processes from making or migrating the tables until the transaction ends."""
    if tx.dialect.name == "postgresql":
        tx.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _check_revision(found: str, shown: str) -> None:
    if found == REVISION:
        return
    if found.isdecimal() and int(found) < int(REVISION):
        raise JournalError(
            f"it is of an older version ({found}; this couchmend needs {REVISION})",
            operation="journal",
            target=shown,
            hint="`couchmend journal upgrade` brings it up to date, after a backup",
        )
    raise JournalError(
        f"it is of a newer version ({found}; this couchmend knows {REVISION})",
        operation="journal",
        target=shown,
        hint="use the newer couchmend, or its `couchmend journal downgrade` first",
    )
