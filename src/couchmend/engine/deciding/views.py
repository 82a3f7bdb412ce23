"""What people decide about conflicts, on the document as it is now."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Final

from couchmend.core.conflicts.deletions import row_digest
from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.document import JSON
from couchmend.core.plans.assessing import Assessment, assess
from couchmend.core.plans.choices import Choice, Choices
from couchmend.core.plans.plan import plan_for
from couchmend.core.plans.planned import Plan
from couchmend.core.plans.writes import PlanError
from couchmend.core.revtree import RevTree
from couchmend.engine.clock import Clock
from couchmend.engine.finding.judging import Ground
from couchmend.engine.finding.reading import (
    InConflict,
    NotInConflict,
    Reader,
    Reading,
    Unread,
    row_of,
)
from couchmend.engine.finding.remembering import remembered
from couchmend.engine.finding.replanning import leaves_of
from couchmend.engine.sweeping.intake import HOUR, Intake
from couchmend.errors import CouchmendError, EngineRefused
from couchmend.journal import conflicts, databases, resolutions
from couchmend.journal.columns import batches
from couchmend.journal.conflicts import Conflict
from couchmend.journal.opening import Journal
from couchmend.replica.base import ChangeRow, Replica

SUGGESTED: Final = "suggested"
"""In place of a strategy: the one that is suggested."""

_AT_ONCE: Final = 100

NO_CHOICES: Final[Mapping[str, Choice]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class View:
    """A conflict, with the document as it is now.

    conflict: as the journal has it, brought up to date by the reading.
    assessment: None where the document is not in conflict any more.
    """

    conflict: Conflict
    doc: ConflictedDocument
    assessment: Assessment | None

    @property
    def digest(self) -> str:
        """What a decision refers to; empty where there is none to take."""
        return "" if self.assessment is None else self.assessment.digest


@dataclass(frozen=True, slots=True)
class Preview:
    """What a decision would come to; `plan.problems` and `plan.unresolved` say what is left."""

    view: View
    plan: Plan


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the conflicts of one database are decided."""

    journal: Journal
    database_id: int
    replica: Replica
    ground: Ground
    clock: Clock
    intake: Intake

    def views(self, wanted: Sequence[Conflict]) -> Iterator[View]:
        """Conflicts with their documents as they are now, in this order.

        Raises:
            ReplicaError: the database, or a document, cannot be read.
        """
        for found in self.each(wanted):
            if isinstance(found, CouchmendError):
                raise found
            yield found

    def each(self, wanted: Sequence[Conflict]) -> Iterator[View | CouchmendError]:
        """As `views`; in place of a view, why a document cannot be read or assessed.

        Raises:
            ReplicaError: the database cannot be read.
        """
        readings = self._reader().documents(_rows(wanted))
        with closing(readings):
            for some in batches(zip(wanted, readings, strict=True), _AT_ONCE):
                yield from self._views(some)

    def bring_up_to_date(self, wanted: Sequence[Conflict]) -> None:
        """Judge conflicts anew, and note it in the journal."""
        self.intake.take(list(self._reader().documents(_rows(wanted))), self.clock.monotonic())

    def _reader(self) -> Reader:
        return Reader(
            self.replica, self.ground.database, partial(remembered, self.journal, self.database_id)
        )

    def _views(self, some: Sequence[tuple[Conflict, Reading]]) -> Iterator[View | CouchmendError]:
        found: list[View | CouchmendError] = []
        others: list[Reading] = []
        assess_one = self._assessing([conflict.document for conflict, _ in some])
        for conflict, reading in some:
            try:
                view = _view(self.ground.database, conflict, reading, assess_one)
            except CouchmendError as problem:
                found.append(problem)
                continue
            found.append(view)
            if conflict.is_open and self._is_other(view):
                others.append(reading)
        if others:
            self.intake.take(others, self.clock.monotonic())
            with self.journal.read() as tx:
                now = conflicts.get_many(tx, [conflict.id for conflict, _ in some])
            found = [_brought_up_to_date(one, now) for one in found]
        return iter(found)

    def _assessing(
        self, documents: Sequence[str]
    ) -> Callable[[ConflictedDocument, Conflict], Assessment | None]:
        """Assesses some documents as of now."""
        now = self.clock.now()
        with self.journal.read() as tx:
            recent = resolutions.recent(tx, self.database_id, documents, now - HOUR)
            paused = databases.is_paused(tx, self.ground.database)

        def assess_one(doc: ConflictedDocument, conflict: Conflict) -> Assessment | None:
            times = recent.get(doc.id, 0)
            about = self.ground.circumstances(now, conflict, times, paused=paused)
            return assess(doc, self.ground.policy(doc), about)

        return assess_one

    def _is_other(self, view: View) -> bool:
        """Whether the journal's picture is not what there is now."""
        conflict, found = view.conflict, view.assessment
        if found is None:
            leaves = view.doc.tree.leaves()
            return conflict.row_digest != row_digest(leaf.rev for leaf in leaves)
        return conflict.digest != found.digest or set(conflict.leafset) != set(
            found.examined.leafset
        )


def _view(
    database: str,
    conflict: Conflict,
    reading: Reading,
    assess_one: Callable[[ConflictedDocument, Conflict], Assessment | None],
) -> View:
    if isinstance(reading, Unread):
        raise reading.error
    doc = ConflictedDocument(database, conflict.document, RevTree(), {})
    if isinstance(reading, InConflict | NotInConflict):
        doc = reading.doc
    found = assess_one(doc, conflict) if isinstance(reading, InConflict) else None
    return View(conflict, doc, found)


def _brought_up_to_date(
    found: View | CouchmendError, now: Mapping[int, Conflict]
) -> View | CouchmendError:
    if isinstance(found, View):
        return replace(found, conflict=now.get(found.conflict.id, found.conflict))
    return found


def _rows(wanted: Sequence[Conflict]) -> list[ChangeRow]:
    return [row_of(one.document, leaves_of(one)) for one in wanted]


def planned(
    view: View,
    strategy: str,
    *,
    revision: str = "",
    choices: Choices = NO_CHOICES,
    body: Mapping[str, JSON] | None = None,
) -> Plan:
    """What a strategy makes of a conflict; `suggested` is the one that is suggested.

    Raises:
        EngineRefused: the document is not in conflict any more.
        UsageError: there is no such strategy, revision or version.
        DocumentInvalid: what was chosen is no document.
    """
    found = view.assessment
    if found is None:
        raise EngineRefused(
            "the document is not in conflict any more",
            target=f"{view.conflict.database} {view.conflict.document}",
            hint="`couchmend conflicts skip` takes it off the list"
            if view.conflict.is_open
            else "nothing is left to decide",
        )
    if strategy == SUGGESTED:
        if found.eligible and not (revision or choices or body is not None):
            return found.plan
        strategy = found.suggested
    return plan_for(found.examined, strategy, revision=revision, choices=choices, body=body)


def ready(view: View, plan: Plan, digest: str | None) -> Plan:
    """The plan, if it may be carried out for somebody who looked at what `digest` stands for.

    Raises:
        EngineRefused: the conflict is another by now.
        PlanError: something is left to decide.
    """
    target = f"{view.conflict.database} {view.conflict.document}"
    if digest is not None and digest != view.digest:
        raise EngineRefused(
            "the conflict is another than the one that was decided on",
            target=target,
            hint=f"look at it again: `couchmend conflicts show {view.conflict.id}`",
        )
    if not plan.ready:
        raise PlanError(
            plan.sentence,
            target=target,
            hint="choose another strategy, or for each path a version or a value",
        )
    return plan
