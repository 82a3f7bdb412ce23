"""The file: its tables, its version, and how an older file becomes a present one."""

from __future__ import annotations

import secrets
import sqlite3
import time

from couchmend.errors import Unavailable

APPLICATION_ID = 0x636D6E64  # "cmnd", so that `file` and we recognise it

MIGRATIONS = (
    """
    -- One row: what is true of the whole database.
    CREATE TABLE state (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        instance TEXT NOT NULL,          -- names this database's life in its sequences
        created INTEGER NOT NULL,        -- seconds since 1970
        update_seq INTEGER NOT NULL DEFAULT 0,
        purge_seq INTEGER NOT NULL DEFAULT 0,
        live INTEGER NOT NULL DEFAULT 0,
        deleted INTEGER NOT NULL DEFAULT 0,
        external_bytes INTEGER NOT NULL DEFAULT 0,
        revs_limit INTEGER NOT NULL DEFAULT 1000,
        security BLOB
    );
    -- One row a document.  `tree` is NULL while the winner is all there is to know.
    CREATE TABLE documents (
        key INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        seq INTEGER NOT NULL,
        winner TEXT NOT NULL,
        deleted INTEGER NOT NULL,
        leaves INTEGER NOT NULL,
        live_leaves INTEGER NOT NULL,
        tree BLOB
    );
    CREATE UNIQUE INDEX documents_by_seq ON documents (seq);
    CREATE INDEX documents_in_conflict ON documents (id) WHERE leaves > 1;
    -- Bodies: of every leaf, and of inner revisions until compaction.
    CREATE TABLE revisions (
        document INTEGER NOT NULL,
        rev TEXT NOT NULL,
        body BLOB NOT NULL,
        attachments BLOB,
        PRIMARY KEY (document, rev)
    ) WITHOUT ROWID;
    -- Attachments by content; a large one is many chunks.
    CREATE TABLE blobs (digest TEXT PRIMARY KEY, length INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE blob_chunks (
        digest TEXT NOT NULL,
        part INTEGER NOT NULL,
        data BLOB NOT NULL,
        PRIMARY KEY (digest, part)
    );
    CREATE TABLE blob_uses (
        digest TEXT NOT NULL,
        document INTEGER NOT NULL,
        rev TEXT NOT NULL,
        PRIMARY KEY (digest, document, rev)
    ) WITHOUT ROWID;
    CREATE INDEX blob_uses_by_document ON blob_uses (document, rev);
    CREATE TABLE local_documents (
        name TEXT PRIMARY KEY,
        rev INTEGER NOT NULL,
        body BLOB NOT NULL
    ) WITHOUT ROWID;
    -- Mango indexes: which exist, how far each is filled, and their rows in collation order.
    CREATE TABLE mango_indexes (
        key INTEGER PRIMARY KEY,
        ddoc TEXT NOT NULL,
        name TEXT NOT NULL,
        signature TEXT NOT NULL,         -- of the definition, to rebuild when it changes
        seq INTEGER NOT NULL DEFAULT 0,
        UNIQUE (ddoc, name)
    );
    CREATE TABLE mango_rows (
        mango_index INTEGER NOT NULL,
        sort_key BLOB NOT NULL,
        document INTEGER NOT NULL,
        PRIMARY KEY (mango_index, sort_key, document)
    ) WITHOUT ROWID;
    CREATE INDEX mango_rows_by_document ON mango_rows (document);
    """,
)
"""Each script takes a file from the version of its place to the next; the last is today's."""

VERSION = len(MIGRATIONS)


def prepare(connection: sqlite3.Connection, where: str) -> None:
    """Make a new file, or bring an older one up to date, in one transaction.

    Raises:
        Unavailable: the file is some other program's, or of a newer couchmend.
    """
    if _is_current(connection):
        return
    _version(connection, where)  # before anything is changed
    connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection, where)
        for script in MIGRATIONS[version:]:
            for statement in script.split(";\n"):
                connection.execute(statement)
        if version == 0:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(
                "INSERT INTO state (only, instance, created) VALUES (1, ?, ?)",
                (secrets.token_hex(8), int(time.time())),
            )
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return int(value)


def _is_current(connection: sqlite3.Connection) -> bool:
    return (
        _pragma(connection, "user_version") == VERSION
        and _pragma(connection, "application_id") == APPLICATION_ID
    )


def _version(connection: sqlite3.Connection, where: str) -> int:
    application, version = (_pragma(connection, n) for n in ("application_id", "user_version"))
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application == 0 and version == 0 and tables == 0:
        return 0
    if application != APPLICATION_ID:
        raise Unavailable(
            "this SQLite file is not a couchmend database",
            operation="open",
            target=where,
            hint="name another file; this one was left as it is",
        )
    if version > VERSION:
        raise Unavailable(
            f"the file has format {version}, this couchmend knows up to {VERSION}",
            operation="open",
            target=where,
            hint="install a newer couchmend",
        )
    return version
