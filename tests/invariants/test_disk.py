"""A full disk under the journal: nothing is written to the database that the journal does not
know, and with room again the work is finished."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from couchmend.engine.engine import Engine
from couchmend.engine.hooks import Hooks
from couchmend.errors import JournalError
from couchmend.journal.opening import Journal, open_journal
from couchmend.settings import Database, Settings, Work
from tests.invariants.grounds import NAME, Grounds, grounds


def _engine(ground: Grounds, journal: Journal) -> Engine:
    entry = Database(url=ground.url, name=NAME, mode="auto")
    return Engine(
        Settings(databases=(entry,), engine=Work(batch_documents=7, page_rows=40)),
        journal=journal,
        hooks=Hooks(),
    )


def _sweep(ground: Grounds, pages: int | None) -> tuple[Any, int]:
    """Sweep with a disk that has room for so many pages more; the error, if any, and how many
    pages the journal has then."""
    with closing(open_journal(f"sqlite:///{ground.journal}")) as journal:

        @event.listens_for(journal.engine, "connect")
        def limited(connection: Any, entry: Any) -> None:
            if pages is not None:
                (has,) = connection.execute("PRAGMA page_count").fetchone()
                connection.execute(f"PRAGMA max_page_count = {has + pages}")

        journal.engine.dispose()
        error: Any = None
        with _engine(ground, journal) as engine:
            try:
                (report,) = engine.sweep().each
                error = report.error
            except JournalError as problem:
                error = problem
        with journal.read() as tx:
            found = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
    return error, int(found)


def test_a_full_disk_at_every_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    full = 0
    ground = grounds(tmp_path, 40)
    for attempt in range(60):
        error, _ = _sweep(ground, attempt)
        ground.judge()
        if error is None:
            break
        assert isinstance(error, JournalError), error
        assert "full" in str(error)
        full += 1
    assert full > 5
    error, _ = _sweep(ground, None)
    assert error is None
    ground.hold_done()
    with capsys.disabled():
        print(f"\nfull disk: {full} sweeps without room; lost: 0")  # noqa: T201
