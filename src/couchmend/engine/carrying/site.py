"""Where plans are carried out, and what is ordered there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.plans.planned import Plan
from couchmend.engine.clock import Clock
from couchmend.events import Event
from couchmend.journal.databases import Database
from couchmend.journal.opening import Journal
from couchmend.replica.base import Replica


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A plan that is to be carried out.

    conflict: its number in the journal.
    doc: the document that the plan was made for, with the bodies of its live leaves and bases.
    type, severity: of the conflict, for events.
    by: `auto`, or a user's name.
    undo_of: the number of the resolution that this takes back; None for none.
    """

    conflict: int | None
    doc: ConflictedDocument
    plan: Plan
    type: str
    severity: str
    by: str
    undo_of: int | None = None


Veto = Callable[[Order], "str | None"]
"""Says why an order must not be carried out, or None."""


def _no_veto(order: Order) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A database and what is needed to work on it.

    may_write: raises `EngineRefused` where nothing may be written (any more): paused, or the
        lease is lost.  It is asked before each request that writes.
    step_timeout_seconds: after so long a step begins no further request.
    attempts: how often a request is sent whose outcome nobody knows, each time after looking.
    """

    journal: Journal
    database: Database
    replica: Replica
    clock: Clock
    emit: Callable[[Event], None]
    may_write: Callable[[], None]
    veto: Veto = _no_veto
    step_timeout_seconds: float = 300.0
    attempts: int = 3
    first_pause_seconds: float = 0.5
