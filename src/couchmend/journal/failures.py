"""What a database driver complains of, in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import zstandard
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from couchmend.errors import JournalError, UsageError

_OPERATION = "journal"

_DAMAGED = (
    "what is kept there is damaged",
    "`couchmend journal check` says what of it; put a backup in its place",
)
_BY_CODE: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        "another process has held it for longer than this one waits",
        "try again when it is done; `couchmend doctor` shows what runs",
    ),
    sqlite3.SQLITE_LOCKED: (
        "it is in use in a way that excludes this",
        "try again when what uses it is done",
    ),
    sqlite3.SQLITE_FULL: (
        "there is no space left for it; what was being written is not stored",
        "free some space where the journal is; `couchmend cleanup` makes room in it",
    ),
    sqlite3.SQLITE_NOTADB: (
        "it is no journal, nor any SQLite database",
        "name another file, or move this one away and a new journal is made",
    ),
    sqlite3.SQLITE_CORRUPT: _DAMAGED,
    sqlite3.SQLITE_READONLY: (
        "it may not be written",
        "give this user the right to write the file and its folder",
    ),
    sqlite3.SQLITE_PERM: (
        "it may not be used",
        "give this user the right to read and write the file and its folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "its folder must exist, and this user must have the right to read and write there",
    ),
    sqlite3.SQLITE_IOERR: (
        "it cannot be read or written: the disk or its file system fails",
        "look at the system's log; the journal needs a local file system, none over a network",
    ),
    sqlite3.SQLITE_TOOBIG: ("a value is too large for it", "SQLite takes a thousand million bytes"),
}
_BY_STATE: tuple[tuple[str, str, str], ...] = (
    ("28", "the user name or password is wrong", "see the journal's url, PGPASSWORD or ~/.pgpass"),
    ("3D000", "there is no such database", "create it: createdb NAME"),
    ("42501", "this user may not do that", "the journal needs an owner's rights in its schema"),
    ("22003", "there is no number as large as that", ""),
    ("25006", "it may not be written: the server is read-only", "name the primary server"),
    ("53100", "there is no space left for it; nothing of this was stored", "free some space"),
    ("53300", "the server has no connection left", "raise max_connections, or run fewer workers"),
    (
        "55P03",
        "another process has held it for longer than this one waits",
        "try again when it is done; `couchmend doctor` shows what runs",
    ),
    ("40", "it was changed by another process at the same time", "try again"),
    ("57P", "the server is shutting down or starting", "try again when it runs"),
    ("XX", "it is damaged", "see the log of the PostgreSQL server"),
)


@contextmanager
def translated(target: str) -> Iterator[None]:
    """Whatever the driver raises within becomes a `JournalError` about `target`.

    Raises:
        UsageError: a number, or a text, is none that could be kept.
    """
    try:
        yield
    except (DBAPIError, PoolTimeout) as problem:
        raise journal_error(problem, target) from problem
    except sqlite3.Error as problem:
        raise _of_sqlite(problem, target) from problem
    except zstandard.ZstdError as problem:
        raise damaged(target) from problem
    except OverflowError as problem:
        raise UsageError("there is no number as large as that", operation=_OPERATION) from problem
    except UnicodeEncodeError as problem:
        raise UsageError("that is no text: it is not Unicode", operation=_OPERATION) from problem


def damaged(target: str) -> JournalError:
    """What is kept is not what was kept."""
    message, hint = _DAMAGED
    return JournalError(message, operation=_OPERATION, target=target, hint=hint)


def journal_error(problem: DBAPIError | PoolTimeout, target: str) -> JournalError:
    """An error of SQLAlchemy or of a driver, in our words; never with a value or a password."""
    if isinstance(problem, PoolTimeout):
        return JournalError(
            "every connection to it is in use",
            operation=_OPERATION,
            target=target,
            hint="try again; something may hold transactions open for long",
        )
    if isinstance(problem, IntegrityError):
        return JournalError(
            "it was changed by another process at the same time",
            operation=_OPERATION,
            target=target,
            hint="try again",
        )
    if isinstance(problem.orig, sqlite3.Error):
        return _of_sqlite(problem.orig, target)
    return _of_postgresql(problem, target)


def _of_sqlite(problem: sqlite3.Error, target: str) -> JournalError:
    code = getattr(problem, "sqlite_errorcode", 0) & 0xFF
    message, hint = _BY_CODE.get(code, (f"it cannot be used: {problem}", ""))
    return JournalError(message, operation=_OPERATION, target=target, hint=hint)


def _of_postgresql(problem: DBAPIError, target: str) -> JournalError:
    state = getattr(problem.orig, "sqlstate", None) or ""
    said = str(problem.orig)
    if not state and "authentication failed" in said:
        state = "28P01"
    elif not state and "does not exist" in said:
        state = "3D000"
    for prefix, message, hint in _BY_STATE:
        if state.startswith(prefix):
            return JournalError(message, operation=_OPERATION, target=target, hint=hint)
    if not state or problem.connection_invalidated:
        return JournalError(
            "the PostgreSQL server cannot be reached",
            operation=_OPERATION,
            target=target,
            hint="is it running, and do host and port of the journal's url fit?",
        )
    return JournalError(
        f"the PostgreSQL server refuses: {type(problem.orig).__name__} ({state})",
        operation=_OPERATION,
        target=target,
        hint="see the log of the server",
    )
