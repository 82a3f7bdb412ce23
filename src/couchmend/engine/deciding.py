"""What people decide about conflicts, on the document as it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
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
from couchmend.core.policy.policy import Policy
from couchmend.core.revtree import RevTree
from couchmend.engine.clock import Clock
from couchmend.engine.intake import HOUR, Intake
from couchmend.engine.judging import Ground
from couchmend.engine.reading import InConflict, NotInConflict, Reader, Reading, Unread, row_of
from couchmend.engine.remembering import remembered
from couchmend.engine.replanning import leaves_of
from couchmend.errors import EngineRefused
from couchmend.journal import conflicts, databases, resolutions
from couchmend.journal.conflicts import Conflict
from couchmend.journal.opening import Journal
from couchmend.replica.base import ChangeRow, Replica

SUGGESTED: Final = "suggested"
"""In place of a strategy: the one that is suggested."""

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
        documents = self._reader().documents(_rows(wanted))
        for conflict, reading in zip(wanted, documents, strict=True):
            yield self._view(conflict, reading)

    def policy_of(self, document: str) -> Policy:
        """The policy that holds for a document as it is now."""
        (reading,) = self._reader().documents([row_of(document)])
        if isinstance(reading, InConflict | NotInConflict):
            return self.ground.policy(reading.doc)
        return self.ground.policies.default

    def bring_up_to_date(self, wanted: Sequence[Conflict]) -> None:
        """Judge conflicts anew, and note it in the journal."""
        self.intake.take(list(self._reader().documents(_rows(wanted))), self.clock.monotonic())

    def _reader(self) -> Reader:
        return Reader(
            self.replica, self.ground.database, partial(remembered, self.journal, self.database_id)
        )

    def _view(self, conflict: Conflict, reading: Reading) -> View:
        if isinstance(reading, Unread):
            raise reading.error
        found: Assessment | None = None
        doc = ConflictedDocument(self.ground.database, conflict.document, RevTree(), {})
        if isinstance(reading, InConflict | NotInConflict):
            doc = reading.doc
        if isinstance(reading, InConflict):
            found = self._assessed(doc, conflict)
        if conflict.is_open and self._is_other(conflict, doc, found):
            self.intake.take([reading], self.clock.monotonic())
            with self.journal.read() as tx:
                conflict = conflicts.get(tx, conflict.id)
        return View(conflict, doc, found)

    def _assessed(self, doc: ConflictedDocument, conflict: Conflict) -> Assessment | None:
        now = self.clock.now()
        with self.journal.read() as tx:
            recent = resolutions.recent(tx, self.database_id, [doc.id], now - HOUR)
            paused = databases.is_paused(tx, self.ground.database)
        about = self.ground.circumstances(now, conflict, recent.get(doc.id, 0), paused=paused)
        return assess(doc, self.ground.policy(doc), about)

    def _is_other(
        self, conflict: Conflict, doc: ConflictedDocument, found: Assessment | None
    ) -> bool:
        """Whether the journal's picture is not what there is now."""
        if found is None:
            return conflict.row_digest != row_digest(leaf.rev for leaf in doc.tree.leaves())
        return conflict.digest != found.digest or set(conflict.leafset) != set(
            found.examined.leafset
        )


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
