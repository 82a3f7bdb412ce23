"""The tables are those that the migrations make; what is in a journal survives them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, inspect, text

from couchmend.errors import JournalError, UsageError
from couchmend.journal import conflicts, databases, upgrading
from couchmend.journal.opening import VERSION_TABLE, Journal, open_journal
from couchmend.journal.tables import REVISION, metadata
from tests.journal.findings import notes, queued


def schema(tx: Connection) -> dict[str, Any]:
    """Everything that the database tells of its tables."""
    if tx.dialect.name == "sqlite":
        rows = tx.execute(text("SELECT type, name, sql FROM sqlite_master ORDER BY name"))
        return {row.name: re.sub(r"\s+", " ", row.sql or "") for row in rows}
    about = inspect(tx)
    return {
        name: (
            [{**column, "type": str(column["type"])} for column in about.get_columns(name)],
            sorted(map(str, about.get_indexes(name))),
            sorted(map(str, about.get_foreign_keys(name))),
            sorted(map(str, about.get_unique_constraints(name))),
            about.get_pk_constraint(name),
        )
        for name in about.get_table_names()
    }


def normal(found: dict[str, Any]) -> dict[str, Any]:
    """Without the order in which constraints are told."""
    return {
        name: sorted(part.strip() for part in re.split(r", (?=CONSTRAINT)|\)$", sql))
        if isinstance(sql, str)
        else sql
        for name, sql in found.items()
    }


def test_the_tables_are_those_that_all_migrations_make(journal: Journal) -> None:
    with journal.write() as tx:
        made = normal(schema(tx))
        metadata.drop_all(tx)
        tx.execute(text(f"DELETE FROM {VERSION_TABLE}"))
        upgrading.migrate(tx, REVISION)
        assert normal(schema(tx)) == made


def test_the_newest_migration_is_the_version_of_new_journals() -> None:
    assert upgrading.known_revisions()[-1] == REVISION
    assert upgrading.known_revisions() == sorted(upgrading.known_revisions())


def test_down_to_nothing_and_up_again(journal: Journal) -> None:
    with journal.write() as tx:
        before = schema(tx)
        upgrading.migrate(tx, "base", down=True)
        assert set(inspect(tx).get_table_names()) == {VERSION_TABLE}
        upgrading.migrate(tx, REVISION)
        assert normal(schema(tx)) == normal(before)
        assert databases.every(tx) == []


def test_nothing_to_do_is_done(journal: Journal) -> None:
    with journal.write() as tx:
        number = queued(tx, notes(tx), "a")
    assert upgrading.upgrade(journal) == upgrading.Moved(REVISION, REVISION, None)
    assert upgrading.downgrade(journal, REVISION).backup is None
    with journal.read() as tx:
        assert conflicts.get(tx, number).document == "a"


def test_a_newer_journal_is_refused_with_what_to_do(journal: Journal, url: str) -> None:
    with journal.write() as tx:
        tx.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    with pytest.raises(JournalError, match="newer version") as caught:
        open_journal(url)
    assert "9999" in caught.value.message
    assert "downgrade" in caught.value.hint
    with (
        open_journal(url, any_version=True) as other,
        pytest.raises(JournalError, match="newer version"),
    ):
        upgrading.upgrade(other)


def test_an_older_journal_is_refused_with_what_to_do(journal: Journal, url: str) -> None:
    with journal.write() as tx:
        tx.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '0000'"))
    with pytest.raises(JournalError, match="older version") as caught:
        open_journal(url)
    assert "couchmend journal upgrade" in caught.value.hint


def test_a_version_that_there_is_not(journal: Journal) -> None:
    with pytest.raises(UsageError, match="no version 0999"):
        upgrading.upgrade(journal, "0999")


def test_a_copy_holds_what_there_was_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    with open_journal(f"sqlite:///{tmp_path}/j.db") as journal:
        with journal.write() as tx:
            number = queued(tx, notes(tx), "a")
        copy = upgrading.make_backup(journal, "0001")
        second = upgrading.make_backup(journal, "0001")
    assert copy != second
    assert copy.stat().st_mode & 0o777 == 0o600
    with open_journal(f"sqlite:///{copy}") as kept, kept.read() as tx:
        assert conflicts.get(tx, number).document == "a"
