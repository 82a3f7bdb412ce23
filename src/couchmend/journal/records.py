"""What happened and what runs: events, who did what, runs of tasks, changes of the configuration,
operations under way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, update

from couchmend.core.document import JSON
from couchmend.journal.tables import access, config_changes, events, operations, task_runs


@dataclass(frozen=True, slots=True)
class RecordedEvent:
    """Something that happened; `data` are the fields of the event."""

    id: int
    at: int
    name: str
    data: JSON


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody did, or tried, something."""

    id: int
    at: int
    user: str
    action: str
    target: str
    allowed: bool
    details: JSON


@dataclass(frozen=True, slots=True)
class TaskRun:
    """A run of a scheduled task; `finished_at` is None while it runs, `error` empty where it
    succeeded."""

    id: int
    task: str
    started_at: int
    finished_at: int | None
    error: str
    figures: JSON


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """The configuration was read again; `refused` says why it was not taken, or is empty."""

    id: int
    at: int
    by: str
    changes: tuple[str, ...]
    refused: str


@dataclass(frozen=True, slots=True)
class Operation:
    """A step that is under way; `timeout` is how long it may take, in microseconds."""

    id: int
    database: str
    document: str
    step: str
    started_at: int
    timeout: int

    def is_overdue(self, now: int) -> bool:
        """Whether it takes longer than it may."""
        return now > self.started_at + self.timeout


# --- events


def record_event(tx: Connection, at: int, name: str, data: Mapping[str, JSON]) -> int:
    """Record an event; its number, which only ever grows, is returned."""
    return _added(tx, events, {"at": at, "name": name, "data": dict(data)})


def record_events(tx: Connection, many: Sequence[tuple[int, str, Mapping[str, JSON]]]) -> None:
    """Record several events at once: when, the name, and the fields of each."""
    if many:
        rows = [{"at": at, "name": name, "data": dict(data)} for at, name, data in many]
        tx.execute(insert(events), rows)


def events_since(
    tx: Connection, after: int = 0, limit: int = 100, *, name: str | None = None
) -> list[RecordedEvent]:
    """Recorded events in their order, from the one after number `after` on."""
    statement = select(events).where(events.c.id > after).order_by(events.c.id).limit(limit)
    if name is not None:
        statement = statement.where(events.c.name == name)
    return [RecordedEvent(*row) for row in tx.execute(statement)]


def latest_events(
    tx: Connection, limit: int = 100, *, name: str | None = None, before: int | None = None
) -> list[RecordedEvent]:
    """Recorded events, the newest first; `before` is the number of the last one of the page
    before."""
    statement = select(events).order_by(events.c.id.desc()).limit(limit)
    if name is not None:
        statement = statement.where(events.c.name == name)
    if before is not None:
        statement = statement.where(events.c.id < before)
    return [RecordedEvent(*row) for row in tx.execute(statement)]


# --- who did what


def record_access(
    tx: Connection,
    at: int,
    user: str,
    action: str,
    target: str,
    *,
    allowed: bool = True,
    details: JSON = None,
) -> int:
    """Record that somebody did, or tried, something: `action` such as `paused` or `forgot`."""
    row = {
        "at": at,
        "user": user,
        "action": action,
        "target": target,
        "allowed": allowed,
        "details": details,
    }
    return _added(tx, access, row)


def accesses(
    tx: Connection,
    *,
    since: int | None = None,
    user: str | None = None,
    action: str | None = None,
    limit: int = 100,
    before: int | None = None,
) -> list[Access]:
    """Who did what, the newest first."""
    c = access.c
    statement: Select[Any] = select(access).order_by(c.id.desc()).limit(limit)
    for value, condition in (
        (since, c.at >= (since or 0)),
        (user, c.user == user),
        (action, c.action == action),
        (before, c.id < (before or 0)),
    ):
        if value is not None:
            statement = statement.where(condition)
    return [Access(*row) for row in tx.execute(statement)]


# --- tasks


def start_task(tx: Connection, task: str, now: int) -> int:
    """A run of a task begins; its number is returned."""
    return _added(tx, task_runs, {"task": task, "started_at": now, "error": ""})


def finish_task(
    tx: Connection, id: int, now: int, *, error: str = "", figures: JSON = None
) -> None:
    """A run of a task ended."""
    tx.execute(
        update(task_runs)
        .where(task_runs.c.id == id)
        .values(finished_at=now, error=error, figures=figures)
    )


def runs(tx: Connection, task: str | None = None, limit: int = 100) -> list[TaskRun]:
    """Runs of a task, or of all, the newest first."""
    statement = select(task_runs).order_by(task_runs.c.started_at.desc(), task_runs.c.id.desc())
    if task is not None:
        statement = statement.where(task_runs.c.task == task)
    return [TaskRun(*row) for row in tx.execute(statement.limit(limit))]


# --- configuration


def record_config_change(
    tx: Connection, at: int, by: str, changes: Sequence[str], refused: str = ""
) -> int:
    """Record that the configuration was read again; never with a secret."""
    row = {"at": at, "by": by, "changes": list(changes), "refused": refused}
    return _added(tx, config_changes, row)


def recorded_config_changes(tx: Connection, limit: int = 100) -> list[ConfigChange]:
    """How the configuration changed, the newest first."""
    rows = tx.execute(select(config_changes).order_by(config_changes.c.id.desc()).limit(limit))
    return [ConfigChange(row[0], row[1], row[2], tuple(row[3]), row[4]) for row in rows]


# --- what is under way


def start_operation(
    tx: Connection, database: str, document: str, step: str, now: int, timeout: int
) -> int:
    """A step begins; its number is returned.

    timeout: in microseconds.
    """
    row = {
        "database": database,
        "document": document,
        "step": step,
        "started_at": now,
        "timeout": timeout,
    }
    return _added(tx, operations, row)


def end_operation(tx: Connection, id: int) -> None:
    """A step ended, one way or another."""
    tx.execute(delete(operations).where(operations.c.id == id))


def pending_operations(tx: Connection) -> list[Operation]:
    """What is under way, the longest first."""
    rows = tx.execute(select(operations).order_by(operations.c.started_at, operations.c.id))
    return [Operation(*row) for row in rows]


def _added(tx: Connection, table: Any, row: Mapping[str, Any]) -> int:
    made = tx.execute(insert(table).values(**row)).inserted_primary_key
    assert made is not None
    number: int = made[0]
    return number
