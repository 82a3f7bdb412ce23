"""A resolution on its way through the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

from couchmend.core.plans.planned import Plan
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


class _Known(TypedDict):
    conflict: int | None
    document: str
    resolution: int
    written: Rev | None
    tombstones: dict[Rev, Rev]


@dataclass(slots=True, kw_only=True)
class Work:
    """One resolution; the steps note here what is confirmed.

    before: the leaves of the document when it was last read.
    contents: of the attachments that are carried, at least.
    written, tombstones, accepted: what is confirmed.
    begun: whether something of it may be stored.
    recovered: whether it was begun before this process came to it.
    seen: the leaves that verifying it saw, where they are exactly those that were to be.
    outcome: once there is one, the remaining steps pass it over.
    """

    conflict: int | None
    resolution: int
    document: str
    plan: Plan
    type: str
    severity: str
    by: str
    before: frozenset[Rev]
    contents: Contents = field(default_factory=dict)
    started: float = 0.0
    undo_of: int | None = None
    recovered: bool = False
    written: Rev | None = None
    tombstones: dict[Rev, Rev] = field(default_factory=dict)
    accepted: bool = False
    begun: bool = False
    seen: tuple[Rev, ...] | None = None
    outcome: Carried | None = None

    @property
    def kept(self) -> Rev:
        """The revision that is to live on, or whose deletion is the last step."""
        return self.plan.winner if self.written is None else self.written

    # --- outcomes

    def resolved(self, *, edited: bool = False) -> None:
        """It is done."""
        rev = None if self.plan.deletes else self.kept
        self.outcome = Resolved(**self._known(), rev=rev, edited=edited, accepted=self.accepted)

    def moved(self, why: str) -> None:
        """The document is another."""
        self.outcome = Moved(**self._known(), why=why)

    def refused(self, error: str, reason: str) -> None:
        """The database refuses it."""
        self.outcome = Refused(**self._known(), error=error, reason=reason)

    def unavailable(self, problem: CouchmendError) -> None:
        """The database cannot be reached."""
        self.outcome = Unavailable(**self._known(), problem=problem)

    def deleted_since(self) -> None:
        """Somebody deleted the document."""
        self.outcome = DeletedSince(**self._known())

    def stopped(self, why: str, *, timed_out: bool = False) -> None:
        """It is given up for now."""
        self.outcome = Stopped(**self._known(), why=why, begun=self.begun, timed_out=timed_out)

    def unverified(self, why: str) -> None:
        """It cannot be seen."""
        self.outcome = Unverified(**self._known(), why=why)

    def _known(self) -> _Known:
        return {
            "conflict": self.conflict,
            "document": self.document,
            "resolution": self.resolution,
            "written": self.written,
            "tombstones": dict(self.tombstones),
        }
