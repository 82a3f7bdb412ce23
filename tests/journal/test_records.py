"""Runs of tasks are remembered with how they ended."""

from __future__ import annotations

from couchmend.journal import records
from couchmend.journal.opening import Journal


def test_runs_of_tasks(journal: Journal) -> None:
    with journal.write() as tx:
        first = records.start_task(tx, "compact", 1)
        records.finish_task(tx, first, 4, figures={"files": 2})
        second = records.start_task(tx, "backup", 5)
        records.finish_task(tx, second, 7, error="the disk is full")
        records.start_task(tx, "compact", 9)
    with journal.read() as tx:
        every = records.runs(tx)
        compact = records.runs(tx, "compact", limit=1)
    assert [(one.task, one.finished_at, one.error) for one in every] == [
        ("compact", None, ""),
        ("backup", 7, "the disk is full"),
        ("compact", 4, ""),
    ]
    assert every[-1].figures == {"files": 2}
    assert compact == every[:1]
