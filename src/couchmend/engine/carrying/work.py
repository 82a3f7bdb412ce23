"""Resolutions and undos on their way through the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from couchmend.core.plans.planned import Plan
from couchmend.core.plans.undo import UndoPlan
from couchmend.core.revtree import Rev
from couchmend.engine.carrying.carried import (
    Carried,
    DeletedSince,
    Moved,
    Refused,
    Resolved,
    Stopped,
    Unavailable,
    Unverified,
)
from couchmend.errors import CouchmendError
from couchmend.journal.contents import Content

Contents = Mapping[tuple[Rev, str], Content]
"""Contents of attachments that the journal keeps, by revision and name."""


class Known(TypedDict):
    """What every outcome says."""

    conflict: int | None
    document: str
    resolution: int
    written: Rev | None
    tombstones: dict[Rev, Rev]


@dataclass(slots=True, kw_only=True)
class Task:
    """A resolution or an undo; the steps note here what is confirmed.

    contents: of the attachments that are carried, at least.
    written, tombstones, accepted: what is confirmed.
    begun: whether something of it may be stored.
    recovered: whether it was begun before this process came to it.
    outcome: once there is one, the remaining steps pass it over.
    """

    conflict: int | None
    resolution: int
    document: str
    by: str
    contents: Contents = field(default_factory=dict)
    started: float = 0.0
    undo_of: int | None = None
    recovered: bool = False
    written: Rev | None = None
    tombstones: dict[Rev, Rev] = field(default_factory=dict)
    accepted: bool = False
    begun: bool = False
    outcome: Carried | None = None

    # --- outcomes

    def moved(self, why: str) -> None:
        """The document is another."""
        self.outcome = Moved(**self.known(), why=why)

    def refused(self, error: str, reason: str) -> None:
        """The database refuses it."""
        self.outcome = Refused(**self.known(), error=error, reason=reason)

    def unavailable(self, problem: CouchmendError) -> None:
        """The database cannot be reached."""
        self.outcome = Unavailable(**self.known(), problem=problem)

    def deleted_since(self) -> None:
        """Somebody deleted the document."""
        self.outcome = DeletedSince(**self.known())

    def stopped(self, why: str, *, timed_out: bool = False) -> None:
        """It is given up for now."""
        self.outcome = Stopped(**self.known(), why=why, begun=self.begun, timed_out=timed_out)

    def unverified(self, why: str) -> None:
        """It cannot be seen."""
        self.outcome = Unverified(**self.known(), why=why)

    def known(self) -> Known:
        """What every outcome says."""
        return {
            "conflict": self.conflict,
            "document": self.document,
            "resolution": self.resolution,
            "written": self.written,
            "tombstones": dict(self.tombstones),
        }


@dataclass(slots=True, kw_only=True)
class Work(Task):
    """A resolution.

    before: the leaves of the document when it was last read.
    seen: the leaves that verifying it saw, where they are exactly those that were to be.
    """

    plan: Plan
    type: str
    severity: str
    before: frozenset[Rev]
    seen: tuple[Rev, ...] | None = None

    @property
    def kept(self) -> Rev:
        """The revision that is to live on, or whose deletion is the last step."""
        return self.plan.winner if self.written is None else self.written

    def resolved(self, *, edited: bool = False) -> None:
        """It is done."""
        rev = None if self.plan.deletes else self.kept
        self.outcome = Resolved(**self.known(), rev=rev, edited=edited, accepted=self.accepted)


@dataclass(slots=True, kw_only=True)
class UndoWork(Task):
    """An undo.

    done: the revisions that its writes became, by those that were expected.
    leaves: how many the document has, as far as it is known.
    """

    plan: UndoPlan
    leaves: int = 0
    done: dict[Rev, Rev] = field(default_factory=dict)

    @property
    def kept(self) -> Rev:
        """The revision that has what is restored."""
        return self.done.get(self.plan.winner, self.plan.winner)

    def resolved(self) -> None:
        """It is done."""
        self.outcome = Resolved(**self.known(), rev=self.kept, accepted=self.accepted)
