"""What an event says in a log: its level, a message, and fields by the names that logs have.

Nothing of a document's content is in an event, and so nothing of it in a log.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from couchmend import events
from couchmend.core.document import JSON
from couchmend.events import Event

LEVELS: Final = ("debug", "info", "warning", "error")

_NAMES: Final = {"document": "documentId", "elapsed": "duration"}
"""Fields that logs call otherwise."""

_FIRST: Final = (
    "database", "documentId", "type", "severity", "strategy", "duration", "error", "hint",
    "requestId", "user",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of the log.  `at` is in microseconds since 1970; `fields` in their order."""

    at: int
    level: str
    event: str
    message: str
    fields: Mapping[str, JSON]


def line_of(event: Event) -> LogLine:
    """What a log says of an event.  A duration is in milliseconds, an instant ISO 8601."""
    fields: dict[str, JSON] = {}
    for entry in dataclasses.fields(event):
        value = getattr(event, entry.name)
        if entry.name == "at" or value is None or value == "":
            continue
        fields[_NAMES.get(entry.name, entry.name)] = _told(entry.name, value)
    level, message = _LINES.get(type(event), _UNKNOWN)(event)
    if (
        isinstance(event, events.ResolutionResolved | events.ResolutionUndone)
        and event.by != "auto"
    ):
        fields["user"] = event.by
    ordered = {name: fields[name] for name in _FIRST if name in fields}
    return LogLine(event.at, level, event.name, message, ordered | fields)


def _told(name: str, value: Any) -> JSON:
    if name == "elapsed":
        return round(value / 1000, 3)
    if isinstance(value, tuple):
        if value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
            return dict(value)
        return [_told("", item) for item in value]
    told: JSON = value
    return told


# --- levels and messages

Said = tuple[str, str]


def _detected(event: events.ConflictDetected) -> Said:
    return "debug", "Conflict detected"


def _queued(event: events.ConflictQueued) -> Said:
    return "info", "Conflict queued" if event.eligible else "Conflict waits for a decision"


def _closed(event: events.ConflictClosed) -> Said:
    how = "with its document" if event.state == "vanished" else "without our doing"
    return "info", f"Conflict gone {how}"


def _planned(event: events.ResolutionPlanned) -> Said:
    return "debug", "Resolution planned"


def _resolved(event: events.ResolutionResolved) -> Said:
    return "info", "Conflict resolved" + (", found done after a stop" if event.recovered else "")


def _failed(event: events.ResolutionFailed) -> Said:
    match event.type:
        case "moved" | "deleted":
            return "info", "Document changed meanwhile, looked at again"
        case "vetoed":
            return "info", "Resolution vetoed by a hook"
        case "unavailable":
            return "warning", "Resolution put off, the database is not there"
    return "error", "Resolution error"


def _undone(event: events.ResolutionUndone) -> Said:
    return "info", "Resolution undone"


def _swept(event: events.SweepFinished) -> Said:
    if event.error:
        return "error", "Sweep broken off"
    quiet = not (event.detected or event.resolved or event.failed)
    return "debug" if quiet else "info", "Sweep finished"


def _lagging(event: events.CheckpointLagging) -> Said:
    if event.changes:
        return "warning", "Checkpoint behind the database"
    return "info", "Checkpoint caught up"


def _taken(event: events.LeaseTaken) -> Said:
    return "debug", "Lease taken"


def _lost(event: events.LeaseLost) -> Said:
    return ("debug", "Lease released") if event.released else ("warning", "Lease lost")


def _seen(event: events.DatabaseSeen) -> Said:
    level = "info" if event.change == "appeared" else "warning"
    return level, f"Database {event.change}"


def _measured(event: events.QueueMeasured) -> Said:
    return "debug", "Queue measured"


def _task(event: events.TaskFinished) -> Said:
    return ("error", "Task failed") if event.error else ("info", "Task finished")


def _configured(event: events.ConfigChanged) -> Said:
    if event.refused:
        return "error", "Configuration refused, the former stays"
    return "info", "Configuration changed"


def _health(event: events.HealthChanged) -> Said:
    levels = {"healthy": "info", "degraded": "warning"}
    return levels.get(event.status, "error"), f"Health is {event.status}"


def _access(event: events.AccessRecorded) -> Said:
    return ("info", "Access") if event.allowed else ("warning", "Access refused")


def _hook(event: events.HookFailed) -> Said:
    return "error", "Hook failed"


def _any(event: Event) -> Said:
    return "info", event.name


_LINES: Final[Mapping[type[Event], Callable[[Any], Said]]] = {
    events.ConflictDetected: _detected,
    events.ConflictQueued: _queued,
    events.ConflictClosed: _closed,
    events.ResolutionPlanned: _planned,
    events.ResolutionResolved: _resolved,
    events.ResolutionFailed: _failed,
    events.ResolutionUndone: _undone,
    events.SweepFinished: _swept,
    events.CheckpointLagging: _lagging,
    events.LeaseTaken: _taken,
    events.LeaseLost: _lost,
    events.DatabaseSeen: _seen,
    events.QueueMeasured: _measured,
    events.TaskFinished: _task,
    events.ConfigChanged: _configured,
    events.HealthChanged: _health,
    events.AccessRecorded: _access,
    events.HookFailed: _hook,
}
_UNKNOWN: Final[Callable[[Any], Said]] = _any
