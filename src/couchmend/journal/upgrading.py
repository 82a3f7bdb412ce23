"""Bringing a journal to another version.

Everything happens in one transaction: a journal is of the old version or of the new one.  Of a
SQLite file a copy is made first.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from couchmend.errors import JournalError, UsageError
from couchmend.journal.opening import Journal, hold_schema, revision
from couchmend.journal.tables import REVISION

_SCRIPTS = Path(__file__).parent / "migrations"


@dataclass(frozen=True, slots=True)
class Moved:
    """A journal went from one version to another; the copy of what it was, if one was made."""

    before: str
    after: str
    backup: Path | None


def known_revisions() -> list[str]:
    """The versions that there are, the oldest first."""
    scripts = ScriptDirectory(str(_SCRIPTS)).walk_revisions()
    return [script.revision for script in scripts][::-1]


def present_revision(journal: Journal) -> str:
    """The version of a journal.

    Raises:
        JournalError: it cannot be read, or is none.
    """
    with journal.read() as tx:
        return _revision(journal, tx)


def upgrade(journal: Journal, to: str = REVISION, *, backup: bool = True) -> Moved:
    """Bring a journal, opened with `any_version`, up to a version.

    Raises:
        UsageError: there is no such version, or it is older.
        JournalError: it is newer than this couchmend knows; or the migration failed, and nothing
            was changed.
    """
    return _move(journal, to, backup=backup, down=False)


def downgrade(journal: Journal, to: str, *, backup: bool = True) -> Moved:
    """Bring a journal, opened with `any_version`, down to a version.

    What the older version cannot hold is lost; the copy has it.

    Raises:
        UsageError, JournalError: as `upgrade`.
    """
    return _move(journal, to, backup=backup, down=True)


def _move(journal: Journal, to: str, *, backup: bool, down: bool) -> Moved:
    before, known = present_revision(journal), known_revisions()
    if before not in known:
        raise JournalError(
            f"it is of a newer version ({before}; this couchmend knows {known[-1]})",
            operation="journal",
            target=journal.url,
            hint="use the newer couchmend",
        )
    if to not in known:
        raise UsageError(f"there is no version {to}", hint=f"there are {', '.join(known)}")
    steps = known.index(to) - known.index(before)
    if (steps < 0) != down and steps:
        word = "newer" if steps > 0 else "older"
        raise UsageError(f"version {to} is {word} than {before}, which the journal is of")
    if not steps:
        return Moved(before, to, None)
    copy = make_backup(journal, before) if backup and journal.path is not None else None
    with journal.write() as tx:
        hold_schema(tx)
        if _revision(journal, tx) != before:
            raise JournalError(
                "another process is at it as well", operation="journal", target=journal.url
            )
        migrate(tx, to, down=down)
    return Moved(before, to, copy)


def migrate(tx: Connection, to: str, *, down: bool = False) -> None:
    """Run the migrations up or down to a version; `base` is below all."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = tx
    if down:
        command.downgrade(config, to)
    else:
        command.upgrade(config, to)


def make_backup(journal: Journal, label: str) -> Path:
    """A copy of a journal's file beside it, made while others may use it.

    Raises:
        UsageError: it has no file.
        JournalError: there is no space for it, or no right to make it.
    """
    if journal.path is None:
        raise UsageError(
            "this journal has no file to copy",
            target=journal.url,
            hint="PostgreSQL's own pg_dump makes a backup",
        )
    for count in range(1, 1000):
        copy = journal.path.with_name(f"{journal.path.name}.{label}.{count}.backup")
        try:
            os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            continue
        except OSError as problem:
            raise JournalError(
                f"no copy can be made: {problem.strerror}",
                operation="journal",
                target=str(copy),
                hint="make room, or the folder writable",
            ) from problem
        try:
            journal.copy_into(copy)
        except BaseException:
            copy.unlink(missing_ok=True)
            raise
        return copy
    raise UsageError("there are too many copies already", target=str(journal.path.parent))


def _revision(journal: Journal, tx: Connection) -> str:
    found = revision(tx)
    if found is None:
        raise JournalError("it is empty", operation="journal", target=journal.url)
    return found
