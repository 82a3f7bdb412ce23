"""What a sweep did, as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from couchmend.core.conflicts.eligibility import Mode
from couchmend.errors import CouchmendError

Outcome: TypeAlias = Literal["done", "held", "vanished", "failed", "stopped", "quiet"]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a sweep is.

    rows: of the feed, so far; `pending` lie beyond, or None where the server does not tell.
    """

    database: str
    rows: int
    pending: int | None
    found: int
    resolved: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepReport:
    """One pass over one database.

    outcome: `done`; `held`: another process works on it; `vanished`: there is no such database;
        `failed`: see `error`; `stopped` by whoever ran it; `quiet`: its server is left alone now.
    rows: of the changes feed; `candidates` of them were looked into.
    detected: new conflicts, and new versions of known ones, `by_type`.
    closed: conflicts that were over without our doing.
    resolved: `by_strategy`.
    waiting: conflicts that are open after the pass, by severity.
    reasons: why those that this pass looked into wait: how often each check failed first.
    would_resolve: in a dry run, how many would be resolved.
    elapsed: microseconds.
    notices: sentences that an operator should read.
    """

    database: str
    outcome: Outcome
    mode: Mode
    rows: int = 0
    candidates: int = 0
    detected: int = 0
    closed: int = 0
    resolved: int = 0
    failed: int = 0
    would_resolve: int = 0
    waiting: Mapping[str, int] = field(default_factory=dict)
    by_type: Mapping[str, int] = field(default_factory=dict)
    by_strategy: Mapping[str, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    elapsed: int = 0
    error: CouchmendError | None = None
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Swept:
    """Passes over several databases.

    appeared, vanished: databases of whole servers that came or went since the last pass.
    """

    each: tuple[SweepReport, ...]
    appeared: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()

    @property
    def detected(self) -> int:
        """New conflicts and new versions."""
        return sum(one.detected for one in self.each)

    @property
    def resolved(self) -> int:
        """Conflicts that were resolved."""
        return sum(one.resolved for one in self.each)

    @property
    def failed(self) -> int:
        """Resolutions that did not come about."""
        return sum(one.failed for one in self.each)

    @property
    def waiting(self) -> int:
        """Conflicts that are open now."""
        return sum(sum(one.waiting.values()) for one in self.each)

    @property
    def errors(self) -> tuple[CouchmendError, ...]:
        """Why databases were not swept to the end, in their order."""
        return tuple(one.error for one in self.each if one.error is not None)


@dataclass(slots=True)
class Tally:
    """What is counted while a sweep runs.

    ahead: about how many rows there are, where that is known.
    """

    rows: int = 0
    ahead: int | None = None
    candidates: int = 0
    closed: int = 0
    failed: int = 0
    would_resolve: int = 0
    by_type: Counter[str] = field(default_factory=Counter)
    by_strategy: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)
    notices: dict[str, None] = field(default_factory=dict)

    @property
    def detected(self) -> int:
        """New conflicts and new versions."""
        return self.by_type.total()

    @property
    def resolved(self) -> int:
        """Conflicts that were resolved."""
        return self.by_strategy.total()
