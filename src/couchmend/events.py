"""What happened, as data: the one source of logs, metrics, hooks and live views.

An event has a stable `name` and plain fields: texts, numbers, tuples of them, or None.  No
field ever holds what a document says.  Instants and lengths of time are integers of
microseconds, instants since 1970 (UTC).
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root: `at` is when it happened."""

    name: ClassVar[str] = "event"
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDocument(Event):
    """What happened to one document; `conflict` is the conflict's number in the journal."""

    database: str
    document: str
    conflict: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictDetected(OfDocument):
    """A document was found in conflict, or in a new version of a known one.

    elapsed: from the change's arrival at the sweep to the classification.
    """

    name: ClassVar[str] = "conflict.detected"
    type: str
    severity: str
    hidden: bool
    leaves: int
    elapsed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictQueued(OfDocument):
    """A conflict is in the journal, and waits; `reason` is why, for people."""

    name: ClassVar[str] = "conflict.queued"
    type: str
    severity: str
    suggested: str
    eligible: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictClosed(OfDocument):
    """A conflict is over without our doing: `state` is `resolved` elsewhere or `vanished`."""

    name: ClassVar[str] = "conflict.closed"
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionPlanned(OfDocument):
    """A plan is in the archive and about to be carried out."""

    name: ClassVar[str] = "resolution.planned"
    resolution: int
    strategy: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionResolved(OfDocument):
    """A conflict was resolved and the result verified."""

    name: ClassVar[str] = "resolution.resolved"
    resolution: int
    type: str
    severity: str
    strategy: str
    by: str
    elapsed: int
    recovered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionFailed(OfDocument):
    """A resolution did not come about; nothing is lost.

    type: what of: `refused`, `moved`, `unavailable`, `vetoed`, `deleted`, `timeout`, `archive`,
        `unverified`.
    error: the kind of error, never the words of a database, which may quote values.
    """

    name: ClassVar[str] = "resolution.failed"
    resolution: int | None
    type: str
    strategy: str
    error: str
    hint: str = ""
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolutionUndone(OfDocument):
    """A resolution was taken back; `undo` is the number of the resolution that did."""

    name: ClassVar[str] = "resolution.undone"
    resolution: int
    undo: int
    how: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepFinished(Event):
    """A pass over a database is over; `error` says why it was broken off, or is empty.

    rows: of the changes feed; `candidates` of them had several leaves.
    """

    name: ClassVar[str] = "sweep.finished"
    database: str
    rows: int
    candidates: int
    detected: int
    resolved: int
    failed: int
    waiting: int
    elapsed: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointLagging(Event):
    """Changes of a database that no sweep has seen; 0 tells that a sweep has caught up."""

    name: ClassVar[str] = "checkpoint.lagging"
    database: str
    changes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseTaken(Event):
    """This process works on a database now."""

    name: ClassVar[str] = "lease.taken"
    database: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseLost(Event):
    """Another process may work on a database now; `released` tells that we let it go."""

    name: ClassVar[str] = "lease.lost"
    database: str
    released: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSeen(Event):
    """A database of a server appeared, vanished or was made anew: `change` is `appeared`,
    `vanished` or `recreated`."""

    name: ClassVar[str] = "database.seen"
    database: str
    change: str


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueMeasured(Event):
    """How many conflicts of a database wait, by severity, and since when the oldest does."""

    name: ClassVar[str] = "queue.measured"
    database: str
    waiting: tuple[tuple[str, int], ...]
    oldest: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished(Event):
    """A scheduled task ran; `error` is empty where it succeeded."""

    name: ClassVar[str] = "task.finished"
    task: str
    elapsed: int
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChanged(Event):
    """The configuration was read again; `refused` says why it was not taken, or is empty."""

    name: ClassVar[str] = "config.changed"
    changes: tuple[str, ...]
    refused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthChanged(Event):
    """The state of health is another: `healthy`, `degraded` or `unhealthy`."""

    name: ClassVar[str] = "health.changed"
    status: str
    before: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessRecorded(Event):
    """Somebody did, or tried, something: `action` such as `paused`, `decided`, `forgot`."""

    name: ClassVar[str] = "access.recorded"
    user: str
    action: str
    target: str
    allowed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFailed(Event):
    """A hook or a listener raised; what it was called for went on."""

    name: ClassVar[str] = "hook.failed"
    hook: str
    error: str


Listener: TypeAlias = Callable[[Event], None]


class Events:
    """Who wants to know.  A listener that fails is told of, and never stops what happens."""

    def __init__(self) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self._lock = threading.Lock()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell `listener` of every event from now on; call what is returned to end that."""
        with self._lock:
            self._listeners += (listener,)

        def end() -> None:
            with self._lock:
                self._listeners = tuple(one for one in self._listeners if one is not listener)

        return end

    def emit(self, event: Event) -> None:
        """Tell every listener, in the order in which they subscribed, in this thread."""
        for listener in self._listeners:
            try:
                listener(event)
            except Exception as problem:  # noqa: BLE001  # a listener's failure is told of
                self._failed(listener, problem, event)

    def _failed(self, listener: Listener, problem: Exception, event: Event) -> None:
        if isinstance(event, HookFailed):
            traceback.print_exception(problem, file=sys.stderr)
            return
        named = getattr(listener, "__qualname__", type(listener).__qualname__)
        self.emit(HookFailed(at=event.at, hook=named, error=type(problem).__name__))
