"""The first tables."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """From nothing."""
    _databases()
    _conflicts()
    _archive()
    _resolutions()
    _records()


def downgrade() -> None:
    """To nothing."""
    for name in (
        "config_changes",
        "task_runs",
        "access",
        "events",
        "operations",
        "leases",
        "acknowledgements",
        "resolutions",
        "attachments",
        "content_chunks",
        "contents",
        "kept_revisions",
        "bodies",
        "conflict_versions",
        "conflict_counts",
        "conflict_labels",
        "conflicts",
        "pauses",
        "settled",
        "databases",
    ):
        op.drop_table(name)


def _databases() -> None:
    op.create_table(
        "databases",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        *_several("name url instance checkpoint", sa.Text()),
        sa.Column("registered_at", _NUMBER, nullable=False),
        sa.Column("swept_at", _NUMBER, nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("vanished_at", _NUMBER, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_databases")),
        sa.UniqueConstraint("name", name=op.f("uq_databases_name")),
    )
    op.create_table(
        "settled",
        sa.Column("database_id", _NUMBER, nullable=False),
        sa.Column("document_key", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name=op.f("fk_settled_database_id")
        ),
        sa.PrimaryKeyConstraint("database_id", "document_key", name=op.f("pk_settled")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "pauses",
        *_several("name by", sa.Text()),
        sa.Column("at", _NUMBER, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_pauses")),
    )


def _conflicts() -> None:
    op.create_table(
        "conflicts",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("database_id", _NUMBER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("document_key", sa.LargeBinary(), nullable=False),
        *_several("state type severity", sa.Text()),
        sa.Column("rank", _NUMBER, nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("leaves", _NUMBER, nullable=False),
        *_several("fields devices", sa.LargeBinary()),
        sa.Column("suggested", sa.Text(), nullable=False),
        sa.Column("eligible", sa.Boolean(), nullable=False),
        *_several("reason sentence policy policy_digest digest", sa.Text()),
        sa.Column("leafset", sa.LargeBinary(), nullable=False),
        sa.Column("row_digest", sa.Text(), nullable=False),
        *_several("version first_seen changed_at", _NUMBER),
        sa.Column("closed_at", _NUMBER, nullable=True),
        sa.Column("snoozed_until", _NUMBER, nullable=True),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("attempts", _NUMBER, nullable=False),
        sa.Column("next_attempt_at", _NUMBER, nullable=True),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("due_at", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name=op.f("fk_conflicts_database_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conflicts")),
        sqlite_autoincrement=True,
    )
    _index("ix_conflicts_class", "conflicts", "database_id state type eligible rank first_seen id")
    _index("ix_conflicts_document", "conflicts", "document_key")
    _index("ix_conflicts_due", "conflicts", "database_id due_at id", where="due_at IS NOT NULL")
    _index("ix_conflicts_number", "conflicts", "database_id id", where="closed_at IS NULL")
    _index("ix_conflicts_order", "conflicts", "rank first_seen id database_id state type eligible")
    _index(
        "uq_conflicts_open",
        "conflicts",
        "database_id document_key",
        unique=True,
        where="closed_at IS NULL",
    )
    op.create_table(
        "conflict_labels",
        sa.Column("label_key", sa.LargeBinary(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        *_several("rank first_seen conflict_id database_id", _NUMBER),
        sa.Column("type", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["conflict_id"], ["conflicts.id"], name=op.f("fk_conflict_labels_conflict_id")
        ),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name=op.f("fk_conflict_labels_database_id")
        ),
        sa.PrimaryKeyConstraint(
            "label_key",
            "open",
            "rank",
            "first_seen",
            "conflict_id",
            name=op.f("pk_conflict_labels"),
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "conflict_counts",
        sa.Column("database_id", _NUMBER, nullable=False),
        *_several("state severity type", sa.Text()),
        sa.Column("eligible", sa.Boolean(), nullable=False),
        sa.Column("number", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name=op.f("fk_conflict_counts_database_id")
        ),
        sa.PrimaryKeyConstraint(
            "database_id", "state", "severity", "type", "eligible", name=op.f("pk_conflict_counts")
        ),
    )
    op.create_table(
        "conflict_versions",
        *_several("conflict_id number seen_at", _NUMBER),
        sa.Column("leafset", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["conflict_id"],
            ["conflicts.id"],
            name=op.f("fk_conflict_versions_conflict_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("conflict_id", "number", name=op.f("pk_conflict_versions")),
    )


def _archive() -> None:
    op.create_table(
        "bodies",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("length", _NUMBER, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bodies")),
        sa.UniqueConstraint("digest", name=op.f("uq_bodies_digest")),
    )
    op.create_table(
        "kept_revisions",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("database_id", _NUMBER, nullable=False),
        *_several("document_key revision_key", sa.LargeBinary()),
        *_several("document revision", sa.Text()),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("chain", sa.LargeBinary(), nullable=False),
        sa.Column("body_id", _NUMBER, nullable=True),
        sa.Column("kept_at", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(["body_id"], ["bodies.id"], name=op.f("fk_kept_revisions_body_id")),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name=op.f("fk_kept_revisions_database_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_revisions")),
    )
    _index("ix_kept_revisions_body_id", "kept_revisions", "body_id")
    _index(
        "uq_kept_revisions", "kept_revisions", "database_id document_key revision_key", unique=True
    )
    op.create_table(
        "contents",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        *_several("length chunks touched_at", _NUMBER),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contents")),
        sa.UniqueConstraint("digest", name=op.f("uq_contents_digest")),
    )
    _index("ix_contents_partial", "contents", "touched_at", where="digest IS NULL")
    op.create_table(
        "content_chunks",
        *_several("content_id number", _NUMBER),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"],
            ["contents.id"],
            name=op.f("fk_content_chunks_content_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("content_id", "number", name=op.f("pk_content_chunks")),
    )
    op.create_table(
        "attachments",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("database_id", _NUMBER, nullable=False),
        *_several("document_key attachment_key", sa.LargeBinary()),
        *_several("document revision name content_type server_digest", sa.Text()),
        sa.Column("content_id", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["content_id"], ["contents.id"], name=op.f("fk_attachments_content_id")
        ),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name=op.f("fk_attachments_database_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attachments")),
    )
    _index("ix_attachments_content_id", "attachments", "content_id")
    _index("uq_attachments", "attachments", "database_id document_key attachment_key", unique=True)


def _resolutions() -> None:
    op.create_table(
        "resolutions",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("conflict_id", _NUMBER, nullable=True),
        sa.Column("database_id", _NUMBER, nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("document_key", sa.LargeBinary(), nullable=False),
        *_several("kind strategy by state", sa.Text()),
        sa.Column("plan", sa.LargeBinary(), nullable=True),
        sa.Column("started_at", _NUMBER, nullable=False),
        sa.Column("finished_at", _NUMBER, nullable=True),
        sa.Column("written", sa.Text(), nullable=True),
        *_several("tombstones merged", sa.LargeBinary()),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        *_several("outcome error", sa.Text()),
        sa.Column("undone_by", _NUMBER, nullable=True),
        sa.Column("undo_of", _NUMBER, nullable=True),
        sa.ForeignKeyConstraint(
            ["conflict_id"], ["conflicts.id"], name=op.f("fk_resolutions_conflict_id")
        ),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name=op.f("fk_resolutions_database_id")
        ),
        sa.ForeignKeyConstraint(
            ["undo_of"],
            ["resolutions.id"],
            name=op.f("fk_resolutions_undo_of"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.ForeignKeyConstraint(
            ["undone_by"],
            ["resolutions.id"],
            name=op.f("fk_resolutions_undone_by"),
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resolutions")),
        sqlite_autoincrement=True,
    )
    _index("ix_resolutions_conflict_id", "resolutions", "conflict_id")
    _index("ix_resolutions_database", "resolutions", "database_id started_at id")
    _index("ix_resolutions_document", "resolutions", "document_key started_at")
    _index("ix_resolutions_finished", "resolutions", "finished_at")
    _index("ix_resolutions_started", "resolutions", "started_at id")
    _index(
        "ix_resolutions_unfinished", "resolutions", "database_id id", where="finished_at IS NULL"
    )
    op.create_table(
        "acknowledgements",
        sa.Column("database_id", _NUMBER, nullable=False),
        *_several("document_key revision_key", sa.LargeBinary()),
        *_several("document revision by", sa.Text()),
        sa.Column("at", _NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["database_id"], ["databases.id"], name=op.f("fk_acknowledgements_database_id")
        ),
        sa.PrimaryKeyConstraint(
            "database_id", "document_key", "revision_key", name=op.f("pk_acknowledgements")
        ),
    )


def _records() -> None:
    op.create_table(
        "leases",
        *_several("name holder", sa.Text()),
        *_several("since until", _NUMBER),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )
    op.create_table(
        "operations",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        *_several("database document step", sa.Text()),
        *_several("started_at timeout", _NUMBER),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operations")),
    )
    op.create_table(
        "events",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("at", _NUMBER, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    _index("ix_events_at", "events", "at")
    _index("ix_events_name", "events", "name id")
    op.create_table(
        "access",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("at", _NUMBER, nullable=False),
        *_several("user action target", sa.Text()),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("details", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access")),
    )
    _index("ix_access_at", "access", "at")
    op.create_table(
        "task_runs",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("started_at", _NUMBER, nullable=False),
        sa.Column("finished_at", _NUMBER, nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("figures", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_runs")),
    )
    _index("ix_task_runs_task", "task_runs", "task started_at")
    op.create_table(
        "config_changes",
        sa.Column("id", _NUMBER, sa.Identity(), nullable=False),
        sa.Column("at", _NUMBER, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("changes", sa.LargeBinary(), nullable=False),
        sa.Column("refused", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_config_changes")),
    )
    _index("ix_config_changes_at", "config_changes", "at")


def _several(names: str, type: TypeEngine[Any]) -> list[sa.Column[Any]]:
    return [sa.Column(name, type, nullable=False) for name in names.split()]


def _index(name: str, table: str, columns: str, *, unique: bool = False, where: str = "") -> None:
    condition = sa.text(where) if where else None
    op.create_index(
        op.f(name),
        table,
        columns.split(),
        unique=unique,
        sqlite_where=condition,
        postgresql_where=condition,
    )
