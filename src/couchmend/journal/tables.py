"""The tables of the journal.

Whatever changes here needs a migration (`migrations/versions`); a test holds that all migrations
together make these tables.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    Table,
    text,
)

from couchmend.journal.columns import Number, Packed, Revisions, Words

REVISION: Final = "0001"
"""The newest migration; what a new journal is made as."""

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _number() -> Column[int]:
    return Column("id", Number, Identity(), primary_key=True)


def _database() -> Column[int]:
    return Column("database_id", Number, ForeignKey("databases.id"), nullable=False)


def _words(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, Words, nullable=nullable)


def _whole(name: str, *, nullable: bool = False) -> Column[int]:
    return Column(name, Number, nullable=nullable)


def _later(target: str) -> ForeignKey:
    """What it refers to may come later in the same transaction."""
    return ForeignKey(target, deferrable=True, initially="DEFERRED")


def _bytes(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


# --- databases

databases = Table(
    "databases",
    metadata,
    _number(),
    Column("name", Words, nullable=False, unique=True),
    _words("url"),
    _words("instance"),
    _words("checkpoint"),
    _whole("registered_at"),
    _whole("swept_at", nullable=True),
    _words("fingerprint"),
    _whole("vanished_at", nullable=True),
)

settled = Table(
    "settled",
    metadata,
    Column("database_id", Number, ForeignKey("databases.id"), primary_key=True),
    Column("document_key", LargeBinary, primary_key=True),
    _words("digest"),
    sqlite_with_rowid=False,
)
"""Rows of the changes feed that need no second look, by a digest of the row."""

pauses = Table(
    "pauses",
    metadata,
    Column("name", Words, primary_key=True),
    _words("by"),
    _whole("at"),
)

# --- conflicts

conflicts = Table(
    "conflicts",
    metadata,
    _number(),
    _database(),
    _words("document"),
    _bytes("document_key"),
    _words("state"),
    _words("type"),
    _words("severity"),
    _whole("rank"),  # of the severity: 0 is the gravest
    Column("hidden", Boolean, nullable=False),
    _whole("leaves"),
    Column("fields", Packed, nullable=False),
    Column("devices", Packed, nullable=False),
    _words("suggested"),
    Column("eligible", Boolean, nullable=False),
    _words("reason"),
    _words("sentence"),
    _words("policy"),
    _words("policy_digest"),
    _words("digest"),
    Column("leafset", Revisions, nullable=False),
    _words("row_digest"),
    _whole("version"),
    _whole("first_seen"),
    _whole("changed_at"),
    _whole("closed_at", nullable=True),
    _whole("snoozed_until", nullable=True),
    Column("excluded", Boolean, nullable=False),
    _whole("attempts"),
    _whole("next_attempt_at", nullable=True),
    _words("last_error"),
    _whole("due_at", nullable=True),  # when a sweep should look at it by itself
    sqlite_autoincrement=True,
)
_open: Final[dict[str, Any]] = {
    "sqlite_where": text("closed_at IS NULL"),
    "postgresql_where": text("closed_at IS NULL"),
}
_c = conflicts.c
Index("uq_conflicts_open", _c.database_id, _c.document_key, unique=True, **_open)
Index("ix_conflicts_document", _c.document_key)
Index("ix_conflicts_number", _c.database_id, _c.id, **_open)
Index(
    "ix_conflicts_order",
    _c.rank, _c.first_seen, _c.id, _c.database_id, _c.state, _c.type, _c.eligible,
)  # fmt: skip
Index(
    "ix_conflicts_class",
    _c.database_id, _c.state, _c.type, _c.eligible, _c.rank, _c.first_seen, _c.id,
)  # fmt: skip
Index(
    "ix_conflicts_due",
    _c.database_id, _c.due_at, _c.id,
    sqlite_where=text("due_at IS NOT NULL"),
    postgresql_where=text("due_at IS NOT NULL"),
)  # fmt: skip

conflict_labels = Table(
    "conflict_labels",
    metadata,
    Column("label_key", LargeBinary, primary_key=True),
    Column("open", Boolean, primary_key=True),
    Column("rank", Number, primary_key=True, autoincrement=False),
    Column("first_seen", Number, primary_key=True, autoincrement=False),
    Column("conflict_id", Number, ForeignKey("conflicts.id"), primary_key=True),
    _database(),
    _words("type"),
    sqlite_with_rowid=False,
)
"""The fields and devices of conflicts, to find conflicts by them in their order."""

conflict_counts = Table(
    "conflict_counts",
    metadata,
    Column("database_id", Number, ForeignKey("databases.id"), primary_key=True),
    Column("state", Words, primary_key=True),
    Column("severity", Words, primary_key=True),
    Column("type", Words, primary_key=True),
    Column("eligible", Boolean, primary_key=True),
    _whole("number"),
)
"""How many conflicts there are of each kind; kept up with every change."""

conflict_versions = Table(
    "conflict_versions",
    metadata,
    Column("conflict_id", Number, ForeignKey("conflicts.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Number, primary_key=True),
    _whole("seen_at"),
    Column("leafset", Revisions, nullable=False),
    _words("digest"),
    Column("details", Packed, nullable=True),
)

# --- the archive

bodies = Table(
    "bodies",
    metadata,
    _number(),
    Column("digest", LargeBinary, nullable=False, unique=True),  # SHA-256 of the JSON
    _whole("length"),  # of the JSON
    _bytes("body"),
)

kept_revisions = Table(
    "kept_revisions",
    metadata,
    _number(),
    _database(),
    _bytes("document_key"),
    _bytes("revision_key"),
    _words("document"),
    _words("revision"),
    Column("deleted", Boolean, nullable=False),
    Column("chain", Revisions, nullable=False),
    Column("body_id", Number, ForeignKey("bodies.id"), nullable=True, index=True),
    _whole("kept_at"),
)
_k = kept_revisions.c
Index("uq_kept_revisions", _k.database_id, _k.document_key, _k.revision_key, unique=True)

contents = Table(
    "contents",
    metadata,
    _number(),
    Column("digest", LargeBinary, nullable=True, unique=True),  # SHA-256; none while it is written
    _whole("length"),
    _whole("chunks"),
    _whole("touched_at"),
)
Index(
    "ix_contents_partial",
    contents.c.touched_at,
    sqlite_where=text("digest IS NULL"),
    postgresql_where=text("digest IS NULL"),
)

content_chunks = Table(
    "content_chunks",
    metadata,
    Column("content_id", Number, ForeignKey("contents.id", ondelete="CASCADE"), primary_key=True),
    Column("number", Number, primary_key=True),
    _bytes("data"),
)

attachments = Table(
    "attachments",
    metadata,
    _number(),
    _database(),
    _bytes("document_key"),
    _bytes("attachment_key"),
    _words("document"),
    _words("revision"),
    _words("name"),
    _words("content_type"),
    _words("server_digest"),
    Column("content_id", Number, ForeignKey("contents.id"), nullable=False, index=True),
)
_a = attachments.c
Index("uq_attachments", _a.database_id, _a.document_key, _a.attachment_key, unique=True)

# --- resolutions

resolutions = Table(
    "resolutions",
    metadata,
    _number(),
    Column("conflict_id", Number, ForeignKey("conflicts.id"), nullable=True, index=True),
    _database(),
    _words("document"),
    _bytes("document_key"),
    _words("kind"),
    _words("strategy"),
    _words("by"),
    _words("state"),
    Column("plan", Packed, nullable=True),
    _whole("started_at"),
    _whole("finished_at", nullable=True),
    _words("written", nullable=True),
    Column("tombstones", Packed, nullable=False),
    Column("merged", Revisions, nullable=False),
    Column("accepted", Boolean, nullable=False),
    _words("outcome"),
    _words("error"),
    Column("undone_by", Number, _later("resolutions.id"), nullable=True),
    Column("undo_of", Number, _later("resolutions.id"), nullable=True),
    sqlite_autoincrement=True,
)
_r = resolutions.c
_unfinished = text("finished_at IS NULL")
Index("ix_resolutions_document", _r.document_key, _r.started_at)
Index("ix_resolutions_database", _r.database_id, _r.started_at, _r.id)
Index("ix_resolutions_started", _r.started_at, _r.id)
Index("ix_resolutions_finished", _r.finished_at)
Index(
    "ix_resolutions_unfinished",
    _r.database_id, _r.id,
    sqlite_where=_unfinished,
    postgresql_where=_unfinished,
)  # fmt: skip

acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("database_id", Number, ForeignKey("databases.id"), primary_key=True),
    Column("document_key", LargeBinary, primary_key=True),
    Column("revision_key", LargeBinary, primary_key=True),
    _words("document"),
    _words("revision"),
    _words("by"),
    _whole("at"),
)

# --- what runs, and what happened

leases = Table(
    "leases",
    metadata,
    Column("name", Words, primary_key=True),
    _words("holder"),
    _whole("since"),
    _whole("until"),
)

operations = Table(
    "operations",
    metadata,
    _number(),
    _words("database"),
    _words("document"),
    _words("step"),
    _whole("started_at"),
    _whole("timeout"),
)

events = Table(
    "events",
    metadata,
    _number(),
    _whole("at"),
    _words("name"),
    Column("data", Packed, nullable=False),
    sqlite_autoincrement=True,
)
Index("ix_events_at", events.c.at)
Index("ix_events_name", events.c.name, events.c.id)

access = Table(
    "access",
    metadata,
    _number(),
    _whole("at"),
    _words("user"),
    _words("action"),
    _words("target"),
    Column("allowed", Boolean, nullable=False),
    Column("details", Packed, nullable=True),
)
Index("ix_access_at", access.c.at)

task_runs = Table(
    "task_runs",
    metadata,
    _number(),
    _words("task"),
    _whole("started_at"),
    _whole("finished_at", nullable=True),
    _words("error"),
    Column("figures", Packed, nullable=True),
)
Index("ix_task_runs_task", task_runs.c.task, task_runs.c.started_at)

config_changes = Table(
    "config_changes",
    metadata,
    _number(),
    _whole("at"),
    _words("by"),
    Column("changes", Packed, nullable=False),
    _words("refused"),
)
Index("ix_config_changes_at", config_changes.c.at)
