"""Connections to one SQLite file: one writer at a time, as many readers as there are.

The file is in WAL mode, so readers see a snapshot and never wait, and a commit is on disk
(`synchronous = FULL`) when `write` ends.  `:memory:` has a single connection, which
everybody takes in turn.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from couchmend.errors import Unavailable
from couchmend.replica.embedded import schema

BUSY_TIMEOUT_SECONDS = 60.0


class Connections:
    """The connections that one open replica uses; safe to share between threads."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._where = str(path) if path is not None else ":memory:"
        self._writing = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._writer: sqlite3.Connection | None = self._connect()
        try:
            with self._translated():
                schema.prepare(self._writer, self._where)
            self._identity = self._file_identity()
        except BaseException:
            self._writer.close()
            raise

    @property
    def in_memory(self) -> bool:
        """Whether nothing of this is in a file."""
        return self._path is None

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: committed to disk at the end, rolled back on any exception."""
        with self._writing, self._translated():
            self._check_open()
            if not self.is_current():
                raise self._error("the file was deleted or replaced while it was open")
            connection = self._the_writer()
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: one state of the database from beginning to end."""
        if self._path is None:
            with self._writing, self._translated():
                self._check_open()
                yield self._the_writer()
            return
        with self._translated():
            self._check_open()
            connection = self._take()
            try:
                connection.execute("BEGIN")
                try:
                    yield connection
                finally:
                    connection.execute("ROLLBACK")
            finally:
                self._give_back(connection)

    def checkpoint(self) -> None:
        """Move what is in the write-ahead log into the file, as far as readers let us."""
        with self._writing, self._translated():
            self._check_open()
            connection = self._the_writer()
            connection.execute("PRAGMA busy_timeout = 100")  # a slow reader holds nobody up
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}")

    def version_reader(self) -> sqlite3.Connection:
        """A connection of its own, whose `PRAGMA data_version` changes with every commit."""
        return self._connect()

    def close(self) -> None:
        """Close them all; a read that is still under way keeps its own until it ends."""
        with self._writing:
            if self._closed:
                return
            self._closed = True
            self._release()

    def rest(self) -> None:
        """Give the file handles back until the next use; nothing is lost or forgotten."""
        if self._path is not None:
            with self._writing:
                self._release()

    def is_awake(self) -> bool:
        """Whether file handles are held now."""
        return self._writer is not None or bool(self._idle)

    def is_current(self) -> bool:
        """Whether this is open, on the file that its path still names."""
        return not self._closed and self._identity == self._file_identity()

    def _release(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _the_writer(self) -> sqlite3.Connection:
        if self._writer is None:
            self._writer = self._connect()
        return self._writer

    def _connect(self) -> sqlite3.Connection:
        with self._translated():
            connection = sqlite3.connect(
                self._where,
                timeout=BUSY_TIMEOUT_SECONDS,
                isolation_level=None,
                check_same_thread=False,
                cached_statements=256,
            )
            try:
                for pragma in ("synchronous = FULL", "cache_size = -16000", "temp_store = MEMORY"):
                    connection.execute(f"PRAGMA {pragma}")
            except BaseException:
                connection.close()
                raise
        return connection

    def _take(self) -> sqlite3.Connection:
        # A list's pop and append are atomic.
        with suppress(IndexError):
            return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if self._closed or len(self._idle) >= 16:
            connection.close()
        else:
            self._idle.append(connection)

    def _file_identity(self) -> tuple[int, int] | None:
        if self._path is None:
            return None
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return None
        return stat.st_dev, stat.st_ino

    def _check_open(self) -> None:
        if self._closed:
            raise self._error("the replica is closed")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as problem:
            raise self._error(str(problem)) from problem

    def _error(self, message: str) -> Unavailable:
        hint = ""
        if "locked" in message:
            hint = "another process has been writing for over a minute; try again when it is done"
        elif "malformed" in message or "not a database" in message:
            hint = "the file is damaged or no database; see `couchmend replica check`"
        elif "unable to open" in message:
            hint = "the folder must exist and be writable"
        elif "full" in message:
            hint = "free some space; nothing of this write was stored"
        return Unavailable(message, operation="database", target=self._where, hint=hint)
