"""What a diagnosis says, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from couchmend.core.conflicts.document import ConflictedDocument
from couchmend.core.plans.assessing import Assessment
from couchmend.core.revtree import Rev
from couchmend.engine.finding.targets import Target
from couchmend.journal.conflicts import Conflict
from couchmend.journal.databases import Database, Pause
from couchmend.journal.leases import Lease
from couchmend.journal.records import Operation
from couchmend.journal.resolutions import Resolution
from couchmend.replica.base import DatabaseInfo

Weight: TypeAlias = Literal["ok", "notice", "problem"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is so, how much it matters, and what to do about it."""

    weight: Weight
    sentence: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class DocumentDiagnosis:
    """What there is to say of one document.

    doc: None where there is no such document, or it cannot be read.
    possible: dead leaves that may be deletions by users, but for those that the journal knows as
        our own.
    assessment: None where it is in no conflict.
    conflict: the open one of the journal.
    resolutions: the newest ones.
    seen: whether a sweep has come past its last change.
    """

    id: str
    doc: ConflictedDocument | None = None
    open: bool = False
    hidden: bool = False
    possible: tuple[Rev, ...] = ()
    assessment: Assessment | None = None
    conflict: Conflict | None = None
    resolutions: tuple[Resolution, ...] = ()
    seen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What there is to say of a database, and of a document of it.

    database: as the journal knows it; None where no sweep has seen it.
    lag: how many changes no sweep has seen; None where that is not known.
    facts: in sentences, the weightiest first.
    """

    target: Target
    database: Database | None = None
    info: DatabaseInfo | None = None
    lag: int | None = None
    lease: Lease | None = None
    paused: tuple[Pause, ...] = ()
    operations: tuple[Operation, ...] = ()
    document: DocumentDiagnosis | None = None
    facts: tuple[Fact, ...] = ()
